"""Which rows a challenger learns from and which it is judged on: a rolling origin, never a shuffle.

After Tashman (2000), "Out-of-sample tests of forecasting accuracy": the holdout is cut into blocks in time
order, and each block is scored by a model fitted on everything before it. One model fitted before the whole
holdout would be judged at its oldest; measured in docs/decisions/0003-rolling-origin.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput

FOLDS = 3  # models that are fitted to judge a challenger: enough for it to be judged at most a third of a holdout old
MIN_FOLD_ROWS = 60  # fewer blocks rather than smaller ones


@dataclass(frozen=True)
class Fold:
    """Learn from rows [0, start), judge on rows [start, end)."""

    start: int
    end: int


def rolling_folds(
    rows: int,
    *,
    seen: int,
    holdout_rows: int,
    holdout_share: float,
    folds: int = FOLDS,
    min_fold_rows: int = MIN_FOLD_ROWS,
) -> tuple[Fold, ...]:
    """Blocks over the newest of `rows` rows, oldest block first.

    `seen` rows are known to the champion and never judged on. Raises BadInput when no row is left for a holdout.
    """
    size = min(holdout_rows, rows - seen, int(rows * holdout_share))
    if size < 1:
        raise BadInput(
            f"there are {rows} labelled rows and the champion learned from {seen} of them, so none is left to judge a "
            "challenger on; ingest newer labelled rows first"
        )
    return cut_blocks(rows - size, rows, count=min(folds, max(1, size // min_fold_rows)))


def cut_blocks(start: int, end: int, *, count: int) -> tuple[Fold, ...]:
    """Cut rows [start, end) into `count` blocks of about equal size, oldest first."""
    edges = [start + (end - start) * number // count for number in range(count + 1)]
    return tuple(Fold(*block) for block in pairwise(edges))


def numbered(folds: Sequence[Fold]) -> NDArray[np.int64]:
    """Return the number of the block, from 0, of each row that is judged on."""
    return np.repeat(np.arange(len(folds)), [fold.end - fold.start for fold in folds])
