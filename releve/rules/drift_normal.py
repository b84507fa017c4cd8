"""Which changes are normal: what adjacent past windows of the reference show, as large as the current window.

The same test compares each past window with the next. Where rows depend on each other (seasons, series of like rows),
its statistic is larger than chance allows, by a factor that is the same between the reference and the current window:
the inflation. It is the median over the pairs of windows, so that one real change in the past does not hide the next,
and 1 where the pairs show no dependence: among independent rows nothing may be lost.
Median ratio: Devlin & Roeder (1999), "Genomic control". Pairs are joined by Fisher's method.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.rules.drift_tests import Measured

MOST_ROWS = 20_000  # of a side, and of a window, that are looked at: an effect of 0.05 shows in far fewer
MOST_WINDOWS = 9
LEAST_WINDOWS = 4  # a shorter reference is cut into smaller windows than the current one
SEED = 7
DOUBT = 0.05  # pairs that are less likely than this among independent rows show that rows depend on each other
SMALLEST = 1e-300  # of a p-value whose logarithm is taken


@dataclass(frozen=True, eq=False)
class Places:
    """Which rows are looked at, ascending: positions in the frames."""

    reference: NDArray[np.intp]
    current: NDArray[np.intp]
    windows: tuple[NDArray[np.intp], ...]  # of the reference, the oldest first, each beginning where one ended
    window_rows: int  # of the table; the sample of a window may have fewer


def choose_places(reference_rows: int, current_rows: int, *, most: int = MOST_ROWS) -> Places:
    """A sample of both sides and of past windows, the same at every call; time order is kept."""
    random = np.random.default_rng(SEED)

    def sample(start: int, stop: int) -> NDArray[np.intp]:
        if stop - start <= most:
            return np.arange(start, stop)
        return np.asarray(start + np.sort(random.choice(stop - start, most, replace=False)))

    size = max(1, min(current_rows, reference_rows // LEAST_WINDOWS))
    count = min(MOST_WINDOWS, reference_rows // size)
    starts = [reference_rows - size * number for number in range(count, 0, -1)]
    windows = tuple(sample(start, start + size) for start in starts)
    return Places(sample(0, reference_rows), sample(0, current_rows), windows, size)


def depends(pairs: Sequence[Measured]) -> bool:
    """Whether adjacent windows differ by more than independent rows would."""
    from scipy import special

    if not pairs:
        return False
    joined = -2 * sum(log(max(pair.p_value(), SMALLEST)) for pair in pairs)
    return bool(special.chdtrc(2 * len(pairs), joined) < DOUBT)


def inflation(pairs: Sequence[Measured]) -> float:
    """By which factor the statistic is larger than among independent rows; at least 1."""
    return max(1.0, float(np.median([pair.excess for pair in pairs]))) if pairs else 1.0


def pairs_of(windows: Sequence[NDArray[Any]], measure: Any, *, least: int) -> list[Measured]:
    """Each window compared with the next; windows with fewer present cells than `least` are left out."""
    full = [window for window in windows if _present(window) >= least]
    return [measure(before, now) for before, now in zip(full, full[1:], strict=False)]


def _present(window: NDArray[Any]) -> int:
    return int((~np.isnan(window if window.ndim == 1 else window[:, 0])).sum())
