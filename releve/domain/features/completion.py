"""Rows with the features that nobody sends: whole tables as training has them, and single rows as requests bring them.

Both look up the same history by the same clock. A row of a table sees the rows of its own batch and of those before it;
a row of a request sees what the service knows, and the other rows of the request.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.features.clock import UNKNOWN, Ticks, phases, ticks_of
from releve.domain.features.history import LagHistory, RowTimes, Values, values_of
from releve.domain.schema.cells import is_missing
from releve.domain.schema.columns import DATE, Column
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.schema.validation import with_columns

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]


def complete_frame(schema: Schema, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Add the derived columns to all labelled rows in the order of their batches (`_batch`); the same without any.

    A row sees no batch that came after its own, so that a late file changes nothing of what earlier rows were answered
    with.
    """
    if schema.derived is None:
        return frame
    rows, history = row_times(schema, frame), LagHistory(schema)
    columns: dict[str, Any] = dict(phases(schema, times_of(schema, frame)))
    if schema.derived.lags:
        values = lagged_values(schema, frame)
        parts = []
        for part in _in_time(rows.ticks, frame[BATCH].to_numpy(object)):
            history.add(rows.take(part), {name: cells[part] for name, cells in values.items()})
            parts.append(history.lags(rows.take(part)))
        columns |= {lag.name: np.concatenate([part[lag.name] for part in parts]) for lag in schema.derived.lags}
    return with_columns(frame, columns)


def complete_later_frame(schema: Schema, frame: "pd.DataFrame", history: LagHistory) -> "pd.DataFrame":
    """Add the derived columns to checked rows without labels, from a history that knows them (`later_values`)."""
    if schema.derived is None:
        return frame
    columns: dict[str, Any] = dict(phases(schema, times_of(schema, frame)))
    if schema.derived.lags:
        columns |= history.lags(row_times(schema, frame))
    return with_columns(frame, columns)


def later_values(schema: Schema, frame: "pd.DataFrame") -> tuple[RowTimes, dict[str, Values]]:
    """Return when checked rows without labels are, and their lagged columns: never the target, if a file has it."""
    sent = lagged_values(schema, frame)
    sent.pop(schema.target.name, None)
    return row_times(schema, frame), sent


def history_of(schema: Schema, frame: "pd.DataFrame") -> LagHistory:
    """Return the history that all labelled rows make."""
    history = LagHistory(schema)
    if schema.derived and schema.derived.lags:
        history.add(row_times(schema, frame), lagged_values(schema, frame))
    return history


def complete_rows(schema: Schema, rows: Sequence[Any], history: LagHistory) -> list[Any]:
    """Add the derived cells to rows as requests bring them, where they do not bring them themselves.

    A row whose time, or entity, cannot be read stays as it is: the check of the rows says what is wrong with it.
    """
    assert schema.derived is not None, "there are features to add"
    places, times = _times_of_rows(schema, rows)
    if not places:
        return list(rows)
    cells = dict[str, NDArray[Any]](phases(schema, times))
    if schema.derived.lags:
        timed = [rows[place] for place in places]
        seen, when = history, RowTimes(ticks_of(schema, times), _entities_of_rows(schema, timed))
        if len(places) > 1:
            seen = history.copy()
            seen.add(when, sent_values(schema, timed))
        cells |= seen.lags(when)
    found = list(rows)
    for at, place in enumerate(places):
        derived = {name: _sent(schema.by_name[name], values[at]) for name, values in cells.items()}
        found[place] = derived | rows[place]
    return found


def times_of_rows(schema: Schema, rows: Sequence[Any]) -> RowTimes:
    """Return when each row is that a request brought; UNKNOWN where its time cannot be read."""
    ticks = np.full(len(rows), UNKNOWN, dtype=np.int64)
    places, times = _times_of_rows(schema, rows)
    ticks[places] = ticks_of(schema, times)
    return RowTimes(ticks, _entities_of_rows(schema, rows))


