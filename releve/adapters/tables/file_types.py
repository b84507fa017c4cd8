"""Open any table by the ending of its name."""

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.adapters.tables.chunks import Chunk, InvalidLine, TableChunks, read_errors
from releve.adapters.tables.csv_file import CsvOptions, open_csv
from releve.adapters.tables.excel import open_excel
from releve.adapters.tables.jsonl import open_jsonl
from releve.adapters.tables.parquet import open_parquet
from releve.core.errors import BadInput
from releve.domain.ingestion.reading_notes import ReadingNote

if TYPE_CHECKING:
    import pandas as pd

FILE_TYPES: dict[str, Callable[..., TableChunks]] = {
    **dict.fromkeys((".csv", ".csv.gz", ".tsv", ".tsv.gz"), open_csv),
    ".parquet": open_parquet,
    **dict.fromkeys((".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"), open_jsonl),
    **dict.fromkeys((".xlsx", ".xlsm"), open_excel),
}  # by the ending of a file's name
OTHER_SHEETS = (".xls", ".xlsb", ".ods", ".fods", ".numbers")  # their size cannot be known before they are opened


def open_table(path: Path, *, names: Sequence[str] = (), options: CsvOptions | None = None) -> TableChunks:
    """Open the rows of a file, in chunks. Raise BadInput for a file that cannot be read, at once or while it is read.

    names: the columns that the header of a CSV file or a sheet must hold, where they are known; notes above it are
    skipped then.
    """
    name = path.name.lower()
    ending = max((ending for ending in FILE_TYPES if name.endswith(ending) and name != ending), key=len, default=None)
    if ending is None:
        also = "; save it as .xlsx" if name.endswith(OTHER_SHEETS) else ""
        raise BadInput(
            f"{path.name} is not a file that can be ingested; expected one ending in {', '.join(FILE_TYPES)}{also}"
        )
    with read_errors(path, "a table"):
        size = path.stat().st_size
    if not size:
        raise BadInput(f"{path.name} is empty; expected a header line and rows")
    return FILE_TYPES[ending](path, names=names, options=options or CsvOptions())


@dataclass(frozen=True, eq=False)
class TableSample:
    """The first rows of a table, and the lines among them that are no rows. `is_text`: all cells are text."""

    frame: "pd.DataFrame"
    rows: NDArray[np.int64]  # the number of each row in the file: see Chunk
    lines: tuple[InvalidLine, ...]
    read_as: str
    is_text: bool
    complete: bool  # the file holds no more rows than these
    notes: tuple[ReadingNote, ...] = ()


def read_sample(path: Path, rows: int, *, options: CsvOptions | None = None) -> TableSample:
    """Read up to `rows` rows of a table of which nothing is known yet. Raise BadInput for one that cannot be read."""
    import pandas as pd

    table = open_table(path, options=options)
    chunks: list[Chunk] = []
    with closing(table.chunks):  # type: ignore[type-var]  # all of them are generators
        for chunk in table.chunks:
            chunks.append(chunk)
            if sum(len(each.frame) for each in chunks) > rows:
                break
    frame = pd.concat([chunk.frame for chunk in chunks], ignore_index=True) if chunks else None
    lines = tuple(line for chunk in chunks for line in chunk.lines)
    if frame is None or frame.empty:
        first = f": of {len(lines)} lines none is one; line {lines[0].row} {lines[0].reason}" if lines else ""
        raise BadInput(f"{path.name} has no rows{first}; put a file with at least one row in its place")
    return TableSample(
        frame=frame.head(rows),
        rows=np.concatenate([chunk.rows for chunk in chunks])[:rows],
        lines=lines,
        read_as=table.read_as,
        is_text=table.is_text,
        complete=len(frame) <= rows,
        notes=table.notes(),
    )
