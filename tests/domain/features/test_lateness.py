"""How late values come, beside what lags and `delay` say."""

import numpy as np
import pytest

from releve.domain.features.clock import ticks_of
from releve.domain.features.lateness import LateValues, comes_afterwards, find_late
from tests.domain.features.tables import rides_schema

FIRST = np.datetime64("2026-03-01T09:00", "us")
HOURLY = {"lags": {"rented": [24, 48]}, "calendar": "hour"}


def schema(**features):
    return rides_schema(features=HOURLY | features)


def late(of, hours, *, most=0.2, fewest=1):
    """What is found where values came so many hours after their rows."""
    times = FIRST + np.arange(len(hours)) * np.timedelta64(1, "h")
    came = times + (np.array(hours) * 3.6e9).astype("timedelta64[us]")
    return find_late(of, {"rented": [(ticks_of(of, times), came)]}, most=most, fewest=fewest)


@pytest.mark.parametrize(("hours", "told"), [([23.9, 24.0], False), ([24.0, 24.1], True)])
def test_what_comes_at_the_end_of_the_delay_is_in_time(hours, told):
    assert bool(late(schema(delay={"rented": 24}), hours)) is told


@pytest.mark.parametrize(("share", "told"), [(0.2, False), (0.21, True)])
def test_some_may_come_late(share, told):
    hours = [30.0] * round(100 * share) + [1.0] * round(100 * (1 - share))

    assert bool(late(schema(delay={"rented": 24}), hours)) is told


def test_the_finding_says_what_was_declared_and_what_is_usual():
    [found] = late(schema(delay={"rented": 20}), [31.0] * 10)

    assert found == LateValues("rented", "hour", 20, declared=True, late=1.0, usual=31.0, values=10)


def test_without_a_delay_the_shortest_lag_is_what_is_needed():
    [found] = late(schema(), [30.0])

    assert (found.allowed, found.declared) == (24, False)


@pytest.mark.parametrize(("fewest", "told"), [(3, True), (4, False)])
def test_few_values_tell_nothing(fewest, told):
    assert bool(late(schema(), [30.0] * 3, fewest=fewest)) is told


def test_days_are_counted_by_the_clock_on_the_wall():
    of = schema(lags={"rented": [1]}, calendar="day", timezone="Europe/Paris")
    row = np.array(["2026-03-28T12:00"], dtype="datetime64[us]")  # the clock goes forward that night

    came = row + np.timedelta64(23, "h")

    assert not find_late(of, {"rented": [(ticks_of(of, row), came)]}, most=0.0, fewest=1)
    assert find_late(of, {"rented": [(ticks_of(of, row), came + 1)]}, most=0.0, fewest=1)


def test_columns_that_a_request_brings_do_not_come_afterwards():
    of = rides_schema(features={"lags": {"warmth": 1, "sold": 24, "rented": 24}, "calendar": "hour"})

    assert comes_afterwards(of) == ("sold", "rented")
