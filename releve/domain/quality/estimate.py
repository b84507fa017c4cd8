"""The champion's quality before its labels are there: an estimate, judged against the expected performance, and audited
by the labels once they come.

An estimate believes that answers mean what they meant on the holdout. Where rows changed and their link to the target
did not, it follows; where the link changed it is blind, and only labels show it: then the audit fails, the estimate is
switched off, and that it failed is evidence of concept drift. An estimate never promotes a model: the gate reads none.
See docs/decisions/0019-estimates.md.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS, compute_score, in_units
from releve.domain.evaluation.paired import BootstrapConfig, bounds
from releve.domain.quality.cbpe import CbpeEstimator, fit_cbpe
from releve.domain.quality.direct_loss_estimation import DleEstimator, fit_dle
from releve.domain.quality.realised import QualityState, ScoredAnswers, compare_with_expected
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

Floats = NDArray[np.float64]

RESAMPLES = 200  # of rows, labels and calibrations: each draw fits a calibration anew
AUDIT_CONFIDENCE = 0.99  # that an estimate is wrong before it is switched off: it is audited in every monitoring run
AUDIT_TOLERANCE = 0.02  # a gap that is too small to matter, in the unit of gate.margin


class NoEstimate(StrEnum):
    """Why there is no estimate."""

    NO_HOLDOUT = "no holdout"  # the model version was packaged without, or its target had other classes
    FEW_HOLDOUT_ROWS = "few holdout rows"
    FEW_ANSWERS = "few answers"
    UNDEFINED_ON_HOLDOUT = "undefined on the holdout"  # the metric, as an AUC of a single class
    UNDEFINED_ON_ANSWERS = "undefined on the answers"


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
    metric: str
    rows: int  # answers that it was made of
    expected: float
    min_rows: int  # of the holdout, of the answers, and with labels for the audit
    holdout_rows: int = 0
    labelled: int = 0  # answers that can audit it
    method: str = ""
    score: Interval | None = None
    change: Interval | None = None  # from the expected score to the estimate; positive is better, whatever the metric
    audit: Audit | None = None  # None: too few labels yet
    missing: NoEstimate | None = None

    @property
    def concept_drift_suspected(self) -> bool:
        """Answers no longer mean what they meant on the holdout."""
        return self.state == QualityState.AUDIT_FAILED


Estimator = CbpeEstimator | DleEstimator  # learned from the answers to the holdout


def fit(name: str, holdout: ScoredAnswers, schema: Schema, bootstrap: BootstrapConfig) -> Estimator:
    """Learn from answers out of sample, in time order, and their labels."""
    values = schema.target.task == REGRESSION
    return fit_dle(name, holdout, schema, bootstrap) if values else fit_cbpe(name, holdout, bootstrap)


def estimate(
    holdout: ScoredAnswers | None,
    window: ScoredAnswers | None,
    labelled: ScoredAnswers | None,
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
    unknown = Estimate(
        QualityState.UNKNOWN,
        expected.metric,
        rows=len(window or ()),
        expected=expected.score.value,
        min_rows=min_rows,
        holdout_rows=len(holdout or ()),
        labelled=len(labelled or ()),
    )
    if holdout is None:
        return replace(unknown, missing=NoEstimate.NO_HOLDOUT)
    if len(holdout) < min_rows:
        return replace(unknown, missing=NoEstimate.FEW_HOLDOUT_ROWS)
    if window is None or len(window) < min_rows:
        return replace(unknown, missing=NoEstimate.FEW_ANSWERS)
    if not METRICS[expected.metric].is_defined(holdout.scored):
        return replace(unknown, missing=NoEstimate.UNDEFINED_ON_HOLDOUT)
    fitted = fit(expected.metric, holdout, schema, bootstrap)
    audited = audit(fitted, labelled, min_rows, bootstrap)
    known = replace(unknown, method=fitted.method, audit=audited)
    if audited and not audited.passed:
        return replace(known, state=QualityState.AUDIT_FAILED)
    score = interval(fitted, window, bootstrap)
    if score is None:
        return replace(known, missing=NoEstimate.UNDEFINED_ON_ANSWERS)
    state, change = compare_with_expected(score, expected, tolerance)
    return replace(known, state=state, score=score, change=change)


def audit(
    fitted: Estimator,
    labelled: ScoredAnswers | None,
    min_rows: int,
    bootstrap: BootstrapConfig,
    *,
    tolerance: float = AUDIT_TOLERANCE,
) -> Audit | None:
    """Hold the estimate against the labels of the same rows; None where they are too few, or all of one class for an
    AUC. It fails when the whole interval of the gap lies beyond what is tolerated, and the realised score is none that
    the estimate expects of such rows: a gap is judged by the rows that there are, and errors that are rare and dear may
    all be missing among them by luck."""
    metric = METRICS[fitted.name]
    if labelled is None or len(labelled) < min_rows or not metric.is_defined(labelled.scored):
        return None
    expected, realised = fitted.value(labelled), compute_score(fitted.name, labelled.scored)
    drawn = metric.sign * fitted.gaps(labelled, bootstrap)
    blocks = len(labelled) / bootstrap.block_of(fitted.residuals(labelled))
    low, high = bounds(drawn, blocks=blocks, confidence=AUDIT_CONFIDENCE)
    allowed = in_units(fitted.name, tolerance, expected)
    gap = Interval(metric.sign * (realised - expected), low, high)
    passed = low <= allowed and high >= -allowed
    if not passed:
        likely = interval(fitted, labelled, replace(bootstrap, confidence=AUDIT_CONFIDENCE))
        passed = likely is not None and likely.low <= realised <= likely.high
    return Audit(len(labelled), expected, realised, gap, passed=passed)


def interval(fitted: Estimator, window: ScoredAnswers, bootstrap: BootstrapConfig) -> Interval | None:
    """Return where the realised score will lie; None where most draws have none, as an AUC of a single class."""
    drawn = fitted.draws(window, bootstrap)
    if len(drawn) < bootstrap.resamples / 2:
        return None
    blocks = len(window) / bootstrap.block_of(fitted.losses(window))
    return Interval(fitted.value(window), *bounds(drawn, blocks=blocks, confidence=bootstrap.confidence))
