"""AUC: how well scores rank the rows of a class above the others, among rows that one model answered.

A score of one fitted model says nothing beside a score of another, so rows are ranked within their block alone and the
blocks' areas are averaged, each by its rows. Areas over the pooled answers of several fits are too low (Parker, Gunter
& Bedo 2007; Forman & Scholz 2010): docs/decisions/0010-paired-doubt.md.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.scored_predictions import ScoredPredictions

Floats = NDArray[np.float64]

NO_SKILL = 0.5  # where all rows are of one class: nobody can be told apart
COLUMNS = 6  # of `placements`, per class and block


def has_areas(found: ScoredPredictions) -> bool:
    """Whether some block holds rows of a class and rows of another."""
    return any(len(np.unique(found.y_true[block])) > 1 for block in _blocks(found))


def placements(found: ScoredPredictions) -> Floats:
    """Per class that is asked and block that holds it and others, six columns: is it this class, that times its
    placement, the same of the rest, the AUC, and how much of the whole that is. A row's placement is the share of the
    other side's rows that it stands on the right side of, a tie counting half (DeLong, DeLong & Clarke-Pearson 1988);
    the mean placement of either side is the AUC."""
    columns: list[Floats] = []
    for place in found.scored_classes:
        ups = found.y_true == place
        shown = [block for block in _blocks(found) if 0 < ups[block].sum() < block.sum()]
        rows = sum(block.sum() for block in shown)
        columns += [_of_block(found.outputs[:, place], ups, block, block.sum() / rows) for block in shown]
    return np.hstack([*columns]) if columns else np.zeros((len(found), 0))


def areas(means: Floats) -> Floats:
    """Mean over the classes of one against the rest, over the blocks by their rows. To first order a reweighted AUC
    moves by what the mean placement of either side moves, which turns sorting every draw into one product:
    docs/decisions/0010-paired-doubt.md."""
    if not means.shape[1]:
        return np.full(len(means), NO_SKILL)
    up, ups, down, downs, area, worth = (means[:, start::COLUMNS] for start in range(COLUMNS))
    either = [np.divide(total, share, out=area.copy(), where=share > 0) for total, share in ((ups, up), (downs, down))]
    return np.asarray(((either[0] + either[1] - area) * worth).sum(axis=1) / worth.sum(axis=1))


def as_ranks(found: ScoredPredictions) -> ScoredPredictions:
    """Each class's probabilities as shares of the block's rows below: AUC knows no scale, and two models may have
    two."""
    ranks = np.empty_like(found.outputs)
    for block in _blocks(found):
        ranks[block] = _ranks(found.outputs[block]) / block.sum()
    return replace(found, outputs=ranks)


def _blocks(found: ScoredPredictions) -> Iterator[NDArray[np.bool_]]:
    numbers = found.block_of_rows
    return (numbers == number for number in np.unique(numbers))


def _of_block(scores: Floats, ups: NDArray[np.bool_], block: NDArray[np.bool_], worth: float) -> Floats:
    up, down = ups & block, ~ups & block
    placement: Any = np.zeros(len(scores))
    ranks = np.zeros(len(scores))
    ranks[block] = _ranks(scores[block])
    placement[up] = (ranks[up] - _ranks(scores[up])) / down.sum()
    placement[down] = (up.sum() - ranks[down] + _ranks(scores[down])) / up.sum()
    area, share = np.full(len(scores), placement[up].mean()), np.full(len(scores), worth)
    return np.column_stack([up, up * placement, down, down * placement, area, share])


def _ranks(scores: Floats) -> Floats:
    """From 1, in each column by itself; ties share the mean of theirs."""
    import pandas as pd  # not scipy.stats: that takes another second to import

    return pd.DataFrame(scores).rank().to_numpy().reshape(scores.shape)
