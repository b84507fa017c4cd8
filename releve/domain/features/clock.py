"""The time of rows as whole ticks, in which a step is a fixed number, and the calendar's phases.

A tick is a microsecond of a date, or a millionth of a time that is a number. Steps that are days or months count by the
wall clock of `features.timezone`, so that a day is one step also where it has 23 hours. A month counts 31 days, of
which the last ones are left out where it has fewer: the 15th is one step after the 15th, and the last day of a month
one after the last day of the month before.
"""

from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.arrays import DAY_US, HOUR_US
from releve.domain.schema.columns import DATE
from releve.domain.schema.derived import DAY, HOUR, MONTH
from releve.domain.schema.schema import Schema

MICROS = 1_000_000
UNKNOWN = np.iinfo(np.int64).min  # of a time that is missing, or a number too large for ticks
LARGEST = 2**62 // MICROS
MONTH_DAYS = 31
STEP_TICKS = {HOUR: HOUR_US, DAY: DAY_US, MONTH: MONTH_DAYS * DAY_US}
QUARTER_US = HOUR_US // 4  # offsets of time zones change at such moments: those of one quarter are asked for once
NEWEST_ROWS = 1000  # whose median is where the newest rows are: one of the year 9999 is not
EPOCH = np.datetime64(0, "us")

Ticks = NDArray[np.int64]


def ticks_of(schema: Schema, times: NDArray[Any]) -> Ticks:
    """Return the tick of each time, (n,): datetime64[us] (UTC) or floats, as `Type.dtype` has them."""
    assert schema.time is not None and schema.derived is not None, "features have a time"
    if schema.by_name[schema.time].type != DATE:
        numbers = np.asarray(times, dtype=np.float64)
        fits = np.abs(numbers) < LARGEST
        return np.where(fits, np.rint(np.where(fits, numbers, 0.0) * MICROS), UNKNOWN).astype(np.int64)
    moments = np.asarray(times, dtype="datetime64[us]")
    if schema.derived.step in (DAY, MONTH):
        moments = local(moments, schema.derived.timezone)
    ticks = moments.astype(np.int64)
    if schema.derived.step == MONTH:
        ticks = _in_months(moments)
    ticks[np.isnat(moments)] = UNKNOWN
    return ticks


def step_ticks(schema: Schema) -> int:
    """Return how many ticks a step has."""
    step = schema.derived.step if schema.derived else None
    return MICROS if step is None else STEP_TICKS[step]


def steps_back(schema: Schema, ticks: Ticks) -> float:
    """Return how many steps ascending ticks, (n,), reach back from where the newest rows are; 0 without any."""
    if not len(ticks):
        return 0.0
    return float(np.median(ticks[-NEWEST_ROWS:]) - ticks[0]) / step_ticks(schema)


def phases(schema: Schema, times: NDArray[Any]) -> dict[str, NDArray[np.float64]]:
    """Compute the calendar's features: sine and cosine of each phase, (n,); NaN where the time is missing."""
    assert schema.time is not None and schema.derived is not None, "features have a time"
    names = schema.derived.phases(schema.time)
    if not names:
        return {}
    moments = local(np.asarray(times, dtype="datetime64[us]"), schema.derived.timezone)
    known = ~np.isnat(moments)
    shares = _shares(np.where(known, moments, EPOCH))
    found = {}
    for name in names:
        cycle, _, wave = name.removeprefix(f"{schema.time}.").rpartition("_")
        angle = 2 * np.pi * shares[cycle]
        found[name] = np.where(known, np.sin(angle) if wave == "sin" else np.cos(angle), np.nan)
    return found


def local(moments: NDArray[np.datetime64], timezone: str | None) -> NDArray[np.datetime64]:
    """Return what a clock on the wall shows at moments in UTC."""
    if timezone is None or not len(moments):
        return moments
    zone, known = ZoneInfo(timezone), ~np.isnat(moments)
    quarters, place = np.unique(moments[known].astype(np.int64) // QUARTER_US, return_inverse=True)
    offsets = np.array([_offset(zone, int(quarter) * QUARTER_US) for quarter in quarters], dtype="timedelta64[us]")
    shown = moments.copy()
    shown[known] += offsets[place]
    return shown


def _offset(zone: ZoneInfo, micros: int) -> np.timedelta64:
    try:
        offset = (EPOCH + np.timedelta64(micros, "us")).item().replace(tzinfo=UTC).astimezone(zone).utcoffset()
    except OverflowError:  # the first or the last hours that Python's dates know
        offset = None
    return np.timedelta64(offset or timedelta(0))


def _in_months(moments: NDArray[np.datetime64]) -> Ticks:
    month, day = moments.astype("datetime64[M]"), moments.astype("datetime64[D]")
    days_in = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    place = (day - month.astype("datetime64[D]")).astype(np.int64)  # from 0
    place = np.where(place == days_in - 1, MONTH_DAYS - 1, place)
    of_day: Ticks = (moments - day).astype(np.int64)
    return (month.astype(np.int64) * MONTH_DAYS + place) * DAY_US + of_day


def _shares(moments: NDArray[np.datetime64]) -> dict[str, NDArray[np.float64]]:
    """Return how much of each cycle has passed, 0-1."""
    day, month, year = (moments.astype(f"datetime64[{unit}]") for unit in "DMY")
    first = month.astype("datetime64[D]")
    of_day = (moments - day).astype(np.int64) / DAY_US
    in_month = ((month + 1).astype("datetime64[D]") - first).astype(np.int64)
    in_year = ((year + 1).astype("datetime64[D]") - year.astype("datetime64[D]")).astype(np.int64)
    return {
        "day": of_day,
        "half_day": 2 * of_day,
        "week": ((day.astype(np.int64) + 3) % 7 + of_day) / 7,  # 1970-01-01 was a Thursday
        "month": ((day - first).astype(np.int64) + of_day) / in_month,
        "year": ((day - year.astype("datetime64[D]")).astype(np.int64) + of_day) / in_year,
    }
