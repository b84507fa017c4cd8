"""Decisions with their reasons, newest first, and what they cost."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from releve.domain.registry.chain import CHALLENGED, MONITORED, MOVES, RELEASED, Event
from releve.reporting.blocks import Block, FactList, FoldedBlock, Journal, JournalEntry, TableBlock, TextBlock, Tone
from releve.reporting.page.evidence import PageEvidence
from releve.reporting.page.history import Look, looks_of, to_the_minute

LISTED = 120  # entries of the journal
OPEN = 15  # of them are not folded away
MONTHS = 24  # rows of the table of costs
TONES = {"released": Tone.GOOD, "rolled_back": Tone.BAD, "withdrawn": Tone.BAD}
TITLES = {"released": "released", "rolled_back": "rolled back to", "withdrawn": "withdrawn: nothing serves"}


def decisions(evidence: PageEvidence) -> list[Block]:
    """Each retrain, gate, release and rollback by itself; waiting time and again is one entry."""
    entries = list(entries_of(evidence.events))[::-1]
    if not entries:
        return [TextBlock(("Nothing was decided yet.",))]
    left = len(entries) - LISTED
    said = f"{left} older ones are left out here; `releve history {evidence.scenario}` lists every event."
    return [Journal(tuple(entries[:LISTED]), OPEN), *([TextBlock((said,))] if left > 0 else [])]


def entries_of(events: Iterable[Event]) -> Iterator[JournalEntry]:
    """Oldest first. Waits that follow each other in one state of drift and quality are told once, by their newest."""
    told = [event for event in events if event.kind in (MONITORED, CHALLENGED, *MOVES)]
    reasons = {"; ".join(event.payload.get("reasons", ())) for event in told if event.kind == CHALLENGED}
    for _, run in groupby(enumerate(told), key=_alike):
        yield _entry([event for _, event in run], reasons)


def _alike(numbered: tuple[int, Event]) -> tuple[object, ...]:
    number, event = numbered
    if event.kind != MONITORED:
        return (number,)
    (look,) = looks_of([event])
    return (number,) if look.retrain else (look.model, look.state, look.quality.get("state"))


def _entry(events: Sequence[Event], gate_said: set[str]) -> JournalEntry:
    """`gate_said`: reasons that the gate gave, which a release need not repeat."""
    newest = events[-1]
    if newest.kind == MONITORED:
        return _looked(looks_of(events))
    if newest.kind == CHALLENGED:
        return _judged(newest)
    model = (newest.payload.get("release") or {}).get("model", "")
    why = "for the gate's reasons" if newest.reason in gate_said else newest.reason
    return JournalEntry(to_the_minute(newest.at), f"{TITLES[newest.kind]} {model}", (why,), TONES[newest.kind])


def _looked(looks: Sequence[Look]) -> JournalEntry:
    newest, times = looks[-1], len(looks)
    if newest.retrain:
        return JournalEntry(to_the_minute(newest.at), "retrain", newest.reasons)
    again = f", {times} looks since {to_the_minute(looks[0].at)}" if times > 1 else ""
    return JournalEntry(to_the_minute(newest.at), f"wait{again}", newest.reasons)


def _judged(event: Event) -> JournalEntry:
    said = event.payload
    verdict, tone = ("the gate promotes", Tone.GOOD) if said.get("promote") else ("the gate refuses", Tone.BAD)
    against = f" against {said['champion']}" if said.get("champion") else ", the first one"
    return JournalEntry(
        to_the_minute(event.at), f"{verdict} {said['model']}{against}", tuple(said.get("reasons", ())), tone
    )


def costs(evidence: PageEvidence) -> list[Block]:
    """Retrainings and what came of them, in all and by month."""
    challenges = evidence.challenges
    promoted = sum(bool(event.payload.get("promote")) for event in challenges)
    lines = (
        ("looks", str(len(evidence.looks))),
        ("retrainings judged", f"{len(challenges)}: {promoted} promoted, {len(challenges) - promoted} refused"),
        ("releases", str(sum(event.kind == RELEASED for event in evidence.moves))),
        ("rollbacks and withdrawals", str(sum(event.kind != RELEASED for event in evidence.moves))),
        (
            "CPU time of retrainings",
            _cpu(challenges) or ("not known: they did not record it" if challenges else "none yet"),
        ),
    )
    return [FactList(lines), *_by_month(challenges)]


def _by_month(challenges: Sequence[Event]) -> list[Block]:
    months: dict[str, list[Event]] = defaultdict(list)
    for event in challenges:
        months[event.at[:7]].append(event)
    if len(months) < 2:
        return []
    rows = tuple(
        (
            month,
            str(len(events)),
            str(sum(bool(event.payload.get("promote")) for event in events)),
            _cpu(events) or "not known",
        )
        for month, events in sorted(months.items(), reverse=True)[:MONTHS]
    )
    return [FoldedBlock("By month", (TableBlock(("month", "retrainings", "promoted", "CPU time"), rows),))]


def _cpu(challenges: Sequence[Event]) -> str:
    """Of those that have recorded it; "" where none has."""
    known = [float(seconds) for event in challenges if (seconds := event.payload.get("cpu_seconds")) is not None]
    missing = len(challenges) - len(known)
    return f"{sum(known):.0f} s" + (f", {missing} not recorded" if missing else "") if known else ""
