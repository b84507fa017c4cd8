"""The operator's start page: what needs a person, the newest first, and the table of all scenarios."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from releve.core.formatting import counted, format_score, plural, span, to_the_minute
from releve.core.names import ModelTag
from releve.domain.attention.needs import Need, NeedKind
from releve.domain.attention.standing import RECENT, Standing, StandingQuality, in_order
from releve.domain.drift.verdict import DriftState
from releve.domain.registry.chain import CHALLENGED, RELEASED, ROLLED_BACK, Event
from releve.domain.registry.events import Challenger, release_of
from releve.reporting.blocks import (
    Block,
    BoardBlock,
    BoardCell,
    BoardHead,
    BoardRow,
    ReportPage,
    ReportSection,
    TextBlock,
    ToDo,
    ToDoItem,
    ToDoList,
    Tone,
    VerdictBlock,
)
from releve.reporting.messages.needs import ago, describe_need
from releve.reporting.messages.notes import note_journal

GRAVE = (NeedKind.UNREADABLE, NeedKind.NOTHING_SERVES, NeedKind.HARMFUL, NeedKind.DEGRADED, NeedKind.BROKEN_DATA)
WAITING = {NeedKind.UNRELEASED: "for its release"}  # a model, and for what
NEEDED = "needs a person"
ON_TRIAL = "on trial"
DRIFTS = {DriftState.BROKEN_DATA: 2.0, DriftState.DRIFT: 1.0}  # sorted before what is none
LEGEND = (
    "score: realised by labels of its answers, or expected, as it was judged before its release. over naive: how much "
    "of the naive answer's error is gone; it compares unlike metrics. CPU: of training and rebuilding. file to "
    f"release: the median time from a file's arrival to the first release that knew its rows, in {RECENT.days} days.",
)
Cell = Callable[[Standing, str], BoardCell]


def build_start_page(
    standings: Sequence[Standing],
    *,
    made_at: str,
    addresses: Mapping[str, str] | None = None,
    notes: Sequence[Event] = (),
) -> ReportPage:
    """Put the page together; `addresses`: of the scenarios' own pages, by name; `notes`: of the team, oldest first."""
    ordered, pages = in_order(standings), addresses or {}
    needed = [one for one in ordered if one.needs]
    made = f"Made at {to_the_minute(made_at)}; all times are UTC."
    if not ordered:
        nothing = "There is no scenario yet: `make scenario` describes a table as one."
        return ReportPage("All scenarios", made, (ReportSection("", (TextBlock((nothing,)),)),))
    todo = ToDoList(tuple(_item(one, made_at, pages.get(one.scenario, "")) for one in needed))
    sections: dict[str, list[Block]] = {
        "": [_verdict(ordered)],
        "What needs a person, newest first": [todo] if needed else [],
        "Notes of the team, newest first": [note_journal(notes)] if notes else [],
        "All scenarios": [build_board(ordered, made_at=made_at, addresses=pages), TextBlock(LEGEND)],
    }
    return ReportPage(
        "All scenarios",
        made,
        tuple(ReportSection(title, tuple(blocks)) for title, blocks in sections.items() if blocks),
    )


