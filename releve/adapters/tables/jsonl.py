"""JSON Lines, packed or not: an object of column names and values a line. A line that is none is told by its number.

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
    Line,
    TableChunks,
    chunk_rows,
    frame_of,
    guarded,
    numbered,
    too_long,
)
from releve.adapters.tables.encoding import open_bytes
from releve.domain.schema.cells import SHOWN

KIND = "JSON Lines"


def open_jsonl(path: Path) -> TableChunks:
    """The rows of a JSON Lines file, values with the types that JSON gives them. UTF-8, as JSON is."""
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
        rows: list[dict[str, Any]] = []
        numbers: list[int] = []
        odd: list[Line] = []
        size = 0
        with open_bytes(self._path) as file:
            self._raw = getattr(file, "fileobj", file)
            for number, line in enumerate(iter(lambda: file.readline(LONGEST_ROW + 1), b""), start=1):
                if len(line) > LONGEST_ROW:
                    raise too_long(self._path, first=number, last=number, unit="bytes")
                found, size = _parsed(number, line), size + len(line)
                if isinstance(found, Line):
                    odd.append(found)
                elif found is not None:
                    rows.append(found)
                    numbers.append(number)
                    self._names.update(dict.fromkeys(found))
                if len(rows) + len(odd) >= chunk_rows(len(self._names)) or size >= CHARACTERS_PER_CHUNK:
                    yield self._chunk(rows, numbers, odd)
                    rows, numbers, odd, size = [], [], [], 0
        if rows or odd:
            yield self._chunk(rows, numbers, odd)

    def _chunk(self, rows: list[dict[str, Any]], numbers: list[int], odd: list[Line]) -> Chunk:
        names = list(self._names)
        return Chunk(
            frame_of([[row.get(name) for name in names] for row in rows], names), numbered(numbers), tuple(odd)
        )


def _parsed(number: int, line: bytes) -> dict[str, Any] | Line | None:
    """The object on a line; None for a blank line; a Line for what is no object."""
    plain = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
    if not plain.strip():
        return None
    text = plain.decode("utf-8", "backslashreplace").rstrip("\r\n")
    try:
        value = json.loads(plain.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        return Line(number, f"holds the byte 0x{error.object[error.start]:02X}, which is not UTF-8", text)
    except (ValueError, RecursionError) as error:
        return Line(number, f"is not JSON: {error}", text)
    if not isinstance(value, dict):
        return Line(number, f"holds {text[:SHOWN]}, expected an object of column names and values", text)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises ValueError where a name stands twice: Python would keep the last value without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {twice[:SHOWN]!r} twice")
    return found
