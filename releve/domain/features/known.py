"""The newest known values of lagged columns, as they travel: with a model, and beside the service as rows come in."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from releve.core.documents import DocumentPart
from releve.domain.features.clock import UNKNOWN, step_ticks, ticks_of
from releve.domain.features.completion import lagged_values, times_of
from releve.domain.features.history import LagHistory, Series, is_number, values_of
from releve.domain.schema.columns import DATE
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

DEPTH = 2.0  # times the farthest lag: rows may be asked for that are older than the newest known one
MOST_VALUES = 200_000  # of a column
NEWEST_ROWS = 1000  # whose median is where the newest rows are


class ColumnValues(DocumentPart):
    """One column: the times of its rows, ascending (microseconds since 1970 of a date, in UTC), and its values."""

    times: tuple[int | float, ...]
    values: tuple[float | str, ...]


class KnownValues(DocumentPart):
    """What is known of a scenario's lagged columns: nothing of rows that no lag reaches any more."""

    format: Literal[1] = 1
    data_version: str = ""  # whose rows these are; "" where it travels with a model, which says it
    dates: bool  # whether the time is a date
    columns: dict[str, ColumnValues]

    @classmethod
    def of(cls, schema: Schema, frame: "pd.DataFrame", *, data_version: str = "") -> "KnownValues":
        """Take them from all labelled rows, in the order of their batches."""
        assert schema.derived is not None, "there are lags"
        times = times_of(schema, frame)
        ticks, dates = ticks_of(schema, times), schema.by_name[str(schema.time)].type == DATE
        newest = ticks[ticks != UNKNOWN][-NEWEST_ROWS:]
        around = int(np.median(newest)) if len(newest) else 0  # a row of the year 9999 is not what comes next
        oldest = around - round(DEPTH * schema.derived.farthest * step_ticks(schema))
        places = np.flatnonzero(ticks >= max(oldest, UNKNOWN + 1))
        columns = {}
        for name, cells in lagged_values(schema, frame.iloc[places]).items():
            known = ~np.isnan(cells) if cells.dtype.kind == "f" else cells != ""
            order = places[known][np.argsort(ticks[places][known], kind="stable")]
            is_last = np.append(ticks[order[1:]] != ticks[order[:-1]], True)[: len(order)]  # of its time
            kept = order[is_last][-MOST_VALUES:]
            found = times[kept].astype(np.int64) if dates else times[kept]
            columns[name] = ColumnValues(
                times=tuple(found.tolist()),
                values=tuple(values_of(schema, name, frame[name].to_numpy(object)[kept]).tolist()),
            )
        return cls(data_version=data_version, dates=dates, columns=columns)

    def add_to(self, history: LagHistory) -> None:
        """Add what `history` has lags of; a column that was of another type then says nothing."""
        schema = history.schema
        if self.dates != (schema.by_name[str(schema.time)].type == DATE):
            return
        kind: Any = "datetime64[us]" if self.dates else np.float64
        for name in history.series.keys() & self.columns.keys():
            known = self.columns[name]
            if known.values and isinstance(known.values[0], str) is not is_number(schema, name):
                times = np.array(known.times, dtype=np.int64 if self.dates else np.float64).astype(kind)
                history.add(ticks_of(schema, times), {name: values_of(schema, name, known.values)})


class KnownTicks(DocumentPart):
    """All that is known at a moment, as one model looks it up: times are ticks of its clock."""

    format: Literal[1] = 1
    columns: dict[str, ColumnValues]

    @classmethod
    def of(cls, history: LagHistory) -> "KnownTicks":
        """Take all of a history."""
        columns = {
            name: ColumnValues(times=tuple(each.ticks.tolist()), values=tuple(each.values.tolist()))
            for name, each in history.series.items()
        }
        return cls(columns=columns)

    def series(self, schema: Schema) -> dict[str, Series]:
        """Return them as the model with that schema has them."""
        return {
            name: Series(np.array(each.times, dtype=np.int64), values_of(schema, name, each.values))
            for name, each in self.columns.items()
        }
