import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from ville import AsymptoticCS, GaussianMixtureCS

from releve.domain.arms import sequences
from releve.domain.arms.sequences import (
    FIRST_ROWS,
    NARROWEST_ROWS,
    gain_sequence,
    half_widths,
    normal_mixture,
)

TIMES = np.array([1, 8, 40, 100, 1000, 100_000])


def random(seed=1):
    return np.random.default_rng(seed)


def errors(rows, *, share, autocorrelation=0.0, seed=1):
    """0 or 1 per row; a row repeats the one before with the probability `autocorrelation`."""
    draw = random(seed)
    fresh, repeats = draw.random(rows) < share, draw.random(rows) < autocorrelation
    repeats[0] = False
    return fresh[np.maximum.accumulate(np.where(repeats, 0, np.arange(rows)))].astype(float)


def of_pairs(gains):
    return gain_sequence(np.array([gains, np.zeros(len(gains))]), confidence=0.95)


def of_arms(losses, is_challenger):
    return gain_sequence(np.where([~is_challenger, is_challenger], losses, np.nan), confidence=0.95)


def test_the_boundary_around_no_effect_is_the_one_of_ville():
    oracle = GaussianMixtureCS(sigma=1.0, alpha=0.05, t_opt=500, intersect=False).update(np.zeros(TIMES[-1]))

    boundary = normal_mixture(TIMES, mean=0.0, variance=1 / oracle.rho_, alpha=0.05)

    np.testing.assert_allclose(boundary / TIMES, oracle.upper_[TIMES - 1])


@pytest.mark.parametrize("mean", [0.0, 0.08, 0.5])
def test_on_the_boundary_the_mixture_of_bets_has_won_one_over_alpha(mean):
    for time, total in zip(TIMES[:4], normal_mixture(TIMES[:4], mean=mean, variance=0.01, alpha=0.05), strict=True):
        won = quad(
            lambda bet, time=time, total=total: np.exp(bet * total - bet**2 * time / 2) * norm.pdf(bet, mean, 0.1),
            mean - 2,
            mean + 2,
            points=[mean, total / time],
        )

        assert won[0] == pytest.approx(20, rel=1e-6)


def test_many_blocks_have_the_width_of_villes_asymptotic_sequence(monkeypatch):
    gains = random().normal(0.1, 1.0, 40_000)
    blocks = gains.reshape(-1, 10).mean(axis=1)
    oracle = AsymptoticCS(alpha=0.05, t_opt=500).update(blocks)
    scale = sequences.SHORTEST_BLOCK / NARROWEST_ROWS
    monkeypatch.setattr(sequences, "SOUGHT", 0.0)
    monkeypatch.setattr(sequences, "SPREAD", (1 / oracle.rho_ / scale) ** 0.5)

    found = of_pairs(gains)

    assert found.gains[-1] == pytest.approx(oracle.estimate_[-1])
    assert found.lows[-1] == pytest.approx(oracle.lower_[-1], rel=0.01)
    assert found.highs[-1] == pytest.approx(oracle.upper_[-1], rel=0.01)


def test_few_blocks_need_more_than_many():
    by_normal = normal_mixture(TIMES, mean=0.25, variance=0.0025, alpha=0.05) / TIMES
    by_student = half_widths(TIMES, 10, alpha=0.05)

    assert by_student[1] > 1.5 * by_normal[1]
    assert by_student[-1] == pytest.approx(by_normal[-1], rel=0.001)


@pytest.mark.parametrize(("block_rows", "after"), [(10, 100), (80, 27), (160, 27)])
def test_it_is_tightest_after_a_thousand_rows_or_some_twenty_blocks_whichever_is_more(block_rows, after):
    blocks = np.arange(10, 1000)

    beside_one_look = half_widths(blocks, block_rows, alpha=0.05) * np.sqrt(blocks)

    assert blocks[beside_one_look.argmin()] == pytest.approx(after, abs=3)


def test_nothing_is_said_before_the_block_length_is_known():
    gains = random(2).normal(1.0, 1.0, FIRST_ROWS)

    assert len(of_pairs(gains[:-1])) == 0
    assert of_pairs(gains).lows[0] > 0


def test_a_clear_gain_and_a_clear_loss_are_seen_from_both_sides():
    gains = errors(1000, share=0.3, seed=1) - errors(1000, share=0.1, seed=2)
    better, worse = (of_pairs(each) for each in (gains, -gains))

    look = better.first_decisive()

    assert look is not None and better.rows[look] < 400
    np.testing.assert_array_equal(better.lows, -worse.highs)
    assert worse.first_decisive() == look


def test_a_gain_that_is_the_same_in_every_row_is_seen():
    assert of_pairs(np.ones(FIRST_ROWS)).first_decisive() == 0


def test_arms_that_never_differ_are_never_told_apart():
    found = of_pairs(np.zeros(1000))

    assert len(found) and found.first_decisive() is None
    assert np.isinf(found.lows).all() and np.isinf(found.highs).all()


@pytest.mark.parametrize("rows", [250, 399, 400, 1234, 1999])
def test_later_rows_change_no_earlier_look(rows):
    losses = errors(2000, share=0.15, autocorrelation=0.8, seed=1)
    gains, arm = losses - errors(2000, share=0.15, seed=2), random(3).random(2000) < 0.5

    for some, whole in (
        (of_pairs(gains[:rows]), of_pairs(gains)),
        (of_arms(losses[:rows], arm[:rows]), of_arms(losses, arm)),
    ):
        for column in ("rows", "blocks", "block_rows", "gains", "lows", "highs"):
            np.testing.assert_array_equal(getattr(some, column), getattr(whole, column)[: len(some)])


def test_blocks_are_longer_where_rows_depend_on_each_other_and_never_get_shorter():
    steady = of_pairs(errors(3200, share=0.15, autocorrelation=0.9))

    assert steady.block_rows[-1] >= 80
    assert (np.diff(steady.block_rows) >= 0).all() and (np.diff(steady.rows) >= 0).all()
    assert set(of_pairs(errors(3200, share=0.15)).block_rows) == {10}


def test_a_share_that_changes_in_harder_times_makes_no_difference():
    """Equal arms: the challenger has a tenth of the easy rows and nine tenths of the hard ones."""
    hard = np.arange(4000) >= 2000
    losses = (random(1).random(4000) < np.where(hard, 0.4, 0.05)).astype(float)
    is_challenger = random(2).random(4000) < np.where(hard, 0.9, 0.1)

    found = of_arms(losses, is_challenger)

    assert losses[is_challenger].mean() - losses[~is_challenger].mean() > 0.2
    assert found.first_decisive() is None
    assert abs(found.gains[-1]) < 0.1


def test_false_promotions_stay_within_the_confidence_where_errors_are_autocorrelated():
    """Few runs, so that the test is quick; benchmarks/online.py has thousands."""
    pairs = [
        errors(2000, share=0.15, autocorrelation=0.9, seed=seed)
        - errors(2000, share=0.15, autocorrelation=0.9, seed=1000 + seed)
        for seed in range(200)
    ]

    promoted = [(of_pairs(gains).lows > 0).any() for gains in pairs]

    assert np.mean(promoted) <= 0.07
