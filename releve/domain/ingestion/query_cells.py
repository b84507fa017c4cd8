"""A database's value as JSON has it."""

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any
from uuid import UUID

from releve.core.errors import BadInput
from releve.domain.schema.cells import EXACT, SHOWN

LARGEST_WHOLE = 10**38  # as most databases have it; what is larger is a measurement, not a name
TEXTS = (UUID, IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network)
CASTS: tuple[tuple[type[Any] | tuple[type[Any], ...], str, str], ...] = (
    (dict, "an object", "{column} ->> 'key' AS key, or {column}::text AS {column}"),
    (list, "a list", "array_to_string({column}, ',') AS {column}, or {column}::text AS {column} where it is JSON"),
    (
        (bytes, bytearray, memoryview),
        "bytes",
        "encode({column}, 'hex') AS {column} in PostgreSQL, hex({column}) AS {column} elsewhere",
    ),
    (
        timedelta,
        "an interval",
        "extract(epoch FROM {column}) AS {column} in PostgreSQL, time_to_sec({column}) AS {column} in MySQL",
    ),
)  # what is no cell: what it is called, and what a query says instead


def as_json(value: Any, column: str) -> Any:
    """A moment as ISO text (in UTC where it has a zone), a decimal as a number, a whole number in all its digits.

    NaN is missing; an infinite number is a text, which a number column rejects row by row. Raises BadInput, naming the
    column and a cast, for what is no number, text or date.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _not_finite(value)
    if isinstance(value, Decimal):
        return _number(value) if value.is_finite() else _not_finite(value)
    if isinstance(value, datetime):
        return _in_utc(value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, TEXTS):
        return str(value)
    raise BadInput(
        f"source.query: the column {column} holds {_shown(value)}, which is no number, text or date; cast it in the "
        f"query: {_cast(value, column)}"
    )


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC) if value.tzinfo else value
    except OverflowError:  # the first day of year 1, or the last of 9999
        return value


def _not_finite(value: float | Decimal) -> str | None:
    return None if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"


def _number(value: Decimal) -> int | float | str:
    whole = value == value.to_integral_value() and -LARGEST_WHOLE < value < LARGEST_WHOLE  # exact, as abs() is not
    if whole and (value.as_tuple().exponent == 0 or not -EXACT <= value <= EXACT):
        return int(value)
    number = float(value)
    return number if math.isfinite(number) else f"{value:.6E}"


def _shown(value: Any) -> str:
    plain = bytes(value) if isinstance(value, bytearray | memoryview) else value
    text = str(value) if isinstance(value, timedelta) else repr(plain)
    kind = next((name for types, name, _ in CASTS if isinstance(value, types)), f"a {type(value).__name__}")
    return f"{kind} ({text if len(text) <= SHOWN else text[:SHOWN] + '...'})"


def _cast(value: Any, column: str) -> str:
    name = column if column.isidentifier() and column == column.lower() else '"' + column.replace('"', '""') + '"'
    found = next((cast for types, _, cast in CASTS if isinstance(value, types)), "{column}::text AS {column}")
    return found.format(column=name)
