"""Parts of the holdout that are scored one by one: the rows of each category, or of each band of a number."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER, Column
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

MIN_SLICE_ROWS = 50  # of a slice or a protected group that may refuse a model: of fewer, every share is extreme
BANDS = 4  # of a number, each with as many of the training rows
MISSING = ""  # the value of missing cells: no category is called that, and one may be called "missing"
USUAL_DIGITS, MOST_DIGITS = 6, 17  # of a number in the name of a slice

Groups = tuple[list[str], list[str]]  # the name of each row's group; the names in order, without MISSING


@dataclass(frozen=True, eq=False)
class Slice:
    """Holdout rows with something in common."""

    column: str
    value: str  # MISSING of missing cells
    rows: NDArray[np.bool_]  # over the holdout


def check_slices(names: tuple[str, ...], schema: Schema, *, key: str) -> None:
    """Check that the table has these columns as numbers, categories or dates. Raises BadInput for any other."""
    types = {column.name: column.type for column in schema.columns}
    for name in names:
        if types.get(name) not in BY_TYPE:
            what = f"a {types[name]} column" if name in types else "no column of this scenario"
            able = ", ".join(column for column, kind in types.items() if kind in BY_TYPE)
            raise BadInput(f"{key} names {name!r}, which is {what}; expected some of {able}")


def slices(before: "pd.DataFrame", holdout: "pd.DataFrame", names: tuple[str, ...], schema: Schema) -> Iterator[Slice]:
    """Yield the slices of the columns `names`: bands from low to high, others by name, missing cells last.

    Bands of numbers are cut at the quantiles of the rows `before` the holdout; every holdout row is in exactly one
    slice of each column.
    """
    for name in names:
        values, ordered = _named(before[name], holdout[name], schema.column(name))
        named = np.array(values, dtype=object)
        for value in (*ordered, MISSING):
            if (rows := np.asarray(named == value)).any():
                yield Slice(name, value, rows)


def groups(before: "pd.Series[Any]", cells: "pd.Series[Any]", column: Column) -> list[str]:
    """Name each row's group."""
    return _named(before, cells, column)[0]


def _named(before: "pd.Series[Any]", cells: "pd.Series[Any]", column: Column) -> Groups:
    """Name the groups. Those of a personal column are counted, as their names are cells, or lie between two; categories
    that params.yaml lists are the table's words, and no person's."""
    values, ordered = BY_TYPE[column.type](before, cells)
    if not column.personal or column.categories:
        return values, ordered
    counted = {value: f"part {place} of {len(ordered)}" for place, value in enumerate(ordered, start=1)}
    return [counted.get(value, MISSING) for value in values], list(counted.values())


def _bands(before: "pd.Series[Any]", column: "pd.Series[Any]") -> Groups:
    import pandas as pd

    known = pd.unique(before.dropna())
    if len(known) <= BANDS:
        printed = _distinct_names(column.dropna().to_numpy(float))
        return [MISSING if pd.isna(value) else printed[float(value)] for value in column], list(printed.values())
    edges = np.unique(np.quantile(before.dropna(), np.arange(1, BANDS) / BANDS))
    cuts = list(_distinct_names(edges).values())
    names = [f"up to {cuts[0]}", *(f"{low} to {high}" for low, high in pairwise(cuts)), f"above {cuts[-1]}"]
    places = np.searchsorted(edges, column.to_numpy(float))
    return [MISSING if pd.isna(value) else names[place] for value, place in zip(column, places, strict=True)], names


def _by_name(values: list[str]) -> Groups:
    return values, sorted(set(values) - {MISSING})


def _distinct_names(values: NDArray[np.float64]) -> dict[float, str]:
    """Name each different value with as few digits, six or more, as keep the names distinct."""
    different = [float(value) + 0.0 for value in np.unique(values)]  # no -0
    for digits in range(USUAL_DIGITS, MOST_DIGITS):
        printed = [f"{value:.{digits}g}" for value in different]
        if len(set(printed)) == len(different):
            return dict(zip(different, printed, strict=True))
    return {value: repr(value) for value in different}


BY_TYPE: Mapping[str, Callable[[Any, Any], Groups]] = {  # of the rows before, and of the column
    NUMBER: _bands,
    CATEGORY: lambda _, column: _by_name(
        [str(value) if isinstance(value, str) and value else MISSING for value in column]
    ),
    DATE: lambda _, column: _by_name([str(month) for month in column.dt.strftime("%Y-%m").fillna(MISSING)]),
}
