"""Rejected rows, kept with their reasons: one Parquet file per batch, written while the file is read."""

import json
import re
from collections import Counter
from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from releve.adapters.files import ParquetAppender, write_parquet
from releve.adapters.tables.chunks import Chunk
from releve.core.formatting import counted
from releve.domain.erasure.erasure import ErasedIds
from releve.domain.ingestion.row_versions import ANSWER_ID
from releve.domain.schema.cells import is_missing, names_of
from releve.domain.schema.personal import HIDDEN
from releve.domain.schema.validation import Problem
from tasks.ingestion.batches import as_text

REJECTION_COLUMNS = ("_line", "_column", "_value", "_reason")  # beside rejected rows: where and why each was rejected
LINE = "(line)"  # stands for the column where a whole line is no row
CELL_ENDS = r"[,;|\t\"']"  # what may stand between the cells of a line that is no row
SHOWN_REASONS = 3  # of the column that most rows were rejected for
LONGEST_VALUE = 1000  # characters of a cell that are shown; `cells` holds it whole


@dataclass(frozen=True)
class RejectedCell:
    """One line of a quarantine file. A rejected row has a line for each of its problems."""

    row: int  # as the file counts (see `Chunk.rows`)
    column: str  # LINE where the line is no row
    value: str
    reason: str
    cells: str  # the whole row as a JSON object; of a line that is no row its cells as a JSON list, or its text


class Quarantine:
    """Rejected rows of one file on their way to `path`, which appears with `keep` and not before.

    The cells of a row, as JSON, mean the same to the schema as the row did.
    """

    def __init__(self, path: Path, *, hides_lines: bool = False):
        """`hides_lines`: a line that is no row may hold cells of personal columns, and `value` does not show it."""
        self._file, self._hides_lines = ParquetAppender(path), hides_lines
        self.rows = 0
        self.reasons: Counter[tuple[str, str]] = Counter()  # by column and reason
        self.first = ""  # the first problem of the file, as a sentence part

    def add(self, chunk: Chunk, problems: Iterable[Problem], rejected: list[int]) -> None:
        """Take the rejected rows of a chunk, by position in it, and its lines that are no rows."""
        import pandas as pd

        rows = {
            position: _as_json({str(name): None if is_missing(cell) else cell for name, cell in cells.items()})
            for position, cells in zip(rejected, chunk.frame.iloc[rejected].to_dict("records"), strict=True)
        }
        cells = [
            RejectedCell(
                row=int(chunk.rows[each.row]),
                column=each.column or LINE,
                value="" if is_missing(each.value) else as_text(str(each.value)[:LONGEST_VALUE]),
                reason=each.reason,
                cells=rows[each.row],
            )
            for each in problems
            if each.row is not None
        ]
        for line in chunk.lines:
            text = _as_json(line.cells)
            shown = HIDDEN if self._hides_lines else text[:LONGEST_VALUE]
            cells.append(RejectedCell(line.row, LINE, shown, line.reason, text))
        cells.sort(key=lambda each: each.row)
        self.rows += len(rejected) + len(chunk.lines)
        self.reasons.update((each.column, each.reason) for each in cells)
        if cells:
            self.first = self.first or f"row {cells[0].row}: {cells[0].column} {cells[0].reason}"
            self._file.append(pd.DataFrame([asdict(each) for each in cells]))

    @property
    def most_rejected(self) -> str:
        """Name the column that most rows were rejected for, with its commonest reasons; "" where none was."""
        columns: Counter[str] = Counter()
        for (column, _), count in self.reasons.items():
            columns[column] += count
        for column, _ in columns.most_common(1):
            reasons = [(reason, n) for (name, reason), n in self.reasons.most_common() if name == column]
            shown = "; ".join(f"{reason} ({counted(n, 'row')})" for reason, n in reasons[:SHOWN_REASONS])
            more = f"; and {counted(len(reasons) - SHOWN_REASONS, 'other reason')}" if reasons[SHOWN_REASONS:] else ""
            return f"{'a line that is no row' if column == LINE else f'column {column}'} {shown}{more}"
        return ""

    def keep(self, path: Path) -> None:
        """Move the file to its place; without a rejected row, remove what a killed run left there."""
        self._file.close()
        self._file.move(path)
        if not self.rows:
            path.unlink(missing_ok=True)

    def discard(self) -> None:
        self._file.discard()


def erase_rejected(path: Path, wanted: ErasedIds, answers: Container[str], *, apply: bool) -> list[str]:
    """Find the rejected rows of a batch that are to be erased, and take them out where `apply` says so.

    Returns the id of each, "" where it was the answer that names it.

    Cells that got no names, as their line was no row, are compared with the ids one by one.
    """
    import pandas as pd

    lines = pd.read_parquet(path)

    def named(text: str) -> str | None:
        cells = json.loads(text)
        if isinstance(cells, dict):
            return wanted.find_in(cells) or ("" if cells.get(ANSWER_ID) in answers else None)
        parts = cells if isinstance(cells, list) else re.split(CELL_ENDS, cells)
        return next(filter(None, map(wanted.find, parts)), None)

    ids = map(named, lines["cells"])
    rows = {row: id_ for row, id_ in zip(lines["row"], ids, strict=True) if id_ is not None}
    left = lines[~lines["row"].isin(rows.keys())]
    if apply and rows:
        if len(left):
            write_parquet(path, left)
        else:
            path.unlink()
    return list(rows.values())


def _as_json(cells: Any) -> str:
    def plain(cell: Any) -> Any:
        """Convert a cell that JSON has no type for to what the schema reads as the same: 12.50 to 12.5."""
        if isinstance(cell, Decimal) and cell.is_finite():
            return int(cell) if names_of(cell) else float(cell)
        if isinstance(cell, datetime) and (offset := cell.utcoffset()) is not None and offset.seconds % 60:
            return cell.astimezone(UTC).isoformat()  # zones before 1900 differ by seconds; ISO 8601 cannot say so
        if isinstance(cell, date):
            return cell.isoformat()
        return cell.tolist() if isinstance(cell, np.generic | np.ndarray) else str(cell)

    return json.dumps(cells, default=plain)
