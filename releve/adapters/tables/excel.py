"""One sheet of an Excel workbook, by calamine: it reads values alone, runs no formula and no macro.

calamine holds all cells of a sheet, empty ones between them included, some 70 bytes each (tried with 0.9), and ends the
process where they do not fit. So a workbook is measured before it is opened, in flat memory; on the way cells are found
that calamine gives as empty and that are not: errors such as #N/A, and formulas that were saved without a result.
"""

import re
import zipfile
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import IO, Any
from xml.etree import ElementTree

from releve.adapters.tables.chunks import Chunk, Line, TableChunks, chunk_rows, frame_of, guarded, numbered, told_as
from releve.adapters.tables.csv_file import CsvOptions
from releve.core.errors import BadInput
from releve.domain.ingestion.reading_notes import (
    ERROR,
    HIDDEN_ROWS,
    HIDDEN_SHEET,
    MERGED,
    NO_RESULT,
    SHOWN,
    ReadingNote,
)
from releve.domain.schema.cells import names_of, trimmed

KIND = "XLSX"
MOST_CELLS = 8_000_000  # of a sheet, from A1 to its last row and column: some 550 MB
MOST_UNPACKED = 1 << 29  # bytes; cells take some 40 each
MOST_LISTED = 1 << 20  # bytes of a workbook's list of sheets
# A row, a cell, its formula or its value in a sheet's XML, whatever the prefix of its name, where it says that it
# stands (it need not), and how the text in it begins.
PLACE = rb"""\sr\s*=\s*["']([A-Za-z]{0,3})([0-9]{1,7})["']"""
TAGS = rb"""<(?:\w+:)?(%b)(?:%b)?(?=[\s/>])((?:[^<>"']|"[^"]*"|'[^']*')*+)>(%b)"""
CELLS, WITH_FORMULAS = (re.compile(TAGS % each) for each in ((b"row|c", PLACE, b""), (b"row|c|f|v", PLACE, b"[^<]?")))
LATER_PLACE = re.compile(PLACE)  # among the other attributes
IS_TEXT = re.compile(rb"""\st\s*=\s*["']str["']""")
IS_HIDDEN = re.compile(rb"""\shidden\s*=\s*["'](1|true)["']""")
PIECE = 1 << 20  # bytes read at a time
MOST_ABOVE = 100  # filled rows in which a header is looked for

FOUND_OUT = CsvOptions()


@dataclass
class Scan:
    """What a sheet's XML holds beside its values: how far it reaches, and the cells that only look empty."""

    last: int = 1
    width: int = 1
    found: dict[str, dict[int, "array[int]"]] = field(
        default_factory=lambda: {ERROR: {}, NO_RESULT: {}}
    )  # rows by column
    hidden: list[int] = field(default_factory=list)  # rows


def open_excel(path: Path, *, names: Sequence[str] = (), options: CsvOptions = FOUND_OUT) -> TableChunks:
    """The rows below the header: the row that holds `names`, or the first one that looks like a header.

    Raises BadInput where it is in doubt which sheet or row is meant, or where the workbook is too large to be read.
    """
    import python_calamine

    with told_as(path, KIND):
        scans = _check_size(path)
        book = python_calamine.CalamineWorkbook.from_path(path)
        name, sheet, hidden = _chosen(book, options, path)
        reading = _SheetReader(sheet, path, names, options)
        if hidden:
            reading.notes.append(ReadingNote(HIDDEN_SHEET, count=len(hidden), places=tuple(hidden)))
        reading.scan = scans.get(_part_of(path, name), Scan())
    read_as = f"sheet '{name}'" + (f", header on row {reading.line}" if reading.line > 1 else "")
    return TableChunks(guarded(reading.chunks(), path, KIND), read_as, notes=reading.told)


