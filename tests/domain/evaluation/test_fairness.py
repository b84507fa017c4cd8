import math

import numpy as np
import pytest

from releve.adapters.fairness import binary_differences
from releve.domain.evaluation.fairness import (
    DEMOGRAPHIC_PARITY,
    EQUALIZED_ODDS,
    UNKNOWN,
    binary_intervals,
    pairwise_confidence,
    score_difference_interval,
    widest,
)
from releve.domain.evaluation.intervals import Interval, difference, share
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.scored_predictions import ScoredPredictions

BOOTSTRAP = BootstrapConfig(confidence=0.95, resamples=500, block=1, seed=7)


def called(shares, *, rows=100, seed=None):
    """answered and groups: of each group this share is called positive, exactly, or by chance where there is a seed."""
    if seed is None:
        answered = np.concatenate([np.arange(rows) < share * rows for share in shares])
    else:
        answered = np.random.default_rng(seed).random(rows * len(shares)) < np.repeat(shares, rows)
    return answered, [f"g{number}" for number in range(len(shares)) for _ in range(rows)]


def parity(answered, groups, bootstrap=BOOTSTRAP):
    return binary_intervals(np.zeros(len(groups), dtype=bool), answered, groups, bootstrap)[DEMOGRAPHIC_PARITY]


def test_of_two_groups_it_is_the_interval_of_the_difference_of_two_shares():
    newcombe = difference(share(70, 100, confidence=0.95), share(40, 100, confidence=0.95))

    found = parity(*called([0.7, 0.4]))

    assert (found.value, found.low, found.high) == pytest.approx(
        (0.3, newcombe.low, newcombe.high),
        abs=0.015,  # the bootstrap's bounds where they are wider
    )


def test_the_figures_are_those_of_fairlearn():
    random = np.random.default_rng(3)
    truth, answered = random.random((2, 300)) < 0.5
    groups = random.choice(["a", "b", "c"], 300).tolist()

    found = binary_intervals(truth, answered, groups, BOOTSTRAP)

    expected = binary_differences(truth, answered, groups)
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected)
    assert all(0 <= one.low <= one.value <= one.high for one in found.values())


def test_of_many_groups_that_are_treated_alike_the_largest_difference_is_not_taken_for_one():
    found = [parity(*called([0.5] * 10, rows=50, seed=seed)) for seed in range(30)]

    assert np.mean([one.value > 0.2 for one in found]) > 0.3
    assert not any(one.low > 0.2 for one in found)


@pytest.mark.parametrize("shares", [(0.6, 0.5, 0.4), (0.22, 0.02)])
def test_a_difference_that_is_just_allowed_is_rarely_shown_to_be_larger(shares):
    found = [parity(*called(shares, rows=60, seed=seed), BootstrapConfig(0.95, 200, 1, seed)) for seed in range(100)]

    assert np.mean([one.low > 0.2 for one in found]) <= 0.05


def test_a_large_difference_is_shown():
    found = [parity(*called([0.8, 0.3], seed=seed)) for seed in range(20)]

    assert np.mean([one.low > 0.2 for one in found]) > 0.9


def test_two_rows_of_a_side_show_nothing_however_sure_they_seem():
    answered, groups = called([0.5, 0.5])
    truth = np.zeros(200, dtype=bool)
    truth[[0, 1, *range(150, 200)]] = True  # two of one group, both found, and fifty of the other, none found

    found = binary_intervals(truth, answered, groups, BOOTSTRAP)[EQUALIZED_ODDS]

    assert found.value == 1.0
    assert found.low < 0.5


def test_autocorrelated_rows_show_less():
    answered = np.repeat(np.random.default_rng(4).random(20) < np.repeat([0.8, 0.3], 10), 10)
    groups = ["f"] * 100 + ["m"] * 100

    alone, together = (parity(answered, groups, BootstrapConfig(0.95, 500, block, 7)) for block in (1, 10))

    assert together.low < alone.low - 0.1


def test_a_difference_of_scores_has_an_interval_in_the_unit_of_the_score():
    errors = np.concatenate([np.tile([1.0, 3.0], 50), np.tile([4.0, 6.0], 50)])
    found = ScoredPredictions(errors, np.zeros(200))

    gap = score_difference_interval("mae", found, ["f"] * 100 + ["m"] * 100, BOOTSTRAP)

    assert gap.value == pytest.approx(3.0)
    assert 2.5 < gap.low < 3.0 < gap.high < 3.5


def test_one_group_alone_differs_from_nobody():
    assert math.isnan(parity(*called([0.5])).low)


def test_the_largest_difference_is_shown_as_far_as_any_pair_shows_it():
    parts = [Interval(0.5, 0.45, 0.55), Interval(0.9, 0.2, 1.0), Interval(0.1, 0.05, 0.15)]

    found = widest(parts)

    assert found.value == pytest.approx(0.8)  # of a few rows
    assert found.low == pytest.approx(difference(parts[0], parts[2]).low)  # of many


@pytest.mark.parametrize("place", [0, 1, 2])
def test_where_one_figure_is_not_known_the_largest_difference_is_not_either(place):
    parts = [Interval(0.5, 0.45, 0.55), Interval(0.9, 0.2, 1.0)]
    parts.insert(place, UNKNOWN)

    found = widest(parts)

    assert all(map(math.isnan, (found.value, found.low, found.high)))


@pytest.mark.parametrize(("groups", "expected"), [(2, 0.95), (3, 0.9809), (10, 0.9985)])
def test_a_comparison_among_many_has_to_be_surer(groups, expected):
    assert pairwise_confidence(groups, confidence=0.95) == pytest.approx(expected, abs=3e-4)
