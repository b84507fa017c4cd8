"""One sheet of an Excel workbook, by calamine: it reads values alone, runs no formula and no macro."""

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree

from releve.adapters.tables.chunks import (
    Chunk,
    InvalidLine,
    TableChunks,
    chunk_rows,
    frame_of,
    guarded,
    read_errors,
    row_numbers,
)
from releve.adapters.tables.csv_file import CsvOptions
from releve.adapters.tables.workbook_scan import SheetScan, scan_workbook
from releve.core.errors import BadInput
from releve.domain.ingestion.reading_notes import (
    HIDDEN_ROWS,
    HIDDEN_SHEET,
    MERGED,
    SHOWN,
    ReadingNote,
)
from releve.domain.schema.cells import names_of, trimmed

KIND = "XLSX"
MOST_LISTED = 1 << 20  # bytes of a workbook's list of sheets
MOST_ABOVE = 100  # filled rows that are searched for a header
DETECT = CsvOptions()


def open_excel(path: Path, *, names: Sequence[str] = (), options: CsvOptions = DETECT) -> TableChunks:
    """Open the rows below the header: the row that holds `names`, or the first one that looks like a header.

    Raise BadInput where it is ambiguous which sheet or row is meant, or where the workbook is too large to be read.
    """
    import python_calamine

    with read_errors(path, KIND):
        scans = scan_workbook(path)
        book = python_calamine.CalamineWorkbook.from_path(path)
        name, sheet, hidden = _chosen(book, options, path)
        reading = _SheetReader(sheet, path, names, options)
        if hidden:
            reading.notes.append(ReadingNote(HIDDEN_SHEET, count=len(hidden), places=tuple(hidden)))
        reading.scan = scans.get(_part_of(path, name), SheetScan())
    read_as = f"sheet '{name}'" + (f", header on row {reading.line}" if reading.line > 1 else "")
    return TableChunks(guarded(reading.chunks(), path, KIND), read_as, notes=reading.all_notes)


def _chosen(book: Any, options: CsvOptions, path: Path) -> tuple[str, Any, list[str]]:
    """Choose the sheet to read: its name, the open sheet, and the names of hidden ones with cells."""
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
    """Find the part of the package that holds a sheet; "" where the workbook's own list does not name it."""
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
        self._open: list[MergedRange] = []  # those that reach the row that is read
        self._ranges: dict[int, dict[str, None]] = {}  # that filled cells of a column
        self._counts: Counter[int] = Counter()
        self._last = self.line  # row that was read
        self.scan = SheetScan()
        self.notes: list[ReadingNote] = []

    def all_notes(self) -> tuple[ReadingNote, ...]:
        """Collect notes on the rows that were read."""
        hidden = sum(self.line < row <= self._last for row in self.scan.hidden)
        notes = [*self.notes, *([ReadingNote(HIDDEN_ROWS, count=hidden)] if hidden else [])]
        for kind, cells in self.scan.empty_cells.items():
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
        """Convert rows. One without a single cell is skipped; one with a cell beside the table is an invalid line."""
        width, cells, numbers, invalid = len(self._names), [], [], []
        for number, row in rows:
            if not _is_filled(row):
                continue
            problem = ""
            if self._merged:
                self._open = [each for each in self._open if each.last >= number]
                filled, merged = [at for at, cell in enumerate(row) if cell != ""], self._merged.get(number, [])
                if not self._open and len(filled) == 1 and any(each.left == filled[0] < each.right for each in merged):
                    problem = "holds one merged cell alone, as a heading or a note does"
                else:
                    row = self._with_merged(number, row)
            if not problem and _is_filled(row[width:]):
                problem = f"has cells beside the {width} columns of the header"
            if problem:
                invalid.append(InvalidLine(number, problem, [str(cell) for cell in row]))
            else:
                cells.append([None if cell == "" else cell for cell in row[:width]])
                numbers.append(number)
        return Chunk(frame_of(cells, self._names), row_numbers(numbers), tuple(invalid))

    def _with_merged(self, number: int, row: list[Any]) -> list[Any]:
        """Repeat the value of a merged range in each of its cells; calamine has it in the first one."""
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
class MergedRange:
    """A merged range: its last row, its first and last position in a row, and its value."""

    name: str  # A2:A6
    last: int
    left: int
    right: int
    value: Any = ""


def _merged(sheet: Any, *, first: int, left: int) -> dict[int, list[MergedRange]]:
    """Find merged ranges that begin in row `first` or below, by that row. left: empty columns left of all cells."""
    ranges: dict[int, list[MergedRange]] = {}
    for (top, start), (bottom, end) in sheet.merged_cell_ranges or []:
        if top + 1 >= first and start >= left and start - left < sheet.width:
            name = f"{_address(top + 1, start + 1)}:{_address(bottom + 1, end + 1)}"
            ranges.setdefault(top + 1, []).append(MergedRange(name, bottom + 1, start - left, end - left))
    return ranges


def _header(
    rows: list[tuple[int, list[Any]]], *, names: Sequence[str], options: CsvOptions, source: str
) -> tuple[int, list[Any]]:
    """Find the header: the row that params or the expected names point to, else the first with two filled cells: a
    title fills one."""
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
    at = next((at for at, (line, _) in enumerate(rows) if filled[line] > 1), 0) if usual > 1 else 0
    (line, header), below = rows[at], rows[at + 1 :]
    width, wide = _width(header), Counter(_width(row) for _, row in below)
    if sum(count for each, count in wide.items() if each > width) > len(below) / 2:
        raise BadInput(
            f"{source}: row {line} looks like the header and has {width} names, but most rows below it have more cells"
            f"; name every column, or say which row it is, as {options.say('ingest.header_line', below[0][0])}"
        )
    return line, header


def _width(row: Sequence[Any]) -> int:
    """Count cells up to the last filled one."""
    return max(number for number, cell in enumerate(row, start=1) if cell != "")


def _names(header: Sequence[Any], *, line: int, left: int, source: str, options: CsvOptions) -> list[str]:
    """Name the columns. left: empty columns left of the table."""
    names = [_name(cell) for cell in header[: _width(header)]]
    if "" in names:
        column = left + names.index("") + 1
        raise BadInput(
            f"{source}: row {line}, the header, has no name for column {column}; name it, or say which row the header "
            f"is, as {options.say('ingest.header_line', line + 1)}"
        )
    return names


def _name(cell: Any) -> str:
    """Write a cell of a header: a sheet holds the year 2020 as 2020.0."""
    return (*names_of(cell), str(cell))[0]


def _address(row: int, column: int) -> str:
    """Write row 1, column 28 as AB1."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return f"{letters}{row}"


def _is_filled(row: Sequence[Any]) -> bool:
    return any(cell != "" for cell in row)
