"""Rows that a model can answer: from its metadata, or from a request that somebody wrote down."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.oip.tensors import InferenceTensor, flatten

FRACTIONS = (0.25, 0.75, 0.5)  # of the way from the least to the most that a number may be
ROWS = 3  # that differ


@dataclass(frozen=True)
class Input:
    """An input of the model, and the elements that each of a few rows has in it."""

    name: str
    datatype: str
    row_shape: tuple[int, ...]
    rows: tuple[tuple[Any, ...], ...]
    batched: bool  # whether its first dimension counts rows

    def tensor(self, rows: Sequence[int]) -> InferenceTensor:
        """Return the tensor that holds those rows."""
        values = tuple(value for row in rows for value in self.rows[row % len(self.rows)])
        shape = (len(rows), *self.row_shape) if self.batched else self.row_shape
        return InferenceTensor(self.name, self.datatype, shape, values)


def from_metadata(inputs: Sequence[Mapping[str, Any]]) -> list[Input]:
    """Make rows for the inputs that the metadata of a model lists.

    Beside name, datatype and shape this reads `parameters`, where a server gives them: `examples` (of rows),
    `categories`, `min` and `max`; lists may be JSON text, as a parameter is no list. Without, numbers are from 0 to 1.
    """
    return [_input(each) for each in inputs]


def from_request(inputs: Sequence[Mapping[str, Any]]) -> list[Input]:
    """Take the rows of a JSON inference request whose first dimension counts rows."""
    found = []
    for each in inputs:
        values, shape = flatten(each["data"]), tuple(each["shape"])
        size = math.prod(shape[1:])
        rows = tuple(tuple(values[at * size : (at + 1) * size]) for at in range(shape[0]))
        found.append(Input(each["name"], each["datatype"], shape[1:], rows, batched=True))
    return found


def _input(metadata: Mapping[str, Any]) -> Input:
    shape = list(metadata["shape"])
    batched = bool(shape) and shape[0] == -1
    row_shape = tuple(1 if size == -1 else size for size in shape[batched:])
    size, datatype, parameters = math.prod(row_shape), metadata["datatype"], metadata.get("parameters") or {}
    examples = _listed(parameters.get("examples"))
    if examples and all(len(flatten(example)) == size for example in examples):
        rows = tuple(tuple(flatten(example)) for example in examples)
    else:
        rows = tuple(tuple(_value(datatype, parameters, row) for _ in range(size)) for row in range(ROWS))
    return Input(metadata["name"], datatype, row_shape, rows, batched)


def _value(datatype: str, parameters: Mapping[str, Any], row: int) -> Any:
    if datatype == "BYTES":
        categories = _listed(parameters.get("categories"))
        return categories[row % len(categories)] if categories else f"text {row}"
    if datatype == "BOOL":
        return row % 2 == 0
    low = parameters.get("min", 0)
    high = parameters.get("max", low + 1)
    value = low + (high - low) * FRACTIONS[row % len(FRACTIONS)]
    return float(value) if datatype.startswith("FP") else round(value)


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return []
    return value if isinstance(value, list) else []
