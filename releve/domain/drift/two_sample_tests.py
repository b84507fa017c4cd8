"""Two-sample tests: how unlikely a column's change is, and how large.

Numbers, and each part of a text's vector: Kolmogorov-Smirnov, which sees any change, beside the rank sum (Mann &
Whitney 1947), which sees the commonest one, a shift, in half the rows. Categories: chi-square, the rare ones pooled.
The tests assume rows that do not depend on each other; `releve.domain.drift.variance_inflation` says by which factor
the statistics are larger where they do, and how surely that is known.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.columns import CATEGORY, IMAGE, NUMBER, TEXT

MIN_EXPECTED = 5  # cells of a contingency table below this expectation are pooled, as chi-square needs (Cochran 1954)
KOLMOGOROV = 0  # degrees of freedom that stand for the law of D instead of chi-square's
SMALLEST = 1e-300


@dataclass(frozen=True)
class Change:
    """How one column differs: the probability of at least this much without drift, and its size."""

    p_value: float
    effect: float  # 0-1: Kolmogorov-Smirnov D, or total variation


@dataclass(frozen=True)
class Statistic:
    """One test's statistic, which grows with the rows: chi-square, or the square of Kolmogorov's."""

    value: float
    freedom: int = KOLMOGOROV

    def p_value(self, inflation: float = 1.0, degrees: float = inf) -> float:
        """Return the probability of so large a statistic by chance, where chance makes it `inflation` times larger.

        `degrees` of freedom are those that the inflation is known with: few make p-values larger, as with Student's t.
        """
        from scipy import special

        scaled = self.value / inflation
        plain = float(special.chdtrc(self.freedom, scaled) if self.freedom else special.kolmogorov(sqrt(scaled)))
        if degrees == inf or plain >= 1:
            return plain
        return float(special.fdtrc(1, degrees, special.chdtri(1, max(plain, SMALLEST))))

    @property
    def excess(self) -> float:
        """Return the statistic over its median among independent rows that did not change."""
        from scipy import special

        median = special.chdtri(self.freedom, 0.5) if self.freedom else special.kolmogi(0.5) ** 2
        return self.value / float(median)


@dataclass(frozen=True)
class TwoSampleResult:
    """One comparison of two samples: each test's statistic, and the size of the change."""

    statistics: tuple[Statistic, ...]
    effect: float  # 0-1, whatever the number of rows: D, or total variation
    tries: int = 1  # parts of a vector that this is the most changed of

    def times(self, factor: float) -> "TwoSampleResult":
        """Scale the statistics."""
        return replace(self, statistics=tuple(replace(each, value=each.value * factor) for each in self.statistics))


def combine_p_values(p_values: list[float], tries: int = 1) -> float:
    """Combine the p-values of tests of the same rows: their harmonic mean, Bonferroni over the tries.

    In the tail this is the Cauchy combination, which holds whatever the tests' dependence (Liu & Xie 2020).
    """
    mean = len(p_values) / sum(1 / max(p, SMALLEST) for p in p_values)
    return min(1.0, mean * tries)


NOTHING = TwoSampleResult((Statistic(0.0),), 0.0)


def numbers(before: NDArray[Any], now: NDArray[Any]) -> TwoSampleResult:
    """Compare by Kolmogorov-Smirnov and the rank sum over present cells (NaN is missing); the effect is D."""
    before, now = np.sort(before[~np.isnan(before)]), np.sort(now[~np.isnan(now)])
    if not len(before) or not len(now):
        return NOTHING
    places = np.concatenate([before, now])
    shares = [np.searchsorted(side, places, side="right") / len(side) for side in (before, now)]
    effect = float(np.abs(shares[0] - shares[1]).max())
    root = sqrt(len(before) * len(now) / (len(before) + len(now)))
    kolmogorov = Statistic(((root + 0.12 + 0.11 / root) * effect) ** 2)  # Stephens (1970): good from 20 rows on
    return TwoSampleResult((kolmogorov, _rank_sum(before, now, np.sort(places))), effect)


def _rank_sum(before: NDArray[Any], now: NDArray[Any], both: NDArray[Any]) -> Statistic:
    """The square of the rank sum's normal score, corrected for ties; all three arrays are sorted."""
    rows = len(both)
    below = np.searchsorted(before, now, side="left") + np.searchsorted(before, now, side="right")
    ends = np.flatnonzero(np.append(both[1:] != both[:-1], True))
    ties = np.diff(ends, prepend=-1).astype(float)
    variance = len(before) * len(now) / 12 * (rows + 1 - float((ties**3 - ties).sum()) / (rows * (rows - 1)))
    if variance <= 0:
        return Statistic(0.0, 1)
    return Statistic((float(below.sum()) / 2 - len(before) * len(now) / 2) ** 2 / variance, 1)


def categories(before: NDArray[Any], now: NDArray[Any]) -> TwoSampleResult:
    """Compare by chi-square over codes (NaN is missing), rare ones pooled; the effect is total variation."""
    before, now = (side[~np.isnan(side)].astype(np.intp) for side in (before, now))
    if not len(before) or not len(now):
        return NOTHING
    length = int(max(before.max(), now.max())) + 1
    table = pooled(np.array([np.bincount(side, minlength=length) for side in (before, now)], dtype=float))
    if table.shape[1] < 2:
        return NOTHING
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    shares = table / table.sum(axis=1, keepdims=True)
    chi_square = Statistic(float(((table - expected) ** 2 / expected).sum()), table.shape[1] - 1)
    return TwoSampleResult((chi_square,), float(np.abs(shares[0] - shares[1]).sum() / 2))


def pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pool the rare categories of a table (2, categories) in one last column, and drop the empty ones."""
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < MIN_EXPECTED
    joined = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)]) if rare.any() else table
    return np.asarray(joined[:, joined.sum(axis=0) > 0])


def most_changed(before: NDArray[Any], now: NDArray[Any]) -> tuple[int, TwoSampleResult]:
    """Return which part of vectors (rows, parts; a row of NaN is missing) changed most, compared as `numbers` does."""
    parts = before.shape[1]
    results = [numbers(before[:, part], now[:, part]) for part in range(parts)]
    best = min(range(parts), key=lambda part: combine_p_values([each.p_value() for each in results[part].statistics]))
    return best, TwoSampleResult(results[best].statistics, results[best].effect, parts)


@dataclass(frozen=True)
class Method:
    """How columns of one type are compared."""

    name: str  # as the report shows it
    measure: Callable[[NDArray[Any], NDArray[Any]], TwoSampleResult]


METHODS = {  # by type; a type that is not named is not compared
    NUMBER: Method("KS and rank sum", numbers),
    CATEGORY: Method("chi-square", categories),
    TEXT: Method("KS of text vectors", lambda before, now: most_changed(before, now)[1]),
    IMAGE: Method("KS of light and contrast", lambda before, now: most_changed(before, now)[1]),
}
