"""The newest known values of lagged columns, as they travel: with a model, and beside the service as rows come in."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from releve.core.documents import DocumentPart
from releve.domain.features.clock import UNKNOWN, step_ticks, ticks_of
from releve.domain.features.completion import lagged_values, times_of
from releve.domain.features.history import LagHistory, is_number, values_of
from releve.domain.schema.columns import DATE
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

DEPTH = 2.0  # times the farthest lag: rows may be asked for that are older than the newest known one
MOST_VALUES = 200_000  # of a column


class ColumnValues(DocumentPart):
    """One column: the times of its rows, ascending (microseconds since 1970 of a date, in UTC), and its values."""

    times: tuple[int | float, ...]
    values: tuple[float | str, ...]


class KnownValues(DocumentPart):
    """What is known of a scenario's lagged columns: nothing of rows that no lag reaches any more."""

    format: Literal[1] = 1
    dates: bool  # whether the time is a date
    columns: dict[str, ColumnValues]

    @classmethod
    def of(cls, schema: Schema, frame: "pd.DataFrame") -> "KnownValues":
        """Take them from all labelled rows, in the order of their batches."""
        assert schema.derived is not None, "there are lags"
        times = times_of(schema, frame)
        ticks, dates = ticks_of(schema, times), schema.by_name[str(schema.time)].type == DATE
        oldest = int(ticks.max(initial=UNKNOWN + 1)) - round(DEPTH * schema.derived.farthest * step_ticks(schema))
        places = np.flatnonzero(ticks >= max(oldest, UNKNOWN + 1))
        columns = {}
        for name, cells in lagged_values(schema, frame.iloc[places]).items():
            known = ~np.isnan(cells) if cells.dtype.kind == "f" else cells != ""
            order = places[known][np.argsort(ticks[places][known], kind="stable")]
            is_last = np.append(ticks[order[1:]] != ticks[order[:-1]], True)[: len(order)]  # of its time
            newest = order[is_last][-MOST_VALUES:]
            found = times[newest].astype(np.int64) if dates else times[newest]
            columns[name] = ColumnValues(
                times=tuple(found.tolist()),
                values=tuple(values_of(schema, name, frame[name].to_numpy(object)[newest]).tolist()),
            )
        return cls(dates=dates, columns=columns)

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
