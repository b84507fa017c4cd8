"""Open any table by the ending of its name."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.adapters.tables.chunks import Chunk, Line, TableChunks, told_as
from releve.adapters.tables.csv_file import CsvOptions, open_csv
from releve.adapters.tables.excel import open_excel
from releve.adapters.tables.jsonl import open_jsonl
from releve.adapters.tables.parquet import open_parquet
from releve.core.errors import BadInput
from releve.domain.ingestion.reading_notes import ReadingNote

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ENDINGS", "Chunk", "CsvOptions", "Line", "TableChunks", "TableSample", "open_table", "read_sample"]

Open = Callable[[Path, Sequence[str], CsvOptions], TableChunks]


def _csv(path: Path, names: Sequence[str], options: CsvOptions) -> TableChunks:
    return open_csv(path, names=names, options=options)


def _jsonl(path: Path, names: Sequence[str], options: CsvOptions) -> TableChunks:
    return open_jsonl(path)


def _excel(path: Path, names: Sequence[str], options: CsvOptions) -> TableChunks:
    return open_excel(path, names=names, options=options)


ENDINGS: dict[str, Open] = {
    ".csv": _csv,
    ".csv.gz": _csv,
    ".tsv": _csv,
    ".tsv.gz": _csv,
    ".parquet": lambda path, names, options: open_parquet(path),
    ".jsonl": _jsonl,
    ".jsonl.gz": _jsonl,
    ".ndjson": _jsonl,
    ".ndjson.gz": _jsonl,
    ".xlsx": _excel,
    ".xlsm": _excel,
}


OTHER_SHEETS = (".xls", ".xlsb", ".ods", ".fods", ".numbers")  # their size cannot be told before they are opened


def open_table(path: Path, *, names: Sequence[str] = (), options: CsvOptions | None = None) -> TableChunks:
    """The rows of a file, in chunks. Raises BadInput for a file that cannot be read, at once or while it is read.

    names: the columns that the header of a CSV file or a sheet must hold, where they are known; notes above it are
    skipped then.
    """
    name = path.name.lower()
    ending = max((ending for ending in ENDINGS if name.endswith(ending) and name != ending), key=len, default=None)
    if ending is None:
        also = "; save it as .xlsx" if name.endswith(OTHER_SHEETS) else ""
        raise BadInput(
            f"{path.name} is not a file that can be ingested; expected one ending in {', '.join(ENDINGS)}{also}"
        )
    with told_as(path, "a table"):
        size = path.stat().st_size
    if not size:
        raise BadInput(f"{path.name} is empty; expected a header line and rows")
    return ENDINGS[ending](path, names, options or CsvOptions())


@dataclass(frozen=True, eq=False)
class TableSample:
    """The first rows of a table, and the lines among them that are no rows. `is_text`: all cells are text."""

    frame: "pd.DataFrame"
    rows: NDArray[np.int64]  # the number of each row in the file: see Chunk
    lines: tuple[Line, ...]
    read_as: str
    is_text: bool
    complete: bool  # the file holds no more rows than these
    notes: tuple[ReadingNote, ...] = ()


def read_sample(path: Path, rows: int, *, options: CsvOptions | None = None) -> TableSample:
    """Up to `rows` rows of a table of which nothing is known yet. Raises BadInput for one that cannot be read."""
    table = open_table(path, options=options)
    with closing(table.chunks):  # type: ignore[type-var]  # all of them are generators
        chunks, complete = _first(table.chunks, rows)
    frame = _joined([chunk.frame for chunk in chunks]) if chunks else None
    lines = tuple(line for chunk in chunks for line in chunk.lines)
    if frame is None or frame.empty:
        first = f": of {len(lines)} lines none is one; line {lines[0].row} {lines[0].reason}" if lines else ""
        raise BadInput(f"{path.name} has no rows{first}; put a file with at least one row in its place")
    numbers = np.concatenate([chunk.rows for chunk in chunks])
    return TableSample(
        frame.head(rows),
        numbers[:rows],
        lines,
        table.read_as,
        table.is_text,
        complete and len(frame) <= rows,
        table.notes(),
    )


def _joined(frames: "list[pd.DataFrame]") -> "pd.DataFrame":
    import pandas as pd

    return pd.concat(frames, ignore_index=True)


def _first(chunks: Iterator[Chunk], rows: int) -> tuple[list[Chunk], bool]:
    """Chunks until there are `rows` rows; whether that was all."""
    taken: list[Chunk] = []
    for chunk in chunks:
        taken.append(chunk)
        if sum(len(each.frame) for each in taken) > rows:
            return taken, False
    return taken, True
