"""What needs a person in a scenario: what the loop does not put right by itself.

A need follows from events and a few facts, and is gone once they are: nobody has to tick it off. It says no more than
the alerts do (`releve.domain.alerting.signals`), but for as long as it lasts, muted or not. A new reason to call
a person is one more kind here, one function in `NEEDS` and one text in `releve.reporting.messages.needs`.
See docs/decisions/0056-what-needs-a-person.md.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from itertools import takewhile

from releve.domain.alerting.alert_state import AlertState
from releve.domain.alerting.signals import COST, DATA, QUALITY, Signal, signals_of_run
from releve.domain.approval.approval import Approval, ApprovalState
from releve.domain.health.health import HealthCause, HealthEvidence, assess_health
from releve.domain.quality.staleness import UNLABELLED
from releve.domain.registry.chain import (
    ALERTED,
    APPROVAL_REQUESTED,
    ARM_CHANGES,
    CHALLENGED,
    INGESTED,
    MOVES,
    POINTER_MOVES,
    RELEASED,
    ROLLED_BACK,
    WITHDRAWN,
    Event,
)
from releve.domain.registry.events import BatchIngested, Challenger, ModelReleased, ModelRolledBack, ReleaseChange
from releve.domain.registry.release import Release
from releve.domain.trigger.monitoring_run import MonitoringRun

# the newest event of each of these tells, beside the monitoring runs
TELLING = (INGESTED, CHALLENGED, *POINTER_MOVES, *ARM_CHANGES, APPROVAL_REQUESTED, ALERTED)
MOST_RUNS = 32  # monitoring runs that are read; a state that lasts longer has its beginning from the alerts
GRACE = timedelta(hours=6)  # a run that fits for hours releases, and brings the index up to date, at its end
LEDGER_GRACE = timedelta(days=7)  # weekly runs are no fault
LABEL_LIMITS = ("max_label_days", UNLABELLED)
IDLE_LIMIT = "max_idle_days"


class NeedKind(StrEnum):
    """What is wrong, the gravest first."""

    UNREADABLE = "cannot be read"  # of the scenario nothing else is known
    NOTHING_SERVES = "nothing serves"
    HARMFUL = "harmful"  # shown to be worse than the release before, and it still serves
    DEGRADED = "degraded"
    DEAR = "dear decisions"
    BROKEN_DATA = "broken data"
    TAKEN_BACK = "taken back"  # the release before serves again, and the rows that made the harm are still there
    WAITING_APPROVAL = "waiting approval"  # of the people who let a release in
    REFUSED_FILES = "refused files"
    UNRELEASED = "not released"  # an accepted challenger
    SILENT = "not monitored"
    NO_ROWS = "no rows"
    LABELS_OVERDUE = "labels overdue"
    INDEX_BEHIND = "index behind"
    LEDGER_BEHIND = "ledger behind"


@dataclass(frozen=True)
class Need:
    """One thing that a person should see to; `releve.reporting.messages.needs` writes its sentence and its advice."""

    scenario: str
    kind: NeedKind
    since: str  # ISO 8601, UTC; "" where nothing tells
    about: str = ""  # the model version, file, batch or day that it concerns; of UNREADABLE the error
    count: int = 1  # of REFUSED_FILES, of people that WAITING_APPROVAL misses, and of batches that the index lacks
    run: MonitoringRun | None = None  # that shows it
    cause: HealthCause | None = None  # of NOTHING_SERVES
    limit_hours: float = 0.0  # of SILENT


@dataclass(frozen=True)
class RefusedFile:
    """A file in the refused folder, and when it came there (ISO 8601, UTC)."""

    name: str
    at: str


@dataclass(frozen=True)
class SeenRun:
    """A monitoring run, and the event that holds it."""

    event: Event
    run: MonitoringRun

    @cached_property
    def signals(self) -> tuple[Signal, ...]:
        return tuple(signals_of_run(self.run))

    @property
    def late(self) -> frozenset[str]:
        """Limits of age that are passed and that a person can do something about."""
        return frozenset(limit.key for limit in self.run.staleness.exceeded) & {IDLE_LIMIT, *LABEL_LIMITS}


@dataclass(frozen=True)
class ScenarioFacts:
    """What is known of a scenario since it was last started over.

    `events`: oldest first; of TELLING the newest of each kind, of INGESTED all since the release or its index moved,
    """

    scenario: str
    made_at: str  # ISO 8601, UTC
    events: tuple[Event, ...] = ()
    runs: tuple[SeenRun, ...] = ()
    release: Release | None = None  # what serves
    since: str = ""  # ISO 8601, UTC: when it went into service
    approval: Approval | None = None  # the newest request, as its events left it
    refused: tuple[RefusedFile, ...] = ()
    oldest_ledger_day: str = ""  # YYYYMMDD: the oldest that is not compacted; "" for none
    silence_hours: float = 0.0  # alerts.silence_hours
    follows_index: bool = True  # index.follow
    problem: str = ""  # why nothing is known

    def newest(self, *kinds: str) -> Event | None:
        return next((event for event in reversed(self.events) if event.kind in kinds), None)

    def is_past(self, at: str, grace: timedelta) -> bool:
        return datetime.fromisoformat(self.made_at) - datetime.fromisoformat(at) > grace


def what_needs_a_person(known: ScenarioFacts) -> tuple[Need, ...]:
    """Return what needs a person, the newest first; what began at the same time by its gravity."""
    if known.problem:
        return (Need(known.scenario, NeedKind.UNREADABLE, known.made_at, known.problem),)
    found = [need for find in NEEDS if (need := find(known))]
    return tuple(sorted(found, key=newest_first))


def newest_first(need: Need) -> tuple[float, int]:
    """Sort by time, those of unknown time last, and then by gravity."""
    began = datetime.fromisoformat(need.since).timestamp() if need.since else 0.0
    return -began, list(NeedKind).index(need.kind)


def telling_runs(newest_first: Iterable[Event]) -> tuple[SeenRun, ...]:
    """Take monitoring runs, the newest first, until `is_told`; reads no more of them than it needs."""
    taken: list[SeenRun] = []
    for event in newest_first:
        taken.append(SeenRun(event, event.read(MonitoringRun)))
        if is_told(taken):
            break
    return tuple(taken)


def is_told(newest_first: Sequence[SeenRun]) -> bool:
    """Whether no older run says more: the oldest of these is calm, and data and quality are known; or they are many."""
    known = {signal.subject: signal.state for seen in newest_first for signal in seen.signals}  # the oldest of each
    calm = (known.get(DATA), known.get(QUALITY)) == ("sound", "within_tolerance") and not newest_first[-1].late
    return (calm and known.get(COST) != "dear") or len(newest_first) >= MOST_RUNS


def _nothing_serves(known: ScenarioFacts) -> Need | None:
    if known.release:
        return None
    move, challenge, batch = known.newest(*MOVES), known.newest(CHALLENGED), known.newest(INGESTED)
    judged = challenge if challenge and (move is None or challenge.number > move.number) else None
    challenger = judged.read(Challenger) if judged else None
    if judged and challenger and challenger.promote and not known.is_past(judged.at, GRACE):
        return None  # it is being released
    verdict = assess_health(
        HealthEvidence(
            serves=False,
            ingested=batch is not None or challenge is not None,
            withdrawn=move is not None and move.kind == WITHDRAWN,
            refused=challenger is not None and not challenger.promote,
        )
    )
    began, about = judged or move or batch, challenger.model if challenger else ""
    return Need(known.scenario, NeedKind.NOTHING_SERVES, began.at if began else "", about, cause=verdict.causes[0])


def _harmful(known: ScenarioFacts) -> Need | None:
    own = [seen for seen in known.runs if known.release and seen.run.model == known.release.model]
    harmful = list(takewhile(lambda seen: seen.run.rollback.roll_back, own))
    if not harmful:
        return None
    run = harmful[0].run
    return Need(known.scenario, NeedKind.HARMFUL, harmful[-1].event.at, run.model, run=run)


def _degraded(known: ScenarioFacts) -> Need | None:
    return None if _harmful(known) else _shown_by_labels(known, NeedKind.DEGRADED, QUALITY, "degraded", "harmful")


def _dear(known: ScenarioFacts) -> Need | None:
    return _shown_by_labels(known, NeedKind.DEAR, COST, "dear")


def _shown_by_labels(known: ScenarioFacts, kind: NeedKind, subject: str, *states: str) -> Need | None:
    """A refresh has its chance: what came after one such model is no need before labels tell of it."""
    told = list(_lasting(known, subject, *states))
    if not known.release or not told:
        return None
    (seen, newest), models = told[0], {signal.about for _, signal in told}
    if newest.about != known.release.model:
        move = known.newest(*MOVES)
        refreshes = (ReleaseChange.REFRESH, ReleaseChange.DECISION)
        is_refresh = move is not None and move.kind == RELEASED and _change(move) in refreshes
        if not is_refresh or len(models) < 2:
            return None
    since = _began(known, told[-1][0], subject, *states)
    return Need(known.scenario, kind, since, newest.about, len(models), run=seen.run)


def _broken_data(known: ScenarioFacts) -> Need | None:
    told = list(_lasting(known, DATA, "broken"))
    if not told:
        return None
    since = _began(known, told[-1][0], DATA, "broken")
    return Need(known.scenario, NeedKind.BROKEN_DATA, since, run=told[0][0].run)


def _taken_back(known: ScenarioFacts) -> Need | None:
    """By itself; until a challenger learned anew was judged."""
    move, challenge = known.newest(*MOVES), known.newest(CHALLENGED)
    if move is None or move.kind != ROLLED_BACK or (harm := move.read(ModelRolledBack).harm) is None:
        return None
    if challenge and challenge.number > move.number and not challenge.read(Challenger).is_reweighting:
        return None
    return Need(known.scenario, NeedKind.TAKEN_BACK, move.at, harm.model)


def _waiting_approval(known: ScenarioFacts) -> Need | None:
    asked = known.approval
    if asked is None or asked.state is not ApprovalState.WAITING:
        return None
    return Need(known.scenario, NeedKind.WAITING_APPROVAL, asked.at, asked.request.subject.model, asked.missing)


def _refused_files(known: ScenarioFacts) -> Need | None:
    if not known.refused:
        return None
    newest = max(known.refused, key=lambda file: (file.at, file.name))
    return Need(known.scenario, NeedKind.REFUSED_FILES, newest.at, newest.name, len(known.refused))


def _unreleased(known: ScenarioFacts) -> Need | None:
    """Where nothing happened to the newest challenger: it does not take part in live traffic, and was not stopped.

    What waits for people is a need of its own, and what a person refused is none.
    """
    if known.approval and known.approval.state in (ApprovalState.WAITING, ApprovalState.REFUSED):
        return None
    event, later = known.newest(CHALLENGED), known.newest(*MOVES, *ARM_CHANGES)
    if event is None or not known.release or not known.is_past(event.at, GRACE):
        return None
    if later and later.number > event.number:
        return None
    challenger = event.read(Challenger)
    if not challenger.promote or challenger.model == known.release.model:
        return None
    return Need(known.scenario, NeedKind.UNRELEASED, event.at, challenger.model)


def _silent(known: ScenarioFacts) -> Need | None:
    if not known.release or not known.silence_hours:
        return None
    last = max([known.since, *(seen.event.at for seen in known.runs[:1])], key=datetime.fromisoformat)
    if not known.is_past(last, timedelta(hours=known.silence_hours)):
        return None
    return Need(known.scenario, NeedKind.SILENT, last, known.release.model, limit_hours=known.silence_hours)


def _no_rows(known: ScenarioFacts) -> Need | None:
    batch = known.newest(INGESTED)
    if not known.runs or (batch and batch.number > known.runs[0].event.number):
        return None
    return _exceeding(known, NeedKind.NO_ROWS, IDLE_LIMIT)


def _labels_overdue(known: ScenarioFacts) -> Need | None:
    return _exceeding(known, NeedKind.LABELS_OVERDUE, *LABEL_LIMITS)


def _index_behind(known: ScenarioFacts) -> Need | None:
    move = known.newest(*POINTER_MOVES)
    if not known.release or not known.follows_index or move is None:
        return None
    batches = [(event, event.read(BatchIngested)) for event in known.events if event.kind == INGESTED]
    lacking = [
        (event, batch)
        for event, batch in batches
        if event.number > move.number and (batch.rows > batch.superseded or batch.corrected)
    ]
    if not lacking or not known.is_past(lacking[0][0].at, GRACE):
        return None
    return Need(known.scenario, NeedKind.INDEX_BEHIND, lacking[0][0].at, lacking[-1][1].batch, len(lacking))


def _ledger_behind(known: ScenarioFacts) -> Need | None:
    if not known.oldest_ledger_day:
        return None
    ended = (datetime.strptime(known.oldest_ledger_day, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)).isoformat()
    if not known.is_past(ended, LEDGER_GRACE):
        return None
    return Need(known.scenario, NeedKind.LEDGER_BEHIND, ended, known.oldest_ledger_day)


NEEDS: tuple[Callable[[ScenarioFacts], Need | None], ...] = (
    _nothing_serves,
    _harmful,
    _degraded,
    _dear,
    _broken_data,
    _taken_back,
    _waiting_approval,
    _refused_files,
    _unreleased,
    _silent,
    _no_rows,
    _labels_overdue,
    _index_behind,
    _ledger_behind,
)


def _lasting(known: ScenarioFacts, subject: str, *states: str) -> Iterator[tuple[SeenRun, Signal]]:
    """Yield what the newest runs say of a subject, the newest first, as long as it is one of `states`.

    A run that says nothing of it is passed over.
    """
    told = ((seen, signal) for seen in known.runs for signal in seen.signals if signal.subject == subject)
    return takewhile(lambda one: one[1].state in states, told)


def _began(known: ScenarioFacts, oldest: SeenRun, subject: str, *states: str) -> str:
    """Return when a state began; the alerts know it where it lasts for longer than runs were read."""
    alerted = known.newest(ALERTED)
    state = alerted.read(AlertState).subjects.get(subject) if alerted else None
    if len(known.runs) < MOST_RUNS or state is None or state.state not in states:
        return oldest.event.at
    return min(oldest.event.at, state.since, key=datetime.fromisoformat)


def _exceeding(known: ScenarioFacts, kind: NeedKind, *limits: str) -> Need | None:
    """Return a need while the newest runs say that one of these limits of age is passed."""
    late = list(takewhile(lambda seen: seen.late & {*limits}, known.runs))
    return Need(known.scenario, kind, late[-1].event.at, run=late[0].run) if late else None


def _change(move: Event) -> ReleaseChange:
    return move.read(ModelReleased).change
