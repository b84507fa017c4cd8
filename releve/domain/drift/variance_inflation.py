"""Which changes are normal: what adjacent past windows of the reference show, as large as the current window.

The same test compares each past window with the next. Where rows depend on each other (seasons, series of like rows),
its statistic is larger than among independent rows, by a factor that holds between the reference and the current
window too: the inflation (of chi-square under cluster sampling: Rao & Scott 1981). A column's own figure is the median
over its pairs of windows, as in genomic control (Devlin & Roeder 1999), so that one real change in the past does not
hide the next. A few pairs tell little, so columns lend each other strength, and what is left of the doubt makes
p-values larger: Smyth (2004), "Linear models and empirical Bayes methods", section 6.2.
Where the pairs show no dependence the inflation is 1: among independent rows nothing may be lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.drift.two_sample_tests import Change, Measured, combine_p_values

MOST_ROWS = 20_000  # of a side, and of a window, that are looked at: an effect of 0.05 shows in far fewer
MOST_WINDOWS = 13
LEAST_WINDOWS = 4  # a shorter reference is cut into smaller windows than the current one
SEED = 7
DOUBT = 0.005  # pairs that are less likely than this among independent rows show that rows depend on each other
MEDIAN_WORTH = 0.5  # degrees of freedom that a pair adds: a median of few knows less than a mean
MOST_CERTAIN = 50.0  # degrees of freedom that columns lend each other: they are seldom independent
HALVINGS = 20
LEAST_EXCESS = 0.1  # of a median: a column of few values may show none at all
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


@dataclass(frozen=True)
class Normal:
    """How much larger a column's statistics are than among independent rows, and how surely that is known."""

    inflation: float = 1.0
    certainty: float = inf  # degrees of freedom

    def p_value(self, found: Measured) -> float:
        """Of a change, beside what is normal."""
        return combine_p_values(
            [each.p_value(self.inflation, self.certainty) for each in found.statistics], found.tries
        )

    def change(self, found: Measured) -> Change:
        """What was found, judged beside what is normal."""
        return Change(self.p_value(found), found.effect)

    def effect(self, found: Measured, *, p_value: float) -> float:
        """The size of a change, of the kind that was found, that has this p-value; 0 where rows are independent."""
        if self.inflation <= 1 or not found.effect:
            return 0.0
        low, high = 0.0, 1 / found.effect
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.p_value(found.times(middle**2)) > p_value else (low, middle)
        return min(1.0, found.effect * high)


INDEPENDENT = Normal()


def normals(columns: Sequence[Sequence[Measured]]) -> list[Normal]:
    """What is normal for each column, from its pairs of past windows."""
    if not depends([each for pairs in columns for each in pairs]):
        count = len(columns)
        return [_alone(pairs) if depends(pairs, doubt=DOUBT / count) else INDEPENDENT for pairs in columns]
    return _moderated([_own(pairs) for pairs in columns])


def depends(pairs: Sequence[Measured], *, doubt: float = DOUBT) -> bool:
    """Whether adjacent windows differ by more than independent rows would (Fisher's method over the pairs)."""
    from scipy import special

    if not pairs:
        return False
    joined = -2 * sum(log(max(INDEPENDENT.p_value(pair), SMALLEST)) for pair in pairs)
    return bool(special.chdtrc(2 * len(pairs), joined) < doubt)


def _alone(pairs: Sequence[Measured]) -> Normal:
    own = _own(pairs)
    return Normal(max(1.0, own.inflation), max(1.0, own.certainty))


def _own(pairs: Sequence[Measured]) -> Normal:
    """What the column's own pairs say, below 1 too."""
    if not pairs:
        return Normal(1.0, 0.0)
    excess = float(np.median([_excess(pair) for pair in pairs]))
    return Normal(max(LEAST_EXCESS, excess), MEDIAN_WORTH * len(pairs))


def _excess(pair: Measured) -> float:
    return float(np.mean([each.excess for each in pair.statistics]))


def _moderated(own: Sequence[Normal]) -> list[Normal]:
    """Each column's figure drawn to that of all: by as much as the columns differ no more than chance lets them."""
    from scipy.special import polygamma

    known = [each for each in own if each.certainty]
    if not known:
        return [INDEPENDENT for _ in own]
    degrees = float(np.mean([each.certainty for each in known]))
    logs = np.log([each.inflation for each in known])
    apart = float(np.var(logs, ddof=1)) - float(polygamma(1, degrees / 2)) if len(known) > 1 else inf
    prior = MOST_CERTAIN if apart <= 0 else min(MOST_CERTAIN, 2 * _trigamma_inverse(apart))
    level = float(np.exp(logs.mean()))
    return [_drawn(each, level, prior) for each in own]


def _drawn(each: Normal, level: float, prior: float) -> Normal:
    certainty = prior + each.certainty
    if not certainty:  # no pairs of its own, and no column says how far it may be from the others
        return Normal(max(1.0, level), 1.0)
    return Normal(max(1.0, (prior * level + each.certainty * each.inflation) / certainty), max(1.0, certainty))


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


def pairs_of(
    windows: Sequence[NDArray[Any]], measure: Callable[[NDArray[Any], NDArray[Any]], Measured], *, least: int
) -> list[Measured]:
    """Each window compared with the next; windows with fewer present cells than `least` are left out."""
    full = [window for window in windows if _present(window) >= least]
    return [measure(before, now) for before, now in pairwise(full)]


def _present(window: NDArray[Any]) -> int:
    return int((~np.isnan(window if window.ndim == 1 else window[:, 0])).sum())