def _chosen(book: Any, options: CsvOptions, path: Path) -> tuple[str, Any, list[str]]:
    """The sheet that is read, by name and open, and the hidden ones with cells that are not."""
    tables = {each.name: each for each in book.sheets_metadata if str(each.typ).endswith(".WorkSheet")}
    hidden = {name for name, each in tables.items() if not str(each.visible).endswith(".Visible")}
    if options.sheet and options.sheet not in tables:
        raise BadInput(f"{path.name} has no sheet '{options.sheet}', as ingest.sheet says; it has {', '.join(tables)}")
    filled: dict[str, Any] = {}  # of more than one, only the first is kept in memory
    for name in [options.sheet] if options.sheet else sorted(tables, key=hidden.__contains__):
        sheet = book.get_sheet_by_name(name)
        if any(map(_is_filled, sheet.iter_rows())):
            filled[name] = None if filled else sheet
    if not filled:
        raise BadInput(f"{path.name} is empty; expected a sheet with a header and rows")
    first, *others = filled
    if shown := [name for name in others if name not in hidden or first in hidden]:
        raise BadInput(
            f"{path.name} has more than one sheet with cells: {', '.join([first, *shown])}; say which one is the "
            f"table, as {options.say('ingest.sheet', first)}"
        )
    return first, filled[first], others


def _part_of(path: Path, sheet: str) -> str:
    """The part of the package that holds a sheet; "" where the workbook's own list does not tell."""
    with zipfile.ZipFile(path) as packed:
        listed = next((name for name in packed.namelist() if name.endswith("workbook.xml")), "")
        links = str(PurePosixPath(listed).parent / "_rels" / "workbook.xml.rels")
        if any(
            name not in packed.NameToInfo or packed.getinfo(name).file_size > MOST_LISTED for name in (listed, links)
        ):
            return ""
        sheets, targets = (ElementTree.fromstring(packed.read(name)) for name in (listed, links))
    link = next(
        (
            value
            for each in sheets.findall(".//{*}sheet")
            if each.get("name") == sheet
            for key, value in each.items()
            if key.endswith("}id")
        ),
        None,
    )
    target = next((each.get("Target", "") for each in targets.findall("{*}Relationship") if each.get("Id") == link), "")
    return target[1:] if target.startswith("/") else str(PurePosixPath(listed).parent / target)


def _check_size(path: Path) -> dict[str, Scan]:
    """What each sheet holds, by part. Raises BadInput where one is too large."""
    with zipfile.ZipFile(path) as packed:
        unpacked = sum(part.file_size for part in packed.infolist())
        if unpacked > MOST_UNPACKED:
            raise _too_large(path, f"holds {unpacked:,} bytes unpacked", f"{MOST_UNPACKED:,}")
        return {
            name: _checked(path, packed, name)
            for name in packed.namelist()
            if name.endswith(".xml") and not name.endswith("sharedStrings.xml")
        }


def _checked(path: Path, packed: zipfile.ZipFile, name: str) -> Scan:
    """Raises BadInput where a sheet spans too many cells; one stray cell far below a table is enough for that."""
    with packed.open(name) as sheet:
        scan = _scan(sheet)
    if scan.last * scan.width > MOST_CELLS:
        spans = (
            f"has a sheet that reaches to row {scan.last:,} and column {scan.width:,}, which makes "
            f"{scan.last * scan.width:,} cells"
        )
        raise _too_large(path, spans, f"{MOST_CELLS:,}; remove stray cells beside and below the table")
    return scan


def _scan(sheet: IO[bytes]) -> Scan:
    """Go through a sheet. A cell that does not say where it is stands beside the one before it, and a row below."""
    scan = Scan()
    row = column = at = last = width = 0
    attributes, waits = b"", False  # of the last cell; waits: it has a formula, and no result yet
    no_result, errors = scan.found[NO_RESULT], scan.found[ERROR]
    for kind, letters, digits, others, text in _tags(sheet):
        if kind == b"f":
            waits = True
        elif kind == b"v":  # an empty one is a result where it is a text
            waits = waits and (not text or others.endswith(b"/")) and not IS_TEXT.search(attributes)
        else:
            if waits:
                no_result.setdefault(column, array("L")).append(at)
                waits = False
            if not digits and (said := LATER_PLACE.search(others)):
                letters, digits = said.groups()
            if kind == b"row":
                row, column = int(digits) if digits else row + 1, 0
                if b"hidden" in others and IS_HIDDEN.search(others):
                    scan.hidden.append(row)
                continue
            column, at, attributes = _number(letters) if digits else column + 1, int(digits or row or 1), others
            last, width = at if at > last else last, column if column > width else width
            if b'"e"' in others or b"'e'" in others:  # the type of a cell; no other attribute can be that
                errors.setdefault(column, array("L")).append(at)
    if waits:
        no_result.setdefault(column, array("L")).append(at)
    scan.last, scan.width = max(last, 1), max(width, 1)
    return scan


