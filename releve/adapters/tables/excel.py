"""Excel workbooks with one filled sheet, by calamine: it reads values alone, runs no formula and no macro.

calamine holds all cells of a sheet, empty ones between them included, some 70 bytes each (tried with 0.9), and ends the
process where they do not fit. So a workbook is measured before it is opened, in flat memory.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import IO, Any

from releve.adapters.tables.chunks import Chunk, Line, Table, chunk_rows, frame_of, guarded, numbered, told_as
from releve.errors import BadInput
from releve.rules.cells import names_of

KIND = "XLSX"
MOST_CELLS = 8_000_000  # of a sheet, from A1 to its last row and column: some 550 MB
MOST_UNPACKED = 1 << 29  # bytes; cells take some 40 each
# A row or a cell in a sheet's XML, whatever the prefix of its name, and where it says that it stands: it need not.
PLACE = rb"""\sr\s*=\s*["']([A-Za-z]{0,3})([0-9]{1,7})["']"""
TAG = re.compile(rb"""<(?:\w+:)?(row|c)(?:%b)?(?=[\s/>])((?:[^<>"']|"[^"]*"|'[^']*')*+)>""" % PLACE)
LATER_PLACE = re.compile(PLACE)  # among the other attributes
PIECE = 1 << 20  # bytes read at a time


def open_excel(path: Path) -> Table:
    """The rows below the first filled row, which is the header.

    Raises BadInput where more than one sheet is filled, or where the workbook is too large to be read.
    """
    import python_calamine

    with told_as(path, KIND):
        _check_size(path)
        book = python_calamine.CalamineWorkbook.from_path(path)
        filled = _filled(book)
        if len(filled) > 1:
            raise BadInput(
                f"{path.name} has more than one sheet with cells: {', '.join(filled)}; save one in its own file"
            )
        if not filled:
            raise BadInput(f"{path.name} is empty; expected a sheet with a header and rows")
    name, sheet = next(iter(filled.items()))
    return Table(guarded(_chunks(sheet, path), path, KIND), f"sheet '{name}'")


def _filled(book: Any) -> dict[str, Any]:
    """The sheets with cells, by name; of more than one, only the first is kept in memory."""
    filled: dict[str, Any] = {}
    for name in book.sheet_names:
        sheet = book.get_sheet_by_name(name)
        if any(map(_is_filled, sheet.iter_rows())):
            filled[name] = None if filled else sheet
    return filled


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as packed:
        unpacked = sum(part.file_size for part in packed.infolist())
        if unpacked > MOST_UNPACKED:
            raise _too_large(path, f"holds {unpacked:,} bytes unpacked", f"{MOST_UNPACKED:,}")
        for name in packed.namelist():
            if name.endswith(".xml") and not name.endswith("sharedStrings.xml"):
                _check_cells(path, packed, name)


def _check_cells(path: Path, packed: zipfile.ZipFile, name: str) -> None:
    """Raises BadInput where a sheet spans too many cells; one stray cell far below a table is enough for that."""
    last, width = 1, 1
    with packed.open(name) as sheet:
        for row, column in _places(sheet):
            last, width = max(last, row), max(width, column)
    if last * width > MOST_CELLS:
        spans = f"has a sheet that reaches to row {last:,} and column {width:,}, which makes {last * width:,} cells"
        raise _too_large(path, spans, f"{MOST_CELLS:,}; remove stray cells beside and below the table")


def _places(sheet: IO[bytes]) -> Iterator[tuple[int, int]]:
    """Row and column, from 1, of each cell. One that does not say stands beside the one before it, and a row below."""
    row = column = 0
    for kind, letters, digits, others in _tags(sheet):
        if not digits and (said := LATER_PLACE.search(others)):
            letters, digits = said.groups()
        if kind == b"row":
            row, column = int(digits) if digits else row + 1, 0
        else:
            column = _number(letters) if digits else column + 1
            yield (int(digits) if digits else max(row, 1)), column


def _tags(sheet: IO[bytes]) -> Iterator[tuple[bytes, bytes, bytes, bytes]]:
    """Of the rows and cells: name, letters and digits of the place, other attributes."""
    rest = b""
    for piece in iter(lambda: sheet.read(PIECE), b""):
        text = rest + piece
        yield from TAG.findall(text)
        begun = text.rfind(b"<")
        rest = text[begun:] if begun > text.rfind(b">") else b""  # a tag that two pieces share


@cache
def _number(column: bytes) -> int:
    """Of a column: A is 1, Z 26, AA 27."""
    number = 0
    for letter in column.upper():
        number = 26 * number + letter - 64
    return number


def _too_large(path: Path, found: str, most: str) -> BadInput:
    return BadInput(f"{path.name} {found}; it is read whole, so expected at most {most}, or save the sheet as CSV")


def _chunks(sheet: Any, path: Path) -> Iterator[Chunk]:
    rows = sheet.iter_rows()  # from row 1 on, and from the first column that holds anything
    line, header = next((number, row) for number, row in enumerate(rows, start=1) if _is_filled(row))
    names = _names(header, line=line, left=sheet.start[1], source=path.name)
    size, first = chunk_rows(len(names)), line + 1
    while taken := list(islice(rows, size)):
        yield _chunk(taken, first, names)
        first += len(taken)


def _chunk(rows: list[list[Any]], first: int, names: list[str]) -> Chunk:
    """Rows without a single cell are no rows; a cell beside the table belongs to no column, and its row is told."""
    filled = [(number, row) for number, row in enumerate(rows, start=first) if _is_filled(row)]
    fitting = [(number, row) for number, row in filled if not _is_filled(row[len(names) :])]
    odd = [
        Line(number, f"has cells beside the {len(names)} columns of the header", _shown(row))
        for number, row in filled
        if _is_filled(row[len(names) :])
    ]
    cells = [[None if cell == "" else cell for cell in row[: len(names)]] for _, row in fitting]
    return Chunk(frame_of(cells, names), numbered([number for number, _ in fitting]), tuple(odd))


def _names(header: Sequence[Any], *, line: int, left: int, source: str) -> list[str]:
    """left: the empty columns left of the table."""
    width = max(number for number, cell in enumerate(header, start=1) if cell != "")
    names = [(*names_of(cell), str(cell))[0] for cell in header[:width]]  # a sheet holds the year 2020 as 2020.0
    if "" in names:
        column = left + names.index("") + 1
        raise BadInput(f"{source}: row {line}, the header, has no name for column {column}; name it")
    return names


def _is_filled(row: Sequence[Any]) -> bool:
    return any(cell != "" for cell in row)


def _shown(row: Sequence[Any]) -> list[str]:
    return [str(cell) for cell in row]
