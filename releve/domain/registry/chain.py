"""The chain of events: every event carries the hash of the one before it, so a rewritten past shows.

It shows an event that was changed, inserted, reordered or taken out of the middle. Whoever can rewrite the
whole database can also make a new chain that holds: to notice that, keep the last hash somewhere else.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from releve.core.errors import BadInput

INGESTED, MONITORED, CHALLENGED, ARCHIVED = "ingested", "monitored", "challenged", "archived"
ALERTED = "alerted"  # people were told of the events before it
RELEASED, ROLLED_BACK, WITHDRAWN = "released", "rolled_back", "withdrawn"
MOVES = (RELEASED, ROLLED_BACK, WITHDRAWN)  # the kinds that change what serves

GENESIS = "0" * 64  # stands for the hash before the first event


@dataclass(frozen=True)
class Event:
    """Something that happened to a scenario; never changed, never taken away."""

    scenario: str
    number: int  # 1, 2, 3 ... within the scenario
    at: str  # ISO 8601, UTC, always with microseconds, so that it sorts as text
    kind: str
    actor: str
    reason: str
    payload: dict[str, Any]  # plain JSON values
    previous_hash: str
    hash: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON output."""
        return asdict(self)


@dataclass(frozen=True)
class Break:
    """The first place where a chain does not hold."""

    number: int  # of the event that is wrong or missing
    problem: str


def canonical_json(value: Any) -> str:
    """The one text of a value: sorted keys, no spaces. Raises BadInput for what JSON cannot hold, NaN included."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(
            f"an event can only hold JSON values (text, finite numbers, true, false, null, lists, objects): {error}"
        ) from error
    return text


def event_hash(
    *,
    scenario: str,
    number: int,
    at: str,
    kind: str,
    actor: str,
    reason: str,
    payload: Mapping[str, Any],
    previous_hash: str,
) -> str:
    """sha256 (hex) over everything else the event says. Raises BadInput like `canonical_json`."""
    said = {
        "scenario": scenario,
        "number": number,
        "at": at,
        "kind": kind,
        "actor": actor,
        "reason": reason,
        "payload": payload,
        "previous_hash": previous_hash,
    }
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()


def first_break(events: Sequence[Event]) -> Break | None:
    """Where the chain of ONE scenario, given from its first event on in order, stops holding; None when it holds."""
    previous_hash = GENESIS
    for expected_number, event in enumerate(events, start=1):
        problem = _problem(event, expected_number=expected_number, previous_hash=previous_hash)
        if problem:
            return Break(number=expected_number, problem=problem)
        previous_hash = event.hash
    return None


def _problem(event: Event, *, expected_number: int, previous_hash: str) -> str | None:
    if event.number != expected_number:
        return f"is missing: number {event.number} stands in its place"
    if event.previous_hash != previous_hash:
        return f"follows hash {event.previous_hash}, but the event before it has {previous_hash}"
    if event.hash != _rehash(event):
        return f"was changed after it was written: its hash is {event.hash}, what it says now gives {_rehash(event)}"
    return None


def _rehash(event: Event) -> str:
    said = event.as_dict()
    del said["hash"]
    try:
        return event_hash(**said)
    except BadInput:
        return "no hash at all"  # a rewritten payload can hold NaN, which was never accepted
