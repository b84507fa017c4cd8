"""What every reader gives: rows in chunks, each with its number, and the lines that hold no row."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput, storage_error
from releve.domain.ingestion.reading_notes import ReadingNote
from releve.domain.schema.cells import trimmed

if TYPE_CHECKING:
    import pandas as pd

CELLS_PER_CHUNK = 400_000  # a cell read from text takes some 60 bytes, so that a chunk stays below 50 MB
MOST_ROWS_PER_CHUNK = 50_000
CHARACTERS_PER_CHUNK = 1 << 24  # of long texts, which fill a chunk before its cells do
LONGEST_ROW = 1 << 24  # characters of CSV, bytes of JSON Lines; what is longer lacks a line break, or a closing quote


@dataclass(frozen=True)
class Line:
    """A line that is no row of the table, and why. `cells` is what stood there: its cells, or its text."""

    row: int
    reason: str
    cells: Any


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows of a table, cells as found, and the lines among them that could not be rows.

    `rows` counts as the file does: the first line of a CSV row, the line of JSON Lines, the row of a sheet, and the
    row from 1 where there are no lines.
    """

    frame: "pd.DataFrame"
    rows: NDArray[np.int64]
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, eq=False)
class TableChunks:
    """An open table. `chunks` can be gone through once; closing it early lets go of the file."""

    chunks: Iterator[Chunk]
    read_as: str  # what was found out about the file, in words
    is_text: bool = False  # cells are text whatever they mean, as in CSV
    delimiter: str = ""  # of a CSV file
    place: Callable[[], int] = field(default=lambda: 0)  # bytes of the file that were read so far
    notes: Callable[[], tuple[ReadingNote, ...]] = tuple  # what was done to the chunks so far that cells do not show


def chunk_rows(columns: int) -> int:
    """Rows of a chunk of a table this wide."""
    return max(100, min(MOST_ROWS_PER_CHUNK, CELLS_PER_CHUNK // max(columns, 1)))


def frame_of(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> "pd.DataFrame":
    """Cells as they are: pandas guesses no types. Names are trimmed."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(map(trimmed, names)), dtype=object)


def numbered(numbers: Sequence[int]) -> NDArray[np.int64]:
    """Row numbers as a chunk holds them."""
    return np.asarray(numbers, dtype=np.int64)


def too_long(path: Path, *, first: int, last: int, unit: str) -> BadInput:
    """The refusal of a file whose lines `first` to `last` are longer than a row may be; no more of them was read."""
    lines = f"line {first} is" if first == last else f"lines {first} to {last} are one row, which is"
    return BadInput(
        f"{path.name}: {lines} longer than {LONGEST_ROW:,} {unit}, the most that a row may hold; end every row with a "
        "line break, and close every quote"
    )


@contextmanager
def told_as(path: Path, kind: str) -> Iterator[None]:
    """Whatever a library raises about a file becomes BadInput: each raises its own kinds, and all mean the same.

    What a disk or its rights refuse is no fault of the file: that is StorageRefused.
    """
    try:
        yield
    except (BadInput, MemoryError, GeneratorExit):
        raise
    except Exception as error:
        if refused := storage_error(error, path):
            raise refused from error
        raise BadInput(f"{path.name} cannot be read as {kind}: {str(error).strip() or repr(error)}") from error


def guarded(chunks: Iterator[Chunk], path: Path, kind: str) -> Iterator[Chunk]:
    """The same chunks; what is wrong further down in the file is told like what is wrong at its beginning."""
    with told_as(path, kind):
        yield from chunks
