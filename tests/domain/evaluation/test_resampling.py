import numpy as np
import pytest

from releve.domain.evaluation.resampling import LEAST_BLOCKS, block_rows, block_weights, dependent_rows, swaps


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


@pytest.mark.parametrize(("draws", "exact"), [(16, True), (15, False)])
def test_few_disagreements_are_exchanged_in_every_way_once(draws, exact):
    differs = np.array([True, False, True, True, False, True])

    keep = np.concatenate(list(swaps(differs, block=1, draws=draws, seed=7)))

    assert keep[:, ~differs].all()
    assert (len(np.unique(keep, axis=0)) == len(keep) == 16) is exact
    assert len(keep) == draws


def test_a_block_changes_hands_as_one():
    keep = np.concatenate(list(swaps(np.ones(12, dtype=bool), block=4, draws=500, seed=7)))

    assert len(keep) == 8
    assert (keep.reshape(8, 3, 4).std(axis=2) == 0).all()


def test_the_answers_as_they_are_count_among_the_exchanges():
    found = np.vstack(list(swaps(np.ones(50, dtype=bool), block=1, draws=100, seed=7)))

    assert found.shape == (100, 50)
    assert found[0].all()
    assert not found[1:].all(axis=1).any()


def test_models_that_never_differ_have_nothing_to_exchange():
    assert np.concatenate(list(swaps(np.zeros(5, dtype=bool), block=1, draws=100, seed=7))).tolist() == [[1.0] * 5]


def autoregressive(phi, rows, seed):
    random = np.random.default_rng(seed)
    found = np.zeros(rows)
    for row in range(1, rows):
        found[row] = phi * found[row - 1] + random.normal()
    return found


def test_blocks_are_the_longer_the_more_neighbours_hang_together():
    mean = [np.mean([block_rows(autoregressive(phi, 1000, seed)) for seed in range(20)]) for phi in (0.0, 0.5, 0.9)]

    assert mean[0] < 5 < 10 < mean[1] < 30 < 40 < mean[2]


def test_rows_may_hang_together_over_more_than_can_be_drawn():
    slow = np.sin(np.arange(90) / 15)

    assert block_rows(slow) == 90 // LEAST_BLOCKS < dependent_rows(slow)


@pytest.mark.parametrize("series", [np.zeros(100), np.ones(100), np.arange(15.0), np.zeros(0), np.array([1.0])])
def test_a_series_that_tells_nothing_has_blocks_of_one_row(series):
    assert block_rows(series) == 1


@pytest.mark.parametrize("rows", [16, 90, 300])
def test_a_table_is_never_cut_into_too_few_blocks(rows):
    assert 1 <= block_rows(np.arange(float(rows))) <= rows // LEAST_BLOCKS