def needs_table(standings: Sequence[Standing], *, made_at: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Write a line per need for a terminal: heads and lines."""
    lines: list[tuple[str, ...]] = []
    for one in in_order(standings):
        for need in one.needs:
            text = describe_need(need)
            todo = f"{text.advice}\n{text.command}".strip()
            lines.append((one.scenario, str(need.kind), ago(need.since, made_at), text.sentence, todo))
    return ("scenario", "needs", "for", "why", "what to do"), lines


def board_table(standings: Sequence[Standing], *, made_at: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Write the table of all scenarios for a terminal: heads and lines."""
    board = build_board(in_order(standings), made_at=made_at, addresses={})
    lines = [tuple(f"{cell.text}\n{cell.note}".strip() for cell in row.cells) for row in board.rows]
    return tuple(head.name for head in board.heads), lines


def standing_as_dict(one: Standing) -> dict[str, Any]:
    """Write a scenario's line for programs."""
    quality = one.quality
    needs = [
        {
            "kind": str(need.kind),
            "since": need.since or None,
            "about": need.about,
            "count": need.count,
            "sentence": describe_need(need).sentence,
            "command": describe_need(need).command,
        }
        for need in one.needs
    ]
    return {
        "scenario": one.scenario,
        "needs": needs,
        "model": one.model or None,
        "since": one.since or None,
        "naive": one.is_naive,
        "challenger": one.challenger or None,
        "metric": quality.metric if quality else None,
        "score": [quality.score.value, quality.score.low, quality.score.high] if quality else None,
        "realised": quality.is_realised if quality else None,
        "naive_score": quality.naive if quality else None,
        "skill": quality.skill if quality else None,
        "drift": str(one.drift.state) if one.drift else None,
        "monitored_at": one.monitored_at or None,
        "decision": one.decision.kind if one.decision else None,
        "decided_at": one.decision.at if one.decision else None,
        "cpu_seconds": one.cpu_seconds,
        "hours_to_release": one.hours_to_release,
    }


def build_board(standings: Sequence[Standing], *, made_at: str, addresses: Mapping[str, str]) -> BoardBlock:
    """Write a line per scenario, in the order given."""
    rows = []
    for one in standings:
        name = BoardCell(one.scenario, key=one.scenario, address=addresses.get(one.scenario, ""))
        rows.append(BoardRow((name, *(write(one, made_at) for write in COLUMNS.values())), _marks(one)))
    marks = Counter(mark for row in rows for mark in row.marks)
    filters = tuple(mark for mark in (NEEDED, *NeedKind, ON_TRIAL) if marks[mark])
    heads = (BoardHead("scenario"), *COLUMNS)
    return BoardBlock("the table of all scenarios", heads, tuple(rows), tuple(map(str, filters)))


def _marks(one: Standing) -> frozenset[str]:
    kinds = {str(need.kind) for need in one.needs}
    return frozenset(kinds | ({NEEDED} if kinds else set()) | ({ON_TRIAL} if one.challenger else set()))


def tone_of(kind: NeedKind) -> Tone:
    """Return how grave a need is."""
    return Tone.BAD if kind in GRAVE else Tone.WATCH


def headline(standings: Sequence[Standing]) -> str:
    """Write how many scenarios need a person."""
    needed, scenarios = sum(bool(one.needs) for one in standings), counted(len(standings), "scenario")
    return f"{needed} of {scenarios} {plural(needed, 'needs', 'need')} a person" if needed else "nobody is needed"


def breakdown(standings: Sequence[Standing]) -> str:
    """Write what they need, and the newest of it."""
    needs = [need for one in in_order(standings) for need in one.needs]
    if not needs:
        return f"{counted(len(standings), 'scenario')}: all of them go by themselves."
    kinds, newest = Counter(need.kind for need in needs), needs[0]
    found = ", ".join(f"{kinds[kind]} x {kind}" for kind in NeedKind if kinds[kind])
    since = f", since {to_the_minute(newest.since)}" if newest.since else ""
    return f"{found}. The newest: {newest.scenario}, {newest.kind}{since}."


def _verdict(standings: Sequence[Standing]) -> VerdictBlock:
    kinds = {need.kind for one in standings for need in one.needs}
    tone = Tone.GOOD if not kinds else Tone.BAD if kinds & {*GRAVE} else Tone.WATCH
    return VerdictBlock(headline(standings), tone, breakdown(standings))


def _item(one: Standing, made_at: str, address: str) -> ToDoItem:
    todos = []
    for need in one.needs:
        text = describe_need(need)
        since = _since(need, made_at)
        todos.append(ToDo(str(need.kind), since, text.sentence, text.advice, text.command, tone_of(need.kind)))
    return ToDoItem(one.scenario, tuple(todos), address)


def _since(need: Need, made_at: str) -> str:
    return f"for {ago(need.since, made_at)}, since {to_the_minute(need.since)}" if need.since else ""


def _needs(one: Standing, made_at: str) -> BoardCell:
    if not one.needs:
        return BoardCell("")
    gravest = min(one.needs, key=lambda need: list(NeedKind).index(need.kind))
    words, since = ", ".join(need.kind for need in one.needs), one.needs[0].since
    return BoardCell(words, ago(since, made_at), _moment(since) if since else None, tone=tone_of(gravest.kind))


def _champion(one: Standing, made_at: str) -> BoardCell:
    if not one.model:
        return BoardCell("none", tone=Tone.BAD)
    version = ModelTag.parse(one.model).version
    age = f"for {ago(one.since, made_at)}"
    note = f"the naive answer, {age}" if one.is_naive else age
    return BoardCell(version, note, _moment(made_at) - _moment(one.since), tone=_watched(one.is_naive))


def _score(one: Standing, _: str) -> BoardCell:
    if not (quality := one.quality):
        return BoardCell("")
    score = quality.score
    known = "realised" if quality.is_realised else "expected"
    note = f"[{format_score(score.low)}, {format_score(score.high)}] {known}"
    # unlike metrics do not compare: those of one metric stand together
    return BoardCell(f"{quality.metric} {format_score(score.value)}", note, f"{quality.metric} {score.value:018.9f}")


def _skill(one: Standing, _: str) -> BoardCell:
    quality: StandingQuality | None = one.quality
    if quality is None or quality.naive is None or quality.skill is None:
        return BoardCell("")
    tone = Tone.BAD if quality.skill < 0 else Tone.NEUTRAL
    return BoardCell(f"{quality.skill:+.0%}", f"naive {format_score(quality.naive)}", quality.skill, tone=tone)


def _drift(one: Standing, made_at: str) -> BoardCell:
    if not (drift := one.drift):
        return BoardCell("not monitored", tone=_watched(bool(one.model)))
    drifted, columns = sum(column.drifted for column in drift.features), len(drift.features)
    note = f"{drifted} of {columns}, " if columns else ""
    rank = DRIFTS.get(drift.state, 0.0)
    tone = Tone.BAD if drift.state == DriftState.BROKEN_DATA else _watched(drift.state == DriftState.DRIFT)
    key = rank + drifted / max(1, columns)
    return BoardCell(str(drift.state), f"{note}{ago(one.monitored_at, made_at)} ago", key, tone=tone)


def _decision(one: Standing, made_at: str) -> BoardCell:
    event = one.decision
    if event is None:
        return BoardCell("")
    if event.kind == CHALLENGED:
        challenger = event.read(Challenger)
        model, word = challenger.model, "accepted" if challenger.promote else "refused"
    else:
        release = release_of(event)
        model, words = release.model if release else "", {RELEASED: "released", ROLLED_BACK: "rolled back"}
        word = words.get(event.kind, "withdrawn")
    note = f"{ago(event.at, made_at)} ago"
    is_other = model and model != one.model  # what serves has a column
    return BoardCell(word, f"{ModelTag.parse(model).version}, {note}" if is_other else note, _moment(event.at))


def _waits(one: Standing, _: str) -> BoardCell:
    waiting = next((need for need in one.needs if need.kind in WAITING), None)
    if waiting:
        return BoardCell(ModelTag.parse(waiting.about).version, WAITING[waiting.kind], 2, tone=Tone.WATCH)
    return BoardCell(ModelTag.parse(one.challenger).version, ON_TRIAL, 1) if one.challenger else BoardCell("")


def _cost(one: Standing, _: str) -> BoardCell:
    return BoardCell(span(one.cpu_seconds / 86400) if one.cpu_seconds else "none", key=one.cpu_seconds)


def _speed(one: Standing, _: str) -> BoardCell:
    hours = one.hours_to_release
    return BoardCell("") if hours is None else BoardCell(span(hours / 24), key=hours)


COLUMNS: Mapping[BoardHead, Cell] = {
    BoardHead("needs a person", descending=True): _needs,
    BoardHead("champion", descending=True): _champion,
    BoardHead("score"): _score,
    BoardHead("over naive"): _skill,
    BoardHead("drift", descending=True): _drift,
    BoardHead("last decision", descending=True): _decision,
    BoardHead("waits", descending=True): _waits,
    BoardHead(f"CPU, {RECENT.days} days", descending=True): _cost,
    BoardHead("file to release", descending=True): _speed,
}


def _watched(holds: bool) -> Tone:
    return Tone.WATCH if holds else Tone.NEUTRAL


def _moment(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
