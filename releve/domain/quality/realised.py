"""Realised quality: the champion's labelled answers beside the expected performance."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.intervals import Interval, difference, share
from releve.domain.evaluation.metrics import METRICS, in_units
from releve.domain.evaluation.paired import BootstrapConfig, score_interval
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.target import REGRESSION, Target

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ScoredAnswers:
    """Answers in time order, with the features that they answer. Where no label is known the truth of `scored` is
    all zero, and must not be read."""

    scored: ScoredPredictions
    features: "pd.DataFrame"

    def __len__(self) -> int:
        return len(self.scored)


def as_answered(answers: AnsweredRows, target: Target, *, rows: int, quantile: float = 0.5) -> ScoredAnswers | None:
    """Return the newest `rows` answers that an estimate can be made of; None where there is none.

    Answers to classes without fitting probabilities are left out.
    """
    fit = _estimable(answers, target)[-rows:]
    if not fit:
        return None
    kept = answers.take(fit)
    unknown = target.classes[0] if target.classes else 0.0
    unlabelled = ScoredPredictions.of(_outputs(kept, target), [unknown] * len(kept), target, quantile=quantile)
    return ScoredAnswers(unlabelled, kept.features)


def as_labelled(labelled: LabelledRows, target: Target, *, rows: int, quantile: float = 0.5) -> ScoredAnswers | None:
    """Return the newest `rows` of the same whose label has come."""
    fit = [place for place in _estimable(labelled.answers, target) if target.parse(labelled.labels[place]) is not None]
    newest = labelled.take(fit[-rows:])
    scored = as_scored(newest, target, rows=rows, quantile=quantile)
    return None if scored is None else ScoredAnswers(scored, newest.answers.features)


def _estimable(answers: AnsweredRows, target: Target) -> list[int]:
    """Positions of the answers that say how sure they are, or are numbers."""
    if target.task == REGRESSION:
        return [place for place, value in enumerate(answers.predicted) if target.parse(value) is not None]
    fits = (chances is not None and len(chances) == len(target.classes) for chances in answers.probabilities)
    return [place for place, fit in enumerate(fits) if fit]


def as_scored(labelled: LabelledRows, target: Target, *, rows: int, quantile: float = 0.5) -> ScoredPredictions | None:
    """Return the newest `rows` labelled answers, oldest first; None where there is none.

    A class that the target no longer has is a wrong answer (no probability at all); a label that it no longer has
    cannot be scored and is left out.
    """
    labels = [target.parse(label) for label in labelled.labels]
    known = [place for place, label in enumerate(labels) if label is not None][-rows:]
    if not known:
        return None
    answers = labelled.answers.take(known)
    return ScoredPredictions.of(
        _outputs(answers, target), [labels[place] for place in known], target, quantile=quantile
    )


def _outputs(answers: AnsweredRows, target: Target) -> NDArray[np.float64]:
    """(rows, classes) or (rows,): values, or probabilities in the order of the classes. Where none were kept, or the
    classes have changed since, all of it is on the class answered."""
    if target.task == REGRESSION:
        return np.array([target.parse(value) for value in answers.predicted], dtype=np.float64)
    rows = []
    for label, chances in zip(answers.predicted, answers.probabilities, strict=True):
        predicted = target.parse(label)
        certain = [float(predicted == other) for other in target.classes]
        rows.append(list(chances) if chances and len(chances) == len(target.classes) else certain)
    return np.array(rows, dtype=np.float64)


class QualityState(StrEnum):
    """What a score, realised or estimated, says of the expected performance."""

    UNKNOWN = "unknown"  # too few rows
    WITHIN_TOLERANCE = "within tolerance"
    INCONCLUSIVE = "inconclusive"  # more rows will tell
    DEGRADED = "degraded"
    AUDIT_FAILED = "audit failed"  # of an estimate alone: labels contradict it, and it is not used


@dataclass(frozen=True)
class Coverage:
    """The share of labels inside the intervals that were sent, and the one that was promised."""

    held: Interval
    rows: int  # labelled answers with an interval
    promised: float


@dataclass(frozen=True)
class Quality:
    """The realised score beside the expected one; the figures are None where the state is unknown."""

    state: QualityState
    metric: str
    labelled: int
    expected: float
    score: Interval | None = None
    change: Interval | None = None  # from the expected score to now; positive is better, whatever the metric
    answered: int | None = None  # answers that could have been labelled; None where nobody counted them
    coverage: Coverage | None = None  # of a regression that was answered with intervals
    naive: float | None = None  # of the usual answer to the same rows; None where nobody asked

    @property
    def labels_in_doubt(self) -> bool:
        """Whether the answers were surely worse than the usual one.

        Then labels are wrong, or the table has changed at once: a model that was found to be good is seldom so wrong.
        """
        if self.state != QualityState.DEGRADED or self.score is None or self.naive is None:
            return False
        sign = METRICS[self.metric].sign
        return max(sign * self.score.low, sign * self.score.high) < sign * self.naive


def compare_with_expected(
    score: Interval, expected: ExpectedPerformance, tolerance: float
) -> tuple[QualityState, Interval]:
    """Return the state, and the change from the expected score; positive is better, whatever the metric.

    degraded: the whole interval of the change lies below 0. within tolerance: it lies above -tolerance (in the metric's
    unit, or a share of the expected score: `metrics.in_units`). inconclusive: neither.
    """
    better = METRICS[expected.metric].sign > 0
    change = difference(score, expected.score) if better else difference(expected.score, score)
    allowed = in_units(expected.metric, tolerance, expected.score.value)
    if change.high < 0:
        return QualityState.DEGRADED, change
    return QualityState.WITHIN_TOLERANCE if change.low >= -allowed else QualityState.INCONCLUSIVE, change


def assess(
    scored: ScoredPredictions | None,
    *,
    expected: ExpectedPerformance,
    tolerance: float,
    min_labels: int,
    bootstrap: BootstrapConfig,
    answered: int | None = None,
) -> Quality:
    """Compare the realised score with the expected one, both with their intervals.

    `scored`: labelled answers in time order; None where there is none. `answered`: those without a label included.
    """
    labelled = 0 if scored is None else len(scored)
    if scored is None or labelled < max(min_labels, 1) or not METRICS[expected.metric].is_defined(scored):
        return Quality(QualityState.UNKNOWN, expected.metric, labelled, expected.score.value, answered=answered)
    score = score_interval(expected.metric, scored, bootstrap)
    state, change = compare_with_expected(score, expected, tolerance)
    return Quality(state, expected.metric, labelled, expected.score.value, score, change, answered)


def interval_coverage(labelled: LabelledRows, target: Target, *, confidence: float) -> Coverage | None:
    """Count labels inside the interval that their answer was sent with; None where no labelled answer had one."""
    inside = [
        interval[0] <= float(value) <= interval[1]
        for interval, label in zip(labelled.answers.intervals, labelled.labels, strict=True)
        if interval is not None and target.task == REGRESSION and (value := target.parse(label)) is not None
    ]
    if not inside:
        return None
    return Coverage(share(sum(inside), len(inside), confidence=confidence), len(inside), confidence)
