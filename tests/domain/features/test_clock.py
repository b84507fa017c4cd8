"""Ticks and phases of times."""

import numpy as np
import pytest

from releve.domain.features.clock import UNKNOWN, phases, step_ticks, ticks_of
from tests.domain.features.tables import rides_schema


def stepped(step, *, timezone=None):
    features = {"lags": {"rented": [1]}, "step": step} | ({"timezone": timezone} if timezone else {})
    return rides_schema(features=features)


def steps_between(schema, earlier, later):
    """How many steps lie between two moments."""
    first, second = ticks_of(schema, np.array([earlier, later], dtype="datetime64[us]"))
    return (second - first) / step_ticks(schema)


@pytest.mark.parametrize(
    ("step", "earlier", "later", "expected"),
    [
        ("hour", "2024-01-01T00:00", "2024-01-02T01:30", 25.5),
        ("day", "2024-02-28T08:00", "2024-03-01T08:00", 2),
        ("month", "2024-01-01", "2024-02-01", 1),
        ("month", "2024-01-31", "2024-02-29", 1),
        ("month", "2023-02-28", "2023-03-31", 1),
        ("month", "2023-12-15T10:00", "2024-12-15T10:00", 12),
    ],
)
def test_steps_are_counted_as_people_count_them(step, earlier, later, expected):
    assert steps_between(stepped(step), earlier, later) == expected


def test_a_day_of_23_hours_is_a_day_where_the_clock_says_so():
    before, after = "2024-03-29T23:00", "2024-03-30T23:00"  # midnight in Paris, and the next
    next_one = "2024-03-31T22:00"  # the clocks went forward

    assert steps_between(stepped("day", timezone="Europe/Paris"), before, after) == 1
    assert steps_between(stepped("day", timezone="Europe/Paris"), after, next_one) == 1
    assert steps_between(stepped("day"), after, next_one) < 1


def test_hours_go_by_as_they_are_whatever_the_clock_says():
    assert steps_between(stepped("hour", timezone="Europe/Paris"), "2024-10-27T00:00", "2024-10-27T01:00") == 1


def test_a_time_that_is_missing_or_too_large_has_no_tick():
    numbers = rides_schema(time="warmth", features={"lags": {"rented": [1]}})
    dates = ticks_of(stepped("month"), np.array(["NaT", "2024-01-01"], dtype="datetime64[us]"))

    assert (ticks_of(numbers, np.array([np.nan, 1e300, -np.inf])) == UNKNOWN).all()
    assert (dates == UNKNOWN).tolist() == [True, False]


def test_a_tenth_is_a_tenth():
    numbers = rides_schema(time="warmth", features={"lags": {"rented": [0.1]}})
    ticks = ticks_of(numbers, np.array([0.2, 0.3, 0.1 + 0.2]))

    assert ticks.tolist() == [200_000, 300_000, 300_000]


def test_what_comes_again_has_the_same_phase():
    schema = rides_schema(features={"calendar": "hour"})
    times = np.array(["2024-01-01T06:00", "2024-01-02T06:00", "2024-01-08T06:00", "NaT"], dtype="datetime64[us]")
    found = phases(schema, times)

    assert found["at.day_sin"][:3] == pytest.approx([1, 1, 1])
    assert found["at.half_day_cos"][:3] == pytest.approx([-1, -1, -1])
    assert found["at.week_sin"][0] == found["at.week_sin"][2] != found["at.week_sin"][1]
    assert all(np.isnan(each[3]) for each in found.values())


def test_the_calendar_of_a_place_is_the_one_on_its_wall():
    paris = rides_schema(features={"calendar": "hour", "timezone": "Europe/Paris"})
    winter_and_summer = np.array(["2024-01-01T05:00", "2024-07-01T04:00"], dtype="datetime64[us]")

    assert phases(paris, winter_and_summer)["at.day_sin"] == pytest.approx([1, 1])


@pytest.mark.parametrize("step", ["hour", "day", "month"])
def test_the_first_and_the_last_day_that_a_date_may_be_have_features(step):
    schema = rides_schema(features={"calendar": step, "timezone": "Asia/Tokyo", "lags": {"rented": [1]}})
    ends = np.array(["0001-01-01T00:00:00", "9999-12-31T23:59:59"], dtype="datetime64[us]")

    assert all(np.isfinite(each).all() for each in phases(schema, ends).values())
    assert np.diff(ticks_of(schema, ends)) > 0
