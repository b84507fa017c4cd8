"""The blocks of rows that a first model is weighed and judged on, by a rolling origin.

Members that were never refreshed have no forward answers yet. So they are fitted before each block, answer it, and the
blocks become the first windows: what refreshes would have recorded, had they been there.
"""

from collections.abc import Sequence
from itertools import pairwise

from releve.domain.ensemble.forward import WINDOWS
from releve.domain.evaluation.rolling_origin import MIN_FOLD_ROWS, Fold, cut_blocks


def origin_blocks(batches: Sequence[str]) -> tuple[Fold, ...]:
    """Return the blocks, oldest first, up to the last row, at most WINDOWS; () where the rows are too few for one.

    `batches`: the batch of each row, in time order. A block is a batch, or several neighbours where one is too small,
    as windows will be; where the newest half of the rows holds too few batches, it is cut into equal blocks instead.
    Nothing older is judged on: members learn from half of the rows at least.
    """
    rows = len(batches)
    half = (rows + 1) // 2
    ends = [place for place in range(1, rows) if batches[place] != batches[place - 1]] + [rows]
    edges = [rows]
    for end in reversed(ends[:-1]):
        if end < half or len(edges) > WINDOWS:
            break
        if edges[-1] - end >= MIN_FOLD_ROWS:
            edges.append(end)
    if len(edges) > WINDOWS:
        return tuple(Fold(*block) for block in pairwise(reversed(edges)))
    size = rows - half
    return cut_blocks(half, rows, count=min(WINDOWS, max(1, size // MIN_FOLD_ROWS))) if size else ()
