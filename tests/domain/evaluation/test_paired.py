from dataclasses import replace

import numpy as np
import pytest

from releve.domain.evaluation import paired
from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.paired import (
    LEAST_BLOCKS,
    MOST_DRAWN,
    BootstrapConfig,
    block_rows,
    block_weights,
    bounds,
    compare,
    dependent_rows,
    pieces_of,
    score_interval,
)
from releve.domain.evaluation.scored_predictions import ScoredPredictions

BOOTSTRAP = BootstrapConfig(confidence=0.95, resamples=4000, block=1, seed=7)


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

    found = compare(name, mine, other, BOOTSTRAP)
    low, high = rowwise(name, mine, other)

    assert found.gain.value == pytest.approx(
        METRICS[name].sign * (compute_score(name, mine) - compute_score(name, other))
    )
    assert (found.gain.low, found.gain.high) == pytest.approx((low, high), abs=0.1 * (high - low))


@pytest.mark.parametrize("name", METRICS)
def test_a_gain_is_positive_where_the_challenger_is_better_whatever_the_metric(name):
    better, worse = pair(2000, more_noise=1.0, values="regression" in METRICS[name].tasks)
    bootstrap = replace(BOOTSTRAP, resamples=1000)

    gain, loss = compare(name, better, worse, bootstrap), compare(name, worse, better, bootstrap)

    assert gain.gain.low > 0
    assert loss.gain.high < 0
    assert (gain.rows_won, gain.rows_lost) == (loss.rows_lost, loss.rows_won)


def test_two_equal_models_have_no_gain_at_all():
    found = compare("accuracy", flags(70, 30), flags(70, 30), BOOTSTRAP)

    assert (found.gain.value, found.gain.low, found.gain.high) == (0.0, 0.0, 0.0)
    assert (found.rows_won, found.rows_lost) == (0, 0)


def test_rows_won_and_lost_are_counted():
    rows = np.arange(30)
    mine, other = (flags(1, 0).take(np.zeros(len(rows), dtype=int)) for _ in range(2))
    mine.outputs[(rows >= 8) & (rows < 11)], other.outputs[rows < 8] = [0.9, 0.1], [0.9, 0.1]

    found = compare("accuracy", mine, other, BOOTSTRAP)

    assert (found.rows_won, found.rows_lost) == (8, 3)


def test_a_gain_is_paired_so_errors_in_common_do_not_widen_it():
    found = compare("accuracy", flags(165, 135), flags(150, 150), BOOTSTRAP)

    assert found.gain.low > 0
    assert found.gain.high - found.gain.low < 0.06  # two independent shares of 300 rows would be 0.16 wide


def test_another_scale_of_the_same_ranks_is_no_gain_in_auc():
    mine, _ = pair()
    flat = ScoredPredictions(0.4 + 0.2 * mine.outputs, mine.y_true)

    found = compare("auc", flat, mine, BOOTSTRAP)

    assert found.gain.value == pytest.approx(0.0)


def test_the_same_seed_gives_the_same_figures():
    assert compare("auc", *pair(), BOOTSTRAP) == compare("auc", *pair(), BOOTSTRAP)


def test_few_blocks_widen_the_interval_and_many_leave_it():
    draws = np.random.default_rng(1).normal(size=100_000)

    few, many = (bounds(draws, blocks=blocks, confidence=0.95) for blocks in (8, 10_000))

    assert many == pytest.approx((-1.96, 1.96), abs=0.03)
    assert few == pytest.approx((-2.36 * np.sqrt(8 / 7), 2.36 * np.sqrt(8 / 7)), abs=0.05)


def test_longer_blocks_make_autocorrelated_rows_less_sure():
    errors = np.repeat(np.random.default_rng(5).normal(size=20), 10)
    mine, other = ScoredPredictions(np.zeros(200), np.zeros(200)), ScoredPredictions(errors, np.zeros(200))

    alone = compare("mae", mine, other, BOOTSTRAP)
    together = compare("mae", mine, other, BootstrapConfig(0.95, 4000, 0, 7))

    assert together.block_rows > 5
    assert together.gain.high - together.gain.low > 2 * (alone.gain.high - alone.gain.low)


