"""The chain of events: every event carries the hash of the one before it, so a rewritten past shows.

It shows an event that was changed, inserted, reordered or taken out of the middle. Whoever can rewrite the
whole database can also make a new chain that holds: to notice that, keep the last hash somewhere else.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from releve.core.errors import BadInput, Conflict

INGESTED, MONITORED, CHALLENGED, ARCHIVED = "ingested", "monitored", "challenged", "archived"
FILES_REFUSED = "files_refused"  # incoming files were set aside, each with its reason
ALERTED = "alerted"  # people were sent messages about the events before it
REBUILT = "rebuilt"  # a model version was made again from its data, code and params, or could not be
ERASED = "erased"  # rows were taken out of everything that can be reached
PACKED = "packed"  # evidence of a model version was written as one file, whose digest this event holds
NOTED = "noted"  # a person has written a note or a question beside the decisions
SILENT = "silent"  # no monitoring run ended for too long
RELEASED, ROLLED_BACK, WITHDRAWN = "released", "rolled_back", "withdrawn"
MOVES = (RELEASED, ROLLED_BACK, WITHDRAWN)  # the kinds that change which model serves
INDEX_MOVED = "index_moved"  # the same model serves on, with another version of its index
POINTER_MOVES = (*MOVES, INDEX_MOVED)  # the kinds that change what serves
ARMS_STARTED, ARMS_ENDED = "arms_started", "arms_ended"
ARMS_COMPARED = "arms_compared"
ARM_CHANGES = (ARMS_STARTED, ARMS_ENDED)  # the kinds that change which challenger takes part in live traffic
APPROVAL_REQUESTED, APPROVAL_CODE_ISSUED = "approval_requested", "approval_code_issued"
APPROVED, APPROVAL_REFUSED, APPROVAL_UNCOUNTED = "approved", "approval_refused", "approval_uncounted"
APPROVAL_VOIDED, APPROVAL_EXPIRED = "approval_voided", "approval_expired"
APPROVALS = (  # the kinds that tell how people were asked, and what they said
    *(APPROVAL_REQUESTED, APPROVAL_CODE_ISSUED, APPROVED, APPROVAL_REFUSED, APPROVAL_UNCOUNTED),
    *(APPROVAL_VOIDED, APPROVAL_EXPIRED),
)
MODEL_CHANGES = (CHALLENGED, *MOVES, *APPROVALS, ARCHIVED)  # the kinds that can change the state of a model version
KINDS = (
    *(INGESTED, FILES_REFUSED, MONITORED, CHALLENGED, *POINTER_MOVES, *ARM_CHANGES, ARMS_COMPARED, *APPROVALS),
    *(ARCHIVED, ALERTED, REBUILT, ERASED, PACKED, NOTED, SILENT),
)

GENESIS = "0" * 64  # stands for the hash before the first event


class EventPayload(BaseModel):
    """Base of what events hold, one model per kind. Unknown fields and formats are rejected."""

    # NaN must arrive where canonical_json refuses it; by default pydantic would write null
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")
    kind: ClassVar[str]

    format: Literal[1] = 1


P = TypeVar("P", bound=EventPayload)


@dataclass(frozen=True)
class Event:
    """Something that happened to a scenario; never changed, never taken away."""

    scenario: str
    number: int  # 1, 2, 3 ... within the scenario
    at: str  # ISO 8601, UTC, always with microseconds, so that it sorts as text
    kind: str
    actor: str
    reason: str
    payload: dict[str, Any]  # plain JSON values, as they are hashed; `read` gives them typed
    previous_hash: str
    hash: str

    def read(self, model: type[P]) -> P:
        """Return the payload, typed. Raises Conflict when it does not fit `model`."""
        try:
            return model.model_validate_json(json.dumps(self.payload))  # as JSON: dates are text there
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"])) or "payload"
            raise Conflict(
                f"event {self.number} of {self.scenario!r} ({self.kind}) cannot be read: {where}: {problem['msg']}. "
                "It was written by another version of Relève"
            ) from None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for JSON output."""
        return asdict(self)


@dataclass(frozen=True)
class EventLine:
    """The few figures of an event that costs and speed are counted from."""

    number: int
    at: str  # ISO 8601, UTC
    kind: str
    model: str = ""  # that was judged, or went into service
    cpu_seconds: float = 0.0
    arrived: str = ""  # ISO 8601, UTC: when the file came that was ingested


@dataclass(frozen=True)
class Break:
    """The first place where a chain does not hold."""

    number: int  # of the event that is wrong or missing
    problem: str


def canonical_json(value: Any) -> str:
    """Return the one text of a value: sorted keys, no spaces. Raises BadInput for what JSON cannot hold, NaN too."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(
            f"an event can only hold JSON values (text, finite numbers, true, false, null, lists, objects): {error}"
        ) from error
    return text


def event_hash(event: Mapping[str, Any]) -> str:
    """Return the sha256 (hex) over the event's other fields, as one JSON object. Raises BadInput like
    `canonical_json`."""
    hashed = {name: value for name, value in event.items() if name != "hash"}
    return hashlib.sha256(canonical_json(hashed).encode()).hexdigest()


def first_break(events: Sequence[Event]) -> Break | None:
    """Return where the chain of ONE scenario stops holding; None when it holds.

    `events`: from its first one on, in order.
    """
    previous_hash = GENESIS
    for expected_number, event in enumerate(events, start=1):
        try:
            rehashed = event_hash(event.as_dict())
        except BadInput:
            rehashed = "no hash at all"  # a rewritten payload can hold NaN, which was never accepted
        if event.number != expected_number:
            return Break(expected_number, f"is missing: number {event.number} stands in its place")
        if event.previous_hash != previous_hash:
            return Break(
                expected_number,
                f"follows hash {event.previous_hash}, but the event before it has {previous_hash}",
            )
        if event.hash != rehashed:
            return Break(
                expected_number,
                f"was changed after it was written: its hash is {event.hash}, its content gives {rehashed}",
            )
        previous_hash = event.hash
    return None


def serving_move(events: Sequence[Event]) -> Event | None:
    """Return the event that put what serves there, of ONE scenario's events in order; None where nothing serves."""
    last = next((event for event in reversed(events) if event.kind in POINTER_MOVES), None)
    return last if last and last.kind != WITHDRAWN else None


def arms_start(events: Sequence[Event]) -> Event | None:
    """Return the event that started the arms that run, of ONE scenario's events in order; None where none do."""
    last = next((event for event in reversed(events) if event.kind in (*ARM_CHANGES, *MOVES)), None)
    return last if last and last.kind == ARMS_STARTED else None


def since_archived(events: Sequence[Event]) -> list[Event]:
    """Keep the events after the scenario was last archived, which starts it over."""
    starts = [place for place, event in enumerate(events) if event.kind == ARCHIVED]
    return list(events[starts[-1] + 1 :] if starts else events)
