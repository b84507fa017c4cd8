"""Where a person says a setting: in the scenario's params.yaml, or on the command that brings a table, while there is
none yet."""

from collections.abc import Callable, Sequence
from typing import Any

Say = Callable[[str, Any], str]  # a key and a value that it may have, as a part of a sentence


def in_params(key: str, example: Any) -> str:
    """For a scenario that is there."""
    return f"{key} in the scenario's params.yaml (for instance {example})"


def on_command(key: str, example: Any) -> str:
    """For `make scenario`."""
    return f"SET={key}={example}"


def all_on_command(settings: Sequence[str]) -> str:
    """Each as key=value. `make` parts settings at spaces; what holds one goes to the command behind it."""
    if all(mark not in each for each in settings for mark in " \u00a0\u202f'"):
        return f"SET='{' '.join(settings)}'"
    return "to `python -m tasks.scaffold`: " + " ".join(f'--set "{each}"' for each in settings)
