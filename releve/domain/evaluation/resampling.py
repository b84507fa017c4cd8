"""Draw rows, as weights: blocks of rows with replacement, and blocks whose predictions are swapped.

Rows lie in time order and their losses are autocorrelated, so whole blocks are drawn (circular block bootstrap:
Politis & Romano 1992) and whole blocks are swapped between two models (approximate randomisation: Noreen 1989).
"""

import math
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CHUNK_CELLS = 1_000_000  # weights held at once: 8 MB, whatever the rows and the draws
LEAST_BLOCKS = 8  # that a table is cut into: fewer could not show anything
QUIET_LAGS = 5  # autocorrelations near nothing, one after the other, that end a dependence
LENGTHENED = (
    1.5  # times the length of least error of the variance: too short a block promotes by chance, too long does not
)
LOUD = 1.5  # standard errors, about, that an autocorrelation exceeds to be one


def block_weights(rows: int, *, block: int, draws: int, seed: int) -> Iterator[Floats]:
    """Chunks (some draws, rows): how often each row is drawn, in blocks of `block` neighbours on a circle.

    The last block of a draw is cut, so that every draw has as many rows as the table.
    """
    random = np.random.default_rng(seed)
    for size in _chunks(draws, rows):
        starts = random.integers(rows, size=(size, math.ceil(rows / block), 1))
        drawn = (starts + np.arange(block)).reshape(size, -1)[:, :rows] % rows
        places = (drawn + rows * np.arange(size)[:, None]).ravel()
        yield np.bincount(places, minlength=size * rows).reshape(size, rows).astype(np.float64)


def drawn_rows(rows: int, *, block: int, draws: int, seed: int) -> Floats:
    """The same as `block_weights`, all at once: (draws, rows)."""
    return np.concatenate(list(block_weights(rows, block=block, draws=draws, seed=seed)))


def swaps(differs: NDArray[np.bool_], *, block: int, draws: int, seed: int) -> Iterator[Floats]:
    """Chunks (some draws, rows) of 1 where a row keeps its answers and 0 where two models exchange them.

    A block of `block` neighbours is exchanged as one; blocks in which nothing `differs` have no say. Where all ways
    to exchange are no more than `draws`, each comes once, and the test that counts them is exact; else the first draw
    exchanges nothing, so that chance is never counted as impossible (Phipson & Smyth 2010).
    """
    blocks = np.arange(len(differs)) // block
    live, member = np.unique(blocks[differs], return_inverse=True)
    every = list(product((1.0, 0.0), repeat=len(live))) if 2 ** len(live) <= draws else None
    random = np.random.default_rng(seed)
    for first, size in _numbered(_chunks(draws if every is None else len(every), len(differs))):
        kept: Any = random.integers(0, 2, size=(size, len(live))) if every is None else every[first : first + size]
        if every is None and not first:
            kept[0] = 1
        keep = np.ones((size, len(differs)))
        keep[:, differs] = np.asarray(kept, dtype=np.float64).reshape(size, len(live))[:, member]
        yield keep


def block_rows(series: Floats) -> int:
    """Choose the block length: that of the autocorrelation, and no more than `longest_block`."""
    return min(dependent_rows(series), longest_block(len(series)))


def longest_block(rows: int) -> int:
    """An eighth of the rows, so that there are blocks to draw from."""
    return max(1, rows // LEAST_BLOCKS)


def dependent_rows(series: Floats) -> int:
    """Estimate the block length of a per-row series, 1 where rows are independent: Politis & White (2004), for
    the circular bootstrap, with the correction of Patton, Politis & White (2009). It may be more than can be drawn."""
    rows = len(series)
    if rows < 2 * LEAST_BLOCKS or not np.ptp(series):
        return 1
    gaps = series - series.mean()
    longest = min(rows - 1, math.isqrt(rows) + QUIET_LAGS)
    covariances = np.array([gaps[lag:] @ gaps[: rows - lag] / rows for lag in range(longest + 1)])
    reach = _reach(covariances[1:] / covariances[0], rows)
    if not reach:
        return 1
    lags = np.arange(1, min(2 * reach, longest) + 1)
    taper = np.minimum(1.0, 2 * (1 - lags / (2 * reach)))  # the flat-top window of Politis & Romano (1995)
    spectrum = covariances[0] + 2 * (taper * covariances[lags]).sum()
    slope = 2 * (taper * lags * covariances[lags]).sum()
    if spectrum <= 0:
        return longest_block(rows)
    best = LENGTHENED * (1.5 * (slope / spectrum) ** 2 * rows) ** (1 / 3)
    return int(max(1, math.ceil(best)))


def _reach(correlations: Floats, rows: int) -> int:
    """The lag after which QUIET_LAGS autocorrelations in a row are no more than noise."""
    loud = np.abs(correlations) > LOUD * math.sqrt(math.log10(rows) / rows)
    for lag in range(len(loud) - QUIET_LAGS + 1):
        if not loud[lag : lag + QUIET_LAGS].any():
            return lag
    return int(np.flatnonzero(loud)[-1]) + 1


def _chunks(draws: int, rows: int) -> list[int]:
    size = max(1, min(draws, CHUNK_CELLS // max(rows, 1)))
    return [size] * (draws // size) + [draws % size] * (draws % size > 0)


def _numbered(sizes: list[int]) -> Iterator[tuple[int, int]]:
    first = 0
    for size in sizes:
        yield first, size
        first += size
