"""A workbook measured before it is opened, in flat memory.

calamine, which reads it, holds all cells of a sheet, empty ones between them included, some 70 bytes each (tried with
0.9), and ends the process where they do not fit. The same pass finds cells that calamine gives as empty and that are
not: errors such as #N/A, and formulas that were saved without a result.
"""

import re
import zipfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO

from releve.core.errors import BadInput
from releve.domain.ingestion.reading_notes import ERROR, NO_RESULT

MOST_CELLS = 8_000_000  # of a sheet, from A1 to its last row and column: some 550 MB
MOST_UNPACKED = 1 << 29  # bytes; cells take some 40 each
# A row, a cell, its formula or its value in a sheet's XML, whatever the prefix of its name, where it says that it
# stands (it need not), and how the text in it begins.
PLACE = rb"""\sr\s*=\s*["']([A-Za-z]{0,3})([0-9]{1,7})["']"""
TAGS = rb"""<(?:\w+:)?(%b)(?:%b)?(?=[\s/>])((?:[^<>"']|"[^"]*"|'[^']*')*+)>(%b)"""
CELLS, WITH_FORMULAS = (re.compile(TAGS % each) for each in ((b"row|c", PLACE, b""), (b"row|c|f|v", PLACE, b"[^<]?")))
LATER_PLACE = re.compile(PLACE)  # among the other attributes
IS_TEXT = re.compile(rb"""\st\s*=\s*["']str["']""")
IS_HIDDEN = re.compile(rb"""\shidden\s*=\s*["'](1|true)["']""")
PIECE = 1 << 20  # bytes read at a time


@dataclass
class SheetScan:
    """How far a sheet reaches, and its cells that only seem to be empty."""

    last: int = 1  # row
    width: int = 1
    empty_cells: dict[str, dict[int, "array[int]"]] = field(
        default_factory=lambda: {ERROR: {}, NO_RESULT: {}}
    )  # rows by column
    hidden: list[int] = field(default_factory=list)  # rows


def scan_workbook(path: Path) -> dict[str, SheetScan]:
    """Scan each sheet, by part of the package. Raise BadInput where one is too large."""
    with zipfile.ZipFile(path) as packed:
        unpacked = sum(part.file_size for part in packed.infolist())
        if unpacked > MOST_UNPACKED:
            raise _too_large(path, f"holds {unpacked:,} bytes unpacked", f"{MOST_UNPACKED:,}")
        scans = {}
        for name in packed.namelist():
            if name.endswith(".xml") and not name.endswith("sharedStrings.xml"):
                with packed.open(name) as sheet:
                    scans[name] = scan = _scan(sheet)
                if scan.last * scan.width > MOST_CELLS:  # one stray cell far below a table is enough for that
                    reach = f"has a sheet that reaches to row {scan.last:,} and column {scan.width:,}, which makes "
                    raise _too_large(
                        path,
                        f"{reach}{scan.last * scan.width:,} cells",
                        f"{MOST_CELLS:,}; remove stray cells beside and below the table",
                    )
        return scans


def _too_large(path: Path, what: str, most: str) -> BadInput:
    return BadInput(f"{path.name} {what}; it is read whole, so expected at most {most}, or save the sheet as CSV")


def _scan(sheet: IO[bytes]) -> SheetScan:
    """Scan a sheet. A cell without a place stands beside the one before it, and such a row below."""
    scan = SheetScan()
    row = column = at = last = width = 0
    attributes, waits = b"", False  # of the last cell; waits: it has a formula, and no result yet
    no_result, errors = scan.empty_cells[NO_RESULT], scan.empty_cells[ERROR]
    for kind, letters, digits, others, text in _tags(sheet):
        if kind == b"f":
            waits = True
        elif kind == b"v":  # an empty one is a result where it is a text
            waits = waits and (not text or others.endswith(b"/")) and not IS_TEXT.search(attributes)
        else:
            if waits:
                no_result.setdefault(column, array("L")).append(at)
                waits = False
            if not digits and (place := LATER_PLACE.search(others)):
                letters, digits = place.groups()
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
    """Yield tags of rows and cells and, from the first formula on, of formulas and values: name, letters and digits of
    the place, other attributes, and the beginning of the text that follows."""
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
    """Convert letters to the number of a column: A is 1, Z 26, AA 27."""
    number = 0
    for letter in column.upper():
        number = 26 * number + letter - 64
    return number
