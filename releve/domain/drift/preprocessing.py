"""Cells as they are compared: each type has one form, in whatever form its cells travelled.

A reference comes from a file, answers come from JSON: 1, 1.0, "1" and True name one category, and a nullable, a
pyarrow and a plain column of numbers hold the same numbers. What cannot be read is counted, and missing from then on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.drift.text_features import MOST_TEXTS, TextVectors, choose_fitted
from releve.domain.drift.variance_inflation import MOST_ROWS, Places, choose_places
from releve.domain.schema.cells import MISSING_TEXT, as_date, as_number, format_value, is_missing
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER, TEXT, Column

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
            unreadable, example, cell = unreadable + 1, example or format_value(value), None
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


MOST = {TEXT: MOST_TEXTS}  # rows of a side, by type; MOST_ROWS of others


@dataclass(frozen=True, eq=False)
class Pair:
    """Arrays of float64, NaN where a cell is missing: numbers, codes of categories, vectors of texts (rows, parts)."""

    column: Column
    before: NDArray[np.float64]
    now: NDArray[np.float64]
    windows: tuple[NDArray[np.float64], ...]  # past windows of the reference, the oldest first
    unreadable: tuple[Cells, Cells]  # before, now: what could not be read
    names: tuple[str, ...] = ()  # of the categories, by code
    of_predictions: bool = False  # the champion's predictions, and no column of the table

    @property
    def tries(self) -> int:
        """Tests that the column takes: one for each part of a vector."""
        return 1 if self.before.ndim == 1 else self.before.shape[1]

    @property
    def present(self) -> int:
        """Present cells of the side that has fewer."""
        return min(int((~_missing(side)).sum()) for side in (self.before, self.now))

    @property
    def missing(self) -> tuple[float, float]:
        """Share 0-1 of cells that are missing: before, now."""
        before, now = self.unreadable
        return float(before.missing.mean()), float(now.missing.mean())


def pair_of(column: Column, reference: "pd.Series[Any]", current: "pd.Series[Any]") -> Pair:
    """Sample, clean and encode the cells of both sides; both need a row."""
    places = choose_places(len(reference), len(current), most=MOST.get(column.type, MOST_ROWS))
    seen = _union(places)
    before, now = clean(column, reference.iloc[seen]), clean(column, current.iloc[places.current])
    encode = ENCODERS.get(column.type, _as_they_are)
    known, found, names = encode(before.values, now.values)
    sides = [known[np.searchsorted(seen, chosen)] for chosen in (places.reference, *places.windows)]
    return Pair(column, sides[0], found, tuple(sides[1:]), (before, now), names)


def _union(places: Places) -> NDArray[np.intp]:
    return np.unique(np.concatenate([places.reference, *places.windows]))


Encoded = tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]


def _as_they_are(before: NDArray[Any], now: NDArray[Any]) -> Encoded:
    return before, now, ()


def _codes(before: NDArray[Any], now: NDArray[Any]) -> Encoded:
    import pandas as pd

    codes, names = pd.factorize(np.concatenate([before, now]))
    numbered = np.where(codes < 0, np.nan, codes.astype(np.float64))
    return numbered[: len(before)], numbered[len(before) :], tuple(map(str, names))


def _vectors(before: NDArray[Any], now: NDArray[Any]) -> Encoded:
    """Texts that directions were learned from take no part in the comparison: they are missing."""
    fitted = choose_fitted(before)
    if not len(fitted):
        return np.full((len(before), 1), np.nan), np.full((len(now), 1), np.nan), ()
    vectors = TextVectors.fit(before[fitted].tolist())
    known = vectors.encode(before.tolist())
    known[fitted] = np.nan
    return known, vectors.encode(now.tolist()), ()


ENCODERS = {NUMBER: _as_they_are, CATEGORY: _codes, TEXT: _vectors}


def _missing(side: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isnan(side if side.ndim == 1 else side[:, 0])


def present_of(side: NDArray[np.float64]) -> NDArray[np.float64]:
    """The present cells alone."""
    return side[~_missing(side)]


def as_series(side: Sequence[float] | NDArray[Any], pair: Pair, part: int) -> "pd.Series[Any]":
    """A side as a report shows it: numbers, names of categories, or one part of the vectors."""
    import pandas as pd

    cells = np.asarray(side)
    if cells.ndim == 2:
        return pd.Series(cells[:, part])
    if not pair.names:
        return pd.Series(cells)
    return pd.Series([None if code != code else pair.names[int(code)] for code in cells], dtype=object)
