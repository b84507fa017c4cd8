"""What is known of lagged columns, by the time of the rows: the newest value some steps before a row is looked up here.

A lag of k steps is the newest value whose row is at least k steps older than the row that asks, and less than k + 1.
Where there is none, be it that no row has that time or that its value is not known yet, it is missing. So it does not
matter how much more is known: the service, which is told of values as they come, and training, which knows all of
them, look up the same. Nothing that is newer than k steps is ever read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.features.clock import UNKNOWN, Ticks, step_ticks
from releve.domain.schema.columns import NUMBER
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

Values = NDArray[Any]  # float64 of a number, NaN where missing; object of a category, "" where missing


@dataclass
class Series:
    """One column's known values, (n,), by ascending ticks, (n,); of one tick the value that was added last is last."""

    ticks: Ticks
    values: Values

    def add(self, ticks: Ticks, values: Values) -> None:
        """Add values; those that are missing, or whose time is, are left out."""
        known = (ticks != UNKNOWN) & (~np.isnan(values) if values.dtype.kind == "f" else values != "")
        ticks, values = ticks[known], values[known]
        order = np.argsort(ticks, kind="stable")
        ticks, values = ticks[order], values[order]
        if not len(self.ticks) or not len(ticks) or ticks[0] >= self.ticks[-1]:
            self.ticks, self.values = np.concatenate([self.ticks, ticks]), np.concatenate([self.values, values])
        else:
            places = np.searchsorted(self.ticks, ticks, side="right")
            self.ticks, self.values = np.insert(self.ticks, places, ticks), np.insert(self.values, places, values)

    def newest(self, after: Ticks, until: Ticks) -> Values:
        """Return the newest value in each (after, until], missing where there is none."""
        missing: Any = np.nan if self.values.dtype.kind == "f" else ""
        if not len(self.ticks):
            return np.full(len(until), missing, dtype=self.values.dtype)
        places = np.searchsorted(self.ticks, until, side="right") - 1
        found = (places >= 0) & (self.ticks[places] > after)
        return np.where(found, self.values[places], missing).astype(self.values.dtype)

    def keep_newest(self, most: int) -> None:
        """Let go of the oldest ones, where there are more than twice as many as `most`."""
        if len(self.ticks) > 2 * most:
            self.ticks, self.values = self.ticks[-most:], self.values[-most:]


@dataclass
class LagHistory:
    """The known values of all lagged columns of a schema."""

    schema: Schema
    series: dict[str, Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.schema.derived.lagged if self.schema.derived else ():
            dtype: Any = np.float64 if is_number(self.schema, name) else object
            self.series.setdefault(name, Series(np.empty(0, dtype=np.int64), np.empty(0, dtype=dtype)))

    def add(self, ticks: Ticks, columns: Mapping[str, Values]) -> None:
        """Add rows: `columns` has cells of lagged columns, as a checked frame has them."""
        for name, values in columns.items():
            self.series[name].add(ticks, values)

    def lags(self, ticks: Ticks) -> dict[str, Values]:
        """Look up every lag of rows, (n,)."""
        assert self.schema.derived is not None, "lags are features"
        step, asked = step_ticks(self.schema), np.where(ticks == UNKNOWN, 0, ticks)
        found = {}
        for lag in self.schema.derived.lags:
            until = asked - max(1, round(lag.steps * step))  # never the row itself
            values = self.series[lag.column].newest(until - step, until)
            values[ticks == UNKNOWN] = np.nan if values.dtype.kind == "f" else ""
            found[lag.name] = values
        return found

    def reached(self, oldest: int, newest: int) -> dict[str, Series]:
        """Return the values that lags of rows from the tick `oldest` to `newest` may be looked up in."""
        assert self.schema.derived is not None, "lags are features"
        farthest = oldest - round(self.schema.derived.farthest * step_ticks(self.schema)) - 1
        found = {}
        for name, each in self.series.items():
            part = slice(*np.searchsorted(each.ticks, [farthest, newest]))
            found[name] = Series(each.ticks[part], each.values[part])
        return found

    def keep_newest(self, most: int) -> None:
        """Let go of the oldest values of a column that has more than twice as many as `most`."""
        for each in self.series.values():
            each.keep_newest(most)

    def copy(self) -> "LagHistory":
        """Return one that can be added to by itself: arrays are never changed in place."""
        return LagHistory(self.schema, {name: Series(each.ticks, each.values) for name, each in self.series.items()})


def is_number(schema: Schema, name: str) -> bool:
    """Whether the values of a lagged column are numbers."""
    if name == schema.target.name:
        return schema.target.task == REGRESSION
    return schema.by_name[name].type == NUMBER


def values_of(schema: Schema, name: str, cells: Any) -> Values:
    """Return the cells of a lagged column as values: of classes the name."""
    if is_number(schema, name):
        return np.asarray(cells, dtype=np.float64)
    if name == schema.target.name:
        return np.array(["" if cell is None else str(cell) for cell in cells], dtype=object)
    return np.asarray(cells, dtype=object)
