"""Bound the gain of one arm over the other after every label, so that one may look as often as one likes and stop.

A confidence sequence holds at all looks together: each end is passed by the truth, ever, with probability 1 -
confidence. Here it is Robbins' normal mixture (Howard, Ramdas, McAuliffe & Sekhon 2021, Annals of Statistics 49), with
the variance estimated as in asymptotic sequences (Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas 2021, arXiv
2103.06476), on means of neighbouring rows: of rows one by one it is not valid where errors are autocorrelated, and
nor are bets (Waudby-Smith & Ramdas 2024, JRSS B 86). See docs/decisions/0045-live-comparison.md.
"""

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.paired import dependent_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Cut = Callable[[int], tuple[Ints, Floats]]  # block length -> where each block ends, and its mean gain

FIRST_ROWS = 200  # of the smaller arm: the block length is estimated on them, and again whenever they have doubled
SHORTEST_BLOCK = 10  # rows of each arm; longer ones are a multiple of it
LENGTHENED = 2  # times the gate's block length, where rows depend on each other: it is chosen on few rows
LEAST_BLOCKS = 10  # with fewer their variance is not known
# Where the sequence is tightest: after so many rows of the smaller arm, or blocks, whichever is more: few show little.
NARROWEST_ROWS, NARROWEST_BLOCKS = 1000, 20
# The mixture over gains, in standard errors there: where a gain is sought, and how wide.
SOUGHT, SPREAD = 2.5, 0.5


@dataclass(frozen=True, eq=False)
class ConfidenceSequence:
    """What was known of the gain at each look, one where a block ended; all columns are of one length."""

    rows: Ints  # of both arms, the first ones, that the look is on
    blocks: Ints
    block_rows: Ints
    gains: Floats
    lows: Floats  # -inf where the arms have not differed yet
    highs: Floats

    def __len__(self) -> int:
        return len(self.rows)

    def first_decisive(self) -> int | None:
        """Return the first look whose interval excludes 0."""
        decisive = np.flatnonzero((self.lows > 0) | (self.highs < 0))
        return int(decisive[0]) if len(decisive) else None


def gain_sequence(losses: Floats, *, confidence: float) -> ConfidenceSequence:
    """Bound how much lower the challenger's mean loss is than the champion's.

    losses: (2, rows), champion and challenger, in time order; nan where an arm did not answer. A shadow answers every
    row, and is compared on the same ones. Otherwise one arm answers each, drawn at random, and a block ends where both
    have enough rows in it: what time or a new share of the rows changes, it changes for both.
    """
    answered = ~np.isnan(losses)
    counts = np.pad(answered.cumsum(axis=1), ((0, 0), (1, 0)))  # (2, rows + 1): among the first rows
    totals = np.pad(np.where(answered, losses, 0.0).cumsum(axis=1), ((0, 0), (1, 0)))
    smaller = counts.min(axis=0)
    paired = answered[0] & answered[1]

    def cut(block: int) -> tuple[Ints, Floats]:
        ends, columns = [0], counts.tolist()  # lists are searched faster, some thousands of times
        while ends[-1] < len(smaller):
            wanted = [bisect_left(column, column[ends[-1]] + block) for column in columns]
            ends.append(max(wanted))
        ends.pop()  # the block that is not whole
        champion, challenger = np.diff(totals[:, ends]) / np.diff(counts[:, ends])
        return np.array(ends[1:], dtype=np.int64), champion - challenger

    def dependence(rows: int) -> int:
        """Of the gains of pairs, and of what each arm answered alone."""
        first, alone = losses[:, :rows], answered[:, :rows] & ~paired[:rows]
        gains = np.subtract(*first[:, paired[:rows]])
        series = [gains, *(arm[chosen] for arm, chosen in zip(first, alone, strict=True))]
        return max(map(dependent_rows, series))

    doublings = [FIRST_ROWS * 2**power for power in range((int(smaller[-1]) // FIRST_ROWS).bit_length())]
    estimated = np.searchsorted(smaller, doublings)
    return _sequence(estimated, dependence, cut, rows=losses.shape[1], alpha=1 - confidence)


def half_widths(blocks: Ints, block_rows: int, *, alpha: float) -> Floats:
    """Return half the width of the sequence after so many blocks, in standard deviations of a block's mean.

    The normal boundary is widened to Student's t: few blocks know their variance badly.
    """
    from scipy.special import ndtr, stdtrit  # scipy.stats takes a second to import

    scale = min(block_rows / NARROWEST_ROWS, 1 / NARROWEST_BLOCKS)
    sums = normal_mixture(blocks, mean=SOUGHT * math.sqrt(scale), variance=SPREAD**2 * scale, alpha=alpha)
    return np.asarray(stdtrit(np.maximum(blocks - 1, 1), ndtr(sums / np.sqrt(blocks))) / np.sqrt(blocks))


def normal_mixture(times: Ints, *, mean: float, variance: float, alpha: float) -> Floats:
    """Return what a sum of independent values of variance 1 exceeds, ever, with probability alpha at most.

    Solves E[exp(x S - x²t / 2)] = 1 / alpha for S, where x is normal with `mean` and `variance`: that expectation is a
    martingale, whatever the distribution of x (Robbins 1970). A mean of 0 gives the two-sided boundary.
    """
    spread = 1 + variance * times
    root = mean**2 + variance * (mean**2 * times + 2 * spread * np.log(np.sqrt(spread) / alpha))
    return np.asarray((np.sqrt(root) - mean) / variance)


def _sequence(
    estimated: Ints, dependence: Callable[[int], int], cut: Cut, *, rows: int, alpha: float
) -> ConfidenceSequence:
    """Join the looks between the moments at which the block length is `estimated`.

    It is a function of rows that were seen before, and never gets shorter, so that no later row changes a look.
    """
    block, (ends, means) = SHORTEST_BLOCK, cut(SHORTEST_BLOCK)
    parts = [_looks(ends, means, block, range(0), alpha)]
    for start, end in pairwise([*estimated, rows + 1]):
        if (longer := _rounded(dependence(int(start)))) > block:
            block, (ends, means) = longer, cut(longer)
        first = max(int(np.searchsorted(ends, start, side="right")), LEAST_BLOCKS) - 1
        chosen = range(first, int(np.searchsorted(ends, end)))
        parts.append(_looks(np.maximum(ends, start), means, block, chosen, alpha))
    return ConfidenceSequence(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _rounded(dependent: int) -> int:
    wanted = LENGTHENED * dependent if dependent > 1 else 1
    return SHORTEST_BLOCK * math.ceil(wanted / SHORTEST_BLOCK)


def _looks(ends: Ints, means: Floats, block: int, chosen: range, alpha: float) -> tuple[Floats | Ints, ...]:
    """Return the columns of the `chosen` looks, one per block."""
    blocks = np.arange(1, len(means) + 1)
    gains = means.cumsum() / blocks
    # beside a block without a gain: where gains are large, and do not vary at all, that tells no less
    variances = ((means**2).cumsum() - (blocks * gains) ** 2 / (blocks + 1)) / blocks
    looks = slice(chosen.start, chosen.stop)
    blocks, gains, variances = blocks[looks], gains[looks], variances[looks]
    halves = np.sqrt(variances) * half_widths(blocks, block, alpha=alpha)
    halves[variances == 0] = np.inf  # the arms have not differed yet
    return ends[looks], blocks, np.full(len(blocks), block), gains, gains - halves, gains + halves
