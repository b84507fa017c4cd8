"""Cells as they are compared: each type has one form, in whatever form its cells travelled.

A reference comes from a file, answers come from JSON: 1, 1.0, "1" and True name one category, and a nullable, a
pyarrow and a plain column of numbers hold the same numbers. What cannot be read is counted, and missing from then on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.cells import MISSING_TEXT, as_number, is_missing, shown
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER, TEXT, Column
from releve.domain.schema.dates import as_date

if TYPE_CHECKING:
    import pandas as pd

REAL = int | float | np.integer | np.floating | np.bool_ | Decimal
TRUTH = {"true": "1", "false": "0"}  # by the text in lower case: some writers know no truth values


@dataclass(frozen=True, eq=False)
class Cells:
    """One column's cells. `values`: float64 of numbers and dates (NaN is missing), else str (None is missing)."""

    values: NDArray[Any]
    unreadable: int = 0  # present cells that are no value of the type; they are missing in `values`
    example: str = ""  # the first of them, as a sentence shows it

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Which cells are missing."""
        import pandas as pd

        return np.asarray(pd.isna(self.values))


def clean(column: Column, cells: "pd.Series[Any]") -> Cells:
    """The cells of `column` in the form of its type; the caller's cells are left alone."""
    if column.type in (NUMBER, DATE) and (numbers := _machine_numbers(cells, column.type)) is not None:
        finite = np.isfinite(numbers)
        bad = ~finite & ~np.isnan(numbers)
        return Cells(np.where(finite, numbers, np.nan), int(bad.sum()), str(numbers[bad][0]) if bad.any() else "")
    return _each(column, cells.to_numpy(object))


def _machine_numbers(cells: "pd.Series[Any]", kind: str) -> NDArray[np.float64] | None:
    """Numbers or dates of a machine type, nullable and pyarrow ones too; None where each cell has to be read."""
    import pandas as pd

    if kind == DATE:
        if not pd.api.types.is_datetime64_any_dtype(cells.dtype):
            return None
        return np.where(cells.isna(), np.nan, 0.0)
    if not pd.api.types.is_numeric_dtype(cells.dtype) or pd.api.types.is_complex_dtype(cells.dtype):
        return None
    return np.asarray(cells.to_numpy(np.float64, na_value=np.nan))


def _each(column: Column, values: NDArray[Any]) -> Cells:
    read, known = READERS[column.type], dict[str, Any]()
    found, unreadable, example = [], 0, ""
    for value in values:
        # Texts repeat and are dear to read; 1 and True are one key of a dictionary, and two different cells.
        if type(value) is str and value in known:
            found.append(known[value])
            continue
        cell = None if _is_absent(value) else read(column, value)
        if cell is UNREADABLE:
            unreadable, example, cell = unreadable + 1, example or shown(value), None
        elif type(value) is str:
            known[value] = cell
        found.append(cell)
    numeric = column.type in (NUMBER, DATE)
    return Cells(np.array(found, dtype=np.float64) if numeric else _objects(found), unreadable, example)


def _objects(cells: list[Any]) -> NDArray[Any]:
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def _is_absent(value: Any) -> bool:
    return is_missing(value) or (isinstance(value, str) and value == MISSING_TEXT)


UNREADABLE = object()


def _number(_: Column, value: Any) -> Any:
    try:
        number = as_number(value) if isinstance(value, str) else float(value) if isinstance(value, REAL) else None
    except OverflowError:  # a whole number beyond all floats
        number = None
    return UNREADABLE if number is None or not np.isfinite(number) else number


def _category(column: Column, value: Any) -> Any:
    """One text for each category; a listed category keeps its own name, whatever form it came in."""
    if named := column.named_by(value):
        return named
    if isinstance(value, str):
        return _written(column.typed(value))
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    return _written(str(value))


def _written(text: str) -> str:
    whole, point, rest = text.partition(".")
    if point and rest and not rest.strip("0") and whole.lstrip("+-").isdigit():
        return whole
    return TRUTH.get(text.lower(), text)


def _text(_: Column, value: Any) -> Any:
    return value if isinstance(value, str) else UNREADABLE


def _date(_: Column, value: Any) -> Any:
    try:
        return 0.0 if isinstance(as_date(value), datetime) else UNREADABLE
    except (ValueError, OverflowError):
        return UNREADABLE


READERS: dict[str, Callable[[Column, Any], Any]] = {
    NUMBER: _number,
    CATEGORY: _category,
    TEXT: _text,
    DATE: _date,  # 0 where there is one: time always moves, so that only missing dates are news
}
