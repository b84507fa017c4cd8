"""What one event of the registry says of each subject that people are alerted of.

An event that says nothing of a subject (too few labels, one weak alarm) leaves the subject as it was.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from releve.core.params import Alerts
from releve.domain.drift.verdict import DriftState
from releve.domain.quality.realised import QualityState
from releve.domain.registry.chain import (
    APPROVAL_EXPIRED,
    APPROVAL_REFUSED,
    APPROVAL_REQUESTED,
    APPROVAL_VOIDED,
    ARCHIVED,
    CHALLENGED,
    FILES_REFUSED,
    MONITORED,
    RELEASED,
    ROLLED_BACK,
    SILENT,
    Event,
)
from releve.domain.registry.events import (
    Challenger,
    ModelReleased,
    ModelRolledBack,
    MonitoringSilent,
    ReleaseChange,
)
from releve.domain.trigger.monitoring_run import MonitoringRun

APPROVAL_STATES = {  # by the kind of the event
    APPROVAL_REQUESTED: "waits",
    APPROVAL_REFUSED: "refused",
    APPROVAL_EXPIRED: "expired",
    APPROVAL_VOIDED: "settled",  # by what is told of itself
}
# events that can say something
KINDS = (FILES_REFUSED, MONITORED, CHALLENGED, RELEASED, ROLLED_BACK, ARCHIVED, SILENT, *APPROVAL_STATES)

FILES, DATA, DRIFT, QUALITY, COST, ESTIMATE, AGE = "files", "data", "drift", "quality", "cost", "estimate", "age"
RETRAINING, APPROVAL, MONITORING = "retraining", "approval", "monitoring"
SUBJECTS = (FILES, DATA, DRIFT, QUALITY, COST, ESTIMATE, AGE, RETRAINING, APPROVAL, MONITORING)


class Level(StrEnum):
    """An alarm is repeated while it lasts, and its end is reported; news are reported once."""

    ALARM = "alarm"
    CALM = "calm"
    NEWS = "news"


LEVELS: Mapping[tuple[str, str], Level] = {
    (FILES, "refused"): Level.NEWS,
    (DATA, "broken"): Level.ALARM,
    (DATA, "sound"): Level.CALM,
    (DRIFT, "drift"): Level.ALARM,
    (DRIFT, "none"): Level.CALM,
    (QUALITY, "degraded"): Level.ALARM,
    (QUALITY, "harmful"): Level.ALARM,
    (QUALITY, "within_tolerance"): Level.CALM,
    (COST, "dear"): Level.ALARM,
    (COST, "as_promised"): Level.CALM,
    (ESTIMATE, "degraded"): Level.ALARM,
    (ESTIMATE, "audit_failed"): Level.ALARM,
    (ESTIMATE, "within_tolerance"): Level.CALM,
    (AGE, "due"): Level.ALARM,
    (AGE, "fresh"): Level.CALM,
    (RETRAINING, "due"): Level.ALARM,
    (RETRAINING, "waits"): Level.CALM,
    (RETRAINING, "refused"): Level.NEWS,
    (RETRAINING, "promoted"): Level.NEWS,
    (RETRAINING, "refreshed"): Level.CALM,
    (RETRAINING, "naive"): Level.ALARM,
    (RETRAINING, "rolled_back"): Level.NEWS,
    (APPROVAL, "waits"): Level.NEWS,
    (APPROVAL, "refused"): Level.NEWS,
    (APPROVAL, "expired"): Level.NEWS,
    (APPROVAL, "settled"): Level.CALM,
    (MONITORING, "silent"): Level.ALARM,
    (MONITORING, "regular"): Level.CALM,
    **{(subject, ARCHIVED): Level.CALM for subject in SUBJECTS},
}

DRIFT_STATES = {DriftState.DRIFT: "drift", DriftState.NO_DRIFT: "none"}
RELEASE_STATES = {  # a refresh with every batch is no news
    ReleaseChange.REFRESH: "refreshed",
    ReleaseChange.FIRST: "promoted",
    ReleaseChange.SEARCH: "promoted",
    ReleaseChange.DECISION: "refreshed",
    ReleaseChange.BROUGHT: "promoted",
    ReleaseChange.NAIVE: "naive",
}
QUALITY_STATES = {
    QualityState.DEGRADED: "degraded",
    QualityState.WITHIN_TOLERANCE: "within_tolerance",
    QualityState.AUDIT_FAILED: "audit_failed",
}


@dataclass(frozen=True)
class Signal:
    """A subject's state."""

    subject: str
    state: str  # with its subject a key of LEVELS
    # a model version, of AGE the limits, of FILES the number of the event: the same state about another is a change too
    about: str = ""
    hours: float | None = None  # of MONITORING: without a run

    @property
    def level(self) -> Level:
        return LEVELS[self.subject, self.state]


