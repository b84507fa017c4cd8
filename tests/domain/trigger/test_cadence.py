import pytest

from releve.domain.evaluation.intervals import Interval
from releve.domain.trigger.cadence import MEMORY, Challenged, Payoff, has_budget, is_not_beneficial, pace, payoffs, pool
from tests.tables import make_params

RULE = make_params(trigger={"every_batches": 4}).trigger
BUDGET = {"budget_batches": 2, "budget_at_first": 1}
TWO_AT_FIRST = {"budget_batches": 2, "budget_at_first": 2}
PAID = Payoff(Interval(0.05, 0.01, 0.09), 100)
NO_GAIN = Payoff(Interval(0.0, -0.02, 0.02), 100)
FIRST = Challenged("", True, 100)


def a_history(*payoffs, batches=2):
    return (FIRST, *(Challenged("", True, 100, batches, payoff) for payoff in payoffs))


def test_nobody_knows_before_the_first_retraining():
    assert pace((FIRST,), None, RULE).batches == 4


def test_what_pays_is_done_as_often_as_is_allowed():
    assert pace(a_history(None), PAID, RULE).batches == 2


@pytest.mark.parametrize(("without_gain", "batches"), [(1, 8), (2, 16), (3, 32), (4, 32)])
def test_every_retraining_without_gain_doubles_the_wait_up_to_a_limit(without_gain, batches):
    assert pace(a_history(*[NO_GAIN] * without_gain), None, RULE).batches == batches


def test_one_retraining_without_gain_among_those_that_paid_changes_nothing():
    assert pace(a_history(PAID, PAID, NO_GAIN), None, RULE).batches == 2


def test_a_promotion_counts_once_however_many_challengers_are_refused_after_it():
    refused = Challenged("", False, 100, 2)

    assert payoffs((*a_history(PAID), refused), NO_GAIN) == [NO_GAIN]
    assert payoffs((*a_history(PAID), refused), None) == [PAID]
    assert payoffs(a_history(PAID, None), NO_GAIN) == [PAID, NO_GAIN]
    assert payoffs((), PAID) == [PAID]


def test_what_paid_long_ago_is_forgotten():
    assert pace(a_history(PAID, *[NO_GAIN] * MEMORY), None, RULE).batches > 4


def test_payoffs_are_pooled_by_their_rows():
    pooled = pool([Payoff(Interval(0.3, 0.2, 0.4), 100), Payoff(Interval(0.0, -0.1, 0.1), 200)])

    assert pooled.rows == 300
    assert pooled.gain.value == pytest.approx(0.1)
    assert pooled.gain.high - pooled.gain.value == pytest.approx((0.1**2 / 9 + 0.1**2 * 4 / 9) ** 0.5)


@pytest.mark.parametrize(
    ("new_batches", "if_sure", "if_likely"), [(1, False, False), (2, True, False), (3, True, True)]
)
def test_so_many_batches_earn_a_challenge_and_half_of_one_is_kept_for_what_is_sure(new_batches, if_sure, if_likely):
    spent = a_history(None, None, batches=1)

    assert has_budget(spent, new_batches, is_sure=True, **BUDGET) is if_sure
    assert has_budget(spent, new_batches, is_sure=False, **BUDGET) is if_likely


def test_what_quiet_times_did_not_spend_is_there_when_something_happens():
    assert has_budget(a_history(None, batches=10), 1, is_sure=False, **BUDGET)


def test_what_is_in_hand_at_first_may_be_spent_at_once():
    assert has_budget((FIRST,), 1, is_sure=False, **TWO_AT_FIRST)
    assert has_budget(a_history(None, batches=1), 1, is_sure=False, **TWO_AT_FIRST)
    assert not has_budget(a_history(None, None, None, batches=1), 1, is_sure=False, **TWO_AT_FIRST)


def test_it_takes_surer_evidence_where_retraining_was_without_gain():
    assert not is_not_beneficial((FIRST,), None)
    assert not is_not_beneficial(a_history(PAID), None)
    assert is_not_beneficial(a_history(NO_GAIN), None)


@pytest.mark.parametrize(("refused", "batches"), [(0, 4), (1, 8), (2, 16), (4, 32)])
def test_a_challenger_that_is_refused_gained_nothing(refused, batches):
    assert pace((FIRST, *[Challenged("", False, 100, 4)] * refused), None, RULE).batches == batches


def test_refused_challengers_do_not_slow_down_what_is_known_to_pay():
    assert pace((*a_history(PAID), Challenged("", False, 100, 2)), None, RULE).batches == 2
    assert pace((*a_history(NO_GAIN), Challenged("", False, 100, 2)), None, RULE).batches == 16
