"""The newest known values of lagged columns, as they travel: with a model, and beside the service as rows come in."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from releve.core.documents import DocumentPart
from releve.core.errors import BadInput
from releve.domain.features.clock import NEWEST_ROWS, UNKNOWN, Ticks, step_ticks, steps_back, ticks_of
from releve.domain.features.completion import lagged_values, row_times, times_of
from releve.domain.features.history import Key, LagHistory, RowTimes, Series, is_number, values_of
from releve.domain.schema.columns import DATE
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

DEPTH = 2.0  # times the farthest lag: rows may be asked for that are older than the newest known one
MOST_VALUES = 1_000_000  # of a column: 5,000 shops with hourly rows, and lags of a week


class ColumnValues(DocumentPart):
    """One column: the times of its rows, ascending (microseconds since 1970 of a date, in UTC), and its values."""

    times: tuple[int | float, ...]
    values: tuple[float | str, ...]
    entities: tuple[str, ...] = ()  # of each row, where lags are kept apart


class KnownValues(DocumentPart):
    """What is known of a scenario's lagged columns: nothing of rows that no lag reaches any more."""

    format: Literal[1] = 1
    data_version: str = ""  # whose rows these are; "" where it travels with a model, which says it
    dates: bool  # whether the time is a date
    by: str | None = None  # as `features.by`
    columns: dict[str, ColumnValues]

    def too_short(self, schema: Schema) -> str:
        """Say which lag reaches farther than the newest MOST_VALUES values of its column do; "" where none does."""
        assert schema.derived is not None, "there are lags"
        for name, known in self.columns.items():
            back, farthest = steps_back(schema, self._ticks(schema, known)), schema.derived.reach(name)
            if len(known.values) >= MOST_VALUES and back < farthest:
                of_each = f" (of {len({*known.entities}):,} different cells of {self.by})" if self.by else ""
                return (
                    f"features.lags.{name} reaches {farthest:g} steps back, and the newest {len(known.values):,} values"
                    f"{of_each} reach {back:.0f}; no more are kept, so what training looks up would be missing at "
                    "answers. Expected shorter lags (scenarios/<name>/params.yaml), or fewer rows in the time that "
                    "they reach back"
                )
        return ""

    @classmethod
    def of(cls, schema: Schema, frame: "pd.DataFrame", *, data_version: str = "") -> "KnownValues":
        """Take them from all labelled rows, in the order of their batches."""
        assert schema.derived is not None, "there are lags"
        times, rows = times_of(schema, frame), row_times(schema, frame)
        ticks, dates = rows.ticks, schema.by_name[str(schema.time)].type == DATE
        newest = ticks[ticks != UNKNOWN][-NEWEST_ROWS:]
        around = int(np.median(newest)) if len(newest) else 0  # a row of the year 9999 is not what comes next
        oldest = around - round(DEPTH * schema.derived.farthest * step_ticks(schema))
        is_near = ticks >= max(oldest, UNKNOWN + 1)
        if rows.entities is not None:
            is_near &= rows.entities != ""
        places = np.flatnonzero(is_near)
        columns = {}
        for name, cells in lagged_values(schema, frame.iloc[places]).items():
            known = ~np.isnan(cells) if cells.dtype.kind == "f" else cells != ""
            kept = _last_of_each(rows, places[known])[-MOST_VALUES:]
            found = times[kept].astype(np.int64) if dates else times[kept]
            columns[name] = ColumnValues(
                times=tuple(found.tolist()),
                values=tuple(values_of(schema, name, frame[name].to_numpy(object)[kept]).tolist()),
                entities=() if rows.entities is None else tuple(rows.entities[kept].tolist()),
            )
        return cls(data_version=data_version, dates=dates, by=schema.derived.by, columns=columns)

    def add_to(self, history: LagHistory) -> None:
        """Add what `history` has lags of; a column that was of another type, or kept apart otherwise, says nothing."""
        schema = history.schema
        is_alike = schema.derived is not None and self.by == schema.derived.by
        if not is_alike or self.dates != (schema.by_name[str(schema.time)].type == DATE):
            return
        for name in {*history.lagged} & self.columns.keys():
            known = self.columns[name]
            if known.values and isinstance(known.values[0], str) is not is_number(schema, name):
                entities = None if self.by is None else np.array(known.entities, dtype=object)
                rows = RowTimes(self._ticks(schema, known), entities)
                history.add(rows, {name: values_of(schema, name, known.values)})

    def _ticks(self, schema: Schema, known: ColumnValues) -> Ticks:
        times = np.array(known.times, dtype=np.int64 if self.dates else np.float64)
        return ticks_of(schema, times.astype("datetime64[us]") if self.dates else times)


def check_reach(schema: Schema, frame: "pd.DataFrame") -> None:
    """Raise BadInput where labelled rows have lags that would be missing at answers, as too many values are newer."""
    if schema.derived and schema.derived.lags and (problem := KnownValues.of(schema, frame).too_short(schema)):
        raise BadInput(problem)


class KnownTicks(DocumentPart):
    """All that is known at a moment, as one model looks it up: times are ticks of its clock."""

    format: Literal[1] = 1
    columns: dict[str, ColumnValues]

    @classmethod
    def of(cls, history: LagHistory) -> "KnownTicks":
        """Take all of a history."""
        columns = {}
        for name in history.lagged:
            own = [(entity, each) for (column, entity), each in history.series.items() if column == name]
            columns[name] = ColumnValues(
                times=tuple(tick for _, each in own for tick in each.ticks.tolist()),
                values=tuple(value for _, each in own for value in each.values.tolist()),
                entities=tuple(entity for entity, each in own for _ in each.ticks),
            )
        return cls(columns=columns)

    def series(self, schema: Schema) -> dict[Key, Series]:
        """Return them as the model with that schema has them."""
        history = LagHistory(schema)
        for name, each in self.columns.items():
            is_apart = schema.derived is not None and schema.derived.by
            entities = np.array(each.entities, dtype=object) if is_apart else None
            rows = RowTimes(np.array(each.times, dtype=np.int64), entities)
            history.add(rows, {name: values_of(schema, name, each.values)})
        return history.series


def _last_of_each(rows: RowTimes, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return places in the order of their ticks: of an entity's rows of one tick, the last one."""
    kept = []
    own = RowTimes(rows.ticks[places], None if rows.entities is None else rows.entities[places])
    for _, part in own.by_entity():
        ticks = own.ticks[part]
        order = np.argsort(ticks, kind="stable")
        is_last = np.append(np.diff(ticks[order]) != 0, True)[: len(order)]
        kept.append(places[part][order[is_last]])
    found = np.concatenate([np.empty(0, dtype=np.intp), *kept])
    return found[np.argsort(rows.ticks[found], kind="stable")]
