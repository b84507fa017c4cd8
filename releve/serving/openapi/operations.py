"""One method of one path."""

from dataclasses import dataclass, field
from typing import Any

from releve.serving.openapi.cells import JsonSchema


@dataclass(frozen=True)
class Operation:
    """What is asked and answered. `answers` and `asks` are JSON Schemas; None for what has no shape, or no body."""

    method: str
    path: str
    name: str
    summary: str
    answers: JsonSchema | None = None
    asks: JsonSchema | None = None
    example: Any = None
    parameters: tuple[JsonSchema, ...] = field(default=())
    errors: str = "Error"  # of `components`
    may_be_empty: bool = False  # the body
    refused: bool = False  # whatever is sent: there is no answer but an error
    binary: bool = False  # whether the answer may be asked for in bytes
