"""AUC of answers that several fitted models gave, block by block. What it is of one model: test_metrics.py."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from releve.domain.evaluation.metrics import METRICS, compute_score, score_or_none
from releve.domain.evaluation.paired import BootstrapConfig, compare
from releve.domain.evaluation.scored_predictions import ScoredPredictions

ROWS, BLOCKS = 300, np.repeat([0, 1, 2], 100)


def two_classes(seed=3, *, blocks=BLOCKS):
    random = np.random.default_rng(seed)
    signal = random.normal(size=ROWS)
    truth = (random.random(ROWS) < 1 / (1 + np.exp(-2 * signal))).astype(np.int64)
    return as_sheet(signal + random.normal(size=ROWS), truth, blocks)


def as_sheet(odds, truth, blocks):
    chance = 1 / (1 + np.exp(-odds))
    return ScoredPredictions(np.column_stack([1 - chance, chance]), truth, blocks=blocks)


def by_block(found, *, blocks=(0, 1, 2)):
    return [roc_auc_score(found.y_true[block == BLOCKS], found.outputs[block == BLOCKS, 1]) for block in blocks]


def test_it_is_the_mean_over_the_blocks_by_their_rows():
    found = two_classes()
    some = found.take(np.r_[0:50, 100:300])

    assert compute_score("auc", found) == pytest.approx(np.mean(by_block(found)))
    first = roc_auc_score(found.y_true[:50], found.outputs[:50, 1])
    assert compute_score("auc", some) == pytest.approx(np.average([first, *by_block(found)[1:]], weights=[1, 2, 2]))


def test_a_block_of_one_class_has_no_say():
    found = two_classes()
    found.y_true[:100] = 1

    assert compute_score("auc", found) == pytest.approx(np.mean(by_block(found, blocks=(1, 2))))


def test_where_every_block_is_of_one_class_it_is_not_defined():
    found = ScoredPredictions(np.full((4, 2), 0.5), np.array([0, 0, 1, 1]), blocks=np.array([0, 0, 1, 1]))

    assert score_or_none("auc", found) is None
    assert score_or_none("auc", replace(found, blocks=None)) == 0.5


def test_models_without_skill_that_follow_the_share_of_each_block_have_none():
    """Parker, Gunter & Bedo (2007): pooled, a wrong guess of a block's share seems less than no skill."""
    truth = np.concatenate([np.arange(100) < ups for ups in (30, 50, 70)]).astype(np.int64)
    against_the_share = as_sheet(np.repeat([1.0, 0.0, -1.0], 100), truth, BLOCKS)

    assert compute_score("auc", replace(against_the_share, blocks=None)) < 0.4
    assert compute_score("auc", against_the_share) == 0.5


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_a_scale_of_its_own_for_each_block_is_no_gain_and_no_loss(shift):
    mine = two_classes()
    odds = np.log(mine.outputs[:, 1] / mine.outputs[:, 0])
    other = as_sheet(odds * (1 + BLOCKS) + shift * BLOCKS, mine.y_true, BLOCKS)

    found = compare("auc", mine, other, BootstrapConfig(0.95, 200, 1, 7))

    assert found.gain.value == pytest.approx(0.0)


def test_a_reweighted_area_is_that_of_the_repeated_rows_but_for_little():
    found, metric = two_classes(), METRICS["auc"]
    weights = np.random.default_rng(1).multinomial(ROWS, np.full(ROWS, 1 / ROWS), size=50)

    weighted = metric.scores(metric.statistics(found), weights.astype(float))
    repeated = [compute_score("auc", found.take(np.repeat(np.arange(ROWS), counts))) for counts in weights]

    assert np.corrcoef(weighted, repeated)[0, 1] > 0.98
    assert np.std(weighted) == pytest.approx(np.std(repeated), rel=0.07)


def test_equals_fitted_block_by_block_are_rarely_taken_for_better():
    promoted = []
    for seed in range(200):
        random = np.random.default_rng([seed, 1])
        mine = two_classes(seed)
        odds = np.log(mine.outputs[:, 1] / mine.outputs[:, 0])
        pair = [odds + 0.5 * random.normal(size=ROWS) + random.normal(size=3)[BLOCKS] for _ in range(2)]
        found = compare(
            "auc", *(as_sheet(each, mine.y_true, BLOCKS) for each in pair), BootstrapConfig(0.95, 200, 0, seed)
        )
        promoted.append(found.gain.low > 0)

    assert np.mean(promoted) <= 0.05
