"""What a scenario's newest events say of when it has to run, read once for each event that comes."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from releve.domain.approval.approval import Approval, ApprovalState, newest_approval
from releve.domain.registry.chain import (
    APPROVALS,
    ARCHIVED,
    CHALLENGED,
    INGESTED,
    MONITORED,
    MOVES,
    SILENT,
    WITHDRAWN,
    Event,
)
from releve.domain.registry.events import BatchIngested
from releve.domain.scheduling.due import ScenarioEvents

KINDS = (INGESTED, MONITORED, CHALLENGED, SILENT, ARCHIVED, *MOVES, *APPROVALS)
RELEASE_GRACE = timedelta(minutes=15)  # for the run, or the command, in which people approved it


def read_activity(newest_first: Iterable[Event]) -> ScenarioEvents:
    """Read no further back than is needed; `newest_first`: events of KINDS."""
    found: dict[str, Event] = {}
    batches: list[Event] = []
    people: list[Event] = []  # what was asked of them since the last challenge, and what came of it
    for event in newest_first:
        if event.kind == ARCHIVED:
            break
        kind = MOVES[0] if event.kind in MOVES else event.kind
        if kind == INGESTED and CHALLENGED not in found:
            batches.append(event)
        if event.kind in (*APPROVALS, *MOVES) and CHALLENGED not in found:
            people.append(event)
        found.setdefault(kind, event)
        if {MONITORED, CHALLENGED, MOVES[0]} <= {*found}:
            break
    move, monitored, silent = found.get(MOVES[0]), found.get(MONITORED), found.get(SILENT)
    is_silent = silent is not None and (monitored is None or silent.number > monitored.number)
    approval = newest_approval(reversed(people))
    return ScenarioEvents(
        serves_since=_time(move) if move and move.kind != WITHDRAWN else None,
        monitored_at=_time(monitored),
        monitored=monitored.number if monitored else 0,
        silent_at=_time(silent) if is_silent else None,
        challenged_at=_time(found.get(CHALLENGED)),
        newest_batch=batches[0].number if batches else 0,
        new_batches=len(batches),
        new_rows=sum(batch.read(BatchIngested).rows for batch in batches),
        approval=approval.number if approval and approval.is_open else 0,
        approval_due=_see_to(approval) if approval else None,
    )


def _see_to(approval: Approval) -> datetime | None:
    """When a run has to see to a request: at its end, and after an approval whose release did not follow at once."""
    if approval.state is ApprovalState.APPROVED:
        return datetime.fromisoformat(approval.since) + RELEASE_GRACE
    return datetime.fromisoformat(approval.request.expires_at) if approval.request.expires_at else None


def _time(event: Event | None) -> datetime | None:
    return datetime.fromisoformat(event.at) if event else None
