"""A request for approval, read from the events of its scenario: how it stands, and what ends it.

Only the newest request of a scenario counts. Its answers are bound to the digests that it names; what makes these
digests out of date ends it, by an event of its own (`lapse`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from releve.domain.approval.events import (
    ApprovalAnswer,
    ApprovalCodeIssued,
    ApprovalEvent,
    ApprovalExpired,
    ApprovalRefused,
    ApprovalRequested,
    ApprovalUncounted,
    ApprovalVoided,
    Approved,
    VoidCause,
)
from releve.domain.registry.chain import (
    APPROVAL_CODE_ISSUED,
    APPROVAL_EXPIRED,
    APPROVAL_REFUSED,
    APPROVAL_REQUESTED,
    APPROVAL_UNCOUNTED,
    APPROVAL_VOIDED,
    APPROVALS,
    APPROVED,
    ARCHIVED,
    CHALLENGED,
    MOVES,
    RELEASED,
    Event,
)
from releve.domain.registry.events import Challenger, release_of

E = TypeVar("E", bound=ApprovalEvent)
TELLING = (*APPROVALS, CHALLENGED, *MOVES, ARCHIVED)  # kinds of events that say how a request stands


class ApprovalState(StrEnum):
    """How a request stands."""

    WAITING = "waiting"
    APPROVED = "approved"  # by all that it needs; the release follows
    REFUSED = "refused"
    VOIDED = "voided"
    EXPIRED = "expired"
    RELEASED = "released"


OPEN = (ApprovalState.WAITING, ApprovalState.APPROVED)  # states that something may still change


@dataclass(frozen=True)
class GivenAnswer:
    """What a person said, and when."""

    at: str  # ISO 8601, UTC
    comment: str
    answer: ApprovalAnswer


@dataclass(frozen=True)
class Approval:
    """A request and what came of it."""

    scenario: str
    number: int  # of the event that asked
    at: str  # ISO 8601, UTC
    request: ApprovalRequested
    state: ApprovalState = ApprovalState.WAITING
    since: str = ""  # ISO 8601, UTC: when it took this state
    given: tuple[GivenAnswer, ...] = ()  # oldest first
    codes: tuple[ApprovalCodeIssued, ...] = ()
    ended: ApprovalVoided | None = None  # what voided it
    newest: int = 0  # number of the newest event that says how it stands

    @property
    def approved_by(self) -> tuple[str, ...]:
        """Who said yes, in order."""
        return tuple(one.answer.by for one in self.given if isinstance(one.answer, Approved))

    @property
    def refused_by(self) -> str:
        """Who said no; "" for nobody."""
        return next((one.answer.by for one in self.given if isinstance(one.answer, ApprovalRefused)), "")

    @property
    def missing(self) -> int:
        """How many people have to say yes yet."""
        return max(0, self.request.people - len(self.approved_by))

    def event(self, kind: type[E], **more: Any) -> E:
        """Make an event about this request, bound to its digests."""
        return kind(request=self.number, subject=self.request.subject, figures=self.request.figures, **more)

    @property
    def is_open(self) -> bool:
        """Whether it waits for people, or for the release that follows."""
        return self.state in OPEN


def newest_approval(events: Iterable[Event]) -> Approval | None:
    """Return the newest request of a scenario since it was last started over, as its events left it; None for none.

    `events`: of ONE scenario, oldest first, all of TELLING at least from that request on.
    """
    found: Approval | None = None
    for event in events:
        if event.kind == ARCHIVED:
            found = None
        elif event.kind == APPROVAL_REQUESTED:
            request = event.read(ApprovalRequested)
            found = Approval(event.scenario, event.number, event.at, request, since=event.at, newest=event.number)
        elif found and event.kind in (*APPROVALS, CHALLENGED, *MOVES):
            found = replace(FOLLOWS.get(event.kind, _ignore)(found, event), newest=event.number)
    return found


def refusal_of(events: Iterable[Event], model_digest: str) -> GivenAnswer | None:
    """Return the refusal by a person of a model with these very files, since the scenario was last started over."""
    refusal: GivenAnswer | None = None
    for event in events:
        if event.kind == ARCHIVED:
            refusal = None
        elif event.kind == APPROVAL_REFUSED:
            answer = event.read(ApprovalRefused)
            is_same = answer.subject.model_digest == model_digest
            refusal = GivenAnswer(event.at, event.reason, answer) if is_same else refusal
    return refusal


@dataclass(frozen=True)
class Present:
    """What a request is held against."""

    now: datetime
    champion: str  # the tag that serves, "" for none
    people: int  # that the settings ask for; 0 for none
    newer: Challenger | None  # judged after the request
    judged: Challenger | None  # the judgement that the request is about

    @property
    def today(self) -> date:
        return self.now.date()


def lapse(approval: Approval, present: Present) -> ApprovalVoided | ApprovalExpired | None:
    """Return what ends an open request at present, as an event that says so; None where it stands, or has ended."""
    if not approval.is_open:
        return None
    request = approval.request
    if present.newer:
        return approval.event(ApprovalVoided, cause=VoidCause.NEWER_CHALLENGER, about=present.newer.model)
    if present.champion != request.champion:
        return approval.event(ApprovalVoided, cause=VoidCause.CHAMPION_CHANGED, about=present.champion)
    overrides = present.judged.overrides if present.judged else ()
    if run_out := [one for one in overrides if one.until < present.today]:
        return approval.event(ApprovalVoided, cause=VoidCause.OVERRIDE_EXPIRED, about=run_out[0].floor)
    if present.people != request.people:
        return approval.event(ApprovalVoided, cause=VoidCause.OTHER_RULES)
    # who approved in time has done so: what is missing then is a release
    if approval.state is ApprovalState.WAITING and is_over(request.expires_at, present.now):
        return approval.event(ApprovalExpired)
    return None


def asked_since(before: Approval | None, model: str, *, now: datetime, expires_hours: float) -> str:
    """Return since when people know that a release waits, where a request for `model` takes the place of one that
    nobody answered; "" where they have to hear of it, which they do again once `expires_hours` (0: never) are over."""
    ended = before.ended if before else None
    is_next = ended and (ended.cause, ended.about) == (VoidCause.NEWER_CHALLENGER, model)
    if before is None or not is_next or before.given:
        return ""
    since = before.request.asked_since or before.at
    is_reminder = expires_hours and now >= datetime.fromisoformat(since) + timedelta(hours=expires_hours)
    return "" if is_reminder else since


def is_over(expires_at: str, now: datetime) -> bool:
    """Whether a time has come; "" never does."""
    return bool(expires_at) and now >= datetime.fromisoformat(expires_at)


def _approve(approval: Approval, event: Event) -> Approval:
    given = (*approval.given, GivenAnswer(event.at, event.reason, event.read(Approved)))
    after = replace(approval, given=given)
    return after if after.missing else replace(after, state=ApprovalState.APPROVED, since=event.at)


def _refuse(approval: Approval, event: Event) -> Approval:
    given = (*approval.given, GivenAnswer(event.at, event.reason, event.read(ApprovalRefused)))
    return replace(approval, given=given, state=ApprovalState.REFUSED, since=event.at)


def _leave_out(approval: Approval, event: Event) -> Approval:
    given = (*approval.given, GivenAnswer(event.at, event.reason, event.read(ApprovalUncounted)))
    return replace(approval, given=given)


def _issue(approval: Approval, event: Event) -> Approval:
    return replace(approval, codes=(*approval.codes, event.read(ApprovalCodeIssued)))


def _void(approval: Approval, event: Event) -> Approval:
    return replace(approval, state=ApprovalState.VOIDED, since=event.at, ended=event.read(ApprovalVoided))


def _expire(approval: Approval, event: Event) -> Approval:
    return replace(approval, state=ApprovalState.EXPIRED, since=event.at)


def _release(approval: Approval, event: Event) -> Approval:
    """A release of what it asked for is its end; of the end by another one tells `lapse`."""
    release = release_of(event)
    if not approval.is_open or release is None or release.model != approval.request.subject.model:
        return approval
    return replace(approval, state=ApprovalState.RELEASED, since=event.at)


def _ignore(approval: Approval, event: Event) -> Approval:
    return approval


FOLLOWS: dict[str, Callable[[Approval, Event], Approval]] = {
    APPROVED: _approve,
    APPROVAL_REFUSED: _refuse,
    APPROVAL_UNCOUNTED: _leave_out,
    APPROVAL_CODE_ISSUED: _issue,
    APPROVAL_VOIDED: _void,
    APPROVAL_EXPIRED: _expire,
    RELEASED: _release,
}
