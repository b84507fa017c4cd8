"""Finding answers by a cell of their rows, such as the table's own id: the ledger is read, the newest day first."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from releve.adapters.prediction_ledger.segments import ANSWERS, from_line, refusal, segments_of
from releve.domain.prediction_log.records import AnswerLine
from releve.domain.schema.columns import Column

SEARCHED_BYTES = 2**27  # of the newest answers: .2 s for a few texts, 3.5 s where each line has to be parsed
FEW = 10  # cells whose text is looked for in a line before the line is parsed


@dataclass(frozen=True)
class FoundCells:
    """Row ids by the cell that was searched for; several where one request carried it in several rows."""

    rows: Mapping[Any, Sequence[str]]
    is_whole: bool  # whether the ledger was read from its first day on


def find_by_cell(folder: Path, column: Column, wanted: Collection[Any]) -> FoundCells:
    """Find the newest answer that carried each of `wanted`, typed cells, in `column`. Raises Unavailable.

    Reads a day at a time, until all are found; no further day after SEARCHED_BYTES.
    """
    newest: dict[Any, tuple[str, list[str]]] = {}
    texts = [] if column.ignore_case else [orjson.dumps(cell)[1:-1] for cell in wanted if isinstance(cell, str)]
    needles = texts if len(texts) == len(wanted) <= FEW else []
    read, segments = 0, segments_of(folder, ANSWERS)
    for _, paths in groupby(reversed(segments), key=lambda path: path.name.split("-")[1]):
        of_day: dict[Any, tuple[str, list[str]]] = {}
        for path in paths:
            read += os.stat(path).st_size if path.is_file() else 0
            for line in _lines(path, needles):
                for position, row in enumerate(line.rows):
                    value = row.get(column.name)
                    # an older schema may have taken what the column would not take now
                    cell = None if value is None or column.problem(value) else column.typed(value)
                    if cell in wanted and line.at >= of_day.get(cell, ("", []))[0]:
                        known = of_day[cell][1] if cell in of_day and of_day[cell][0] == line.at else []
                        of_day[cell] = (line.at, [*known, f"{line.id}.{position}"])
        newest = of_day | newest
        if len(newest) == len(wanted) or read >= SEARCHED_BYTES:
            break
    return FoundCells({cell: ids for cell, (_, ids) in newest.items()}, is_whole=read < SEARCHED_BYTES)


def _lines(path: Path, needles: Sequence[bytes]) -> Iterator[AnswerLine]:
    """Read the answers of one segment; with `needles`, those that hold one of them."""
    try:
        with path.open("rb") as segment:
            for raw in segment:
                if not needles or any(needle in raw for needle in needles):
                    line = AnswerLine.parse(from_line(raw))
                    if line is not None:
                        yield line
    except FileNotFoundError:  # archived meanwhile
        return
    except OSError as error:
        raise refusal(path, error) from None
