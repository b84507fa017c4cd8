"""What a decision is made from, and the policies of params.yaml (`trigger.policy`): when a refresh is due.

A policy is one entry of POLICIES. docs/backtest.md describes them; `releve.domain.backtest.variants` compares them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import takewhile

from releve.core.params import Trigger
from releve.domain.drift.verdict import DriftVerdict
from releve.domain.quality.estimate import Estimate
from releve.domain.quality.late import LateQuality
from releve.domain.quality.realised import Quality

REFRESH, SCHEDULE, STATIC = "refresh", "schedule", "static"


class CauseKind(StrEnum):
    """Why it refreshes, searches or waits. `releve.reporting.messages.monitoring` writes the sentence of each."""

    # what makes a refresh due
    NEW_ROWS = "new rows"
    SCHEDULE = "schedule"
    # what makes a re-weighting due
    NEW_LABELS = "new labels"
    # what opens a search
    DRIFT = "drift"
    DEGRADED = "degraded"
    LATE_DEGRADED = "degraded by late labels"
    ESTIMATED_DEGRADED = "estimated to be degraded"
    CONCEPT_DRIFT = "concept drift"
    SEARCH_AGE = "age of the last search"
    # what a refresh or a search waits for
    STATIC = "static"
    BROKEN_DATA = "broken data"
    COOLDOWN = "cooldown"
    FEW_ROWS = "few new rows"
    NOT_DUE = "not due"
    FEW_ROWS_TO_SEARCH = "few new rows to search with"
    SEARCHED_LATELY = "searched lately"
    SEARCH_GAINED_NOTHING = "last search gained nothing"


@dataclass(frozen=True)
class Cause:
    """A reason to refresh, search or wait, with the figure that was compared with a limit."""

    kind: CauseKind
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known when the question is asked."""

    at: str  # ISO 8601, UTC; "" where nobody knows, and no rule of time is asked
    drift: DriftVerdict
    quality: Quality
    new_rows: int  # labelled rows since the last challenge, ingested or ready to be
    estimate: Estimate | None = None
    late: LateQuality | None = None  # of releases before the one that serves, by labels that came late
    new_batches: int = 1  # that these rows came in
    unweighed_rows: int = 0  # of these, since members were weighed; 0 where no others than those that serve could be
    rows_since_broken: int = 0  # labelled rows that came after the first of the runs in a row that found broken data
    corrected_rows: int = 0  # labels that batches since the last challenge corrected: rows to learn, none to judge on

    @property
    def rows_to_learn(self) -> int:
        """Count rows that members have not learned as they are now."""
        return self.new_rows + self.corrected_rows


@dataclass(frozen=True)
class Challenged:
    """A challenge: the rows that were judged, and whether it was accepted."""

    at: str  # ISO 8601, UTC; "" where nobody knows
    promoted: bool
    rows: int  # labelled rows there were
    searched: bool = False  # whether it sought new members, too
    joined: bool = False  # whether one that it found joined the pool
    reweighed: bool = False  # whether it fitted nothing


@dataclass(frozen=True)
class History:
    """The challenges since the scenario was started over, oldest first; the first champion's is one."""

    challenges: tuple[Challenged, ...] = ()

    @property
    def last(self) -> Challenged | None:
        """Return the newest challenge that fitted members."""
        return next((each for each in reversed(self.challenges) if not each.reweighed), None)

    @property
    def last_search(self) -> Challenged | None:
        """Return the newest challenge that searched; None where none did."""
        return next((each for each in reversed(self.challenges) if each.searched), None)

    @property
    def idle_searches(self) -> int:
        """Count the newest searches in a row that found nothing to join the pool."""
        searches = (each for each in reversed(self.challenges) if each.searched)
        return sum(1 for _ in takewhile(lambda each: not each.joined, searches))


def time_since(challenge: Challenged | None, evidence: Evidence) -> timedelta | None:
    """Return how long ago it was; None where there was none, or nobody knows. Rows of a late file go back in time."""
    if challenge is None or not challenge.at or not evidence.at:
        return None
    return datetime.fromisoformat(evidence.at) - datetime.fromisoformat(challenge.at)


def _with_every_batch(evidence: Evidence, params: Trigger) -> Cause:
    return Cause(CauseKind.NEW_ROWS, evidence.rows_to_learn)


def _every_few_batches(evidence: Evidence, params: Trigger) -> Cause:
    is_due = evidence.new_batches >= params.every_batches
    return Cause(CauseKind.SCHEDULE if is_due else CauseKind.NOT_DUE, evidence.new_batches, params.every_batches)


def _never(evidence: Evidence, params: Trigger) -> Cause:
    return Cause(CauseKind.STATIC)


# Why a refresh is due once there are enough new rows, or what it waits for.
POLICIES: dict[str, Callable[[Evidence, Trigger], Cause]] = {
    REFRESH: _with_every_batch,
    SCHEDULE: _every_few_batches,
    STATIC: _never,
}
DUE = (CauseKind.NEW_ROWS, CauseKind.SCHEDULE)
