"""Prediction intervals of a regression: conformal on forward residuals, and adapted as labels arrive.

Split conformal prediction (Papadopoulos et al. 2002; Vovk, Gammerman & Shafer 2005) on answers to rows that were not
learned yet, in Mondrian bins of the answer (Boström & Johansson 2020): large answers err by more than small ones. The
level follows the labels by adaptive conformal inference (Gibbs & Candès 2021): docs/decisions/0040-intervals.md.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from releve.core.documents import DocumentPart
from releve.domain.evaluation.intervals import rounded
from releve.domain.evaluation.scored_predictions import Floats

STEP = 0.005  # of the level with each label, as Gibbs & Candès 2021 have it
MOST_BINS = 5
LEAST_MISSES = 5  # residuals of a bin above its half width: fewer would leave it to a single row
TINY = 1e-9  # 1 - 0.9 is less than 0.1

AnsweredWindow = tuple[Floats, Floats]  # answers (rows,) that were given before the labels were learned, and the labels


class WindowCoverage(DocumentPart):
    """How many labels of a window its intervals held, made of the windows before it."""

    rows: int
    covered: int


class ConformalIntervals(DocumentPart):
    """What turns an answer into an interval: a half width for each bin of answers."""

    confidence: float  # that is promised
    alpha: float  # share of rows that may miss, adapted: 1 - confidence where no label moved it
    rows: int  # residuals that it rests on
    edges: tuple[float, ...]  # between bins, ascending; an answer at an edge belongs below it
    half_widths: tuple[float, ...]  # of each bin, in the unit of the target
    windows: tuple[WindowCoverage, ...]  # oldest first, without those before which too little was known

    def around(self, answers: Sequence[float], *, low: float | None, high: float | None) -> list[list[float]]:
        """Return the interval of each answer, [low, high] with six digits, within the limits of the target.

        Row by row: for one row, which most requests have, arrays would cost ten times as much.
        """
        least, most = -math.inf if low is None else low, math.inf if high is None else high
        edges, half_widths, made = self.edges, self.half_widths, []
        for answer in answers:
            half = half_widths[bisect_left(edges, answer)]
            bounds = [rounded(answer - half), rounded(answer + half)]
            if bounds[0] < least or bounds[1] > most:
                bounds = [min(max(bound, least), most) for bound in bounds]
            made.append(bounds)
        return made


def conformal_intervals(windows: Sequence[AnsweredWindow], *, confidence: float) -> ConformalIntervals | None:
    """Calibrate on all windows, the oldest first, at the level that their labels have led to.

    Each window is answered by the intervals of the windows before it, as a release would have done, and moves the level
    row by row. None where there are fewer residuals than a finite interval takes: 1 / (1 - confidence) - 1.
    """
    alpha = target = 1 - confidence
    coverage = []
    for number, (answers, labels) in enumerate(windows):
        bins = _Bins.of(windows[:number], target)
        if bins is None:
            continue
        held = np.abs(labels - answers) <= np.array(bins.half_widths(alpha))[bins.places(answers)]
        coverage.append(WindowCoverage(rows=len(held), covered=int(held.sum())))
        alpha = adapted(alpha, bins.p_values(answers, labels), target=target)
    bins = _Bins.of(windows, target)
    if bins is None:
        return None
    return ConformalIntervals(
        confidence=confidence,
        alpha=alpha,
        rows=sum(map(len, bins.residuals)),
        edges=tuple(bins.edges.tolist()),
        half_widths=bins.half_widths(alpha),
        windows=tuple(coverage),
    )


def adapted(alpha: float, p_values: Floats, *, target: float) -> float:
    """Move the level with each label: down where the interval missed it, and up by less where it did not.

    `p_values`: conformal ones, in time order; an interval at level alpha misses those up to alpha.
    """
    for p_value in p_values.tolist():
        alpha += STEP * (target - (p_value <= alpha))
    return alpha


def rank(alpha: float, rows: int) -> int:
    """Return which of `rows` residuals, counted from the largest, bounds an interval; 0: none does, it is infinite."""
    return int(np.floor(alpha * (rows + 1) + TINY))


@dataclass(frozen=True, eq=False)
class _Bins:
    """Absolute residuals by bins of the answer."""

    edges: Floats
    residuals: tuple[Floats, ...]  # of each bin, ascending

    @classmethod
    def of(cls, windows: Sequence[AnsweredWindow], target: float) -> "_Bins | None":
        """Cut answers into as many bins of equal size as there are residuals for; None where one is too many."""
        if not windows:
            return None
        answers, labels = (np.concatenate(each) for each in zip(*windows, strict=True))
        residuals = np.abs(labels - answers)
        if rank(target, len(residuals)) < 1:
            return None
        for count in range(MOST_BINS, 1, -1):
            shares = np.arange(1, count) / count
            edges = np.unique(np.quantile(answers, shares, method="inverted_cdf"))
            places = np.searchsorted(edges, answers)
            sizes = np.bincount(places, minlength=len(edges) + 1)
            if len(edges) == count - 1 and rank(target, sizes.min()) >= LEAST_MISSES:
                return cls(edges, tuple(np.sort(residuals[places == place]) for place in range(count)))
        return cls(np.empty(0), (np.sort(residuals),))

    def places(self, answers: Floats) -> NDArray[np.intp]:
        """Return the bin of each answer."""
        return np.searchsorted(self.edges, answers)

    def half_widths(self, alpha: float) -> tuple[float, ...]:
        """Return the conformal quantile of each bin: the largest residual where the level asks for more."""
        ranks = [min(max(rank(alpha, len(each)), 1), len(each)) for each in self.residuals]
        return tuple(float(each[-place]) for each, place in zip(self.residuals, ranks, strict=True))

    def p_values(self, answers: Floats, labels: Floats) -> Floats:
        """Compute the share of residuals of the bin that are at least as large, the row's own included."""
        found = np.empty(len(answers))
        places, residuals = self.places(answers), np.abs(labels - answers)
        for place, known in enumerate(self.residuals):
            own = places == place
            larger = len(known) - np.searchsorted(known, residuals[own])
            found[own] = (larger + 1) / (len(known) + 1)
        return found
