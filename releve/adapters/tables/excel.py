"""Excel workbooks with one filled sheet, by calamine: it reads values alone, runs no formula and no macro.

A sheet has at most 1,048,576 rows and is read whole.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from releve.adapters.tables.chunks import Chunk, Line, Table, chunk_rows, frame_of, guarded, numbered, told_as
from releve.errors import BadInput
from releve.rules.cells import names_of

KIND = "XLSX"


def open_excel(path: Path) -> Table:
    """The rows below the first filled row, which is the header. Raises BadInput where more than one sheet is filled."""
    import python_calamine

    with told_as(path, KIND):
        book = python_calamine.CalamineWorkbook.from_path(path)
        sheets = {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}
    filled = {name: rows for name, rows in sheets.items() if any(map(_is_filled, rows))}
    if len(filled) > 1:
        raise BadInput(f"{path.name} has more than one sheet with cells: {', '.join(filled)}; save one in its own file")
    if not filled:
        raise BadInput(f"{path.name} is empty; expected a sheet with a header and rows")
    name, rows = next(iter(filled.items()))
    return Table(guarded(_chunks(rows, path), path, KIND), f"sheet '{name}'")


def _chunks(rows: list[list[Any]], path: Path) -> Iterator[Chunk]:
    above = next(number for number, row in enumerate(rows) if _is_filled(row))
    names = _names(rows[above], line=above + 1, source=path.name)
    size = chunk_rows(len(names))
    for start in range(above + 1, len(rows), size):
        yield _chunk(rows[start : start + size], start + 1, names)


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


def _names(header: Sequence[Any], *, line: int, source: str) -> list[str]:
    width = max(number for number, cell in enumerate(header, start=1) if cell != "")
    names = [(*names_of(cell), str(cell))[0] for cell in header[:width]]  # a sheet holds the year 2020 as 2020.0
    if "" in names:
        raise BadInput(f"{source}: row {line}, the header, has no name for column {names.index('') + 1}; name it")
    return names


def _is_filled(row: Sequence[Any]) -> bool:
    return any(cell != "" for cell in row)


def _shown(row: Sequence[Any]) -> list[str]:
    return [str(cell) for cell in row]
