"""The result of every reader: rows in chunks, each with its number, and the lines that are no rows."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput, storage_error
from releve.domain.ingestion.reading_notes import ReadingNote
from releve.domain.schema.cells import trimmed

if TYPE_CHECKING:
    import pandas as pd

CELLS_PER_CHUNK = 400_000  # a cell read from text takes some 60 bytes, so that a chunk stays below 50 MB
MOST_ROWS_PER_CHUNK = 20_000  # so that workers share evenly what takes long a row
CHARACTERS_PER_CHUNK = 1 << 21  # of long texts, which fill a chunk before its cells do, and take the longest
P = TypeVar("P")
LONGEST_ROW = 1 << 24  # characters of CSV, bytes of JSON Lines; what is longer lacks a line break, or a closing quote


@dataclass(frozen=True)
class InvalidLine:
    """A line that is no row of the table, and why."""

    row: int
    reason: str
    cells: Any  # a list of its cells, or its text


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows of a table, cells as found, and the lines among them that could not be rows.

    `rows` counts as the file does: the first line of a CSV row, the line of JSON Lines, the row of a sheet, and the
    row from 1 where there are no lines.
    """

    frame: "pd.DataFrame"
    rows: NDArray[np.int64]
    lines: tuple[InvalidLine, ...] = ()

    def read(self) -> "Chunk":
        """Return itself: a piece of most types of files is read already."""
        return self


class Piece(Protocol):
    """Some rows of a table on their way to whoever reads them, another process perhaps."""

    def read(self) -> Chunk:
        """Return them as a chunk. Raise BadInput."""


@dataclass(frozen=True, eq=False)
class TableChunks:
    """An open table. `chunks` can be gone through once; closing it early lets go of the file.

    `pieces`: the same rows as they travel best, to be gone through in the place of `chunks`; None where chunks do.
    """

    chunks: Iterator[Chunk]
    read_as: str  # what was detected about the file, for people
    is_text: bool = False  # cells are text whatever they mean, as in CSV
    delimiter: str = ""  # of a CSV file
    place: Callable[[], int] = field(default=lambda: 0)  # bytes of the file that were read so far
    notes: Callable[[], tuple[ReadingNote, ...]] = tuple  # of the chunks so far
    pieces: Iterator[Piece] | None = None


def chunk_rows(columns: int) -> int:
    """Compute how many rows a chunk of a table this wide has."""
    return max(100, min(MOST_ROWS_PER_CHUNK, CELLS_PER_CHUNK // max(columns, 1)))


def frame_of(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> "pd.DataFrame":
    """Make a frame of cells as they are: pandas guesses no types. Names are trimmed."""
    import pandas as pd

    return pd.DataFrame(list(rows), columns=list(map(trimmed, names)), dtype=object)


def row_numbers(numbers: Sequence[int]) -> NDArray[np.int64]:
    """Convert row numbers to what a chunk holds."""
    return np.asarray(numbers, dtype=np.int64)


def too_long(path: Path, *, first: int, last: int, unit: str) -> BadInput:
    """Refuse a file whose lines `first` to `last` are longer than a row may be; no more of them was read."""
    lines = f"line {first} is" if first == last else f"lines {first} to {last} are one row, which is"
    return BadInput(
        f"{path.name}: {lines} longer than {LONGEST_ROW:,} {unit}, the most that a row may hold; end every row with a "
        "line break, and close every quote"
    )


class UnreadableFile(BadInput):
    """A file cannot be read. Its message may repeat a part of the file, which `without_cells` does not."""

    def __init__(self, message: str, *, without_cells: str = "") -> None:  # by the message alone where it is unpickled
        super().__init__(message)
        self.without_cells = without_cells


@contextmanager
def read_errors(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a library raises about a file into BadInput; what a disk or its rights refuse is StorageRefused."""
    try:
        yield
    except (BadInput, MemoryError, GeneratorExit):
        raise
    except Exception as error:
        if refused := storage_error(error, path):
            raise refused from error
        what = f"{path.name} cannot be read as {kind}"
        raise UnreadableFile(
            f"{what}: {str(error).strip() or repr(error)}", without_cells=f"{what} ({type(error).__name__})"
        ) from error


def guarded(chunks: Iterator[P], path: Path, kind: str) -> Iterator[P]:
    """Yield the same chunks, with the same errors for what is wrong further down in the file."""
    with read_errors(path, kind):
        yield from chunks
