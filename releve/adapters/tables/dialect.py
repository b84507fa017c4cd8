"""How a CSV file is written: its delimiter, its quotes, and the line of its header.

Where names are expected, the delimiter that splits a line into them is taken. clevercsv detects the rest: single quotes
and escapes where there may be any, and the delimiter elsewhere. The header is that line, or, where none are expected,
the first one with two cells filled.
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
Record = tuple[int, list[str]]  # the line on which it begins, and its cells
LONG_RUN = re.compile(r"(\w{100})\w+")  # clevercsv takes quadratic time for one: 70 s for 64 KB, tried with 0.8


@dataclass(frozen=True)
class Dialect:
    """How the lines of a file are split into cells, and its column names."""

    delimiter: str
    quote: str
    escape: str | None
    names: tuple[str, ...]
    header_line: int  # the line on which the header begins, from 1
    skipped: int  # records up to the header, that one included
    trailing: bool  # lines end in a delimiter that separates nothing

    def reader(self, lines: Any) -> Any:
        """Return a csv reader of these lines; strict, so that a quote in a wrong place is an error and no guess."""
        return csv_reader(lines, self.delimiter, self.quote, self.escape)

    def whole_row(self) -> re.Pattern[str] | None:
        """Return what matches a line that is a row: its quotes stand around cells, or are doubled within; None where
        nothing quotes, or another character may escape a quote."""
        if self.escape or not self.quote:
            return None
        quote, delimiter = re.escape(self.quote), re.escape(self.delimiter)
        cell = f"(?:{quote}[^{quote}]*+(?:{quote * 2}[^{quote}]*+)*+{quote}|[^{quote}{delimiter}\\r\\n]*+)"
        return re.compile(f"{cell}(?:{delimiter}{cell})*+[\\r\\n]*+")

    def __str__(self) -> str:
        parts = [f"'{NAMED.get(self.delimiter, self.delimiter)}'" if len(self.names) > 1 else "one column"]
        parts += [f"quotes {self.quote}"] if self.quote != '"' else []
        parts += [f"escapes {self.escape}"] if self.escape else []
        parts += ["a delimiter at the end of lines"] if self.trailing else []
        parts += [f"header on line {self.header_line}"] if self.header_line > 1 else []
        return ", ".join(parts)


def csv_reader(lines: Any, delimiter: str, quote: str, escape: str | None) -> Any:
    """Return Python's own reader, for cells as long as rows may be; its limit of 131,072 is shorter than a letter."""
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
    """Find the dialect of the file that begins with `text`; `whole` when that is all of it.

    names: the columns that are expected, where they are known. delimiter, header_line: as params set them, or nothing;
    say: where they are set. Raise BadInput when a header cannot be found.
    """
    near = text.splitlines()[:MOST_LINES_ABOVE] if names else []

    def splits(delimiter: str) -> bool:
        """Whether a line near the top is split into the expected names."""
        lines = ({trimmed(trimmed(cell).strip("\"'")) for cell in line.split(delimiter)} for line in near)
        return any(set(names) <= line for line in lines)

    known = delimiter or (next(filter(splits, DELIMITERS), "") if len(names) > 1 else "")
    may_quote_otherwise = "\\" in text or ("'" in text and '"' not in text)
    if known and not may_quote_otherwise:  # nothing is left to detect: a quarter of a second
        delimiter, quote, escape = known, '"', None
    else:
        sniffed, quote, escape = _sniff(text, [delimiter] if delimiter else DELIMITERS)
        delimiter = delimiter or next(filter(splits, (sniffed, *DELIMITERS)), sniffed)
    records = _records(text, delimiter, quote, escape, whole=whole)
    if not records:
        raise BadInput(f"{source} is empty; expected a header line and rows")
    place = _header(records, names=names, header_line=header_line, source=source, say=say)
    line, header = records[place]
    trailing = _ends_in_delimiter(header, records[place + 1 :])
    columns = [*map(trimmed, header[:-1] if trailing and header[-1] == "" else header)]
    if not names and "" in columns:
        raise BadInput(
            f"{source}: line {line}, the header, has no name for column {columns.index('') + 1}; name it in the file"
        )
    return Dialect(delimiter, quote, escape, tuple(columns), line, place + 1, trailing)


def _sniff(text: str, delimiters: Sequence[str]) -> tuple[str, str, str | None]:
    """Detect delimiter, quote and escape. A doubled quote is always read as one quote."""
    import clevercsv

    sample = LONG_RUN.sub(r"\1", text[:SAMPLE])
    try:
        dialect = clevercsv.Sniffer().sniff(sample, delimiters=list(delimiters))
    except clevercsv.Error:
        dialect = None
    quote = "'" if dialect and dialect.quotechar == "'" and '"' not in sample else '"'
    return (dialect and dialect.delimiter) or delimiters[0], quote, (dialect and dialect.escapechar) or None


def _records(text: str, delimiter: str, quote: str, escape: str | None, *, whole: bool) -> list[Record]:
    """Read the records of a sample, blank lines included; the last one may be cut off."""
    reader, records, line = csv_reader(io.StringIO(text, newline=""), delimiter, quote, escape), list[Record](), 0
    while True:
        try:
            for record in reader:
                records.append((line + 1, record))
                line = reader.line_num
            break
        except csv.Error:  # the reader of the whole file names the line
            line = reader.line_num
    return records if whole or len(records) < 2 else records[:-1]


def _header(records: Sequence[Record], *, names: Sequence[str], header_line: int, source: str, say: ConfigHint) -> int:
    """Find the header's position among the records: on `header_line`, else the record with `names`, else the first one
    with two filled cells, since notes above a table fill one. Raise BadInput when it fits no table."""
    if header_line:
        at = next((at for at, (line, _) in enumerate(records) if line == header_line), None)
        if at is None:
            raise BadInput(f"{source} has no line {header_line} to begin with, as ingest.header_line says")
        return at
    near = [(at, record) for at, (_, record) in enumerate(records[:MOST_LINES_ABOVE]) if any(map(str.strip, record))]
    if not near:
        raise BadInput(f"{source} holds no text in its first lines; expected a header line and rows")
    if names:
        return next((at for at, record in near if set(names) <= set(map(trimmed, record))), near[0][0])
    at, header = next(((at, record) for at, record in near if sum(map(bool, map(str.strip, record))) > 1), near[0])
    width = Counter(len(record) for _, record in records[at:] if record).most_common(1)[0][0]
    is_short = len(header) == width - 1 and _ends_in_delimiter(header, records[at + 1 :])
    if len(header) != width and not is_short:
        wide = next(line for line, record in records[at:] if len(record) == width)
        raise BadInput(
            f"{source}: line {records[at][0]} looks like the header and has {len(header)} names, but most lines below "
            f"it have {width} cells; fix the file, or set the line of the header as {say('ingest.header_line', wide)}"
        )
    return at


def _ends_in_delimiter(header: list[str], below: Sequence[Record]) -> bool:
    """Whether every line of the sample ends in an empty cell that the header has no name for."""
    body = [record for _, record in below if record]
    if len(header) > 1 and header[-1] == "":
        return all(record[-1] == "" for record in body if len(record) == len(header))
    return bool(body) and all(len(record) == len(header) + 1 and record[-1] == "" for record in body)
