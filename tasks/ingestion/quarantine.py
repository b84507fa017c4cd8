"""Rejected rows, kept with their reasons: one Parquet file per batch, written while the file is read."""

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.files import ParquetAppender
from releve.adapters.tables.chunks import Chunk, Line
from releve.domain.schema.cells import is_missing, names_of
from releve.domain.schema.validation import Problem

if TYPE_CHECKING:
    import pandas as pd

REJECTION_COLUMNS = (
    "_line",
    "_column",
    "_value",
    "_reason",
)  # columns beside resubmitted rows: where and why each was rejected
LINE = "(line)"  # stands for the column where a whole line is no row
LONGEST_VALUE = 1000  # characters of a cell that are shown; `cells` holds it whole


class Quarantine:
    """Rejected rows of one file on their way to `path`, which appears with `keep` and not before.

    A line per problem: `row` as the file counts (see `Chunk.rows`), `column`, `value`, `reason`, and `cells`: the whole
    row as a JSON object that says the same to the schema as the row did, or, of a line that is no row, its cells as a
    JSON list or its text.
    """

    def __init__(self, path: Path):
        self._file = ParquetAppender(path)
        self.rows = 0
        self.reasons: Counter[str] = Counter()
        self.first = ""  # the first problem of the file, in words

    def add(self, chunk: Chunk, problems: Iterable[Problem], rejected: list[int]) -> None:
        """Take the rejected rows of a chunk, by position in it, and its lines that are no rows."""
        cells = dict(zip(rejected, chunk.frame.iloc[rejected].to_dict("records"), strict=True))
        told = [_problem(chunk, problem, cells[problem.row]) for problem in problems]
        told += [_line(line) for line in chunk.lines]
        told.sort(key=lambda each: int(each["row"]))
        self.rows += len(rejected) + len(chunk.lines)
        self.reasons.update(f"{each['column']} {each['reason']}" for each in told)
        if told:
            self.first = self.first or f"row {told[0]['row']}: {told[0]['column']} {told[0]['reason']}"
            self._file.append(_frame(told))

    def keep(self, path: Path) -> None:
        """Put what was rejected in its place; where nothing was, what a killed run left there goes."""
        self._file.close()
        self._file.move(path)
        if not self.rows:
            path.unlink(missing_ok=True)

    def discard(self) -> None:
        self._file.discard()


def _problem(chunk: Chunk, problem: Problem, cells: dict[Any, Any]) -> dict[str, Any]:
    return {
        "row": int(chunk.rows[problem.row]),
        "column": problem.column,
        "value": str(problem.value)[:LONGEST_VALUE],
        "reason": problem.reason,
        "cells": json.dumps(
            {str(name): None if is_missing(cell) else cell for name, cell in cells.items()}, default=_plain
        ),
    }


def _plain(cell: Any) -> Any:
    """A cell that JSON has no type for as what the schema reads as the same: 12.50 as 12.5, a date as ISO 8601."""
    if isinstance(cell, Decimal) and cell.is_finite():
        return int(cell) if names_of(cell) else float(cell)
    if isinstance(cell, datetime) and (offset := cell.utcoffset()) is not None and offset.seconds % 60:
        return cell.astimezone(UTC).isoformat()  # zones before 1900 differ by seconds, which ISO 8601 has no sign for
    if isinstance(cell, date):
        return cell.isoformat()
    return cell.tolist() if isinstance(cell, np.generic | np.ndarray) else str(cell)


def _line(line: Line) -> dict[str, Any]:
    cells = json.dumps(line.cells, default=_plain)
    return {"row": line.row, "column": LINE, "value": cells[:LONGEST_VALUE], "reason": line.reason, "cells": cells}


def _frame(lines: list[dict[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(lines)
