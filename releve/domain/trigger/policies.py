"""The policies of params.yaml (`trigger.policy`): what each asks for before it retrains, and what it waits for.

A policy is one entry of POLICIES. docs/backtest.md describes them; `releve.domain.backtest.variants` compares them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from releve.core.params import Trigger
from releve.domain.drift.verdict import DriftState, DriftVerdict
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import in_units
from releve.domain.quality.estimate import Estimate
from releve.domain.quality.realised import Quality, QualityState
from releve.domain.quality.staleness import Staleness
from releve.domain.trigger import cadence
from releve.domain.trigger.cadence import Challenged, Payoff

STATIC, EVERY, SCHEDULE, AUTO = "static", "every", "schedule", "auto"
DRIFT_ONLY, QUALITY_ONLY, TWO_KEY = "drift", "quality", "two_key"


class CauseKind(StrEnum):
    """Why it retrains or waits. `releve.reporting.messages` writes the sentence of each."""

    # what holds back
    STATIC = "static"
    BROKEN_DATA = "broken data"
    FEW_ROWS = "few new rows"
    COOLDOWN = "cooldown"
    MONTHLY_LIMIT = "monthly limit"
    # what a policy retrains for
    NEW_ROWS = "new rows"
    SCHEDULE = "schedule"
    DRIFT = "drift"
    DRIFT_NOT_OFFSET = "drift, and quality not confirmed"
    DEGRADED = "degraded"
    ESTIMATED_DEGRADED = "estimated to be degraded"
    CONCEPT_DRIFT = "concept drift"
    RECENT_DEGRADATION = "recent degradation"
    # the safety net
    MANY_ROWS = "many new rows"
    MANY_DAYS = "many days"
    MODEL_AGE = "model age"
    # what a policy waits for
    NOT_DUE = "not due"
    BUDGET_SPENT = "budget spent"
    NO_DRIFT = "no drift"
    VALID_BY_LABELS = "model still valid by labels"
    VALID_BY_ESTIMATE = "model still valid by the estimate"
    NOT_DEGRADED = "not degraded"


@dataclass(frozen=True)
class Cause:
    """A reason to retrain or to wait, with the figure that was compared with a limit."""

    kind: CauseKind
    value: float | None = None
    limit: float | None = None
    change: Interval | None = None
    detail: str = ""  # of the policy `auto`: why its limit is what it is


@dataclass(frozen=True)
class Evidence:
    """What is known when the question is asked."""

    at: str  # ISO 8601, UTC; "" where nobody knows, and no rule of time is asked
    drift: DriftVerdict
    quality: Quality
    new_rows: int  # labelled rows since the last challenge, ingested or ready to be
    estimate: Estimate | None = None
    staleness: Staleness | None = None
    new_batches: int = 1  # that these rows came in
    recent: Quality | None = None  # of the newest batch of labelled answers alone
    invalid_runs: int = 1  # monitoring runs in a row, this one included, that found broken data
    payoff: Payoff | None = None  # of the champion over the one before it; None where there is none


@dataclass(frozen=True)
class History:
    """The challenges since the scenario was started over, oldest first; the first champion's is one."""

    challenges: tuple[Challenged, ...] = ()

    @property
    def last(self) -> Challenged | None:
        """Return the newest challenge."""
        return self.challenges[-1] if self.challenges else None


@dataclass(frozen=True)
class Policy:
    """`causes` to retrain for, none of them while it waits; `waiting`: what it waits for then."""

    causes: Callable[[Evidence, History, Trigger], Iterator[Cause]]
    waiting: Callable[[Evidence, History, Trigger], Cause] = lambda *_: Cause(CauseKind.NOT_DEGRADED)


