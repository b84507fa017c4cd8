"""Rows judged and converted column by column, where no cell needs a second look: what most requests send.

`validation.row_problems` and `arrays.arrays_of_rows`, which go cell by cell, say the same of such rows in fifteen
times the time (100 rows of 26 columns). Whatever is not plain goes to them: they know the rarer forms, and write the
errors.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.arrays import blocks_of, pixel_rows
from releve.domain.schema.cells import EXACT, MISSING_TEXT, as_date
from releve.domain.schema.columns import CATEGORY, Column, typed_text
from releve.domain.schema.schema import Schema

NUMBERS = frozenset({int, float, type(None)})  # what JSON has; True and "1" are none
NAMES = frozenset({str, type(None)})


def arrays_of_plain_rows(schema: Schema, rows: Sequence[Any]) -> Mapping[str, NDArray[Any]] | None:
    """Return what `arrays_of_rows` makes of rows that have no problem; None where one of them may have one."""
    if set(map(type, rows)) != {dict}:
        return None
    try:
        columns = dict(zip(schema.names, zip(*map(schema.feature_cells, rows), strict=True), strict=True))
    except KeyError:  # a feature is missing
        return None
    if not _others_are_right(schema, rows):
        return None
    numbers = _numbers(schema, [columns[name] for name in schema.numbers], len(rows))
    if numbers is None:
        return None
    dates: list[NDArray[Any]] = []
    for name in schema.dates:
        moments = _moments(schema.by_name[name], columns[name])
        if moments is None:
            return None
        dates.append(np.array(moments, dtype="datetime64[us]"))
    images: list[NDArray[Any]] = []
    for name in schema.images:
        pixels = _pixels(schema, name, columns[name])
        if pixels is None:
            return None
        images.append(pixels)
    texts: dict[str, NDArray[Any]] = {}
    for block, named in schema.text_columns.items():
        kept = [_texts(column, columns[column.name]) for column in named]
        if None in kept:
            return None
        texts[block] = np.ascontiguousarray(np.array(kept, dtype=object).T)
    return blocks_of(schema, len(rows), numbers, dates, images, texts)


def _others_are_right(schema: Schema, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether rows that have every feature hold beside them only columns of the table, with cells that these allow."""
    more = sum(map(len, rows)) - len(rows) * len(schema.names)
    if not more:
        return True
    others = [column for column in schema.columns if not column.feature]
    present = [(column, row[column.name]) for row in rows for column in others if column.name in row]
    return len(present) == more and all(column.problem(cell) is None for column, cell in present)


def _numbers(schema: Schema, columns: Sequence[Sequence[Any]], rows: int) -> NDArray[np.float32] | None:
    """Cells of the number columns as (rows, columns)."""
    kinds = set(map(type, chain.from_iterable(columns)))
    if not kinds <= NUMBERS or schema.number_limits is None:
        return None
    try:
        cells = np.array(columns, dtype=np.float64).reshape(len(columns), rows)
    except OverflowError:  # a whole number that no float can hold
        return None
    if int in kinds and (np.abs(cells) >= EXACT).any():  # limits are compared with whole numbers as they are
        return None
    low, high, nullable = schema.number_limits
    fine = (cells >= low) & (cells <= high)
    if not fine.all() and not (fine | (np.isnan(cells) & nullable)).all():
        return None
    return np.ascontiguousarray(cells.T, dtype=np.float32)


def _moments(column: Column, cells: Sequence[Any]) -> list[Any] | None:
    if not set(map(type, cells)) <= NAMES:
        return None
    moments: dict[Any, Any] = {}
    for cell in set(cells):
        if cell is None:
            moments[cell] = None
            if not column.nullable:
                return None
            continue
        try:
            moment = moments[cell] = as_date(cell)
        except ValueError:
            return None
        if (column.min is not None and moment < column.min) or (column.max is not None and moment > column.max):  # type: ignore[operator]
            return None
    return [moments[cell] for cell in cells]


def _pixels(schema: Schema, name: str, cells: Sequence[Any]) -> NDArray[np.float32] | None:
    """Decode images once, to judge and to use them: it costs more than all else."""
    if not set(map(type, cells)) <= NAMES:
        return None
    texts = [typed_text(cell) for cell in cells]
    if "" in texts and not schema.by_name[name].nullable:
        return None
    try:
        return pixel_rows(schema, name, texts)
    except ValueError:
        return None


def _texts(column: Column, cells: Sequence[Any]) -> Sequence[str] | None:
    """Cells of a category or text column as they are kept."""
    try:
        if column.known.issuperset(cells):
            return cells
    except TypeError:  # a list, say
        return None
    if column.type == CATEGORY and set(map(type, cells)) <= NAMES:
        kept = {cell: _text(column, cell) for cell in set(cells)}
        found = [kept[cell] for cell in cells]
    else:  # whole numbers and truth values among names; long texts
        found = [_text(column, cell) for cell in cells]
    return None if None in found else found  # type: ignore[return-value]


def _text(column: Column, cell: Any) -> str | None:
    """The text that is kept; None for a cell that has a problem."""
    return None if column.problem(cell) is not None else column.typed(cell) or MISSING_TEXT
