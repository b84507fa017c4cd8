"""JSON Lines, packed or not: an object of column names and values a line. A line that is none keeps its number.

Lines end at \\n alone: JSON allows U+2028 inside a text.
"""

import codecs
import json
from collections.abc import Iterator
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
    row_numbers,
    too_long,
)
from releve.adapters.tables.encoding import open_bytes
from releve.domain.schema.cells import SHOWN

KINDS: dict[type, str] = {  # of JSON's values that are no objects
    **{list: "a list", str: "a text", bool: "a truth value", type(None): "null"},
    **{int: "a number", float: "a number"},
}

KIND = "JSON Lines"
Row = dict[str, Any]  # values by column


def open_jsonl(path: Path, **_: object) -> TableChunks:
    """Open the rows of a JSON Lines file, values with the types that JSON gives them. UTF-8, as JSON is."""
    reading = _JsonLinesReader(path)
    return TableChunks(guarded(reading.chunks(), path, KIND), "utf-8", place=reading.place)


class _JsonLinesReader:
    """One pass over a file. A column that a row lacks is missing there (None), from the first row that has it on."""

    def __init__(self, path: Path):
        self._path = path
        self._raw: Any = None
        self._names: dict[str, None] = {}  # in the order in which they came

    def place(self) -> int:
        return self._raw.tell() if self._raw and not self._raw.closed else 0

    def chunks(self) -> Iterator[Chunk]:
        rows: list[Row] = []
        numbers: list[int] = []
        invalid: list[InvalidLine] = []
        size = 0

        def chunk() -> Chunk:
            names = list(self._names)
            cells = [[row.get(name) for name in names] for row in rows]
            return Chunk(frame_of(cells, names), row_numbers(numbers), tuple(invalid))

        with open_bytes(self._path) as file:
            self._raw = getattr(file, "fileobj", file)
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_ROW + 1), b""), start=1):
                if len(line) > LONGEST_ROW:
                    raise too_long(self._path, first=number, last=number, unit="bytes")
                parsed, size = _parsed(number, line), size + len(line)
                if isinstance(parsed, InvalidLine):
                    invalid.append(parsed)
                elif parsed is not None:
                    rows.append(parsed)
                    numbers.append(number)
                    self._names.update(dict.fromkeys(parsed))
                if len(rows) + len(invalid) >= chunk_rows(len(self._names)) or size >= CHARACTERS_PER_CHUNK:
                    yield chunk()
                    rows, numbers, invalid, size = [], [], [], 0
        if rows or invalid:
            yield chunk()


def _parsed(number: int, line: bytes) -> Row | InvalidLine | None:
    """Parse the object on a line; None for a blank line."""

    def unique(pairs: list[tuple[str, Any]]) -> Row:
        """Raise ValueError where a name occurs twice: Python would silently keep the last value."""
        row = dict(pairs)
        if len(row) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise ValueError(f"it names {twice[:SHOWN]!r} twice")
        return row

    plain = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
    if not plain.strip():
        return None
    text = plain.decode("utf-8", "backslashreplace").rstrip("\r\n")
    try:
        value = json.loads(plain.decode("utf-8"), object_pairs_hook=unique)
        if b"\\u" in plain:
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # \ud800, which JSON can escape and nothing else can hold
        return InvalidLine(number, "holds half a character (a lone surrogate), which no file can hold", text)
    except UnicodeDecodeError as error:
        return InvalidLine(number, f"holds the byte 0x{error.object[error.start]:02X}, which is not UTF-8", text)
    except (ValueError, RecursionError) as error:
        return InvalidLine(number, f"is not JSON: {error}", text)
    if not isinstance(value, dict):
        return InvalidLine(number, f"holds {KINDS[type(value)]}, expected an object of column names and values", text)
    return value
