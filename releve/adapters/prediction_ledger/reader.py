"""Reading the prediction ledger: all that was written of one scenario, and single answers by their ids.

Finished days lie in one Parquet file each (`compaction`): whoever asks gets the same from both forms.
"""

import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from releve.adapters.prediction_ledger.days import StoredDay
from releve.adapters.prediction_ledger.lines import SegmentLines
from releve.adapters.prediction_ledger.segments import (
    ANSWERS,
    LABELS,
    SEARCHES,
    SHADOWS,
    day_in,
    from_line,
    is_finished,
    refusal,
    segments_of,
)
from releve.domain.prediction_log.records import (
    AnsweredRow,
    AnsweredRows,
    AnswerLine,
    LabelLine,
    RowId,
    Scalar,
    SearchLine,
    ShadowLine,
    answers_from,
    by_request,
    day_of,
    newest_labels,
    parse_request_id,
    parse_row_id,
    parse_since,
)

LAST = "9999-12-31"  # of all moments, as the ledger writes them


class LedgerReader:
    """Reads all writers' answers and labels of one scenario, while they are being written or later."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answers(self, *, since: str | None = None, model: str | None = None) -> AnsweredRows:
        """Answered rows in time order, from `since` (ISO date or time, inclusive) on and of one model.

        Raises BadInput for a `since` that is no time.
        """
        start = parse_since(since) if since else ""
        lines = SegmentLines(segments_of(self._folder, ANSWERS, day_of(start)), AnswerLine.parse)
        wanted = [line for line in lines if line.at >= start and model in (None, line.model)]
        return answers_from(wanted, torn_lines=lines.torn)

    def requests(self, *, since: str, until: str | None = None) -> Iterator[AnswerLine]:
        """Answered requests of all arms from `since` on and before `until`, as the ledger writes moments.

        One day after the other, and of each day one writer after the other: nothing is held, however many there are.
        """
        paths = segments_of(self._folder, ANSWERS, day_of(since), day_of(until or LAST))
        lines = SegmentLines(paths, AnswerLine.parse)
        return (line for line in lines if line.at >= since and (until is None or line.at < until))

    def newest(self, rows: int, *, arm: str) -> AnsweredRows:
        """Return the newest `rows` answers of one arm, of whatever model, in time order; no older day is read."""
        segments = segments_of(self._folder, ANSWERS)
        found: list[AnswerLine] = []
        for _, paths in groupby(reversed(segments), key=day_in):
            found += [line for line in SegmentLines(sorted(paths), AnswerLine.parse) if line.arm == arm]
            if sum(len(line.rows) for line in found) >= rows:
                break
        answers = answers_from(found)
        return answers.take(range(max(0, len(answers) - rows), len(answers)))

    def answers_to(self, row_ids: Iterable[str]) -> AnsweredRows:
        """Return the answers to these rows in time order; only their lines are read."""
        return AnsweredRows.of(_in_time(find_answers(self._folder, row_ids).values()))

    def first_answers_to(self, row_ids: Sequence[str], *, arm: str, models: Container[str], most: int) -> AnsweredRows:
        """Return answers that one of `models` gave in that arm to the first `most` such rows, in time order.

        `most` of the rows are looked up at a time, and none once there are enough.
        """
        found: dict[str, AnsweredRow] = {}
        for place in range(0, len(row_ids), most):
            there = find_answers(self._folder, part := row_ids[place : place + most])
            rows = (there[name] for name in part if name in there)
            found |= {row.id: row for row in rows if row.arm == arm and row.model in models}
            if len(found) >= most:
                break
        return AnsweredRows.of(_in_time(islice(found.values(), most)))

    def days(self, *, arm: str) -> Iterator[AnsweredRows]:
        """One arm's answers of every model in time order, a day (UTC) at a time and without features: a ledger of any
        length, read once."""
        segments = segments_of(self._folder, ANSWERS)
        for _, paths in groupby(segments, key=day_in):
            lines = SegmentLines(paths, AnswerLine.parse, features=())
            yield answers_from([line for line in lines if line.arm == arm], featureless=True)

    def shadows(self, *, since: str | None = None, model: str | None = None) -> list[ShadowLine]:
        """What challengers answered aside, in time order, from `since` on (as in `answers`) and of one model.

        A line without labels tells of a failure. Raises BadInput for a `since` that is no time.
        """
        start = parse_since(since) if since else ""
        lines = SegmentLines(segments_of(self._folder, SHADOWS, day_of(start)), ShadowLine.parse)
        wanted = (line for line in lines if line.at >= start and model in (None, line.model))
        return sorted(wanted, key=lambda line: line.at)

    def labels(self, *, with_queued: bool = False) -> dict[str, tuple[Scalar, str]]:
        """Row id -> (label, at); the newest label of a row counts.

        Queued labels are of rows on which two models disagree: whoever trains on them, or takes their share of errors
        for the model's, is misled. So they are left out unless asked for.
        """
        lines = SegmentLines(segments_of(self._folder, LABELS), LabelLine.parse)
        return newest_labels(lines, with_queued=with_queued)


def numbered_requests(folder: Path, workers: Container[str], *, since: str) -> dict[int, str]:
    """Find the requests that these writers numbered (see `LedgerWriter.answer`) from a day (YYYYMMDD) on: their ids.

    Raises Unavailable.
    """
    paths = [
        path for path in segments_of(folder, ANSWERS, since) if is_finished(path) or path.stem.split("-")[2] in workers
    ]
    places = ((line.id, parse_request_id(line.id)) for line in SegmentLines(paths, AnswerLine.parse, features=()))
    return {int(place.random, 16): request for request, place in places if place.worker in workers}


def _in_time(rows: Iterable[AnsweredRow]) -> list[AnsweredRow]:
    return sorted(rows, key=lambda row: (row.at, parse_row_id(row.id)))


def find_answer(folder: Path, row_id: str) -> AnsweredRow | None:
    """The row of that id in the ledger at `folder`, or None. Raises BadInput for what is not a row id."""
    parse_row_id(row_id)
    return find_answers(folder, [row_id]).get(row_id)


def find_request(folder: Path, request: str) -> AnswerLine | SearchLine | None:
    """The answers or the search of that id in the ledger at `folder`. Raises BadInput for no id at all, Unavailable."""
    place = parse_request_id(request)
    for kind, parse in ((ANSWERS, AnswerLine.parse), (SEARCHES, SearchLine.parse)):
        try:
            for line in map(parse, _values_at(folder, kind, place)):
                if line is not None and line.id == request:
                    return line
        except OSError as error:
            raise refusal(folder / kind, error) from None
    return None


def _values_at(folder: Path, kind: str, place: RowId) -> Iterator[Any]:
    """The line that begins there in its segment, then in its finished day."""
    with suppress(FileNotFoundError):
        lines = _lines_at(folder / f"{kind}-{place.day}-{place.worker}.jsonl", [place.offset])
        yield from (value for _, value in lines)
    with suppress(FileNotFoundError), StoredDay(folder / f"{kind}-{place.day}.parquet") as stored:
        yield from (line.value for line in stored.find(place.worker, [place.offset]))


def find_answers(folder: Path, row_ids: Iterable[str]) -> dict[str, AnsweredRow]:
    """Those of `row_ids` that the ledger at `folder` answered, by id. Raises Unavailable.

    Each segment is opened once, and its lines are read from front to back; of a finished day the groups of rows that
    the ids are in.
    """
    by_writer: dict[tuple[str, str], dict[int, list[str]]] = {}
    for ids in by_request(row_ids).values():
        place = parse_row_id(ids[0])
        by_writer.setdefault((place.day, place.worker), {}).setdefault(place.offset, []).extend(ids)
    answered: dict[str, AnsweredRow] = {}
    for (day, worker), ids_at in by_writer.items():
        finished = folder / f"{ANSWERS}-{day}.parquet"
        try:
            with suppress(FileNotFoundError):
                lines = _lines_at(folder / f"{ANSWERS}-{day}-{worker}.jsonl", sorted(ids_at))
                answered |= _rows_of(lines, ids_at)
            if any(name not in answered for ids in ids_at.values() for name in ids):
                with suppress(FileNotFoundError), StoredDay(finished) as stored:
                    found = ((line.offset, line.value) for line in stored.find(worker, ids_at))
                    answered |= _rows_of(found, ids_at)
        except OSError as error:
            raise refusal(finished, error) from None
    return answered


def _lines_at(path: Path, offsets: Sequence[int]) -> Iterator[tuple[int, Any]]:
    with path.open("rb") as segment:
        size = os.fstat(segment.fileno()).st_size
        for offset in offsets:
            if offset >= size:
                break
            segment.seek(offset)
            yield offset, from_line(segment.readline())


def _rows_of(lines: Iterable[tuple[int, Any]], ids_at: Mapping[int, list[str]]) -> dict[str, AnsweredRow]:
    """The rows that the ids name, which are looked for where each line begins."""
    answers = ((offset, AnswerLine.parse(value)) for offset, value in lines)
    rows = ((name, answer.row(name)) for offset, answer in answers if answer for name in ids_at[offset])
    return {name: row for name, row in rows if row is not None}
