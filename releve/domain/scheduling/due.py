"""Which run of a scenario is due, if any, by facts that cost nothing: files, numbers of events, times.

Whether a refresh is made, a run decides with all evidence (`releve.domain.trigger`); here is decided whether to look.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from releve.core.documents import DocumentPart
from releve.core.params import Params

MONITORING_HOURS = 22.0  # between two monitoring runs: once a day, and early enough for alerts.silence_hours, 25
# Of a smaller alerts.silence_hours, so that the next run has ended before it is over.
SILENCE_SHARE = 0.9
PATIENCE_HOURS = 1.0  # that a run may wait and work before its silence is an alarm
REPEAT_HOURS = 23.0  # between two alarms of one silence, which alerts.repeat_hours holds back


SECTIONS = ("schedule", "alerts", "source", "trigger")  # of params.yaml, that a ScenarioPlan is made of


class DueReason(StrEnum):
    """Why a run is started: the word of its tag."""

    FILES = "files"  # they wait in the incoming folder
    SOURCE = "source"  # a query has to be asked for new rows
    REFRESH = "refresh"  # enough rows came in since the last challenge
    APPROVAL = "approval"  # it was given, and the release is missing; or nobody gave it in time
    MONITORING = "monitoring"  # the last monitoring run is a day ago
    SILENCE = "silence"  # ... or longer than alerts.silence_hours


class ScenarioPlan(DocumentPart):
    """What a scenario's params say of when it runs."""

    has_cron: bool  # it has a schedule of its own: of its loop only silence is seen to here
    silence_hours: float  # 0: any number
    has_source: bool
    refresh_rows: int  # rows since the last challenge from which on a refresh may be due; 0: never by rows
    refresh_batches: int  # the same of batches
    cooldown_hours: float

    @classmethod
    def of(cls, params: Params) -> "ScenarioPlan":
        """Read it from the params."""
        trigger = params.trigger
        return cls(
            has_cron=bool(params.schedule.cron),
            silence_hours=params.alerts.silence_hours,
            has_source=bool(params.source.query),
            refresh_rows=trigger.min_new_rows if trigger.policy == "refresh" else 0,
            refresh_batches=trigger.every_batches if trigger.policy == "schedule" else 0,
            cooldown_hours=trigger.cooldown_hours,
        )


class ScenarioEvents(DocumentPart):
    """What the registry's newest events say of a scenario."""

    serves_since: datetime | None = None  # None: no release serves, and there is nothing to watch
    monitored_at: datetime | None = None
    monitored: int = 0  # number of that event; 0: none
    silent_at: datetime | None = None  # of the newest alarm of silence since then
    challenged_at: datetime | None = None
    newest_batch: int = 0  # number of the event of the newest batch; 0: none
    new_batches: int = 0  # since the last challenge
    new_rows: int = 0
    approval: int = 0  # number of the event of a request for approval that is open; 0: none
    approval_due: datetime | None = None  # when a run has to see to it; None: people have time without end

    @property
    def watched_since(self) -> datetime | None:
        """When somebody last looked at what serves; None where nothing does."""
        return self.monitored_at or self.serves_since if self.serves_since else None


@dataclass(frozen=True)
class DueFacts:
    """All that is known of a scenario without starting a run."""

    plan: ScenarioPlan
    events: ScenarioEvents
    waiting: str = ""  # what identifies the waiting files, as they are now; "" for none


@dataclass(frozen=True)
class DueRun:
    """A run to start. The same `key` is never started twice."""

    flow: str
    reason: DueReason
    key: str


def due_run(facts: DueFacts, now: datetime) -> DueRun | None:
    """Return what is due, the most of it: a lifecycle ingests and monitors, too."""
    plan, events = facts.plan, facts.events
    day, hour = now.strftime("%Y-%m-%d"), now.strftime("%Y-%m-%dT%H")  # what failed is tried again then
    if monitoring_is_due(plan, events, now):
        since = (events.watched_since or now).isoformat()
        reason = DueReason.SILENCE if silent_hours(plan, events, now) else DueReason.MONITORING
        # also where nothing came in: a day of the ledger is over, and an approval or a challenger's time may be
        flow = "monitor" if plan.has_cron else "lifecycle"
        return DueRun(flow, reason, f"monitoring/{since}/{day}")
    if events.serves_since and not plan.has_cron and _refresh_may_be_due(plan, events, now):
        return DueRun("lifecycle", DueReason.REFRESH, f"refresh/{events.newest_batch}/{day}")
    if events.approval and events.approval_due and now >= events.approval_due:
        return DueRun("approval", DueReason.APPROVAL, f"approval/{events.approval}/{hour}")
    if facts.waiting:
        return DueRun("ingest", DueReason.FILES, f"files/{facts.waiting}/{hour}")
    if plan.has_source:
        return DueRun("ingest", DueReason.SOURCE, f"source/{hour}")
    return None


def monitoring_is_due(plan: ScenarioPlan, events: ScenarioEvents, now: datetime) -> bool:
    """Whether the last monitoring run of what serves is long enough ago."""
    if events.watched_since is None:
        return False
    if plan.has_cron:
        return silent_hours(plan, events, now) > 0
    hours = min(MONITORING_HOURS, SILENCE_SHARE * plan.silence_hours or MONITORING_HOURS)
    return _apart(events.watched_since, now) >= timedelta(hours=hours)


def silent_hours(plan: ScenarioPlan, events: ScenarioEvents, now: datetime) -> float:
    """Hours without a monitoring run, where they are more than the params allow; else 0."""
    if not plan.silence_hours or events.watched_since is None:
        return 0.0
    hours = (now - events.watched_since) / timedelta(hours=1)
    return hours if hours > plan.silence_hours else 0.0


def silence_is_news(events: ScenarioEvents, now: datetime) -> bool:
    """Whether nobody was told of this silence yet, or a day ago."""
    return events.silent_at is None or _apart(events.silent_at, now) >= timedelta(hours=REPEAT_HOURS)


def _apart(one: datetime, other: datetime) -> timedelta:
    """How long lies between them, in whatever order: an event that a wrong clock dated next year must not put off all
    runs until then."""
    return abs(other - one)


def _refresh_may_be_due(plan: ScenarioPlan, events: ScenarioEvents, now: datetime) -> bool:
    if events.newest_batch <= events.monitored:  # a run has seen all rows there are, and decided
        return False
    if events.challenged_at and _apart(events.challenged_at, now) < timedelta(hours=plan.cooldown_hours):
        return False
    by_rows = 0 < plan.refresh_rows <= events.new_rows
    return by_rows or 0 < plan.refresh_batches <= events.new_batches