def _tags(sheet: IO[bytes]) -> Iterator[tuple[bytes, bytes, bytes, bytes, bytes]]:
    """Of rows and cells, and, from the first formula on, of formulas and values: name, letters and digits of the
    place, other attributes, and what the text that follows begins with."""
    rest, has_formulas = b"", False
    for piece in iter(lambda: sheet.read(PIECE), b""):
        text = rest + piece
        begun, end = text.rfind(b"<"), text.rfind(b">")
        is_cut = begun > end or end == len(text) - 1  # a tag that two pieces share, or whose text may follow
        text, rest = (text[:begun], text[begun:]) if is_cut and begun >= 0 else (text, b"")
        has_formulas = has_formulas or b"<f" in text or b":f" in text
        yield from (WITH_FORMULAS if has_formulas else CELLS).findall(text)
    yield from WITH_FORMULAS.findall(rest)


@cache
def _number(column: bytes) -> int:
    """Of a column: A is 1, Z 26, AA 27."""
    number = 0
    for letter in column.upper():
        number = 26 * number + letter - 64
    return number


def _too_large(path: Path, found: str, most: str) -> BadInput:
    return BadInput(f"{path.name} {found}; it is read whole, so expected at most {most}, or save the sheet as CSV")


class _SheetReader:
    """One pass over a sheet."""

    def __init__(self, sheet: Any, path: Path, names: Sequence[str], options: CsvOptions):
        rows = enumerate(sheet.iter_rows(), start=1)  # from row 1 on, and from the first column that holds anything
        self._left = sheet.start[1]
        above = list(islice(((line, row) for line, row in rows if _is_filled(row)), MOST_ABOVE))
        self._path = path
        self.line, header = _header(above, names=names, options=options, source=path.name)
        self._names = _names(header, line=self.line, left=self._left, source=path.name, options=options)
        self._rows = chain([(line, row) for line, row in above if line > self.line], rows)
        self._merged = _merged(sheet, first=self.line + 1, left=self._left)
        self._open: list[Merged] = []  # those that reach the row that is read
        self._ranges: dict[int, dict[str, None]] = {}  # that filled cells of a column
        self._counts: Counter[int] = Counter()
        self._last = self.line  # row that was read
        self.scan = Scan()
        self.notes: list[ReadingNote] = []

    def told(self) -> tuple[ReadingNote, ...]:
        """What was done to the rows that were read."""
        hidden = sum(self.line < row <= self._last for row in self.scan.hidden)
        notes = [*self.notes, *([ReadingNote(HIDDEN_ROWS, count=hidden)] if hidden else [])]
        for kind, cells in self.scan.found.items():
            for column, name in enumerate(self._names, start=self._left + 1):
                if rows := [row for row in cells.get(column, ()) if self.line < row <= self._last]:
                    places = tuple(_address(row, column) for row in rows[:SHOWN])
                    notes.append(ReadingNote(kind, name, len(rows), places))
        return *notes, *(
            ReadingNote(MERGED, self._names[at], self._counts[at], tuple(ranges))
            for at, ranges in sorted(self._ranges.items())
        )

    def chunks(self) -> Iterator[Chunk]:
        size = chunk_rows(len(self._names))
        while taken := list(islice(self._rows, size)):
            self._last = taken[-1][0]
            yield self._chunk(taken)
        self._last = max(self._last, self.scan.last)  # rows that hold nothing but formulas without a result

    def _chunk(self, rows: list[tuple[int, list[Any]]]) -> Chunk:
        """Rows without a single cell are no rows; a cell beside the table belongs to no column, and its row is told."""
        width, cells, numbers, odd = len(self._names), [], [], []
        for number, row in rows:
            if not _is_filled(row):
                continue
            if self._merged:
                self._open = [each for each in self._open if each.last >= number]
                if not self._open and self._is_heading(number, row):
                    odd.append(Line(number, "holds one merged cell alone, as a heading or a note does", _shown(row)))
                    continue
                row = self._with_merged(number, row)
            if _is_filled(row[width:]):
                odd.append(Line(number, f"has cells beside the {width} columns of the header", _shown(row)))
            else:
                cells.append([None if cell == "" else cell for cell in row[:width]])
                numbers.append(number)
        return Chunk(frame_of(cells, self._names), numbered(numbers), tuple(odd))

    def _is_heading(self, number: int, row: list[Any]) -> bool:
        """Whether a row has one cell alone, merged with the cells beside it."""
        filled = [at for at, cell in enumerate(row) if cell != ""]
        return len(filled) == 1 and any(each.left == filled[0] < each.right for each in self._merged.get(number, []))

    def _with_merged(self, number: int, row: list[Any]) -> list[Any]:
        """The row with the value of a merged range in each of its cells; calamine has it in the first one."""
        self._open += [replace(each, value=row[each.left]) for each in self._merged.get(number, [])]
        row = list(row)
        for each in self._open:
            for at in range(each.left, min(each.right + 1, len(self._names))):
                if row[at] == "" != each.value:
                    row[at] = each.value
                    self._counts[at] += 1
                    self._ranges.setdefault(at, {}).setdefault(each.name)
        return row


