"""Finding answers by a cell of their rows, such as the table's own id: the ledger is read, the newest first."""

from bisect import insort
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from releve.adapters.prediction_ledger.days import StoredDay
from releve.adapters.prediction_ledger.segments import (
    ANSWERS,
    day_in,
    from_line,
    is_finished,
    refusal,
    segments_of,
)
from releve.domain.prediction_log.hidden import NOTHING_HIDDEN, HiddenCells
from releve.domain.prediction_log.records import AnswerLine
from releve.domain.schema.columns import Column

SEARCHED_BYTES = 2**27  # of the newest answers: .2 s for a few texts, 3.5 s where each line has to be parsed
BLOCK_BYTES = 2**20
FEW = 10  # cells whose text is looked for in a line before the line is parsed


@dataclass(frozen=True)
class FoundCells:
    """Row ids by the cell that was searched for; several where one request carried it in several rows."""

    rows: Mapping[Any, Sequence[str]]
    is_whole: bool  # whether nothing of the ledger was left unread


def find_by_cell(
    folder: Path, column: Column, wanted: Collection[Any], *, hidden: HiddenCells = NOTHING_HIDDEN
) -> FoundCells:
    """Find the newest answer that carried each of `wanted`, typed cells, in `column`. Raises Unavailable.

    Reads blocks of all writers' segments, and groups of rows of finished days, the newest first, until all are found;
    none after SEARCHED_BYTES.
    """
    newest: dict[Any, tuple[str, list[str]]] = {}
    hashes = hidden.hashes(column, wanted)
    texts = [] if column.ignore_case else [orjson.dumps(cell)[1:-1] for cell in wanted if isinstance(cell, str)]
    needles = [*texts, *map(str.encode, hashes)] if len(texts) == len(wanted) <= FEW else []
    read, unread = 0, sorted(map(_whole, segments_of(folder, ANSWERS)))
    while unread and read < SEARCHED_BYTES:
        if len(newest) == len(wanted) and all(at >= unread[-1].before for at, _ in newest.values()):
            break
        place = unread.pop()
        answers, left = _read(place, column, needles)
        read += max(0, place.end - sum(each.end for each in left))
        for each in left:
            insort(unread, each)
        for answer in answers:
            for position, row in enumerate(answer.rows):
                value = row.get(column.name)
                # an older schema may have taken what the column would not take now
                if column.name in answer.hashed:
                    cell = hashes.get(str(value))
                else:
                    cell = None if value is None or column.problem(value) else column.typed(value)
                if cell in wanted and answer.at >= newest.get(cell, ("", []))[0]:
                    known = newest[cell][1] if cell in newest and newest[cell][0] == answer.at else []
                    named = f"{answer.id}.{position}"  # which may be there twice, while its day is compacted
                    newest[cell] = (answer.at, known if named in known else [*known, named])
    # what is older than something unread may not be the newest
    certain = {cell: ids for cell, (at, ids) in newest.items() if not unread or at >= unread[-1].before}
    return FoundCells(certain, is_whole=not unread)


class _Place(NamedTuple):
    """What is still to be read of a segment, or of a finished day; in order of time."""

    before: str  # what is left was answered until then
    path: Path
    end: int  # bytes
    group: int = -1  # of a finished day's rows; -1 before the day is opened


def _whole(path: Path) -> _Place:
    day = day_in(path)
    size = path.stat().st_size if path.is_file() else 0  # it may be archived meanwhile
    return _Place(f"{day[:4]}-{day[4:6]}-{day[6:]}T24", path, size)


def _read(place: _Place, column: Column, needles: Sequence[bytes]) -> tuple[Iterable[AnswerLine], list[_Place]]:
    """Read the newest answers of a place, and what is left of it.

    `needles`: lines without any of them may be left out.
    """
    try:
        if not is_finished(place.path):
            lines, rest = _block(place)
            there = (line for line in lines if not needles or any(needle in line for needle in needles))
            return _whole_answers(map(from_line, there)), [rest] if rest.end else []
        with StoredDay(place.path) as day:
            if place.group < 0:
                return (), [_Place(at, place.path, size, group) for at, size, group in day.groups()]
            values = (line.value for line in day.group(place.group, features={column.name}))
            return list(_whole_answers(values)), []
    except FileNotFoundError:  # compacted meanwhile, or archived
        finished = place.path.with_name(f"{ANSWERS}-{day_in(place.path)}.parquet")
        return (), [_whole(finished)] if finished.is_file() and finished != place.path else []
    except OSError as error:
        raise refusal(place.path, error) from None


def _whole_answers(values: Iterable[Any]) -> Iterator[AnswerLine]:
    return (answer for value in values if (answer := AnswerLine.parse(value)))


def _block(place: _Place) -> tuple[Sequence[bytes], _Place]:
    """The last whole lines of `place`, one at least, and what is left before them."""
    with place.path.open("rb") as segment:
        start, size = place.end, BLOCK_BYTES
        while start:
            start = max(0, place.end - size)
            segment.seek(start)
            data = segment.read(place.end - start)
            begun = data.find(b"\n") + 1 if start else 0  # the first line may have begun before
            if not start or 0 < begun < len(data):
                lines = data[begun:].splitlines(keepends=True)
                first = AnswerLine.parse(from_line(lines[0])) if lines else None
                return lines, _Place(first.at if first else place.before, place.path, start + begun)
            size *= 2
    return (), place._replace(end=0)
