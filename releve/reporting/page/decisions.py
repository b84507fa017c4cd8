"""Decisions with their reasons, newest first, and what they cost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from releve.core.formatting import to_the_minute
from releve.domain.arms.arms import ArmsEnded, ArmsOutcome, ArmsStarted
from releve.domain.registry.chain import (
    APPROVAL_EXPIRED,
    APPROVAL_REFUSED,
    APPROVAL_REQUESTED,
    APPROVAL_UNCOUNTED,
    APPROVAL_VOIDED,
    APPROVED,
    ARM_CHANGES,
    ARMS_STARTED,
    CHALLENGED,
    MONITORED,
    MOVES,
    NOTED,
    RELEASED,
    ROLLED_BACK,
    WITHDRAWN,
    Event,
)
from releve.domain.registry.events import Challenger, ModelRolledBack, release_of
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.blocks import Block, FactList, Journal, JournalEntry, TableBlock, TextBlock, Tone
from releve.reporting.messages.approval import history_reason
from releve.reporting.messages.arms import describe_arms
from releve.reporting.messages.monitoring import describe_cause, describe_due, describe_payoff
from releve.reporting.messages.notes import title_of_note
from releve.reporting.page.evidence import PageEvidence

LISTED = 120  # entries of the journal
OPEN = 8  # of them are not folded
MONTHS = 24  # rows of the table of costs
TITLES = {  # of a move
    RELEASED: ("released", Tone.GOOD),
    ROLLED_BACK: ("rolled back to", Tone.BAD),
    WITHDRAWN: ("withdrawn: nothing serves", Tone.BAD),
}


PEOPLE = {  # of what came of a request for approval
    APPROVAL_REQUESTED: ("waits for people", Tone.WATCH),
    APPROVED: ("approved by {who}", Tone.GOOD),
    APPROVAL_REFUSED: ("refused by {who}", Tone.BAD),
    APPROVAL_UNCOUNTED: ("an answer of {who} that does not count", Tone.NEUTRAL),
    APPROVAL_VOIDED: ("waits for people no more: voided", Tone.NEUTRAL),
    APPROVAL_EXPIRED: ("waits for people no more: expired", Tone.BAD),
}
DECIDED = (MONITORED, CHALLENGED, NOTED, *PEOPLE, *ARM_CHANGES, *MOVES)  # kinds of events that the journal tells


def decisions(evidence: PageEvidence) -> list[Block]:
    """List each retraining, judgement, release and rollback by itself; waiting time and again is one entry."""
    entries = list(entries_of(evidence.events))[::-1]
    if not entries:
        return [TextBlock(("Nothing was decided yet.",))]
    left = len(entries) - LISTED
    note = f"{left} older ones are left out here; make history SCENARIO={evidence.scenario} lists every event."
    return [Journal(tuple(entries[:LISTED]), OPEN), *([TextBlock((note,))] if left > 0 else [])]


def entries_of(events: Sequence[Event]) -> Iterator[JournalEntry]:
    """Yield the oldest first. Runs that follow each other, decide to wait and find the same are one entry."""
    decided = [event for event in events if event.kind in DECIDED]

    def alike(numbered: tuple[int, Event]) -> tuple[object, ...]:
        number, event = numbered
        if event.kind != MONITORED:
            return (number,)
        run = event.read(MonitoringRun)
        is_due = run.decision.refresh or run.decision.reweigh or run.rollback.roll_back
        return (number,) if is_due else (run.model, run.drift.state, run.quality.state)

    for _, group in groupby(enumerate(decided), key=alike):
        same = [event for _, event in group]
        newest, at = same[-1], to_the_minute(same[-1].at)
        if newest.kind == MONITORED:
            run = newest.read(MonitoringRun)
            again = f", {len(same)} monitoring runs since {to_the_minute(same[0].at)}" if len(same) > 1 else ""
            harm = [describe_payoff(run)] if run.rollback.roll_back else []
            yield JournalEntry(at, f"{describe_due(run)}{again}", (*harm, *map(describe_cause, run.decision.causes)))
        elif newest.kind == CHALLENGED:
            challenger = newest.read(Challenger)
            verdict, tone = ("promotes", Tone.GOOD) if challenger.promote else ("refuses", Tone.BAD)
            naive = ", the naive answer itself" if challenger.evaluation.naive else ""
            against = f", against {challenger.champion}" if challenger.champion else ", the first one"
            title = f"the gate {verdict} {challenger.model}{naive}{against}"
            yield JournalEntry(at, title, challenger.sentences, tone)
        elif newest.kind == NOTED:
            yield JournalEntry(at, title_of_note(newest), (newest.reason,))
        elif newest.kind in PEOPLE:
            title, tone = PEOPLE[newest.kind]
            yield JournalEntry(at, title.format(who=newest.actor), (history_reason(newest),), tone)
        elif newest.kind == ARMS_STARTED:
            yield JournalEntry(at, describe_arms(newest.read(ArmsStarted)), (newest.reason,))
        elif newest.kind in ARM_CHANGES:
            ended = newest.read(ArmsEnded)
            tone = Tone.GOOD if ended.outcome is ArmsOutcome.PROMOTED else Tone.BAD
            title = f"{ended.challenger} takes part in live traffic no more: {ended.outcome}"
            yield JournalEntry(at, title, (newest.reason,), tone)
        else:
            (moved, tone), release = TITLES[newest.kind], release_of(newest)
            if newest.kind == ROLLED_BACK and newest.read(ModelRolledBack).harm:
                moved = "rolled back by itself to"
            yield JournalEntry(at, f"{moved} {release.model}" if release else moved, (history_reason(newest),), tone)


def costs(evidence: PageEvidence) -> list[Block]:
    """Count retrainings and their outcomes, in all and by month."""

    def cpu_time(challengers: Iterable[Challenger]) -> str:
        return f"{sum(one.cpu_seconds for one in challengers):.0f} s"

    judged = [(event.at[:7], event.read(Challenger)) for event in evidence.challenges]
    promoted = sum(one.promote for _, one in judged)
    released = sum(move.kind == RELEASED for move in evidence.moves)
    facts = FactList(
        (
            ("monitoring runs", str(len(evidence.runs))),
            ("retrainings judged", f"{len(judged)}: {promoted} promoted, {len(judged) - promoted} refused"),
            ("releases", str(released)),
            ("rollbacks and withdrawals", str(len(evidence.moves) - released)),
            ("CPU time of retrainings", cpu_time(one for _, one in judged) if judged else "none yet"),
        )
    )
    months: dict[str, list[Challenger]] = defaultdict(list)
    for month, challenger in judged:
        months[month].append(challenger)
    if len(months) < 2:
        return [facts]
    rows = tuple(
        (month, str(len(made)), str(sum(one.promote for one in made)), cpu_time(made))
        for month, made in sorted(months.items(), reverse=True)[:MONTHS]
    )
    return [facts, TableBlock(("month", "retrainings", "promoted", "CPU time"), rows)]
