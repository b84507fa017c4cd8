"""Arms: how a challenger is tried on live traffic, as the registry's events hold it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from pydantic import Field, model_validator

from releve.core.documents import DocumentPart
from releve.domain.registry.chain import ARMS_ENDED, ARMS_STARTED, Event, EventPayload
from releve.domain.registry.release import Release

HASHED_BYTES = 8


class Arm(StrEnum):
    """Who gave an answer, as the ledger and the header `x-releve-arm` say it."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class ArmMode(StrEnum):
    """Which requests the challenger answers."""

    SHADOW = "shadow"  # all, aside: nobody waits for its answers, and nobody sees them
    CANARY = "canary"  # a small share, in the champion's place
    AB = "ab"  # a large share, in the champion's place


class ArmsOutcome(StrEnum):
    """Why arms ended. A release, a rollback or a withdrawal ends them, too, and is an event of its own."""

    PROMOTED = "promoted"  # written after the release, which ended them
    STOPPED = "stopped"  # by a person, or as the comparison decided
    GUARD = "guard"  # the challenger failed too often, or the champion became slow


class ArmsStarted(EventPayload):
    """A challenger takes part. Another one of the same pair changes mode or share, and their comparison goes on."""

    kind = ARMS_STARTED

    mode: ArmMode
    challenger: Release  # prepared as for a release: its golden rows hold, its index is there
    champion: str  # tag of what served, and goes on serving
    share: float = Field(ge=0, lt=1)  # of the keys that the challenger answers; 0 for a shadow

    @model_validator(mode="after")
    def _check(self) -> "ArmsStarted":
        if (self.mode is ArmMode.SHADOW) != (self.share == 0):
            raise ValueError("a shadow has share 0, canary and ab a share between 0 and 1")
        if self.challenger.model == self.champion:
            raise ValueError("a champion is no challenger of itself")
        return self

    def same_pair(self, other: "ArmsStarted") -> bool:
        """Whether both compare the same two models."""
        return (self.champion, self.challenger.model) == (other.champion, other.challenger.model)

    def same_trial(self, other: "ArmsStarted") -> bool:
        """Whether both try the same model and index in the same way."""
        ours, theirs = ((one.mode, one.share, one.challenger.index) for one in (self, other))
        return self.same_pair(other) and ours == theirs

    def arm_of(self, key: bytes) -> Arm:
        """Return the arm of a key: always the same one for a share, and what was the challenger's stays so as the share
        grows."""
        hashed = hashlib.blake2b(
            b"%s %s %s" % (self.champion.encode(), self.challenger.model.encode(), key), digest_size=HASHED_BYTES
        ).digest()
        is_below = int.from_bytes(hashed) < self.share * 2 ** (8 * HASHED_BYTES)
        return Arm.CHALLENGER if is_below else Arm.CHAMPION


class GuardKind(StrEnum):
    """What ends arms at once."""

    ERROR_RATE = "error_rate"  # of the challenger
    P99_MS = "p99_ms"  # of the champion's answers


class FiredGuard(DocumentPart):
    """What a guard measured when it ended the arms."""

    kind: GuardKind
    value: float
    limit: float  # params.yaml: arms
    requests: int  # that were measured


class ArmsEnded(EventPayload):
    """The challenger takes part no more."""

    kind = ARMS_ENDED

    outcome: ArmsOutcome
    champion: str
    challenger: str
    guard: FiredGuard | None = None  # what ended them, where a guard did


@dataclass(frozen=True)
class RunningArms:
    """What the newest event about arms started, while it lasts."""

    number: int  # of that event
    since: str  # ISO 8601, UTC: when this pair began, in whatever mode
    started: ArmsStarted
    only_shadow: bool  # whether the challenger was nothing else since then


@dataclass(frozen=True)
class ArmsStatus:
    """Arms that run, and the rows that were answered since this pair began."""

    running: RunningArms
    champion_rows: int
    challenger_rows: int  # in the champion's place
    shadow_rows: int  # of the champion's, that the challenger answered aside
    failed: int  # requests that a shadow could not answer


def running_arms(newest_first: Iterable[Event]) -> RunningArms | None:
    """Return the arms that run; `newest_first`: the events of ONE scenario that start or end arms or move its release.

    Reads no more of them than it needs.
    """
    running: RunningArms | None = None
    for event in newest_first:
        started = event.read(ArmsStarted) if event.kind == ARMS_STARTED else None
        if started is None or (running and not started.same_pair(running.started)):
            break
        is_shadow = started.mode is ArmMode.SHADOW
        if running is None:
            running = RunningArms(event.number, event.at, started, only_shadow=is_shadow)
        else:
            running = replace(running, since=event.at, only_shadow=running.only_shadow and is_shadow)
    return running
