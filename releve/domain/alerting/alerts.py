"""Which messages people get: one per change of a subject's state, repeats held back, the end of an alarm too.

Messages follow from the registry's events alone. A book says up to which event that was done, how every subject stood
then, and which messages were not delivered yet; it is itself an event, written after the sending. A process that is
killed before that has its messages made again from the same events, with the same ids: each is delivered at least
once. See docs/decisions/0021-alerts.md.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from releve.core.formatting import utc_minute
from releve.core.params import Alerts
from releve.domain.alerting.signals import ALARM, CALM, RETRAINING, SENTENCES, Signal, signals
from releve.domain.registry.chain import ARCHIVED, MONITORED, Event

RAISED, REPEATED, ENDED = "raised", "repeated", "ended"
BOOK_FORMAT = 1
SHOWN_REASONS, REASON_LENGTH = 10, 300  # of a message; the registry keeps all of them whole
# Reasons can hold what a caller sent as a category: nobody's data becomes a link, or a mention of everybody.
HARMLESS = {
    **{number: " " for number in (*range(32), 127)},
    **str.maketrans({"<": "‹", ">": "›", "@": "＠", "[": "(", "]": ")", "`": "'"}),  # noqa: RUF001
}
ADDRESS = re.compile(r"://|www\.", re.IGNORECASE)  # what chats make a link of by themselves


@dataclass(frozen=True)
class Standing:
    """The last state of a subject that was known."""

    state: str
    about: str
    since: str  # ISO 8601, UTC
    told_at: str  # of its last message; "" for a calm state that needed none


@dataclass(frozen=True)
class Message:
    """One thing to tell. `id` stays the same when it is sent twice."""

    id: str
    scenario: str
    subject: str
    state: str
    kind: str  # RAISED, REPEATED or ENDED
    about: str  # as the signal's
    at: str  # of the event that it follows from, ISO 8601, UTC
    since: str  # when the state began; of ENDED: when the alarm began that is over
    text: str
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Book:
    """What the messages up to an event were made of, and those of them that wait."""

    through: int = 0  # number of the last event that was looked through
    looked_at: str = ""  # of the last look among them
    standings: Mapping[str, Standing] = field(default_factory=dict)
    waiting: tuple[Message, ...] = ()  # not delivered yet, oldest first

    def as_json(self) -> dict[str, Any]:
        """The payload of its event."""
        return {"format": BOOK_FORMAT, **asdict(self)}


def read_book(payload: Mapping[str, Any]) -> Book:
    """The opposite of `as_json`; keys that are not known here are left alone."""
    return Book(
        through=payload["through"],
        looked_at=payload["looked_at"],
        standings={subject: Standing(**said) for subject, said in payload["standings"].items()},
        waiting=tuple(Message(**{**said, "reasons": tuple(said["reasons"])}) for said in payload["waiting"]),
    )


def first_book(events: Sequence[Event]) -> Book:
    """For a scenario that never had one: what its newest event says is told, what came before it is not."""
    return Book(through=events[-1].number - 1 if events else 0)


def look_through(book: Book, events: Sequence[Event], params: Alerts) -> tuple[Book, tuple[Message, ...]]:
    """The messages of the events after `book`, in order, and the book after them, with all of them waiting.

    `events`: of ONE scenario, oldest first. Where it was archived, the alarms that stood end. Only the newest event
    repeats an alarm, so that a change of `repeat_hours` brings no messages of the past.
    """
    made: list[Message] = []
    for event in [each for each in events if each.number > book.through]:
        newest = event.number == events[-1].number
        for signal in signals(event, params, looked_at=book.looked_at):
            standing, message = _weigh(book, signal, event, params if newest else None)
            book = replace(
                book,
                standings={**book.standings, signal.subject: standing},
                waiting=(*book.waiting, message) if message else book.waiting,
            )
            made += [message] if message else []
        if event.kind == ARCHIVED:
            book = Book(waiting=book.waiting)
        looked_at = event.at if event.kind == MONITORED else book.looked_at
        book = replace(book, through=event.number, looked_at=looked_at)
    return book, tuple(made)


def told(messages: Sequence[Message]) -> str:
    """As the reason of an event."""
    return "; ".join(message.text for message in messages) or "nothing to tell"


def _weigh(book: Book, signal: Signal, event: Event, repeating: Alerts | None) -> tuple[Standing, Message | None]:
    """Where the subject stands after `signal`, and what there is to tell."""
    before = book.standings.get(signal.subject)
    if before and _leaves(before, signal):
        return before, None
    if before and (before.state, before.about) == (signal.state, signal.about):
        if repeating is None or not _repeats(book, before, signal, event.at, repeating):
            return before, None
        return replace(before, told_at=event.at), _message(signal, event, REPEATED, since=before.since)
    standing = Standing(signal.state, signal.about, since=event.at, told_at=event.at)
    if signal.level != CALM:
        return standing, _message(signal, event, RAISED, since=event.at)
    if before and SENTENCES[signal.subject, before.state][0] == ALARM:
        return standing, _message(signal, event, ENDED, since=before.since)
    return replace(standing, told_at=""), None


def _leaves(before: Standing, signal: Signal) -> bool:
    """What became of a retraining stands until the next one is due."""
    return (signal.subject, signal.state) == (RETRAINING, "waits") and before.state != "due"


def _repeats(book: Book, before: Standing, signal: Signal, at: str, params: Alerts) -> bool:
    if signal.level != ALARM or not params.repeat_hours:
        return False
    if any(message.subject == signal.subject for message in book.waiting):
        return False  # what waits says the same
    return datetime.fromisoformat(at) - datetime.fromisoformat(before.told_at) >= timedelta(hours=params.repeat_hours)


def _message(signal: Signal, event: Event, kind: str, *, since: str) -> Message:
    reasons = tuple(_harmless(reason) for reason in signal.reasons[:SHOWN_REASONS])
    sentence = _harmless(signal.sentence)
    first = "" if kind == ENDED or not reasons else f" ({reasons[0]})"
    return Message(
        id=f"{event.scenario}/{event.number}/{signal.subject}",
        scenario=event.scenario,
        subject=signal.subject,
        state=signal.state,
        kind=kind,
        about=signal.about,
        at=event.at,
        since=since,
        text=f"{event.scenario}: {PREFIX[kind]}{sentence}{SUFFIX[kind].format(since=utc_minute(since))}{first}",
        reasons=reasons,
    )


PREFIX = {RAISED: "", REPEATED: "still: ", ENDED: ""}
SUFFIX = {RAISED: "", REPEATED: ", since {since}", ENDED: "; the alarm stood since {since}"}


def _harmless(text: str) -> str:
    plain = ADDRESS.sub(lambda found: f"{found[0][:-1]} {found[0][-1]}", text.translate(HARMLESS))
    return plain if len(plain) <= REASON_LENGTH else f"{plain[: REASON_LENGTH - 3]}..."
