"""Which alerts people get: one per change of a subject's state, repeats held back, the end of an alarm too.

Alerts follow from the registry's events alone. The alert state says up to which event that was done, how every subject
was then, and which alerts were not delivered yet; it is itself an event, written after the sending. A process that is
killed before that has its alerts made again from the same events, with the same ids: each is delivered at least once.
See docs/decisions/0021-alerts.md. The messages are written by `releve.reporting.messages.alerts`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from releve.core.params import Alerts
from releve.domain.alerting.signals import LEVELS, RETRAINING, Level, Signal, signals
from releve.domain.registry.chain import ALERTED, ARCHIVED, Event, EventPayload


class AlertKind(StrEnum):
    RAISED = "raised"
    REPEATED = "repeated"
    ENDED = "ended"


@dataclass(frozen=True)
class SubjectState:
    """The last state of a subject that was known."""

    state: str
    about: str
    since: str  # ISO 8601, UTC
    alerted_at: str  # of its last alert; "" for a calm state that needed none


@dataclass(frozen=True)
class Alert:
    """One change to report. `id` stays the same when it is sent twice."""

    id: str
    event: int  # number of the event that it follows from
    subject: str
    state: str
    kind: AlertKind
    about: str  # as the signal's
    at: str  # of the event, ISO 8601, UTC
    since: str  # when the state began; of ENDED: when the alarm began that is over
    hours: float | None = None  # as the signal's


class AlertState(EventPayload):
    """What the alerts up to an event were made of, and those of them that wait. Payload of an `alerted` event."""

    kind = ALERTED

    through: int = 0  # number of the last event that was read
    subjects: Mapping[str, SubjectState] = {}
    waiting: tuple[Alert, ...] = ()  # not delivered yet, oldest first


def first_state(events: Sequence[Event]) -> AlertState:
    """Begin for a scenario that never had one: its newest event is reported, what came before it is not."""
    return AlertState(through=events[-1].number - 1 if events else 0)


def advance(state: AlertState, events: Sequence[Event], params: Alerts) -> tuple[AlertState, tuple[Alert, ...]]:
    """Return the state after `events` with all alerts waiting, and the new ones of them in order.

    `events`: of ONE scenario, oldest first. Where it was archived, the alarms that lasted end. Only the newest event
    repeats an alarm, so that a change of `repeat_hours` brings no alerts of the past.
    """
    subjects, waiting = dict(state.subjects), list(state.waiting)
    new: list[Alert] = []
    for event in [each for each in events if each.number > state.through]:
        is_newest = event.number == events[-1].number
        for signal in signals(event, params):
            # what waits reports the same: nothing is repeated then
            repeat_hours = params.repeat_hours if is_newest else 0.0
            if any(alert.subject == signal.subject for alert in waiting):
                repeat_hours = 0.0
            before = subjects.get(signal.subject)
            subjects[signal.subject], alert = _weigh(before, signal, event, repeat_hours)
            if alert:
                waiting.append(alert)
                new.append(alert)
        if event.kind == ARCHIVED:
            subjects = {}
    through = max([state.through, *(event.number for event in events)])
    after = AlertState(through=through, subjects=subjects, waiting=tuple(waiting))
    return after, tuple(new)


def _weigh(
    before: SubjectState | None, signal: Signal, event: Event, repeat_hours: float
) -> tuple[SubjectState, Alert | None]:
    """The subject's state after `signal`, and the alert that it needs."""

    def alert(kind: AlertKind, *, since: str) -> Alert:
        name = f"{event.scenario}/{event.number}/{signal.subject}"
        return Alert(
            name, event.number, signal.subject, signal.state, kind, signal.about, event.at, since, signal.hours
        )

    # what became of a retraining stands until the next one is due
    if before and (signal.subject, signal.state) == (RETRAINING, "waits") and before.state != "due":
        return before, None
    if before and (before.state, before.about) == (signal.state, signal.about):
        if signal.level != Level.ALARM or not repeat_hours:
            return before, None
        if datetime.fromisoformat(event.at) - datetime.fromisoformat(before.alerted_at) < timedelta(hours=repeat_hours):
            return before, None
        return replace(before, alerted_at=event.at), alert(AlertKind.REPEATED, since=before.since)
    now = SubjectState(signal.state, signal.about, since=event.at, alerted_at=event.at)
    if signal.level != Level.CALM:
        return now, alert(AlertKind.RAISED, since=event.at)
    if before and LEVELS[signal.subject, before.state] == Level.ALARM:
        return now, alert(AlertKind.ENDED, since=before.since)
    return replace(now, alerted_at=""), None
