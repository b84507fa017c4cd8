from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from releve.domain.schema.arrays import date_parts
from releve.domain.schema.cells import as_date
from releve.domain.schema.schema import DATE_PARTS, Schema

NOON = datetime(2024, 1, 31, 12)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-01-31", datetime(2024, 1, 31)),
        ("2024-01-31T12:00", NOON),
        ("2024-01-31 12:00:00", NOON),
        ("2024-01-31T12:00:00Z", NOON),
        ("2024-01-31T13:00:00+01:00", NOON),
        ("2024-01-31T13:00:00+0100", NOON),
        ("2024-01-31T02:00:00-10", NOON),
        ("2024-01-31 13:00:00 +0100", NOON),
        ("2024-01-31 13:00:00.000000 +0100 CET", NOON),
        ("2024-01-31 12:00:00 UTC", NOON),
        ("2024-01-31 12:00:00.000000 +0000 UTC", NOON),
        ("2024-01-31 12:00:00+00", NOON),
        ("2024-01-31T13:00+01:00[Europe/Paris]", NOON),
        ("\ufeff 2024-01-31\u00a0", datetime(2024, 1, 31)),
        ("2024-01-31T12:00:00.5", NOON + timedelta(seconds=0.5)),
        ("2024-01-31T12:00:00,500000999", NOON + timedelta(seconds=0.5)),  # finer than a microsecond is cut
        (date(2024, 1, 31), datetime(2024, 1, 31)),
        (NOON, NOON),
        (NOON.replace(tzinfo=UTC), NOON),
        (datetime(2024, 1, 31, 13, tzinfo=timezone(timedelta(hours=1))), NOON),
        (pd.Timestamp(NOON), NOON),
        (pd.Timestamp("2024-01-31 12:00:00.000000999"), NOON),
        (pd.Timestamp("2024-01-31 13:00", tz="Europe/Paris"), NOON),
        (np.datetime64(NOON), NOON),
        ("0001-01-01", datetime.min),
        ("9999-12-31T23:59:59.999999", datetime.max),
    ],
)
def test_a_date_is_a_moment_in_utc_without_a_zone(value, expected):
    found = as_date(value)

    assert found == expected
    assert type(found) is datetime and found.tzinfo is None


@pytest.mark.parametrize(
    "value",
    [
        *("31/01/2024", "20240131", "2024-W05-3", "2024-1-31", "2024-01-31T12", "2024-01-31 UTC"),
        *("2024-01-31 12:00 CET", "today", "", "\u0662\u0660\u0662\u0664-01-31", b"2024-01-31"),
        *(20240131, 1.5, True, [], np.datetime64("20000-01-01")),
    ],
)
def test_what_is_no_date_is_told_with_an_example(value):
    with pytest.raises(ValueError, match=r"^expected a date such as 2024-01-31 or .* \(ISO 8601\)$"):
        as_date(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2023-02-29", "day is out of range for month"),
        ("2024-02-30", "day is out of range for month"),
        ("2024-13-01", "month must be in 1..12"),
        ("0000-01-01", "year 0 is out of range"),
        ("2024-01-31T24:00:00", "hour must be in 0..23"),
        ("2024-01-31T23:59:60", "second must be in 0..59"),
        ("0001-01-01T00:00:00+01:00", "which lies outside of the years 1 to 9999"),
        ("9999-12-31T23:59:59-01:00", "which lies outside of the years 1 to 9999"),
    ],
)
def test_an_impossible_date_is_told_with_its_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        as_date(text)


def test_a_leap_day_is_a_day():
    assert as_date("2024-02-29") == datetime(2024, 2, 29)


@pytest.mark.parametrize(
    ("moment", "parts"),
    [
        ("1970-01-01T00:00:00", [0, 1, 1, 3, 0]),  # a Thursday
        ("1969-12-31T18:00:00", [-0.25, 12, 31, 2, 18]),
        ("2024-02-29T14:30:00", [19782 + 14.5 / 24, 2, 29, 3, 14.5]),
        ("2024-03-03T23:59:59", [19785 + 86399 / 86400, 3, 3, 6, 23 + 3599 / 3600]),
    ],
)
def test_the_parts_of_a_date(moment, parts):
    found = date_parts(np.array([moment], dtype="datetime64[us]"))

    assert found.tolist() == [pytest.approx(parts)]


def test_the_parts_agree_with_pythons_calendar():
    random = np.random.default_rng(7)
    seconds = random.integers(-60_000_000_000, 200_000_000_000, 2000)
    moments = [datetime(1970, 1, 1) + timedelta(seconds=int(second)) for second in seconds]

    found = date_parts(np.array(moments, dtype="datetime64[us]"))

    expected = [[each.month, each.day, each.weekday()] for each in moments]
    assert found[:, 1:4].tolist() == expected
    np.testing.assert_allclose(found[:, 4], [each.hour + each.minute / 60 + each.second / 3600 for each in moments])
    np.testing.assert_allclose(found[:, 0], seconds / 86400)


def test_a_missing_date_has_missing_parts():
    found = date_parts(np.array(["NaT", "2024-01-31"], dtype="datetime64[us]"))

    assert np.isnan(found).tolist() == [[True] * 5, [False] * 5]


def test_no_dates_have_no_parts():
    assert date_parts(np.array([], dtype="datetime64[us]")).shape == (0, len(DATE_PARTS))


@pytest.mark.parametrize(("minutes", "told_apart"), [(1, False), (3, True), (4, True)])
def test_days_tell_moments_apart_by_three_minutes_in_float32(minutes, told_apart):
    moments = pd.date_range("2044-12-31", periods=500, freq=f"{minutes}min").to_numpy("datetime64[us]")

    days = date_parts(moments).astype(np.float32)[:, 0]

    assert bool((np.diff(days) > 0).all()) is told_apart


def test_parts_are_named_after_their_column():
    schema = Schema.from_dict({"columns": {"day": {"type": "date"}}, "target": {"name": "y", "task": "regression"}})

    assert schema.model_numbers == ["day.days", "day.month", "day.day", "day.weekday", "day.hour"]
