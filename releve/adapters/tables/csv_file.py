"""CSV, packed or not, a chunk at a time. A line with too many or too few cells is no row, and keeps its number."""

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
LINE_BREAKS = ("\n", "\r\n", "\r")
LARGEST_BLOCK = 2**31 - 1  # bytes that Arrow reads as one


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
        pieces=guarded(reading.pieces(), path, KIND),
        is_text=True,
        delimiter=dialect.delimiter,
        place=reading.place,
    )


class _CsvLines:
    """The lines of a file.

    Raises BadInput once a row, of one line or of several, is longer than LONGEST_ROW; memory holds no more than that.
    """

    def __init__(self, file: Any, path: Path):
        self._file, self._path = file, path
        self.characters = 0
        self._number, self._row_number, self._row_characters = 0, 1, 0

    def __iter__(self) -> "_CsvLines":
        return self

    def __next__(self) -> str:
        line: str = self._file.readline(LONGEST_ROW + 1)
        if not line:
            raise StopIteration
        self._number += 1
        self._row_characters += len(line)
        if self._row_characters > LONGEST_ROW:
            raise too_long(self._path, first=self._row_number, last=self._number, unit="characters")
        return line

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
        for piece in self.pieces():
            chunk = piece.read()
            if len(chunk.frame) or chunk.lines:  # blank lines are nothing
                yield chunk

    def pieces(self) -> "Iterator[CsvPiece]":
        with (
            self._path.open("rb") as self._raw,
            gzip.GzipFile(fileobj=self._raw) if self._path.suffix.lower() == ".gz" else self._raw as plain,
            io.TextIOWrapper(plain, encoding=self._encoding, newline="") as text,
        ):
            lines = _CsvLines(text, self._path)
            yield from self._cut(lines, self._skip(lines))

    def _skip(self, lines: _CsvLines) -> int:
        """Pass what stands above the rows; return the number of its last line."""
        reader = self._dialect.reader(lines)
        for _ in range(self._dialect.skipped):
            try:
                next(reader, None)
                lines.end_row()
            except csv.Error as error:
                raise BadInput(f"{self._path.name}: line {reader.line_num} cannot be split: {error}") from None
        return int(reader.line_num)

    def _cut(self, lines: _CsvLines, before: int) -> "Iterator[CsvPiece]":
        """Cut between two rows. Only a line with a quote in an odd place has to be split to know where its row ends."""
        most, lines.characters = chunk_rows(len(self._dialect.names)), 0
        marks = [mark for mark in (self._dialect.quote, self._dialect.escape) if mark]
        whole_row = self._dialect.whole_row()
        kept: list[str] = []
        rows, is_regular = 0, True

        def rest(line: str) -> Iterator[str]:
            yield line
            for following in lines:
                kept.append(following)
                yield following

        for line in lines:
            kept.append(line)
            if any(mark in line for mark in marks) and not (whole_row and whole_row.fullmatch(line)):
                is_regular = False
                with suppress(csv.Error):  # whoever splits the piece finds it, too
                    next(self._dialect.reader(rest(line)), None)
            lines.end_row()
            rows += line not in LINE_BREAKS
            if rows >= most or lines.characters >= CHARACTERS_PER_CHUNK:
                yield CsvPiece("".join(kept), before + 1, self._dialect, self._path, is_regular)
                before += len(kept)
                kept, rows, lines.characters, is_regular = [], 0, 0, True
        if kept:
            yield CsvPiece("".join(kept), before + 1, self._dialect, self._path, is_regular)


@dataclass(frozen=True, eq=False)
class CsvPiece:
    """Whole rows of a file, not split yet."""

    text: str
    first: int  # the number of its first line
    dialect: Dialect
    path: Path
    is_regular: bool  # whether each quote stands around a cell, or is doubled within one

    def read(self) -> Chunk:
        """Split the rows. Raise BadInput where a quote is not closed."""
        with read_errors(self.path, KIND):
            return self._read_plain() or self._read_each()

    def _read_plain(self) -> Chunk | None:
        """Split rows without odd quotes as Arrow does, ten times faster; None where these are not all such rows."""
        import pyarrow
        import pyarrow.csv

        names, text = self.dialect.names, self.text
        if self.dialect.trailing or len({*names}) < len(names) or not self.is_regular or "\0" in text:
            return None
        lines = text.count("\n") + (not text.endswith("\n"))
        if text.count("\r") != text.count("\r\n"):
            return None
        try:
            content = text.encode()
            table = pyarrow.csv.read_csv(
                pyarrow.BufferReader(content),
                pyarrow.csv.ReadOptions(
                    use_threads=False, column_names=list(names), block_size=min(len(content) + 1, LARGEST_BLOCK)
                ),
                pyarrow.csv.ParseOptions(delimiter=self.dialect.delimiter, quote_char=self.dialect.quote or False),
                pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pyarrow.string()), null_values=[]),
            )
        except ValueError:  # a row with too many or too few cells, or half a character
            return None
        if table.num_rows != lines:
            return None
        return Chunk(table.to_pandas(), row_numbers(range(self.first, self.first + lines)))

    def _read_each(self) -> Chunk:
        names, trailing = self.dialect.names, self.dialect.trailing
        lines = list(io.StringIO(self.text, newline=""))
        reader, before = self.dialect.reader(iter(lines)), 0  # before: the line on which the last record ended
        rows: list[list[str]] = []
        numbers: list[int] = []
        invalid: list[InvalidLine] = []
        while True:
            try:
                for record in reader:
                    first, before = self.first + before, reader.line_num
                    if len(record) == len(names):
                        rows.append(record)
                        numbers.append(first)
                    elif trailing and len(record) == len(names) + 1 and not record[-1]:
                        rows.append(record[:-1])
                        numbers.append(first)
                    elif record:
                        reason = f"has {counted(len(record), 'cell')}, expected {len(names)}"
                        invalid.append(InvalidLine(first, reason, record))
                break
            except csv.Error as error:
                first, before = self.first + before, reader.line_num
                last = self.first + before - 1
                if last > first:  # a broken quote took several lines along: nobody can say what is a row there
                    raise BadInput(
                        f"{self.path.name}: line {first} opens a quote that is not closed properly up to line "
                        f"{last} ({error}); close it, or double the quotes that belong to the text"
                    ) from None
                invalid.append(InvalidLine(first, f"cannot be split: {error}", lines[before - 1].rstrip("\r\n")))
        return Chunk(frame_of(rows, names), row_numbers(numbers), tuple(invalid))