@pytest.mark.parametrize(("block", "is_enough"), [(0, False), (5, True)])
def test_rows_too_few_for_their_autocorrelation_are_reported_unless_the_block_is_given(block, is_enough):
    errors = np.repeat(np.random.default_rng(5).normal(size=6), 15)
    mine, other = ScoredPredictions(np.zeros(90), np.zeros(90)), ScoredPredictions(errors, np.zeros(90))

    found = compare("mae", mine, other, BootstrapConfig(0.95, 200, block, 7))

    assert found.block_rows == (block or 90 // 8)
    assert (found.wanted_block_rows <= found.block_rows) is is_enough


@pytest.mark.parametrize(("name", "correlation"), [("accuracy", 0.0), ("auc", 0.0), ("rmse", 0.0), ("rmse", 0.5)])
def test_equally_good_models_are_rarely_taken_for_better(name, correlation):
    random, promoted = np.random.default_rng(11), []
    for seed in range(200):
        mine, other = pair(90, seed=seed, values=name == "rmse")
        if correlation:
            noise = [np.convolve(random.normal(size=91), [1, correlation], "valid") for _ in range(2)]
            mine, other = (
                sheet.with_outputs(sheet.outputs + shift) for sheet, shift in zip((mine, other), noise, strict=True)
            )
        found = compare(name, mine, other, BootstrapConfig(0.95, 200, 0, seed))
        promoted.append(found.gain.low > 0)

    assert np.mean(promoted) <= 0.05


@pytest.mark.parametrize(("right", "wrong"), [(60, 0), (59, 1), (0, 60)])
def test_a_share_of_right_answers_is_never_surer_than_wilson_has_it(right, wrong):
    found = score_interval("accuracy", flags(right, wrong), BOOTSTRAP)

    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high - found.low > 0.05


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_what_floats_lose_is_no_gain_and_a_small_unit_is_none_the_less_one(unit):
    truth = np.arange(60.0) * unit
    errors = np.tile([1.0, 3.0], 30) * unit

    level = compare(
        "mae", ScoredPredictions(truth + errors, truth), ScoredPredictions(truth - errors, truth), BOOTSTRAP
    )
    better = compare(
        "mae", ScoredPredictions(truth + errors / 2, truth), ScoredPredictions(truth + errors, truth), BOOTSTRAP
    )

    assert (level.gain.value, level.gain.low, level.gain.high) == (0.0, 0.0, 0.0)
    assert better.gain.low == pytest.approx(better.gain.value, rel=0.3) and better.gain.low > 0


def weights_of(rows, *, block, draws=200, seed=7):
    return np.concatenate(list(block_weights(rows, block=block, draws=draws, seed=seed)))


@pytest.mark.parametrize(("rows", "block"), [(1, 1), (10, 1), (10, 3), (10, 10), (90, 7)])
def test_every_draw_has_as_many_rows_as_the_table(rows, block):
    weights = weights_of(rows, block=block)

    assert weights.shape == (200, rows)
    assert (weights.sum(axis=1) == rows).all()


def test_every_row_is_drawn_as_often_as_any_other():
    weights = weights_of(20, block=6, draws=20_000)

    assert weights.mean(axis=0) == pytest.approx(np.ones(20), abs=0.05)


def test_a_block_is_drawn_whole_on_a_circle():
    for weights in weights_of(8, block=4, draws=50):
        neighbours = np.concatenate([weights, weights[:1]])
        assert (np.diff(neighbours) != 0).sum() <= 4  # two blocks have four ends at the most


@pytest.mark.parametrize("rows", [50, 3000])
def test_the_same_seed_gives_the_same_draws_and_another_one_others(rows):
    first, again, other = (weights_of(rows, block=2, draws=600, seed=seed) for seed in (1, 1, 2))

    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(
    ("rows", "together"), [(1, 1), (MOST_DRAWN, 1), (MOST_DRAWN + 1, 2), (2 * MOST_DRAWN, 2), (100_003, 101)]
)
def test_many_rows_are_drawn_a_few_neighbours_at_a_time(rows, together):
    numbers = np.arange(rows, dtype=np.float64)[:, None]

    found = pieces_of(numbers)

    assert len(found) == rows // together
    assert found[-1, 0] == numbers[-together:].mean()
    assert (np.diff(found[:, 0]) == together).all()


@pytest.mark.parametrize("name", ["accuracy", "auc", "f1", "log_loss", "rmse"])
def test_of_many_rows_the_interval_is_as_wide_as_by_single_rows(name, monkeypatch):
    mine, other = pair(10_000, more_noise=0.1, values=name == "rmse")
    bootstrap = replace(BOOTSTRAP, resamples=1000)

    together = compare(name, mine, other, bootstrap)
    monkeypatch.setattr(paired, "MOST_DRAWN", 10_000)
    alone = compare(name, mine, other, bootstrap)

    assert together.gain.value == alone.gain.value
    assert together.gain.high - together.gain.low == pytest.approx(alone.gain.high - alone.gain.low, rel=0.12)


def test_autocorrelated_blocks_stay_as_long_where_rows_are_drawn_together(monkeypatch):
    errors = np.repeat(np.random.default_rng(5).normal(size=1000), 10)
    mine, other = ScoredPredictions(np.zeros(10_000), np.zeros(10_000)), ScoredPredictions(errors, np.zeros(10_000))
    bootstrap = BootstrapConfig(0.95, 500, 0, 7)

    together = compare("mae", mine, other, bootstrap)
    monkeypatch.setattr(paired, "MOST_DRAWN", 10_000)
    alone = compare("mae", mine, other, bootstrap)

    assert together.block_rows == alone.block_rows > 5
    assert together.gain.high - together.gain.low == pytest.approx(alone.gain.high - alone.gain.low, rel=0.15)


def autoregressive(phi, rows, seed):
    random = np.random.default_rng(seed)
    found = np.zeros(rows)
    for row in range(1, rows):
        found[row] = phi * found[row - 1] + random.normal()
    return found


def test_blocks_are_the_longer_the_more_rows_are_autocorrelated():
    mean = [np.mean([block_rows(autoregressive(phi, 1000, seed)) for seed in range(20)]) for phi in (0.0, 0.5, 0.9)]

    assert mean[0] < 5 < 10 < mean[1] < 30 < 40 < mean[2]


def test_autocorrelation_may_ask_for_longer_blocks_than_can_be_drawn():
    slow = np.sin(np.arange(90) / 15)

    assert block_rows(slow) == 90 // LEAST_BLOCKS < dependent_rows(slow)


@pytest.mark.parametrize("series", [np.zeros(100), np.ones(100), np.arange(15.0), np.zeros(0), np.array([1.0])])
def test_a_series_that_tells_nothing_has_blocks_of_one_row(series):
    assert block_rows(series) == 1


@pytest.mark.parametrize("rows", [16, 90, 300])
def test_a_table_is_never_cut_into_too_few_blocks(rows):
    assert 1 <= block_rows(np.arange(float(rows))) <= rows // LEAST_BLOCKS
