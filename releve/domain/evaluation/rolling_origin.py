"""Which rows a challenger learns from and which it is judged on: a rolling origin, never a shuffle.

After Tashman (2000), "Out-of-sample tests of forecasting accuracy": the newest rows are cut into blocks in time
order, and each block is scored by a model fitted on everything before it. One model fitted before all of them
would be judged at its oldest; measured in docs/decisions/0003-rolling-origin.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MIN_FOLD_ROWS = 60  # fewer blocks rather than smaller ones


@dataclass(frozen=True)
class Fold:
    """Rows [start, end) in time order. Where they are judged on, rows [0, start) were learned from."""

    start: int
    end: int


def cut_blocks(start: int, end: int, *, count: int) -> tuple[Fold, ...]:
    """Cut rows [start, end) into `count` blocks of about equal size, oldest first."""
    edges = [start + (end - start) * number // count for number in range(count + 1)]
    return tuple(Fold(*block) for block in pairwise(edges))


def newest_connected(folds: Sequence[Fold]) -> tuple[Fold, ...]:
    """Return the newest blocks whose rows follow each other; `folds`: the oldest first.

    Of a large window only the newest rows are answered, which leaves a gap before it.
    """
    gaps = [place for place in range(1, len(folds)) if folds[place].start != folds[place - 1].end]
    return tuple(folds[max([0, *gaps]) :])


def numbered(folds: Sequence[Fold]) -> NDArray[np.int64]:
    """Return the number of the block, from 0, of each row that is judged on."""
    return np.repeat(np.arange(len(folds)), [fold.end - fold.start for fold in folds])
