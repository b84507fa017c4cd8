"""Two-sample tests: how unlikely a column's change is, and how large.

Kolmogorov-Smirnov for numbers and for each part of a text's vector, chi-square over pooled categories for the rest.
Both assume rows that do not depend on each other. Rows of a real table do (seasons, series of like rows), which makes
the statistics larger by a factor, the inflation: `releve.rules.drift_normal` measures it and it is divided out here,
as Rao & Scott (1981) do for chi-square under cluster sampling.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.rules.columns import CATEGORY, NUMBER, TEXT

MIN_EXPECTED = 5  # cells of a contingency table below this expectation are pooled, as chi-square needs (Cochran 1954)
KOLMOGOROV = 0  # degrees of freedom that stand for the law of D instead of chi-square's


@dataclass(frozen=True)
class Measured:
    """One comparison of two samples."""

    statistic: float  # grows with the rows: chi-square, or the square of Kolmogorov's statistic
    effect: float  # 0-1, whatever the number of rows: D, or total variation
    freedom: int = KOLMOGOROV
    tries: int = 1  # parts of a vector that this is the most changed of

    def p_value(self, inflation: float = 1.0) -> float:
        """Probability of so large a statistic by chance, Bonferroni over the tries."""
        from scipy import special

        scaled = self.statistic / inflation
        single = special.chdtrc(self.freedom, scaled) if self.freedom else special.kolmogorov(sqrt(scaled))
        return min(1.0, float(single) * self.tries)

    def reached_by(self, p_value: float) -> float:
        """The statistic that has this p-value."""
        from scipy import special

        single = p_value / self.tries
        return float(special.chdtri(self.freedom, single) if self.freedom else special.kolmogi(single) ** 2)

    @property
    def excess(self) -> float:
        """The statistic over its median among independent rows that did not change."""
        return self.statistic / self.reached_by(self.tries * (1 - 0.5 ** (1 / self.tries)))


NOTHING = Measured(0.0, 0.0)


def numbers(before: NDArray[Any], now: NDArray[Any]) -> Measured:
    """Kolmogorov-Smirnov over present cells, in the form of Stephens (1970), exact to a few percent from 20 rows on."""
    before, now = np.sort(before[~np.isnan(before)]), np.sort(now[~np.isnan(now)])
    return _kolmogorov(before, now)


def categories(before: NDArray[Any], now: NDArray[Any]) -> Measured:
    """Chi-square over codes (whole numbers, NaN is missing), the rare ones pooled; the effect is total variation."""
    before, now = (side[~np.isnan(side)].astype(np.intp) for side in (before, now))
    if not len(before) or not len(now):
        return NOTHING
    length = int(max(before.max(), now.max())) + 1
    table = pooled(np.array([np.bincount(side, minlength=length) for side in (before, now)], dtype=float))
    if table.shape[1] < 2:
        return NOTHING
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    shares = table / table.sum(axis=1, keepdims=True)
    statistic = float(((table - expected) ** 2 / expected).sum())
    return Measured(statistic, float(np.abs(shares[0] - shares[1]).sum() / 2), table.shape[1] - 1)


def vectors(before: NDArray[Any], now: NDArray[Any]) -> Measured:
    """Kolmogorov-Smirnov for each part of vectors (rows, parts; a row of NaN is missing): the most changed part."""
    return most_changed(before, now)[1]


def most_changed(before: NDArray[Any], now: NDArray[Any]) -> tuple[int, Measured]:
    """Which part of the vectors changed most, and by how much."""
    parts = before.shape[1]
    found = [numbers(before[:, part], now[:, part]) for part in range(parts)]
    best = max(range(parts), key=lambda part: found[part].statistic)
    return best, Measured(found[best].statistic, found[best].effect, KOLMOGOROV, parts)


def pooled(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """A table (2, categories) with the rare categories in one last column, and without the empty ones."""
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < MIN_EXPECTED
    joined = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)]) if rare.any() else table
    return np.asarray(joined[:, joined.sum(axis=0) > 0])


def _kolmogorov(before: NDArray[Any], now: NDArray[Any]) -> Measured:
    if not len(before) or not len(now):
        return NOTHING
    places = np.concatenate([before, now])
    shares = [np.searchsorted(side, places, side="right") / len(side) for side in (before, now)]
    effect = float(np.abs(shares[0] - shares[1]).max())
    root = sqrt(len(before) * len(now) / (len(before) + len(now)))
    return Measured(((root + 0.12 + 0.11 / root) * effect) ** 2, effect)


@dataclass(frozen=True)
class Method:
    """How columns of one type are compared."""

    name: str  # as the report shows it
    measure: Callable[[NDArray[Any], NDArray[Any]], Measured]


METHODS = {  # by type; a type that is not named is not compared
    NUMBER: Method("KS", numbers),
    CATEGORY: Method("chi-square", categories),
    TEXT: Method("KS of text vectors", vectors),
}
