"""`columns` of a scenario's params.yaml: read with every mistake named, and written back."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from releve.core.errors import BadInput
from releve.domain.schema.cells import trimmed
from releve.domain.schema.columns import DATE, TYPES, Column
from releve.domain.schema.dates import as_date

COMMON_KEYS = frozenset({"type", "nullable", "feature"})
DEFAULTS = {field.name: field.default for field in fields(Column)}


def read_column(name: Any, spec: Any, *, source: str) -> Column:
    """One entry of `columns`. Raises BadInput naming `source`, the column and the key."""
    if not isinstance(name, str) or not isinstance(spec, Mapping) or spec.get("type") not in TYPES:
        expected = " or ".join(f"{{type: {known}}}" for known in TYPES)
        raise BadInput(f"{source}: columns.{name} is {spec!r}; expected {expected}")
    allowed = TYPES[spec["type"]].keys | COMMON_KEYS
    if unknown := sorted(set(map(str, spec)) - allowed):
        kind = f"for type {spec['type']}"
        raise BadInput(f"{source}: columns.{name} has the unknown {unknown}; known are {sorted(allowed)} {kind}")
    try:
        column = Column(**{key: _read(spec["type"], key, value) for key, value in spec.items()}, name=name)
        _check_limits(column)
    except ValueError as error:
        raise BadInput(f"{source}: columns.{name} has {error}") from None
    return column


def write_column(column: Column) -> dict[str, Any]:
    """What `read_column` reads, as JSON and YAML can hold it; defaults are left out."""
    spec = {key: getattr(column, key) for key in DEFAULTS if key != "name" and getattr(column, key) != DEFAULTS[key]}
    return {key: _plain(value) for key, value in spec.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def _read(kind: str, key: str, value: Any) -> Any:
    """The value of one key. Raises ValueError with the rest of the sentence "columns.x has ..."."""
    if value is None and key in DEFAULTS:
        return DEFAULTS[key]
    return DATE_READERS[key](key, value) if kind == DATE and key in DATE_READERS else READERS[key](key, value)


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key}: {value!r}; expected a number")
    return value


def _date(key: str, value: Any) -> datetime:
    try:
        return as_date(value)
    except ValueError as error:
        raise ValueError(f"{key}: {value!r}; {error}") from None


def _length(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{key}: {value!r}; expected a whole number of characters, 1 or more")
    return value


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key}: {value!r}; expected true or false")
    return value


def _categories(key: str, value: Any) -> tuple[str, ...]:
    is_list = isinstance(value, list | tuple) and bool(value)
    if not is_list or any(isinstance(each, bool) or each is None or not trimmed(str(each)) for each in value):
        raise ValueError(f"{key}: {value!r}; expected a list of texts (put yes, no, on and off in quotes)")
    return tuple(dict.fromkeys(trimmed(str(each)) for each in value))


def _check_limits(column: Column) -> None:
    if column.min is not None and column.max is not None and column.min > column.max:  # type: ignore[operator]
        raise ValueError(f"min {column.min} above max {column.max}; no {column.type} fits")


def _type(_: str, value: Any) -> Any:
    return value


READERS: dict[str, Callable[[str, Any], Any]] = {
    "type": _type,
    "min": _number,
    "max": _number,
    "categories": _categories,
    "ignore_case": _flag,
    "max_length": _length,
    "nullable": _flag,
    "feature": _flag,
}
DATE_READERS: dict[str, Callable[[str, Any], Any]] = {"min": _date, "max": _date}
