"""What is known of lagged columns, by the time of the rows: the newest value some steps before a row is looked up here.

A lag of k steps is the newest value whose row is at least k steps older than the row that asks, and less than k + 1.
Where there is none, be it that no row has that time or that its value is not known yet, it is missing. So it does not
matter how much more is known: the service, which is told of values as they come, and training, which knows all of
them, look up the same. Nothing that is newer than k steps is ever read, and with `features.by` nothing of another
entity.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.features.clock import UNKNOWN, Ticks, step_ticks, steps_back
from releve.domain.schema.columns import NUMBER
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

Values = NDArray[Any]  # float64 of a number, NaN where missing; object of a category, "" where missing
Key = tuple[str, str]  # a lagged column, and an entity; "" where lags are not kept apart


@dataclass(frozen=True, eq=False)
class RowTimes:
    """When rows are, (n,), and of which entity each is, (n,), "" where that is missing; None without `features.by`."""

    ticks: Ticks
    entities: Values | None = None

    def take(self, part: slice) -> "RowTimes":
        """Select neighbouring rows."""
        return RowTimes(self.ticks[part], None if self.entities is None else self.entities[part])

    def by_entity(self) -> Iterator[tuple[str, Any]]:
        """Yield each entity with the places of its rows; rows of no entity are left out."""
        if self.entities is None:
            yield "", slice(None)
        elif len(self.entities):
            names, places = np.unique(self.entities.astype(str), return_inverse=True)
            ends = np.cumsum(np.bincount(places))[:-1]
            for name, part in zip(names.tolist(), np.split(np.argsort(places, kind="stable"), ends), strict=True):
                if name:
                    yield name, part


@dataclass(frozen=True, eq=False)
class Series:
    """Known values, (n,), by ascending ticks, (n,); of one tick the value that was added last is last."""

    ticks: Ticks
    values: Values

    def joined(self, ticks: Ticks, values: Values) -> "Series":
        """Add values; those that are missing, or whose time is, are left out."""
        known = (ticks != UNKNOWN) & (~np.isnan(values) if values.dtype.kind == "f" else values != "")
        ticks, values = ticks[known], values[known]
        order = np.argsort(ticks, kind="stable")
        ticks, values = ticks[order], values[order]
        if not len(self.ticks) or not len(ticks) or ticks[0] >= self.ticks[-1]:
            return Series(np.concatenate([self.ticks, ticks]), np.concatenate([self.values, values]))
        places = np.searchsorted(self.ticks, ticks, side="right")
        return Series(np.insert(self.ticks, places, ticks), np.insert(self.values, places, values))

    def newest(self, after: Ticks, until: Ticks) -> Values:
        """Return the newest value in each (after, until], missing where there is none."""
        missing: Any = np.nan if self.values.dtype.kind == "f" else ""
        if not len(self.ticks):
            return np.full(len(until), missing, dtype=self.values.dtype)
        places = np.searchsorted(self.ticks, until, side="right") - 1
        found = (places >= 0) & (self.ticks[places] > after)
        return np.where(found, self.values[places], missing).astype(self.values.dtype)

    def last_of_ticks(self) -> "Series":
        """Return it without the values that others of the same tick came after."""
        is_last = np.append(np.diff(self.ticks) != 0, True)[: len(self.ticks)]
        return Series(self.ticks[is_last], self.values[is_last])

    def since(self, tick: int) -> "Series":
        """Return it without the values before a tick."""
        return self.take(slice(int(np.searchsorted(self.ticks, tick)), None))

    def take(self, part: slice) -> "Series":
        """Select neighbouring values."""
        return Series(self.ticks[part], self.values[part])


@dataclass
class LagHistory:
    """The known values of all lagged columns of a schema; a series for each that has values."""

    schema: Schema
    series: dict[Key, Series] = field(default_factory=dict)

    @property
    def lagged(self) -> tuple[str, ...]:
        """The columns of which values are wanted."""
        return self.schema.derived.lagged if self.schema.derived else ()

    def add(self, rows: RowTimes, columns: Mapping[str, Values]) -> None:
        """Add rows: `columns` has cells of lagged columns, as a checked frame has them."""
        for entity, part in rows.by_entity():
            for name, values in columns.items():
                self._join((name, entity), rows.ticks[part], values[part])

    def add_series(self, series: Mapping[Key, Series]) -> None:
        """Add what another history knows."""
        for key, each in series.items():
            self._join(key, each.ticks, each.values)

    def lags(self, rows: RowTimes) -> dict[str, Values]:
        """Look up every lag of rows, (n,)."""
        assert self.schema.derived is not None, "lags are features"
        step, asked = step_ticks(self.schema), np.where(rows.ticks == UNKNOWN, 0, rows.ticks)
        found, groups = {}, [*rows.by_entity()]
        for lag in self.schema.derived.lags:
            values = self._missing(lag.column, len(asked))
            for entity, part in groups:
                if (known := self.series.get((lag.column, entity))) is not None:
                    until = asked[part] - max(1, round(lag.steps * step))  # never the row itself
                    values[part] = known.newest(until - step, until)
            values[rows.ticks == UNKNOWN] = np.nan if values.dtype.kind == "f" else ""
            found[lag.name] = values
        return found

    def reached(self, oldest: int, newest: int, entities: Iterable[str]) -> dict[Key, Series]:
        """Return the values that lags of rows of these entities, from the tick `oldest` to `newest`, may be looked up
        in."""
        assert self.schema.derived is not None, "lags are features"
        farthest = oldest - round(self.schema.derived.farthest * step_ticks(self.schema)) - 1
        keys = [key for entity in entities for name in self.lagged if (key := (name, entity)) in self.series]
        ends = {key: np.searchsorted(self.series[key].ticks, [farthest, newest]) for key in keys}
        return {key: self.series[key].take(slice(*found)) for key, found in ends.items() if found[0] < found[1]}

    def keep_newest(self, most: int) -> list[str]:
        """Let go of the oldest values of a column that has more than twice as many as `most`: of all entities alike.

        Return the columns of which the newest `most` do not reach back to their farthest lag.
        """
        assert self.schema.derived is not None, "lags are features"
        short = []
        for name in self.lagged:
            own = {key: each for key, each in self.series.items() if key[0] == name}
            if sum(len(each.ticks) for each in own.values()) <= 2 * most:
                continue
            own = {key: each.last_of_ticks() for key, each in own.items()}
            ticks = np.sort(np.concatenate([each.ticks for each in own.values()]))
            kept = ticks[-most:]
            self.series |= {key: each.since(int(kept[0])) for key, each in own.items()}
            if len(kept) < len(ticks) and steps_back(self.schema, kept) < self.schema.derived.reach(name):
                short.append(name)
        return short

    def copy(self) -> "LagHistory":
        """Return one that can be added to by itself: a series is never changed."""
        return LagHistory(self.schema, dict(self.series))

    def _join(self, key: Key, ticks: Ticks, values: Values) -> None:
        known = self.series.get(key) or Series(np.empty(0, dtype=np.int64), self._missing(key[0], 0))
        self.series[key] = known.joined(ticks, values)

    def _missing(self, name: str, rows: int) -> Values:
        return np.full(rows, np.nan) if is_number(self.schema, name) else np.full(rows, "", dtype=object)


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
