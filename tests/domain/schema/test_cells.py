import time
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.schema.cells import as_date, format_value, normalized

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
    ("value", "shown"),
    [
        ("x" * 60, repr("x" * 60)),
        ("x" * 61, f"'{'x' * 60}...'"),
        (["y"] * 100, f"{str(['y'] * 100)[:60]}..."),
        (1.5, "1.5"),
    ],
)
def test_a_value_is_shown_whole_up_to_60_characters(value, shown):
    assert format_value(value) == shown


def test_a_value_nested_too_deeply_to_be_shown_is_refused():
    value = []
    for _ in range(100_000):
        value = [value]

    with pytest.raises(BadInput, match="nested too deeply"):
        format_value(value)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@pytest.mark.parametrize(
    "text", ["e\u0301", "a" + "\u0301\u0316" * 15, "Straße \u1100\u1161\u11a8", "\ufdfa" * 20, "x" * 99]
)
def test_what_people_write_is_normalized_as_unicode_says(text, form):
    assert normalized(text, form) == unicodedata.normalize(form, text)


@pytest.mark.parametrize(("marks", "kept"), [(29, 29), (30, 30), (31, 30), (100_000, 30)])
def test_of_very_many_marks_on_one_letter_the_first_are_kept_in_little_time(marks, kept):
    text = "x" + ("\u0301\u0316" * marks)[:marks]
    began = time.process_time()

    found = normalized(text, "NFC")

    assert len(found) == 1 + kept
    assert time.process_time() - began < 1.0  # 8 s were all of them sorted