def _every(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    yield Cause(CauseKind.NEW_ROWS, evidence.new_rows)


def _schedule(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    if evidence.new_batches >= params.every_batches:
        yield Cause(CauseKind.SCHEDULE, evidence.new_batches, params.every_batches)


def _drift(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    if evidence.drift.state == DriftState.DRIFT:
        yield Cause(CauseKind.DRIFT)


def _quality(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    estimate = evidence.estimate
    if evidence.quality.state == QualityState.DEGRADED:
        yield Cause(CauseKind.DEGRADED)
    elif _is_unlabelled(evidence) and estimate and estimate.state == QualityState.DEGRADED:
        yield Cause(CauseKind.ESTIMATED_DEGRADED)
    if estimate and estimate.concept_drift_suspected:
        yield Cause(CauseKind.CONCEPT_DRIFT)


def _two_key(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    """Drift opens the question; labels, or the estimate while they are late, answer it."""
    yield from _quality(evidence, history, params)
    if evidence.drift.state == DriftState.DRIFT and not _is_still_valid(evidence):
        yield Cause(CauseKind.DRIFT_NOT_OFFSET)


def _two_key_waits(evidence: Evidence, history: History, params: Trigger) -> Cause:
    if evidence.drift.state != DriftState.DRIFT:
        return Cause(CauseKind.NOT_DEGRADED)
    return Cause(CauseKind.VALID_BY_ESTIMATE if _is_unlabelled(evidence) else CauseKind.VALID_BY_LABELS)


def _auto(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    """At once where evidence asks for it, else as often as retraining has been seen to pay; never above the budget,
    the last of which is kept for a newest batch that is surely answered worse."""
    if not _can_pay(evidence, history):
        return
    yield from _two_key(evidence, history, params)
    yield from _recent_degradation(evidence, history, params)
    pace = cadence.pace(history.challenges, evidence.payoff, params)
    if evidence.new_batches >= pace.batches:
        yield Cause(CauseKind.SCHEDULE, evidence.new_batches, pace.batches, detail=pace.reason)


def _auto_waits(evidence: Evidence, history: History, params: Trigger) -> Cause:
    if not _can_pay(evidence, history):
        return Cause(CauseKind.BUDGET_SPENT, evidence.new_batches, cadence.BUDGET_BATCHES)
    pace = cadence.pace(history.challenges, evidence.payoff, params)
    return Cause(CauseKind.NOT_DUE, evidence.new_batches, pace.batches, detail=pace.reason)


def _can_pay(evidence: Evidence, history: History) -> bool:
    is_sure = evidence.recent is not None and evidence.recent.state == QualityState.DEGRADED
    return cadence.has_budget(history.challenges, evidence.new_batches, is_sure=is_sure)


def _recent_degradation(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    """The newest batch alone: seen at once, and less sure. Where retraining was not beneficial, it has to be sure."""
    recent = evidence.recent
    if recent is None or recent.change is None:
        return
    change, half = recent.change, recent.change.high - recent.change.value
    allowed = in_units(recent.metric, params.quality_tolerance, recent.expected)
    likely = change.value < -allowed and change.value + half / 2 < 0
    needs_proof = cadence.is_not_beneficial(history.challenges, evidence.payoff)
    if recent.state == QualityState.DEGRADED or (likely and not needs_proof):
        yield Cause(CauseKind.RECENT_DEGRADATION, change=change)


def _is_unlabelled(evidence: Evidence) -> bool:
    return evidence.quality.state == QualityState.UNKNOWN


def _is_still_valid(evidence: Evidence) -> bool:
    """By labels, or by the estimate while there are too few: never by an estimate against labels."""
    judged = evidence.estimate if _is_unlabelled(evidence) else evidence.quality
    return judged is not None and judged.state == QualityState.WITHIN_TOLERANCE


POLICIES: dict[str, Policy] = {
    STATIC: Policy(lambda *_: iter(())),
    EVERY: Policy(_every),
    SCHEDULE: Policy(
        _schedule,
        lambda evidence, _, params: Cause(CauseKind.NOT_DUE, evidence.new_batches, params.every_batches),
    ),
    DRIFT_ONLY: Policy(_drift, lambda *_: Cause(CauseKind.NO_DRIFT)),
    QUALITY_ONLY: Policy(_quality),
    TWO_KEY: Policy(_two_key, _two_key_waits),
    AUTO: Policy(_auto, _auto_waits),
}
