from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom

from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.paired import BootstrapConfig, bounds, compare, score_interval
from releve.domain.evaluation.scored_predictions import ScoredPredictions

DOUBT = BootstrapConfig(confidence=0.95, resamples=4000, block=1, seed=7)


def flags(right, wrong):
    """Answers to rows of class 1, of which `right` are right."""
    chance = np.array([0.9] * right + [0.1] * wrong)
    return ScoredPredictions(np.column_stack([1 - chance, chance]), np.ones(right + wrong, dtype=np.int64))


def pair(rows=300, *, seed=3, more_noise=0.0, values=False):
    random = np.random.default_rng(seed)
    signal = random.normal(size=rows)
    answers = [signal + size * random.normal(size=rows) for size in (0.5, 0.5 + more_noise)]
    if values:
        truth = signal + random.normal(size=rows)
        return tuple(ScoredPredictions(answer, truth) for answer in answers)
    truth = (random.random(rows) < 1 / (1 + np.exp(-2 * signal))).astype(np.int64)
    chances = [1 / (1 + np.exp(-2 * answer)) for answer in answers]
    return tuple(ScoredPredictions(np.column_stack([1 - chance, chance]), truth) for chance in chances)


def rowwise(name, mine, other, resamples=2000):
    """The textbook form: draw row numbers, score both models on the drawn rows."""
    random, gains = np.random.default_rng(2), []
    for _ in range(resamples):
        rows = random.integers(0, len(mine), len(mine))
        gains.append(
            METRICS[name].sign * (compute_score(name, mine.take(rows)) - compute_score(name, other.take(rows)))
        )
    return np.quantile(gains, [0.025, 0.975])


@pytest.mark.parametrize("name", METRICS)
def test_the_interval_of_a_gain_is_that_of_a_rowwise_bootstrap(name):
    mine, other = pair(more_noise=0.3, values="regression" in METRICS[name].tasks)

    found = compare(name, mine, other, DOUBT)
    low, high = rowwise(name, mine, other)

    assert found.gain.value == pytest.approx(
        METRICS[name].sign * (compute_score(name, mine) - compute_score(name, other))
    )
    assert (found.gain.low, found.gain.high) == pytest.approx((low, high), abs=0.1 * (high - low))


@pytest.mark.parametrize("name", METRICS)
def test_a_gain_is_positive_where_the_challenger_is_better_whatever_the_metric(name):
    better, worse = pair(2000, more_noise=1.0, values="regression" in METRICS[name].tasks)
    bootstrap = replace(DOUBT, resamples=1000)

    gain, loss = compare(name, better, worse, bootstrap), compare(name, worse, better, bootstrap)

    assert gain.gain.low > 0 and gain.p < 0.025
    assert loss.gain.high < 0 and loss.p > 0.975
    assert (gain.wins, gain.losses) == (loss.losses, loss.wins)


def test_two_equal_models_have_no_gain_at_all():
    found = compare("accuracy", flags(70, 30), flags(70, 30), DOUBT)

    assert (found.gain.value, found.gain.low, found.gain.high) == (0.0, 0.0, 0.0)
    assert (found.p, found.wins, found.losses) == (0.5, 0, 0)


@pytest.mark.parametrize(("wins", "losses"), [(1, 0), (4, 0), (5, 0), (8, 3), (6, 6), (0, 5)])
def test_for_accuracy_luck_is_mcnemars_mid_p(wins, losses):
    rows = np.arange(wins + losses + 20)
    alone, others = rows < wins, (rows >= wins) & (rows < wins + losses)
    mine, other = (flags(1, 0).take(np.zeros(len(rows), dtype=int)) for _ in range(2))
    mine.outputs[others], other.outputs[alone] = [0.9, 0.1], [0.9, 0.1]
    between = wins + losses

    found = compare("accuracy", mine, other, DOUBT)

    assert (found.wins, found.losses) == (wins, losses)
    assert found.p == pytest.approx(
        binom.sf(wins, between, 0.5) + binom.pmf(wins, between, 0.5) / 2, abs=1e-9 if between < 12 else 0.02
    )


def test_a_gain_is_paired_so_errors_in_common_do_not_widen_it():
    found = compare("accuracy", flags(165, 135), flags(150, 150), DOUBT)

    assert found.gain.low > 0
    assert found.gain.high - found.gain.low < 0.06  # two independent shares of 300 rows would be 0.16 wide