def signals(event: Event, params: Alerts) -> tuple[Signal, ...]:
    """Return the states of the subjects that are not muted."""
    return tuple(each for each in _signals(event) if each.subject not in params.muted)


def _signals(event: Event) -> Iterator[Signal]:
    if event.kind == ARCHIVED:
        yield from (Signal(subject, ARCHIVED) for subject in SUBJECTS)
        return
    if event.kind == FILES_REFUSED:
        yield Signal(FILES, "refused", str(event.number))
    if event.kind == CHALLENGED:
        challenger = event.read(Challenger)
        if not challenger.promote and not challenger.is_reweighting:  # a refresh with the same rows comes soon
            yield Signal(RETRAINING, "refused", challenger.model)
        return
    if event.kind == ROLLED_BACK:
        yield Signal(RETRAINING, "rolled_back", event.read(ModelRolledBack).release.model)
    if event.kind == RELEASED:
        released = event.read(ModelReleased)
        state = RELEASE_STATES[released.change]
        # the naive answer is the same, whatever rows it was made of
        yield Signal(RETRAINING, state, "" if state == "naive" else released.release.model)
        if released.approval:
            yield Signal(APPROVAL, "settled", released.release.model)
    if event.kind == APPROVAL_REQUESTED and event.payload.get("asked_since"):
        return  # the place of one that nobody answered: people know, and a night's refresh is no news
    if event.kind in APPROVAL_STATES:
        yield Signal(APPROVAL, APPROVAL_STATES[event.kind], str(event.payload["subject"]["model"]))
    if event.kind == SILENT:
        yield Signal(MONITORING, "silent", hours=event.read(MonitoringSilent).hours)
    if event.kind != MONITORED:
        return
    run = event.read(MonitoringRun)
    yield Signal(MONITORING, "regular")
    yield from signals_of_run(run)


def signals_of_run(run: MonitoringRun) -> Iterator[Signal]:
    """Yield what a monitoring run says by itself."""
    if run.drift.state != DriftState.INSUFFICIENT_DATA:
        yield Signal(DATA, "broken" if run.drift.state == DriftState.BROKEN_DATA else "sound")
    if run.drift.of_sound_columns in DRIFT_STATES:
        yield Signal(DRIFT, DRIFT_STATES[run.drift.of_sound_columns], run.model)
    if run.rollback.roll_back:
        yield Signal(QUALITY, "harmful", run.model)
    elif late := run.telling_late:
        if late.quality.state in QUALITY_STATES:
            yield Signal(QUALITY, QUALITY_STATES[late.quality.state], late.models[-1])
    elif run.quality.state in QUALITY_STATES:
        yield Signal(QUALITY, QUALITY_STATES[run.quality.state], run.model)
    if run.money and run.money.change:
        yield Signal(COST, "dear" if run.money.is_dear else "as_promised", run.model)
    if run.estimate.state in QUALITY_STATES:
        yield Signal(ESTIMATE, QUALITY_STATES[run.estimate.state], run.model)
    # one more limit is a change, one more day is none
    yield Signal(AGE, run.staleness.state, ", ".join(each.key for each in run.staleness.exceeded))
    if not run.rollback.roll_back:  # which comes first; a refresh is due with every batch, which is no news
        yield Signal(RETRAINING, "due" if run.decision.search else "waits")