@dataclass(frozen=True)
class Merged:
    """A merged range: its last row, its first and last position in a row, and what it holds."""

    name: str  # A2:A6
    last: int
    left: int
    right: int
    value: Any = ""


def _merged(sheet: Any, *, first: int, left: int) -> dict[int, list[Merged]]:
    """Those that begin in row `first` or below, by that row. left: the empty columns left of all cells."""
    found: dict[int, list[Merged]] = {}
    for (top, start), (bottom, end) in sheet.merged_cell_ranges or []:
        if top + 1 >= first and start >= left and start - left < sheet.width:
            name = f"{_address(top + 1, start + 1)}:{_address(bottom + 1, end + 1)}"
            found.setdefault(top + 1, []).append(Merged(name, bottom + 1, start - left, end - left))
    return found


def _header(
    rows: list[tuple[int, list[Any]]], *, names: Sequence[str], options: CsvOptions, source: str
) -> tuple[int, list[Any]]:
    """The row that params or the expected names say; else the first with two filled cells, as a title fills one."""
    if options.header_line:
        for line, row in rows:
            if line == options.header_line:
                return line, row
        raise BadInput(f"{source} has no filled row {options.header_line} to begin with, as ingest.header_line says")
    if names:
        for line, row in rows:
            if set(names) <= {trimmed(_name(cell)) for cell in row}:
                return line, row
    filled = {line: sum(cell != "" for cell in row) for line, row in rows}
    usual = Counter(filled.values()).most_common(1)[0][0]
    found = next((at for at, (line, _) in enumerate(rows) if filled[line] > 1), 0) if usual > 1 else 0
    (line, header), below = rows[found], rows[found + 1 :]
    width, wide = _width(header), Counter(_width(row) for _, row in below)
    if sum(count for each, count in wide.items() if each > width) > len(below) / 2:
        raise BadInput(
            f"{source}: row {line} looks like the header and has {width} names, but most rows below it have more cells"
            f"; name every column, or say which row it is, as {options.say('ingest.header_line', below[0][0])}"
        )
    return line, header


def _width(row: Sequence[Any]) -> int:
    """Cells up to the last filled one."""
    return max(number for number, cell in enumerate(row, start=1) if cell != "")


def _names(header: Sequence[Any], *, line: int, left: int, source: str, options: CsvOptions) -> list[str]:
    """left: the empty columns left of the table."""
    names = [_name(cell) for cell in header[: _width(header)]]
    if "" in names:
        column = left + names.index("") + 1
        raise BadInput(
            f"{source}: row {line}, the header, has no name for column {column}; name it, or say which row the header "
            f"is, as {options.say('ingest.header_line', line + 1)}"
        )
    return names


def _name(cell: Any) -> str:
    """A cell of a header: a sheet holds the year 2020 as 2020.0."""
    return (*names_of(cell), str(cell))[0]


def _address(row: int, column: int) -> str:
    """1, 28 as AB1."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"


def _is_filled(row: Sequence[Any]) -> bool:
    return any(cell != "" for cell in row)


def _shown(row: Sequence[Any]) -> list[str]:
    return [str(cell) for cell in row]