def test_another_scale_of_the_same_ranks_is_no_gain_in_auc():
    mine, _ = pair()
    flat = ScoredPredictions(0.4 + 0.2 * mine.outputs, mine.y_true)

    found = compare("auc", flat, mine, DOUBT)

    assert found.gain.value == pytest.approx(0.0)
    assert found.p == 0.5


def test_the_same_seed_gives_the_same_figures():
    assert compare("auc", *pair(), DOUBT) == compare("auc", *pair(), DOUBT)


def test_few_blocks_widen_the_interval_and_many_leave_it():
    draws = np.random.default_rng(1).normal(size=100_000)

    few, many = (bounds(draws, blocks=blocks, confidence=0.95) for blocks in (8, 10_000))

    assert many == pytest.approx((-1.96, 1.96), abs=0.03)
    assert few == pytest.approx((-2.36 * np.sqrt(8 / 7), 2.36 * np.sqrt(8 / 7)), abs=0.05)


def test_longer_blocks_make_rows_that_hang_together_less_sure():
    errors = np.repeat(np.random.default_rng(5).normal(size=20), 10)
    mine, other = ScoredPredictions(np.zeros(200), np.zeros(200)), ScoredPredictions(errors, np.zeros(200))

    alone = compare("mae", mine, other, DOUBT)
    together = compare("mae", mine, other, BootstrapConfig(0.95, 4000, 0, 7))

    assert together.block > 5
    assert together.gain.high - together.gain.low > 2 * (alone.gain.high - alone.gain.low)


@pytest.mark.parametrize(("block", "is_enough"), [(0, False), (5, True)])
def test_rows_too_few_for_how_they_hang_together_are_told_unless_the_block_is_given(block, is_enough):
    errors = np.repeat(np.random.default_rng(5).normal(size=6), 15)
    mine, other = ScoredPredictions(np.zeros(90), np.zeros(90)), ScoredPredictions(errors, np.zeros(90))

    found = compare("mae", mine, other, BootstrapConfig(0.95, 200, block, 7))

    assert found.block == (block or 90 // 8)
    assert (found.wanted_block <= found.block) is is_enough


@pytest.mark.parametrize(("name", "hang_together"), [("accuracy", 0.0), ("auc", 0.0), ("rmse", 0.0), ("rmse", 0.5)])
def test_equally_good_models_are_rarely_taken_for_better(name, hang_together):
    random, promoted = np.random.default_rng(11), []
    for seed in range(200):
        mine, other = pair(90, seed=seed, values=name == "rmse")
        if hang_together:
            noise = [np.convolve(random.normal(size=91), [1, hang_together], "valid") for _ in range(2)]
            mine, other = (
                sheet.with_outputs(sheet.outputs + shift) for sheet, shift in zip((mine, other), noise, strict=True)
            )
        found = compare(name, mine, other, BootstrapConfig(0.95, 200, 0, seed))
        promoted.append(found.gain.low > 0 and found.p < 0.025)

    assert np.mean(promoted) <= 0.05


@pytest.mark.parametrize(("right", "wrong"), [(60, 0), (59, 1), (0, 60)])
def test_a_share_of_right_answers_is_never_surer_than_wilson_has_it(right, wrong):
    found = score_interval("accuracy", flags(right, wrong), DOUBT)

    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.05


def test_a_chance_is_never_nothing():
    found = compare("accuracy", flags(300, 0), flags(0, 300), DOUBT)

    assert 0 < found.p < 1 / DOUBT.resamples


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_what_floats_lose_is_no_gain_and_a_small_unit_is_none_the_less_one(unit):
    truth = np.arange(60.0) * unit
    errors = np.tile([1.0, 3.0], 30) * unit

    level = compare("mae", ScoredPredictions(truth + errors, truth), ScoredPredictions(truth - errors, truth), DOUBT)
    better = compare(
        "mae", ScoredPredictions(truth + errors / 2, truth), ScoredPredictions(truth + errors, truth), DOUBT
    )

    assert (level.gain.value, level.gain.low, level.gain.high) == (0.0, 0.0, 0.0)
    assert better.gain.low == pytest.approx(better.gain.value, rel=0.3) and better.gain.low > 0
