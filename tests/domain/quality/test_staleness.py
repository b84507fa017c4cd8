from datetime import UTC, datetime, timedelta

import pytest

from releve.domain.quality.staleness import assess, label_delays
from tests.tables import make_params

FRESH, DUE = "fresh", "due"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def before(days):
    return (NOW - timedelta(days=days)).isoformat()


def assessed(*, model=1.0, idle=1.0, unlabelled=(), labelled=(), **limits):
    """`unlabelled`: ages in days; `labelled`: ages and how long the label took."""
    known = {"max_model_days": 90.0, "max_idle_days": 30.0, "max_label_days": 10.0}
    return assess(
        now=NOW,
        retrained_at=before(model),
        newest_row_at=before(idle),
        labels=label_delays(
            [before(age) for age in unlabelled],
            [(before(age), before(age - delay)) for age, delay in labelled],
            now=NOW,
        ),
        limits=make_params(age={**known, **limits}).age,
    )


@pytest.mark.parametrize(("key", "limit"), [("model", "max_model_days"), ("idle", "max_idle_days")])
@pytest.mark.parametrize(("days", "state"), [(9.9, FRESH), (10.0, FRESH), (10.1, DUE)])
def test_a_limit_in_days_is_passed_beyond_it(key, limit, days, state):
    result = assessed(**{key: days, limit: 10.0})

    assert result.state == state
    assert [each.key for each in result.exceeded] == ([limit] if state == DUE else [])


@pytest.mark.parametrize("key", ["model", "idle"])
def test_a_limit_of_nothing_is_switched_off(key):
    assert assessed(**{key: 10_000.0, f"max_{key}_days": 0.0}).state == FRESH


@pytest.mark.parametrize(("delay", "state"), [(9.9, FRESH), (10.1, DUE)])
def test_labels_that_usually_come_late_are_reported(delay, state):
    result = assessed(labelled=[(50, 1), (40, delay), (30, delay + 5)])

    assert result.state == state
    assert result.label_delay_days == pytest.approx(delay)
    assert result.late_label_days == pytest.approx(delay + 4)


@pytest.mark.parametrize(("waiting", "state"), [([11] * 19, DUE), ([11] * 18, FRESH), ([9] * 19, FRESH)])
def test_answers_old_enough_to_have_a_label_and_without_one_are_counted(waiting, state):
    result = assessed(unlabelled=waiting, labelled=[(50, 1), (40, 1), (2, 1)])

    assert result.state == state
    assert result.overdue_share == pytest.approx({DUE: 19 / 21, FRESH: 0.9}[state] if 11 in waiting else 0)


def test_where_labels_have_no_limit_none_is_overdue():
    result = assessed(unlabelled=[1000] * 9, max_label_days=0.0)

    assert (result.state, result.overdue_share) == (FRESH, None)


def test_without_answers_nothing_is_known_of_labels():
    result = assessed()

    assert (result.label_delay_days, result.late_label_days, result.overdue_share) == (None, None, None)


def test_several_limits_are_reported_at_once():
    assert len(assessed(model=100.0, idle=40.0, unlabelled=[50]).exceeded) == 3
