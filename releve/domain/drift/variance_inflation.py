"""How much dependence between rows inflates a test's statistics, from adjacent past windows of the reference.

The same test compares each past window with the next. Where rows depend on each other (seasons, series of like rows),
its statistic is larger than among independent rows, by a factor that holds between the reference and the current
window too: the inflation (of chi-square under cluster sampling: Rao & Scott 1981). A column's own figure is the median
over its pairs of windows, as in genomic control (Devlin & Roeder 1999), so that one real change in the past does not
hide the next. A few pairs show little, so columns share strength (moderated variances), and the uncertainty that is
left makes p-values larger: Smyth (2004), "Linear models and empirical Bayes methods", section 6.2.
Where the pairs show no dependence the inflation is 1: among independent rows nothing may be lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.drift.two_sample_tests import SMALLEST, TwoSampleResult, combine_p_values

MOST_ROWS = 20_000  # of a side, and of a window, that are compared: an effect of 0.05 shows in far fewer
MOST_WINDOWS = 13
LEAST_WINDOWS = 4  # a shorter reference is cut into smaller windows than the current one
SEED = 7
DEPENDENCE_ALPHA = 0.005  # pairs less likely than this among independent rows show that rows depend on each other
DEGREES_PER_PAIR = 0.5  # degrees of freedom that a pair adds: a median of few knows less than a mean
MOST_DEGREES = 50.0  # degrees of freedom that columns lend each other: they are seldom independent
HALVINGS = 20
LEAST_EXCESS = 0.1  # of a median: a column of few values may show none at all


@dataclass(frozen=True, eq=False)
class Places:
    """Which rows are compared, ascending: positions in the frames."""

    reference: NDArray[np.intp]
    current: NDArray[np.intp]
    windows: tuple[NDArray[np.intp], ...]  # of the reference, the oldest first, each beginning where one ended


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
    return Places(sample(0, reference_rows), sample(0, current_rows), windows)


@dataclass(frozen=True)
class VarianceInflation:
    """How much larger a column's statistics are than among independent rows, and how surely that is known."""

    factor: float = 1.0
    degrees: float = inf  # of freedom that the factor is known with

    def p_value(self, result: TwoSampleResult) -> float:
        """Return the p-value of a change, the inflation accounted for."""
        return combine_p_values([each.p_value(self.factor, self.degrees) for each in result.statistics], result.tries)

    def effect(self, result: TwoSampleResult, *, p_value: float) -> float:
        """Return the effect of such a change that has this p-value, by bisection; 0 where rows are independent."""
        if self.factor <= 1 or not result.effect:
            return 0.0
        low, high = 0.0, 1 / result.effect
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.p_value(result.times(middle**2)) > p_value else (low, middle)
        return min(1.0, result.effect * high)


INDEPENDENT = VarianceInflation()


def measure_adjacent(
    windows: Sequence[NDArray[Any]], measure: Callable[[NDArray[Any], NDArray[Any]], TwoSampleResult], *, least: int
) -> list[TwoSampleResult]:
    """Compare each window with the next; windows with fewer present cells than `least` are left out."""

    def present(window: NDArray[Any]) -> int:
        return int((~np.isnan(window if window.ndim == 1 else window[:, 0])).sum())

    full = [window for window in windows if present(window) >= least]
    return [measure(before, now) for before, now in pairwise(full)]


def estimate_inflation(columns: Sequence[Sequence[TwoSampleResult]]) -> list[VarianceInflation]:
    """Estimate each column's inflation from its pairs of adjacent past windows."""
    if not depends([each for pairs in columns for each in pairs]):
        alpha = DEPENDENCE_ALPHA / len(columns)
        own = [_estimate_from(pairs) if depends(pairs, alpha=alpha) else INDEPENDENT for pairs in columns]
        return [VarianceInflation(max(1.0, each.factor), max(1.0, each.degrees)) for each in own]
    return _moderated([_estimate_from(pairs) for pairs in columns])


def depends(pairs: Sequence[TwoSampleResult], *, alpha: float = DEPENDENCE_ALPHA) -> bool:
    """Return whether adjacent windows differ by more than independent rows would (Fisher's method over the pairs)."""
    from scipy import special

    if not pairs:
        return False
    joined = -2 * sum(log(max(INDEPENDENT.p_value(pair), SMALLEST)) for pair in pairs)
    return bool(special.chdtrc(2 * len(pairs), joined) < alpha)


def _estimate_from(pairs: Sequence[TwoSampleResult]) -> VarianceInflation:
    """Estimate from the column's own pairs, below 1 too."""
    if not pairs:
        return VarianceInflation(1.0, 0.0)
    excess = np.median([np.mean([each.excess for each in pair.statistics]) for pair in pairs])
    return VarianceInflation(max(LEAST_EXCESS, float(excess)), DEGREES_PER_PAIR * len(pairs))


def _moderated(own: Sequence[VarianceInflation]) -> list[VarianceInflation]:
    """Draw each column's factor to that of all: by as much as the columns differ no more than chance lets them."""
    from scipy.special import polygamma

    known = [each for each in own if each.degrees]
    if not known:
        return [INDEPENDENT for _ in own]
    degrees = float(np.mean([each.degrees for each in known]))
    logs = np.log([each.factor for each in known])
    apart = float(np.var(logs, ddof=1)) - float(polygamma(1, degrees / 2)) if len(known) > 1 else inf
    prior = MOST_DEGREES if apart <= 0 else min(MOST_DEGREES, 2 * _trigamma_inverse(apart))
    level = float(np.exp(logs.mean()))

    def drawn(each: VarianceInflation) -> VarianceInflation:
        total = prior + each.degrees
        if not total:  # no pairs of its own, and no column says how far it may be from the others
            return VarianceInflation(max(1.0, level), 1.0)
        factor = (prior * level + each.degrees * each.factor) / total
        return VarianceInflation(max(1.0, factor), max(1.0, total))

    return [drawn(each) for each in own]


def _trigamma_inverse(value: float) -> float:
    """x with trigamma(x) = value (Smyth 2004, appendix)."""
    from scipy.special import polygamma

    if value > 1e7:
        return float(value**-0.5)
    x = 0.5 + 1 / value
    for _ in range(50):
        step = float(polygamma(1, x)) * (1 - float(polygamma(1, x)) / value) / float(polygamma(2, x))
        x += step
        if -step / x < 1e-8:
            break
    return float(x)
