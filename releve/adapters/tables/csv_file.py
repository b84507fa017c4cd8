"""CSV, packed or not, a chunk at a time. A line with too many or too few cells is no row, and is told by its number."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releve.adapters.tables.chunks import (
    CHARACTERS_PER_CHUNK,
    LONGEST_ROW,
    Chunk,
    Line,
    TableChunks,
    chunk_rows,
    frame_of,
    guarded,
    numbered,
    told_as,
    too_long,
)
from releve.adapters.tables.dialect import SAMPLE, Dialect, find_dialect
from releve.adapters.tables.encoding import find_encoding, open_bytes
from releve.core.config_hint import ConfigHint, params_hint
from releve.core.errors import BadInput

KIND = "CSV"


@dataclass(frozen=True)
class CsvOptions:
    """What params say of a CSV file or a sheet; "" and 0 leave it to be found out. `say`: where a person says it."""

    encoding: str = ""
    delimiter: str = ""
    header_line: int = 0
    sheet: str = ""
    say: ConfigHint = params_hint


def open_csv(path: Path, *, names: Sequence[str] = (), options: CsvOptions = CsvOptions()) -> TableChunks:
    """The rows of a CSV file, all cells text. Raises BadInput naming what is in doubt."""
    with told_as(path, KIND):
        encoding = find_encoding(path, said=options.encoding, say=options.say)
        with open_bytes(path) as packed, io.TextIOWrapper(packed, encoding=encoding, newline="") as file:
            text = file.read(SAMPLE)
            whole = not file.read(1)
    dialect = find_dialect(
        text,
        source=path.name,
        names=names,
        delimiter=options.delimiter,
        header_line=options.header_line,
        whole=whole,
        say=options.say,
    )
    reading = _CsvReader(path, encoding, dialect)
    return TableChunks(
        guarded(reading.chunks(), path, KIND),
        f"{encoding}, {dialect}",
        is_text=True,
        delimiter=dialect.delimiter,
        place=reading.place,
    )


class _CsvLines:
    """The lines of a file; the last one that was given is kept, to be shown when it is no row.

    Raises BadInput once a row, of one line or of several, is longer than LONGEST_ROW; memory holds no more than that.
    """

    def __init__(self, file: Any, path: Path):
        self._file, self._path = file, path
        self.last, self.characters = "", 0
        self._number, self._row_number, self._row_characters = 0, 1, 0

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        self.last = self._file.readline(LONGEST_ROW + 1)
        if not self.last:
            raise StopIteration
        self._number += 1
        self._row_characters += len(self.last)
        if self._row_characters > LONGEST_ROW:
            raise too_long(self._path, first=self._row_number, last=self._number, unit="characters")
        return self.last

    def end_row(self) -> None:
        """The lines that were given since the last call were one row."""
        self.characters += self._row_characters
        self._row_number, self._row_characters = self._number + 1, 0


class _CsvReader:
    """One pass over a file."""

    def __init__(self, path: Path, encoding: str, dialect: Dialect):
        self._path, self._encoding, self._dialect = path, encoding, dialect
        self._raw: Any = None

    def place(self) -> int:
        """Bytes read so far, packed ones where the file is packed."""
        return self._raw.tell() if self._raw and not self._raw.closed else 0

    def chunks(self) -> Iterator[Chunk]:
        with (
            self._path.open("rb") as self._raw,
            _unpacked(self._raw, self._path) as plain,
            io.TextIOWrapper(plain, encoding=self._encoding, newline="") as text,
        ):
            yield from self._parsed(_CsvLines(text, self._path))

    def _parsed(self, lines: _CsvLines) -> Iterator[Chunk]:
        reader, before = self._dialect.reader(lines), 0
        for _ in range(self._dialect.skipped):
            before = self._skip(reader, lines)
        width, most = len(self._dialect.names), chunk_rows(len(self._dialect.names))
        rows: list[list[str]] = []
        numbers: list[int] = []
        odd: list[Line] = []
        while True:
            try:
                for record in reader:
                    lines.end_row()
                    first, before = before + 1, reader.line_num
                    if len(record) == width:
                        rows.append(record)
                        numbers.append(first)
                    elif self._dialect.trailing and len(record) == width + 1 and not record[-1]:
                        rows.append(record[:-1])
                        numbers.append(first)
                    elif record:
                        odd.append(Line(first, f"has {_cells(len(record))}, expected {width}", record))
                    if len(rows) + len(odd) >= most or lines.characters >= CHARACTERS_PER_CHUNK:
                        yield self._chunk(rows, numbers, odd)
                        rows, numbers, odd, lines.characters = [], [], [], 0
                break
            except csv.Error as error:
                lines.end_row()
                first, before = before + 1, reader.line_num
                self._check_one_line(first, before, error)
                odd.append(Line(first, f"cannot be taken apart: {error}", lines.last.rstrip("\r\n")))
        if rows or odd:
            yield self._chunk(rows, numbers, odd)

    def _skip(self, reader: Any, lines: _CsvLines) -> int:
        """Read one record above the rows; returns the line on which it ended."""
        try:
            next(reader, None)
            lines.end_row()
        except csv.Error as error:
            raise BadInput(f"{self._path.name}: line {reader.line_num} cannot be taken apart: {error}") from None
        return int(reader.line_num)

    def _check_one_line(self, first: int, last: int, error: csv.Error) -> None:
        """Raises BadInput where a broken quote took several lines along: what is a row there, nobody can say."""
        if last > first:
            raise BadInput(
                f"{self._path.name}: line {first} opens a quote that is not closed properly up to line {last} "
                f"({error}); close it, or double the quotes that belong to the text"
            )

    def _chunk(self, rows: list[list[str]], numbers: list[int], odd: list[Line]) -> Chunk:
        return Chunk(frame_of(rows, self._dialect.names), numbered(numbers), tuple(odd))


def _unpacked(raw: Any, path: Path) -> Any:
    import gzip

    return gzip.GzipFile(fileobj=raw) if path.suffix.lower() == ".gz" else raw


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
