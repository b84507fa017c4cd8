"""The champion's quality before its labels are there: an estimate, judged against the expected performance, and audited
by the labels once they come.

An estimate believes that answers mean what they meant on the holdout. Where rows changed and their link to the target
did not, it follows; where the link changed it is blind, and only labels show it: then the audit fails, the estimate is
switched off, and that it failed is evidence of concept drift. An estimate never promotes a model: the gate reads none.
See docs/decisions/0019-estimates.md.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import format_score
from releve.domain.evaluation.intervals import Interval, format_interval
from releve.domain.evaluation.metrics import METRICS, compute_score, in_units
from releve.domain.evaluation.paired import BootstrapConfig, bounds
from releve.domain.quality.cbpe import fit_chances
from releve.domain.quality.direct_loss_estimation import fit_losses
from releve.domain.quality.realised import Answered, QualityState, judged
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

Floats = NDArray[np.float64]

RESAMPLES = 200  # of rows, labels and calibrations: each draw fits a calibration anew
AUDIT_CONFIDENCE = 0.99  # that an estimate is wrong before it is switched off: it is audited in every monitoring run
AUDIT_TOLERANCE = 0.02  # a gap that is too small to matter, in the unit of gate.margin

NOT_KEPT = "this model version has no answers to its holdout for the classes of today; the next retraining keeps them"


@dataclass(frozen=True)
class Audit:
    """The estimate held against the labels of the same rows."""

    rows: int
    expected: float
    realised: float
    gap: Interval  # from expected to realised; positive is better, whatever the metric
    passed: bool


@dataclass(frozen=True)
class Estimate:
    """`score` and `change` are None where the state is unknown or the audit failed."""

    state: QualityState
    method: str
    metric: str
    rows: int
    score: Interval | None = None
    change: Interval | None = None  # from the expected score to the estimate; positive is better, whatever the metric
    audit: Audit | None = None  # None: too few labels yet
    reasons: tuple[str, ...] = ()

    @property
    def concept_drift_suspected(self) -> bool:
        """Answers no longer mean what they meant on the holdout."""
        return self.state == QualityState.AUDIT_FAILED

    def __str__(self) -> str:
        return f"{self.state} ({'; '.join(self.reasons)})"


class Estimator(Protocol):
    """What was learned from the answers to the holdout."""

    @property
    def name(self) -> str:
        """Of the metric."""

    @property
    def method(self) -> str:
        """As people know it."""

    def value(self, asked: Answered) -> float:
        """The expected score."""

    def draws(self, asked: Answered, bootstrap: BootstrapConfig) -> Floats:
        """Scores that could be realised."""

    def gaps(self, labelled: Answered, bootstrap: BootstrapConfig) -> Floats:
        """Realised minus expected score, in each resample."""

    def losses(self, asked: Answered) -> Floats:
        """Expected loss of each row."""

    def residuals(self, labelled: Answered) -> Floats:
        """Realised minus expected loss of each row."""


def fit(name: str, holdout: Answered, schema: Schema, bootstrap: BootstrapConfig) -> Estimator:
    """Learn from answers out of sample, in time order, and their labels."""
    values = schema.target.task == REGRESSION
    return fit_losses(name, holdout, schema, bootstrap) if values else fit_chances(name, holdout, bootstrap)


def estimate(
    holdout: Answered | None,
    window: Answered | None,
    labelled: Answered | None,
    *,
    schema: Schema,
    expected: ExpectedPerformance,
    tolerance: float,
    min_rows: int,
    bootstrap: BootstrapConfig,
) -> Estimate:
    """Estimate the score of `window`, newest answers whatever their labels, and audit it with `labelled` ones.

    `holdout`: what the model version answered out of sample; None where it was not kept. `tolerance`: as for realised
    quality. `min_rows`: of the holdout, of the window, and with labels for the audit.
    """
    bootstrap = replace(bootstrap, resamples=RESAMPLES)
    too_few = _too_few(holdout, window, expected, min_rows)
    if holdout is None or window is None or too_few:
        return Estimate(QualityState.UNKNOWN, "", expected.metric, len(window or ()), reasons=(too_few,))
    fitted = fit(expected.metric, holdout, schema, bootstrap)
    found = audit(fitted, labelled, min_rows, bootstrap)
    told_of = _audit_told(found, labelled, expected.metric, min_rows)
    known = Estimate(QualityState.UNKNOWN, fitted.method, expected.metric, len(window), audit=found, reasons=(told_of,))
    if found and not found.passed:
        return replace(known, state=QualityState.AUDIT_FAILED)
    score = interval(fitted, window, bootstrap)
    if score is None:
        return replace(known, reasons=(f"{expected.metric} is not defined on labels that could come of it", told_of))
    state, change = judged(score, expected, tolerance)
    low, high = format_score(score.low), format_score(score.high)
    figures = f"{expected.metric} {format_score(score.value)} [{low}, {high}] without labels"
    compared = f"{figures}, {format_score(expected.score.value)} was expected, a change of {format_interval(change)}"
    return replace(known, state=state, score=score, change=change, reasons=(compared, told_of))


def audit(
    fitted: Estimator,
    labelled: Answered | None,
    min_rows: int,
    bootstrap: BootstrapConfig,
    *,
    tolerance: float = AUDIT_TOLERANCE,
) -> Audit | None:
    """Hold the estimate against the labels of the same rows; None where they are too few, or all of one class for an
    AUC. It fails when the whole interval of the gap lies beyond what is tolerated."""
    metric = METRICS[fitted.name]
    if labelled is None or len(labelled) < min_rows or not metric.is_defined(labelled.scored):
        return None
    expected, realised = fitted.value(labelled), compute_score(fitted.name, labelled.scored)
    drawn = metric.sign * fitted.gaps(labelled, bootstrap)
    blocks = len(labelled) / bootstrap.block_of(fitted.residuals(labelled))
    low, high = bounds(drawn, blocks=blocks, confidence=AUDIT_CONFIDENCE)
    allowed = in_units(fitted.name, tolerance, expected)
    gap = Interval(metric.sign * (realised - expected), low, high)
    return Audit(len(labelled), expected, realised, gap, passed=low <= allowed and high >= -allowed)


def interval(fitted: Estimator, window: Answered, bootstrap: BootstrapConfig) -> Interval | None:
    """Where the realised score will lie; None where most draws have none, as an AUC of a single class."""
    drawn = fitted.draws(window, bootstrap)
    if len(drawn) < bootstrap.resamples / 2:
        return None
    blocks = len(window) / bootstrap.block_of(fitted.losses(window))
    return Interval(fitted.value(window), *bounds(drawn, blocks=blocks, confidence=bootstrap.confidence))


def _too_few(holdout: Answered | None, window: Answered | None, expected: ExpectedPerformance, min_rows: int) -> str:
    if holdout is None:
        return NOT_KEPT
    needed = f"an estimate needs {min_rows} (params.yaml: statistics.min_rows)"
    for rows, what in ((holdout, "answers to the holdout"), (window, "answers that an estimate can be made of")):
        count = 0 if rows is None else len(rows)
        if count < min_rows:
            return f"{count} {what}; {needed}"
    return (
        ""
        if METRICS[expected.metric].is_defined(holdout.scored)
        else f"{expected.metric} is not defined on the holdout"
    )


def _audit_told(found: Audit | None, labelled: Answered | None, metric: str, min_rows: int) -> str:
    if found is None:
        count = 0 if labelled is None else len(labelled)
        return f"not audited: {count} labels, {min_rows} are needed (params.yaml: statistics.min_rows)"
    figures = (
        f"on {found.rows} labelled answers {metric} {format_score(found.realised)} came true and "
        f"{format_score(found.expected)} was estimated, a gap of {format_interval(found.gap)}"
    )
    verdict = "" if found.passed else "; answers no longer mean what they meant on the holdout: concept drift suspected"
    return f"audit {'passed' if found.passed else 'failed'}: {figures}{verdict}"
