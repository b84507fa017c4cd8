"""Dates: read from ISO 8601 or Python's own, kept in UTC without a zone, shown to models as numbers.

A model sees five parts per date. `days` since 1970-01-01 carries the trend and, with its fraction, the order; the
others carry what repeats: month of the year, day of the month (paydays), day of the week (Monday is 0) and hour of
the day (14.5 is half past two). Models compute in float32, whose steps between 2015 and 2060 are three minutes of
`days`; `hour` is exact to less than a second.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.cells import trimmed

PARTS = ("days", "month", "day", "weekday", "hour")
# Only the written-out form: 20240131 could as well be a number, and 2024-W05 is seldom meant. The zone may stand behind
# a space, as databases write it, and its name behind the offset, as Go and Java do: +0100 CET, +01:00[Europe/Paris].
ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)?)"
    r"( ?(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)( [A-Z]{3,5}|\[[\w/+-]+\])?)?",
    re.ASCII,
)
EXPECTED = "expected a date such as 2024-01-31 or 2024-01-31T12:00:00+01:00 (ISO 8601)"
DAY_US = 86_400_000_000
HOUR_US = 3_600_000_000
FIRST, LAST = (np.datetime64(text, "s") for text in ("0001-01-01T00:00:00", "9999-12-31T23:59:59"))  # Python's range


def as_date(value: Any) -> datetime:
    """A moment in UTC, without a zone, to the microsecond; what names no zone is taken as UTC.

    Raises ValueError with the reason, as a sentence part.
    """
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        return _from_iso(value)
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise ValueError(EXPECTED)


def in_format(text: str, formats: Iterable[str]) -> datetime | None:
    """The moment that `text` is in the first fitting one of `formats` (of strptime), in UTC; None where none fits."""
    for each in formats:
        try:
            return _utc(datetime.strptime(text, each))  # what names no zone is taken as UTC
        except ValueError:
            continue
    return None


def date_parts(dates: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """PARTS of each date, (n, 5); NaN for a missing one. `dates` is datetime64[us] of shape (n,)."""
    moments = dates.astype("datetime64[us]")
    day, month = moments.astype("datetime64[D]"), moments.astype("datetime64[M]")
    micros = moments.astype(np.int64)
    parts = np.column_stack(
        [
            micros / DAY_US,
            month.astype(np.int64) % 12 + 1,
            (day - month.astype("datetime64[D]")).astype(np.int64) + 1,
            (day.astype(np.int64) + 3) % 7,  # 1970-01-01 was a Thursday
            micros % DAY_US / HOUR_US,
        ]
    ).astype(np.float64)
    parts[np.isnat(moments)] = np.nan
    return parts


def part_names(name: str) -> list[str]:
    """What the parts of a date column are called among the numbers."""
    return [f"{name}.{part}" for part in PARTS]


def _from_iso(text: str) -> datetime:
    found = ISO.fullmatch(text) or ISO.fullmatch(trimmed(text))
    if found is None or (found[5] and not found[2]):  # a zone needs a time of day
        raise ValueError(EXPECTED)
    zone = found[6] or ""
    try:
        return _utc(datetime.fromisoformat(found[1] + ("Z" if zone in ("UTC", "GMT") else zone)))
    except ValueError as error:
        raise ValueError(f"which is no date: {error}") from None


def _utc(moment: datetime) -> datetime:
    """Also makes pandas' Timestamps, which are datetimes of a finer kind, plain ones."""
    try:
        plain = moment.to_pydatetime(warn=False) if hasattr(moment, "to_pydatetime") else moment
        return plain.astimezone(UTC).replace(tzinfo=None) if plain.tzinfo else plain
    except OverflowError:
        raise ValueError("which lies outside of the years 1 to 9999") from None
