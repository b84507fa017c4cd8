"""How a CSV file is written: its delimiter, its quotes, and the line of its header.

clevercsv finds the delimiter and the quotes; where names are expected, a line that a delimiter parts into them settles
it. The header is that line, or, where none are expected, the first one with two cells filled.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from releve.adapters.tables.chunks import LONGEST_ROW
from releve.core.config_hint import ConfigHint, params_hint
from releve.core.errors import BadInput
from releve.domain.schema.cells import trimmed

DELIMITERS = (",", ";", "\t", "|")
NAMED = {"\t": "tab"}
SAMPLE = 1 << 16  # characters from which the dialect is found
MOST_LINES_ABOVE = 100  # of notes above a header
LONG_RUN = re.compile(r"(\w{100})\w+")  # clevercsv takes quadratic time for one: 70 s for 64 KB, tried with 0.8


@dataclass(frozen=True)
class Dialect:
    """How the lines of a file are taken apart, and what its columns are called."""

    delimiter: str
    quote: str
    escape: str | None
    names: tuple[str, ...]
    header_line: int  # the line on which the header begins, from 1
    skipped: int  # records up to the header, that one included
    trailing: bool  # lines end in a delimiter that separates nothing

    def reader(self, lines: Any) -> Any:
        """A csv reader of these lines; strict, so that a quote in a wrong place is an error and no guess."""
        return csv_reader(lines, self.delimiter, self.quote, self.escape)

    def __str__(self) -> str:
        parts = [f"'{NAMED.get(self.delimiter, self.delimiter)}'" if len(self.names) > 1 else "one column"]
        parts += [f"quotes {self.quote}"] if self.quote != '"' else []
        parts += [f"escapes {self.escape}"] if self.escape else []
        parts += ["a delimiter at the end of lines"] if self.trailing else []
        parts += [f"header on line {self.header_line}"] if self.header_line > 1 else []
        return ", ".join(parts)


def csv_reader(lines: Any, delimiter: str, quote: str, escape: str | None) -> Any:
    """Python's own reader, with cells as long as rows may be; its limit of 131,072 is shorter than a long letter."""
    csv.field_size_limit(LONGEST_ROW)
    return csv.reader(lines, delimiter=delimiter, quotechar=quote, escapechar=escape, doublequote=True, strict=True)


def find_dialect(
    text: str,
    *,
    source: str,
    names: Sequence[str] = (),
    delimiter: str = "",
    header_line: int = 0,
    whole: bool = False,
    say: ConfigHint = params_hint,
) -> Dialect:
    """The dialect of the file that begins with `text`; `whole` when that is all of it.

    names: the columns that are expected, where they are known. delimiter, header_line: what params say, or nothing;
    say: where they do.
    Raises BadInput when a header cannot be found.
    """
    found, quote, escape = _sniff(text, delimiter)
    found = delimiter or _separating(text, names, found)
    records = _records(text, found, quote, escape, whole=whole)
    if not records:
        raise BadInput(f"{source} is empty; expected a header line and rows")
    place = _header(records, names=names, header_line=header_line, source=source, say=say)
    line, header = records[place]
    trailing = _ends_in_delimiter(header, _filled(records, place))
    columns = [*map(trimmed, header[:-1] if trailing and header[-1] == "" else header)]
    if not names and "" in columns:
        raise BadInput(
            f"{source}: line {line}, the header, has no name for column {columns.index('') + 1}; name it in the file"
        )
    return Dialect(found, quote, escape, tuple(columns), line, place + 1, trailing)


def _sniff(text: str, delimiter: str) -> tuple[str, str, str | None]:
    """Delimiter, quote and escape. A doubled quote is always read as one quote."""
    import clevercsv

    sample = LONG_RUN.sub(r"\1", text[:SAMPLE])
    try:
        found = clevercsv.Sniffer().sniff(sample, delimiters=[delimiter] if delimiter else list(DELIMITERS))
    except clevercsv.Error:
        found = None
    quote = "'" if found and found.quotechar == "'" and '"' not in sample else '"'
    return delimiter or (found and found.delimiter) or ",", quote, (found and found.escapechar) or None


def _separating(text: str, names: Sequence[str], sniffed: str) -> str:
    """The delimiter that parts a line near the top into the expected names; what was sniffed, where none does."""
    near = text.splitlines()[:MOST_LINES_ABOVE]

    def parts(delimiter: str) -> bool:
        return any(
            set(names) <= {trimmed(trimmed(cell).strip("\"'")) for cell in line.split(delimiter)} for line in near
        )

    return next((each for each in (sniffed, *DELIMITERS) if names and parts(each)), sniffed)


def _records(text: str, delimiter: str, quote: str, escape: str | None, *, whole: bool) -> list[tuple[int, list[str]]]:
    """The records of a sample, blank lines included, each with its first line; the last may be cut off."""
    reader, records, line = csv_reader(io.StringIO(text, newline=""), delimiter, quote, escape), [], 0
    while True:
        try:
            for record in reader:
                records.append((line + 1, record))
                line = reader.line_num
            break
        except csv.Error:  # told by the reader of the whole file, with the line
            line = reader.line_num
    return records if whole or len(records) < 2 else records[:-1]


def _header(
    records: list[tuple[int, list[str]]], *, names: Sequence[str], header_line: int, source: str, say: ConfigHint
) -> int:
    """The position of the header among the records."""
    if header_line:
        found = next((at for at, (line, _) in enumerate(records) if line == header_line), None)
        if found is None:
            raise BadInput(f"{source} has no line {header_line} to begin with, as ingest.header_line says")
        return found
    near = [(at, record) for at, (_, record) in enumerate(records[:MOST_LINES_ABOVE]) if any(map(str.strip, record))]
    if not near:
        raise BadInput(f"{source} holds no text in its first lines; expected a header line and rows")
    if names:
        return next((at for at, record in near if set(names) <= set(map(trimmed, record))), near[0][0])
    return _likely_header(near, records, source, say)


def _likely_header(
    near: list[tuple[int, list[str]]], records: list[tuple[int, list[str]]], source: str, say: ConfigHint
) -> int:
    """The first record with two filled cells: notes above a table fill one. Raises BadInput when it fits no table."""
    at, header = next(((at, record) for at, record in near if sum(map(bool, map(str.strip, record))) > 1), near[0])
    width = Counter(len(record) for _, record in records[at:] if record).most_common(1)[0][0]
    if len(header) not in (width, width - 1) or (
        len(header) < width and not _ends_in_delimiter(header, _filled(records, at))
    ):
        wide = next(line for line, record in records[at:] if len(record) == width)
        raise BadInput(
            f"{source}: line {records[at][0]} looks like the header and has {len(header)} names, but most lines below "
            f"it have {width} cells; mend the file, or say which line it is, as "
            f"{say('ingest.header_line', wide)}"
        )
    return at


def _filled(records: list[tuple[int, list[str]]], header: int) -> list[list[str]]:
    return [record for _, record in records[header + 1 :] if record]


def _ends_in_delimiter(header: list[str], body: list[list[str]]) -> bool:
    """Whether every line of the sample ends in an empty cell that the header has no name for."""
    if len(header) > 1 and header[-1] == "":
        return all(record[-1] == "" for record in body if len(record) == len(header))
    return bool(body) and all(len(record) == len(header) + 1 and record[-1] == "" for record in body)
