"""When the release before comes back by itself."""

import pytest

from releve.domain.evaluation.intervals import Interval
from releve.domain.quality.payoff import MOST_ROWS, Payoff
from releve.domain.trigger.rollback import LEAST_SEEN, RollbackDecision, decide

EPSILON = 1e-9


def payoff(value: float, *, half: float = 0.02, rows: int = 300) -> Payoff:
    return Payoff(Interval(value, value - half, value + half), rows)


def test_without_a_payoff_nothing_is_known_and_nothing_moves() -> None:
    assert decide([], [payoff(-0.5)], min_rows=90) == RollbackDecision(False)


@pytest.mark.parametrize(("value", "back"), [(-0.02 - EPSILON, True), (-0.02, False), (0.1, False)])
def test_the_release_before_comes_back_where_the_whole_interval_is_below_zero(value: float, back: bool) -> None:
    assert decide([payoff(value)], [], min_rows=90).roll_back is back


@pytest.mark.parametrize(("rows", "back"), [(89, False), (90, True)])
def test_few_rows_roll_nothing_back(rows: int, back: bool) -> None:
    assert decide([payoff(-0.1, rows=rows)], [], min_rows=90).roll_back is back


@pytest.mark.parametrize(("earlier", "back"), [([0.2, 0.2], False), ([0.0, 0.0], True), ([0.01, -0.01], True)])
def test_one_bad_window_after_promotions_that_paid_is_no_reason(earlier: list[float], back: bool) -> None:
    decision = decide([payoff(-0.1)], [payoff(value) for value in earlier], min_rows=90)

    assert decision.roll_back is back
    assert decision.promotions == 3


def test_a_promotion_that_gained_stays_whatever_the_others_lost() -> None:
    assert not decide([payoff(0.01)], [payoff(-0.4), payoff(-0.4)], min_rows=90).roll_back


def test_the_longer_a_release_serves_the_more_its_own_rows_count() -> None:
    earlier = [payoff(0.1), payoff(0.1)]

    assert not decide([payoff(-0.1, rows=300)], earlier, min_rows=90).roll_back
    assert decide([payoff(-0.1, rows=3000)], earlier, min_rows=90).roll_back


@pytest.mark.parametrize(
    ("rows", "promotions", "back"),
    [([300], 3, False), ([300, 300, 300], 3, False), ([300, 600], 2, False), ([300, 600, 900], 1, True)],
)
def test_a_release_that_was_seen_on_several_windows_is_judged_by_itself(
    rows: list[int], promotions: int, back: bool
) -> None:
    own = [payoff(-0.1, rows=each) for each in rows]

    decision = decide(own, [payoff(0.3)] * 5, min_rows=90)

    assert (decision.promotions, decision.roll_back) == (promotions, back)


def test_labels_that_come_for_more_rows_than_are_compared_are_told_by_what_they_change() -> None:
    own = [payoff(value, rows=MOST_ROWS) for value in (-0.12, -0.11, -0.1)]

    assert decide(own, [payoff(0.3, rows=MOST_ROWS)] * 5, min_rows=90).promotions == 1


def test_only_the_newest_promotions_are_pooled() -> None:
    long_ago = [payoff(9.0)] * 5

    decision = decide([payoff(-0.1)], [*long_ago, *[payoff(-0.1)] * (LEAST_SEEN - 1)], min_rows=90)

    assert decision.roll_back
    assert decision.promotions == LEAST_SEEN
    assert decision.evidence is not None and decision.evidence.rows == LEAST_SEEN * 300
