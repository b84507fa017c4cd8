"""Rows leave the ledger, and the other rows of their requests stay.

A line cannot shrink where it lies, as ids say at which byte each line begins. So a day that holds such a row becomes
the day's file, today's too, without it: see `compaction`. Answers go last: who is killed before finds them, and by them
what belongs to them, again.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from releve.adapters.prediction_ledger.compaction import Change, compact_day, merged, taken
from releve.adapters.prediction_ledger.days import StoredDay, StoredLine
from releve.adapters.prediction_ledger.lines import SegmentLines, segment_lines
from releve.adapters.prediction_ledger.segments import (
    ANSWERS,
    LABELS,
    SEARCHES,
    SHADOWS,
    day_in,
    is_finished,
    segments_of,
)
from releve.core.errors import explained_storage
from releve.domain.erasure.erasure import ErasedIds, Place
from releve.domain.prediction_log.records import AnswerLine, LabelLine, SearchLine, ShadowLine

PLACES = {LABELS: Place.LABELS, SHADOWS: Place.SHADOWS, SEARCHES: Place.SEARCHES, ANSWERS: Place.ANSWERS}
EMPTY: Mapping[str, Any] = {
    "rows": {},
    "labels": None,
    "probabilities": None,
    "intervals": None,
    "decisions": None,
    "expected_costs": None,
    "rules": None,
}  # what stands for an erased row


@dataclass
class LedgerErasure:
    """What left a ledger, and what has to wait."""

    counts: dict[Place, int] = field(default_factory=dict)
    open_segments: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class AnswersToErase:
    """Answered rows, by row id: the id that names each, "" where it was erased before."""

    ids: Mapping[str, str]

    @property
    def fresh(self) -> set[str]:
        """Those that are still to be erased."""
        return {row_id for row_id, id_ in self.ids.items() if id_}


def find_answers_to_erase(folder: Path, wanted: ErasedIds) -> Iterator[tuple[str, str]]:
    """Read (row id, the id that names it) of a ledger's answers, with "" for rows that were erased before."""
    name = wanted.column.name if wanted.column else ""
    for line in SegmentLines(segments_of(folder, ANSWERS), AnswerLine.parse, features={name} - {""}):
        for place, row in enumerate(line.rows):
            row_id = f"{line.id}.{place}"
            if place in line.erased:
                yield row_id, ""
            elif row_id in wanted.answers:
                yield row_id, row_id
            elif id_ := wanted.find_in(row, hashed=name in line.hashed):
                yield row_id, id_


def erase_lines(
    folder: Path, kind: str, wanted: ErasedIds, answers: AnswersToErase, places: frozenset[tuple[str, int]]
) -> LedgerErasure:
    """Take rows out of one kind of lines; `places`: batch and position of rows that searches may have found.

    Lines in a segment that a writer has open stay, and it is named.
    """
    change, done, count = _change_of(kind, wanted, answers, places), LedgerErasure(), 0
    for day, paths in groupby(segments_of(folder, kind), key=day_in):
        segments, file = [path for path in paths if not is_finished(path)], folder / f"{kind}-{day}.parquet"
        with explained_storage(folder), ExitStack() as stack:
            closed = [(path, opened) for path in segments if (opened := taken(path, stack))]
            held = set(segments) - {path for path, _ in closed}
            done.open_segments += [path.name for path in sorted(held) if _is_concerned(path, change)]
            stored = stack.enter_context(StoredDay(file)) if file.is_file() else None
            fresh = [(path, opened) for path, opened in closed if not (stored and stored.holds(path))]
            changed, left = 0, 0
            for line in merged(stored, fresh):
                new = change(line)
                changed, left = changed + (new is not line), left + (new is not None)
                count += _rows_between(line, new)
            if changed and left:
                compact_day(file, kind, day, closed, change=change)
            elif changed:
                for path in (*(path for path, _ in closed), file):
                    path.unlink(missing_ok=True)
    done.counts[PLACES[kind]] = count
    return done


def _rows_between(line: StoredLine, new: StoredLine | None) -> int:
    """Count the rows that a line has lost; one, where it tells of no rows."""
    if new is line:
        return 0
    if new is None or new.value["erased"] is True:
        return 1
    return len(new.value["erased"]) - len(line.value.get("erased") or ())


def _is_concerned(path: Path, change: Change) -> bool:
    with path.open("rb") as file:
        return any(change(line) is not line for line in segment_lines(file, path.stem.split("-")[2]))


def _change_of(kind: str, wanted: ErasedIds, answers: AnswersToErase, places: frozenset[tuple[str, int]]) -> Change:
    by_request: dict[str, set[int]] = {}
    for row_id in answers.fresh:
        request, _, place = row_id.rpartition(".")
        by_request.setdefault(request, set()).add(int(place))
    requests = {row_id.rpartition(".")[0] for row_id in answers.ids}

    def with_value(line: StoredLine, value: Mapping[str, object]) -> StoredLine:
        return line._replace(value=value, raw=orjson.dumps(value) + b"\n")

    def answered(line: StoredLine) -> StoredLine | None:
        found = AnswerLine.parse(line.value)
        if found is None or found.id not in by_request:
            return line
        gone = by_request[found.id] - set(found.erased)
        if not gone:
            return line
        value = dict(line.value)
        for name in EMPTY.keys() & value.keys():
            if value[name] is not None:
                value[name] = [EMPTY[name] if place in gone else cell for place, cell in enumerate(value[name])]
        return with_value(line, {**value, "erased": sorted({*found.erased, *gone})})

    def searched(line: StoredLine) -> StoredLine | None:
        found = SearchLine.parse(line.value)
        if found is None:
            return line
        row = found.question.get("row") or {}
        if wanted.find_in(row) or wanted.find_in(row, hashed=True):
            nothing = dict.fromkeys(found.question)
            return with_value(line, {**line.value, "question": nothing, "neighbours": [], "erased": True})
        kept = [
            each
            for each in found.neighbours
            if (each["batch"], each["row"]) not in places and not wanted.find(each.get("row_id") or None)
        ]
        if len(kept) == len(found.neighbours):
            return line
        return with_value(line, {**line.value, "neighbours": kept, "erased": True})

    def shadowed(line: StoredLine) -> StoredLine | None:
        found = ShadowLine.parse(line.value)
        return None if found is not None and found.of in requests else line

    def labelled(line: StoredLine) -> StoredLine | None:
        found = LabelLine.parse(line.value)
        return None if found is not None and found.id in answers.ids else line

    read = {ANSWERS: answered, SEARCHES: searched, SHADOWS: shadowed, LABELS: labelled}[kind]

    def change(line: StoredLine) -> StoredLine | None:
        """A line that was torn is nobody's any more, whatever it still says."""
        if line.torn:
            return None if wanted.in_text(line.raw or b"") else line
        return read(line)

    return change
