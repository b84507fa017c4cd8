"""Realised quality: what the champion's labelled answers say of the promise made at its promotion."""

from dataclasses import dataclass

from releve.domain.evaluation.metrics import METRICS, Sheet, in_units
from releve.domain.evaluation.paired import Doubt, score_interval
from releve.domain.evaluation.scores import Interval, difference, share, told, told_interval
from releve.domain.registry.release import Release

UNKNOWN, HOLDS, UNCLEAR, WORSE = "unknown", "holds", "unclear", "worse"


@dataclass(frozen=True)
class Promise:
    """The score at promotion and its interval, on so many rows of holdout: a promise is no exact figure either."""

    metric: str
    value: float
    low: float
    high: float
    rows: int

    @property
    def interval(self) -> Interval:
        """As sure as those rows made it."""
        return Interval(self.value, self.low, self.high)


def promise_of(release: Release, *, confidence: float) -> Promise:
    """The promise of a release; of one made before its interval was kept, with Wilson's interval of a share."""
    low, high = release.promise_low, release.promise_high
    if low is None or high is None:
        known = share(round(release.promise * release.promise_rows), release.promise_rows, confidence=confidence)
        low, high = known.low, known.high
    return Promise(release.metric, release.promise, low, high, release.promise_rows)


@dataclass(frozen=True)
class Quality:
    """`state` is one of unknown (too few labels), holds, unclear, worse; the figures are None when unknown."""

    state: str
    labelled: int
    promise: float
    score: Interval | None = None
    change: Interval | None = None  # from the promise to now; positive is better, whatever the metric
    metric: str = "accuracy"
    answered: int | None = None  # answers that could have been labelled; events of earlier versions do not say

    def __str__(self) -> str:
        if self.score is None or self.change is None:
            return f"{self.labelled} labelled answers{self._share} are too few to know the quality"
        return (
            f"{self.metric} {told(self.score.value)} on {self.labelled} labelled answers{self._share}, "
            f"{told(self.promise)} was "
            f"promised, a change of {told_interval(self.change)}"
            f"{'' if METRICS[self.metric].sign > 0 else ' (positive is better)'}: {self.state}"
        )

    @property
    def _share(self) -> str:
        """Labels of a part may be of a chosen part, which need not stand for the rest."""
        return f" (of {self.answered} answers)" if self.answered and self.answered > self.labelled else ""


def judged(score: Interval, promise: Promise, tolerance: float) -> tuple[str, Interval]:
    """The state, and the change from the promise; positive is better, whatever the metric.

    worse: the whole interval of the change lies below 0. holds: it lies above -tolerance (in the metric's unit, or a
    share of the promise: `metrics.in_units`). unclear: neither; more rows will tell.
    """
    better = METRICS[promise.metric].sign > 0
    change = difference(score, promise.interval) if better else difference(promise.interval, score)
    allowed = in_units(promise.metric, tolerance, promise.value)
    return (WORSE if change.high < 0 else HOLDS if change.low >= -allowed else UNCLEAR), change


def assess(
    found: Sheet | None,
    *,
    promise: Promise,
    tolerance: float,
    min_labels: int,
    doubt: Doubt,
    answered: int | None = None,
) -> Quality:
    """Compare the realised score with the promised one, both with their doubt.

    `found`: labelled answers in time order; None where there is none. `answered`: those without a label included.
    """
    labelled = 0 if found is None else len(found)
    if found is None or labelled < max(min_labels, 1) or not METRICS[promise.metric].is_defined(found):
        return Quality(UNKNOWN, labelled, promise.value, metric=promise.metric, answered=answered)
    score = score_interval(promise.metric, found, doubt)
    state, change = judged(score, promise, tolerance)
    return Quality(state, labelled, promise.value, score, change, promise.metric, answered)
