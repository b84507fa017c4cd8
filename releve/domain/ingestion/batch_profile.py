"""What the accepted rows of a batch are like, or of several together: what later batches are held against."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from operator import add
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.columns import CATEGORY, NUMBER, Column
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

MOST_CATEGORIES = 200  # values of a column that are remembered; one with more is no list of categories


@dataclass(frozen=True)
class BatchProfile:
    """Of checked rows. JSON can hold it."""

    rows: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)  # cells, by column
    low: Mapping[str, float] = field(default_factory=dict)  # by number column
    high: Mapping[str, float] = field(default_factory=dict)
    categories: Mapping[str, list[str] | None] = field(default_factory=dict)  # None: more than MOST_CATEGORIES
    oldest: float | None = None  # of the time column; dates as seconds since 1970
    newest: float | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "BatchProfile":
        return cls(**values)


def joined(profiles: Iterable[BatchProfile]) -> BatchProfile:
    """What several batches are like together."""
    total = BatchProfile()
    for other in profiles:
        total = BatchProfile(
            total.rows + other.rows,
            _merged(total.missing, other.missing, add),
            _merged(total.low, other.low, min),
            _merged(total.high, other.high, max),
            _merged(total.categories, other.categories, _union),
            _extreme(total.oldest, other.oldest, min),
            _extreme(total.newest, other.newest, max),
        )
    return total


def profile(frame: "pd.DataFrame", schema: Schema) -> BatchProfile:
    """Of checked rows."""
    same = _alike(schema)
    open_lists = [column.name for column in same if column.type == CATEGORY and not column.categories]
    numbers = {column.name: frame[column.name].dropna() for column in same if column.type == NUMBER}
    times = _seconds(frame[schema.time]) if schema.time else np.empty(0)
    return BatchProfile(
        rows=len(frame),
        missing={column.name: int(is_missing(frame[column.name]).sum()) for column in schema.columns},
        low={name: float(cells.min()) for name, cells in numbers.items() if len(cells)},
        high={name: float(cells.max()) for name, cells in numbers.items() if len(cells)},
        categories={name: _short({str(value) for value in frame[name].unique()} - {""}) for name in open_lists},
        oldest=float(times.min()) if len(times) else None,
        newest=float(times.max()) if len(times) else None,
    )


def of_types(earlier: BatchProfile, schema: Schema) -> BatchProfile:
    """What was seen of columns that are held against it, and whose type is still the one it was seen of."""
    kinds = {column.name: column.type for column in _alike(schema)}
    numbers = [name for name in earlier.low if kinds.get(name) == NUMBER]
    return replace(
        earlier,
        low={name: earlier.low[name] for name in numbers},
        high={name: earlier.high[name] for name in numbers},
        categories={name: known for name, known in earlier.categories.items() if kinds.get(name) == CATEGORY},
    )


def _alike(schema: Schema) -> list[Column]:
    """Columns whose values should be like those before. Ids and times are new in every batch, and what is no feature,
    such as a running number, may be."""
    return [column for column in schema.features if column.name not in (schema.id, schema.time)]


def is_missing(cells: "pd.Series[Any]") -> "pd.Series[Any]":
    """Per cell of a checked column."""
    return cells.isna() | (cells == "") if cells.dtype.kind == "O" else cells.isna()


def _merged(first: Mapping[str, Any], second: Mapping[str, Any], join: Callable[[Any, Any], Any]) -> dict[str, Any]:
    both = {name: join(first[name], second[name]) for name in first if name in second}
    return {**first, **second, **both}


def _extreme(first: float | None, second: float | None, pick: Callable[[Any], float]) -> float | None:
    return pick([value for value in (first, second) if value is not None]) if (first, second) != (None, None) else None


def _union(first: list[str] | None, second: list[str] | None) -> list[str] | None:
    return None if first is None or second is None else _short({*first, *second})


def _short(values: set[str]) -> list[str] | None:
    return sorted(values) if len(values) <= MOST_CATEGORIES else None


def _seconds(times: "pd.Series[Any]") -> NDArray[np.float64]:
    present = times.dropna()
    if present.dtype.kind == "M":
        return present.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    return present.to_numpy(np.float64)
