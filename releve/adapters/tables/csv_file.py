"""CSV, packed or not, a chunk at a time. A line with too many or too few cells is no row, and keeps its number."""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releve.adapters.tables.chunks import (
    CHARACTERS_PER_CHUNK,
    LONGEST_ROW,
    Chunk,
    InvalidLine,
    TableChunks,
    chunk_rows,
    frame_of,
    guarded,
    read_errors,
    row_numbers,
    too_long,
)
from releve.adapters.tables.dialect import SAMPLE, Dialect, find_dialect
from releve.adapters.tables.encoding import find_encoding, open_bytes
from releve.core.config_hint import ConfigHint, params_hint
from releve.core.errors import BadInput
from releve.core.formatting import counted

KIND = "CSV"


@dataclass(frozen=True)
class CsvOptions:
    """Settings of a CSV file or a sheet; "" and 0 leave it to be detected. `say`: where a person sets them."""

    encoding: str = ""
    delimiter: str = ""
    header_line: int = 0
    sheet: str = ""
    say: ConfigHint = params_hint


def open_csv(path: Path, *, names: Sequence[str] = (), options: CsvOptions = CsvOptions()) -> TableChunks:
    """Open the rows of a CSV file, all cells text. Raise BadInput naming what is ambiguous."""
    with read_errors(path, KIND):
        encoding = find_encoding(path, configured=options.encoding, say=options.say)
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
    """The lines of a file; the last one is kept, to be shown when it is no row.

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
        """Take the lines since the last call as one row."""
        self.characters += self._row_characters
        self._row_number, self._row_characters = self._number + 1, 0


class _CsvReader:
    """One pass over a file."""

    def __init__(self, path: Path, encoding: str, dialect: Dialect):
        self._path, self._encoding, self._dialect = path, encoding, dialect
        self._raw: Any = None

    def place(self) -> int:
        """Return the bytes read so far, packed ones where the file is packed."""
        return self._raw.tell() if self._raw and not self._raw.closed else 0

    def chunks(self) -> Iterator[Chunk]:
        with (
            self._path.open("rb") as self._raw,
            gzip.GzipFile(fileobj=self._raw) if self._path.suffix.lower() == ".gz" else self._raw as plain,
            io.TextIOWrapper(plain, encoding=self._encoding, newline="") as text,
        ):
            yield from self._parsed(_CsvLines(text, self._path))

    def _parsed(self, lines: _CsvLines) -> Iterator[Chunk]:
        names, trailing = self._dialect.names, self._dialect.trailing
        reader, before = self._dialect.reader(lines), 0  # before: the line on which the last record ended
        for _ in range(self._dialect.skipped):
            try:
                next(reader, None)
                lines.end_row()
            except csv.Error as error:
                raise BadInput(f"{self._path.name}: line {reader.line_num} cannot be split: {error}") from None
            before = reader.line_num
        most = chunk_rows(len(names))
        rows: list[list[str]] = []
        numbers: list[int] = []
        invalid: list[InvalidLine] = []

        def chunk() -> Chunk:
            return Chunk(frame_of(rows, names), row_numbers(numbers), tuple(invalid))

        while True:
            try:
                for record in reader:
                    lines.end_row()
                    first, before = before + 1, reader.line_num
                    if len(record) == len(names):
                        rows.append(record)
                        numbers.append(first)
                    elif trailing and len(record) == len(names) + 1 and not record[-1]:
                        rows.append(record[:-1])
                        numbers.append(first)
                    elif record:
                        reason = f"has {counted(len(record), 'cell')}, expected {len(names)}"
                        invalid.append(InvalidLine(first, reason, record))
                    if len(rows) + len(invalid) >= most or lines.characters >= CHARACTERS_PER_CHUNK:
                        yield chunk()
                        rows, numbers, invalid, lines.characters = [], [], [], 0
                break
            except csv.Error as error:
                lines.end_row()
                first, before = before + 1, reader.line_num
                if before > first:  # a broken quote took several lines along: nobody can say what is a row there
                    raise BadInput(
                        f"{self._path.name}: line {first} opens a quote that is not closed properly up to line "
                        f"{before} ({error}); close it, or double the quotes that belong to the text"
                    ) from None
                invalid.append(InvalidLine(first, f"cannot be split: {error}", lines.last.rstrip("\r\n")))
        if rows or invalid:
            yield chunk()
