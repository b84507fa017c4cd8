import numpy as np
import pytest

from releve.adapters.fairness import binary_differences, score_difference
from releve.domain.evaluation.fairness import DEMOGRAPHIC_PARITY, EQUALIZED_ODDS

GROUPS = ["f"] * 100 + ["m"] * 100
TRUTH = np.tile(np.arange(100) < 50, 2)


def test_groups_that_are_treated_alike_differ_by_nothing():
    assert binary_differences(TRUTH, TRUTH, GROUPS) == {DEMOGRAPHIC_PARITY: 0.0, EQUALIZED_ODDS: 0.0}


def test_differences_are_those_of_shares_counted_by_hand():
    answered = np.concatenate([np.arange(100) < 70, np.arange(100) < 40])

    found = binary_differences(TRUTH, answered, GROUPS)

    assert found[DEMOGRAPHIC_PARITY] == pytest.approx(0.3)  # .7 and .4 are called positive
    assert found[EQUALIZED_ODDS] == pytest.approx(0.4)  # false positives: 20 of 50 and none


def test_a_group_without_a_positive_is_compared_by_its_false_positives_alone():
    truth, groups = np.concatenate([TRUTH, np.zeros(50, dtype=bool)]), [*GROUPS, *["x"] * 50]

    assert binary_differences(truth, truth, groups)[EQUALIZED_ODDS] == 0.0
    answered = truth | (np.arange(250) >= 240)  # ten of the fifty are called positive
    assert binary_differences(truth, answered, groups)[EQUALIZED_ODDS] == pytest.approx(0.2)


def test_where_one_group_alone_has_positives_their_shares_are_not_known():
    truth = np.arange(200) < 50

    assert np.isnan(binary_differences(truth, truth, GROUPS)[EQUALIZED_ODDS])


def test_a_difference_of_scores_is_that_of_the_best_and_the_worst_group():
    values = np.concatenate([np.full(100, 2.0), np.full(100, 5.0)])

    assert score_difference(lambda rows: float(values[rows].mean()), GROUPS) == pytest.approx(3.0)


@pytest.mark.parametrize("groups", [GROUPS, GROUPS + ["x"] * 50])
def test_a_score_that_one_group_does_not_have_makes_the_difference_unknown(groups):
    assert np.isnan(score_difference(lambda rows: float("nan") if 0 in rows else 0.5, groups))