def _entities_of_rows(schema: Schema, rows: Sequence[Row]) -> Values | None:
    by = schema.derived.by if schema.derived else None
    return None if by is None else _typed_cells(schema, by, rows)


def _times_of_rows(schema: Schema, rows: Sequence[Any]) -> tuple[list[int], NDArray[Any]]:
    """Return the places of the rows of which can be read what others follow from, and their times."""
    columns = [schema.by_name[name] for name in schema.looked_up_by]
    places = [
        place
        for place, row in enumerate(rows)
        if isinstance(row, dict)
        and all(column.name in row and column.problem(row[column.name]) is None for column in columns)
    ]
    time = columns[0]
    return places, np.array([time.typed(rows[place][time.name]) for place in places], dtype=_dtype(schema))


def sent_rows(schema: Schema, rows: Sequence[Row]) -> Sequence[Row]:
    """Return completed rows as they were sent, without the features that `schema` adds."""
    if schema.derived is None:
        return rows
    return [{name: cell for name, cell in row.items() if name not in schema.derived_names} for row in rows]


def sent_values(schema: Schema, rows: Sequence[Row]) -> dict[str, Values]:
    """Return the lagged columns, except the target, of rows that a request brought; what is no such cell is missing."""
    found = {}
    for name in schema.derived.lagged if schema.derived else ():
        if name == schema.target.name:
            continue
        found[name] = values_of(schema, name, _typed_cells(schema, name, rows))
    return found


def _typed_cells(schema: Schema, name: str, rows: Sequence[Row]) -> Values:
    column = schema.by_name[name]
    cells, empty = [row.get(name) for row in rows], column.typed(None)
    typed = [empty if is_missing(cell) or column.problem(cell) else column.typed(cell) for cell in cells]
    return np.array(typed, dtype=object)


def row_times(schema: Schema, frame: "pd.DataFrame") -> RowTimes:
    """Return when the rows of a checked frame are, and of which entity."""
    by = schema.derived.by if schema.derived else None
    return RowTimes(ticks_of(schema, times_of(schema, frame)), None if by is None else frame[by].to_numpy(object))


def times_of(schema: Schema, frame: "pd.DataFrame") -> NDArray[Any]:
    """Return the times of rows, as `ticks_of` takes them."""
    return frame[schema.time].to_numpy(_dtype(schema))


def _dtype(schema: Schema) -> Any:
    return "datetime64[us]" if schema.by_name[str(schema.time)].type == DATE else np.float64


def lagged_values(schema: Schema, frame: "pd.DataFrame") -> dict[str, Values]:
    """Return the lagged columns that rows hold."""
    names = schema.derived.lagged if schema.derived else ()
    return {name: values_of(schema, name, frame[name].to_numpy(object)) for name in names if name in frame}


def _sent(column: Column, value: Any) -> Any:
    """Return a cell as JSON has it; missing where the model's schema does not allow it.

    Files may be ingested by a wider one, and no caller is to blame for a cell that nobody sent.
    """
    if value != value or value == "":
        return None
    cell = value if isinstance(value, str) else float(value)
    return None if column.problem(cell) else cell


def _in_time(ticks: Ticks, batches: NDArray[Any]) -> list[slice]:
    """Cut rows into runs of batches: within a run no batch has a row that is older than one of a batch before it.

    To look up a whole run at once is the same as batch after batch, since nothing newer than a row is ever read.
    """
    starts = [0, *(np.flatnonzero(batches[1:] != batches[:-1]) + 1), len(ticks)]
    cuts, newest = [0], UNKNOWN
    for start, end in pairwise(starts):
        known = ticks[start:end][ticks[start:end] != UNKNOWN]
        if len(known):
            if int(known.min()) < newest and start:
                cuts.append(start)
            newest = max(newest, int(known.max()))
    return [slice(start, end) for start, end in zip(cuts, [*cuts[1:], len(ticks)], strict=True)]
