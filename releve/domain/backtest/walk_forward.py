"""What a backtest is played over: all labelled rows in time order, cut into windows."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from releve.core.errors import BadInput
from releve.core.params import Params
from releve.domain.backtest.jobs import Floats, JobContext
from releve.domain.evaluation import baselines
from releve.domain.evaluation.metrics import resolve
from releve.domain.evaluation.paired import RESAMPLES
from releve.domain.schema.schema import BATCH, Schema

if TYPE_CHECKING:
    import pandas as pd

LEAST_WINDOWS = 2
LEAST_ROWS = 10  # of a window
UNDATED = datetime(2000, 1, 1, tzinfo=UTC)  # before the first window of rows without a time


@dataclass(frozen=True)
class BacktestWindow:
    """Rows [start, end) that are answered between two monitoring runs."""

    number: int  # from 1
    start: int
    end: int
    at: str = ""  # time of its newest row, ISO 8601; where the table has none, windows are a day apart


@dataclass(frozen=True, eq=False)
class WalkForward:
    """What every policy is played over. `context.rows` name their window as their batch."""

    context: JobContext
    windows: tuple[BacktestWindow, ...]
    truth: Floats  # of every row: the place of its label among the classes, or its value
    label_delay: int = 0  # windows
    is_dated: bool = False  # whether the times of windows are the table's

    @property
    def start(self) -> int:
        """Count the rows before the first window; their labels are known from the beginning."""
        return self.windows[0].start

    @property
    def rows(self) -> int:
        return self.windows[-1].end

    def known(self, window: BacktestWindow) -> int:
        """Count rows whose labels have arrived when `window` has been answered."""
        arrived = window.number - self.label_delay
        return self.windows[arrived - 1].end if arrived > 0 else self.start

    def known_before(self, window: BacktestWindow) -> int:
        """Return the same for the window before."""
        return self.known(self.windows[window.number - 2]) if window.number > 1 else self.start

    def new_batches(self, known: int, judged: int) -> int:
        """Count windows whose labels arrived after the first `judged` rows' had."""
        return sum(judged < window.end <= known for window in self.windows)


def walk_forward(rows: "pd.DataFrame", schema: Schema, params: Params, *, resamples: int = RESAMPLES) -> WalkForward:
    """Cut the rows (features, target, `_batch`) as `backtest` says. Raises BadInput where they are too few."""
    import pandas as pd

    def time_of(row: int) -> str:
        newest = rows[schema.time].iloc[row] if schema.time and rows[schema.time].dtype.kind == "M" else None
        if newest is None or pd.isna(newest):
            return ""
        return str((newest.tz_localize("UTC") if newest.tz is None else newest).isoformat())

    edges = cut(rows, params)
    first = edges[0]
    size = max(1, (edges[-1] - first) // (len(edges) - 1))
    warm = [*range(first, 0, -size), 0][::-1]  # the rows before, in windows of the same size
    marked = rows.assign(**{BATCH: np.repeat(np.arange(len(warm) + len(edges) - 2), np.diff([*warm, *edges[1:]]))})
    windows = tuple(
        BacktestWindow(number, start, end, time_of(end - 1) or _day(number))
        for number, (start, end) in enumerate(pairwise(edges), start=1)
    )
    context = JobContext(marked, schema, params, resolve(params.gate.metric, schema.target.task), resamples)
    truth = np.asarray(baselines.labels_as_places(rows[schema.target.name].tolist(), schema.target), dtype=np.float64)
    delay, is_dated = params.backtest.label_delay_windows, bool(time_of(len(rows) - 1))
    return WalkForward(context, windows, truth, label_delay=delay, is_dated=is_dated)


def cut(rows: "pd.DataFrame", params: Params) -> list[int]:
    """Return the first row of every window, and the end of the last one."""
    total, wanted = len(rows), params.backtest.windows
    first = int(total * params.backtest.first_share)
    if wanted:
        edges = [first + (total - first) * number // wanted for number in range(wanted + 1)]
    else:
        ends = rows[BATCH].ne(rows[BATCH].shift(-1)).to_numpy().nonzero()[0] + 1
        edges = [int(end) for end in ends if end >= max(first, 1)]
    least = min(np.diff(edges), default=0)
    if len(edges) <= LEAST_WINDOWS or least < LEAST_ROWS or edges[0] < params.statistics.min_rows:
        raise BadInput(
            f"{total} labelled rows make {max(0, len(edges) - 1)} windows of at least {least} rows after the first "
            f"{edges[0] if edges else 0}; a backtest needs {LEAST_WINDOWS} of {LEAST_ROWS} after the first "
            f"{params.statistics.min_rows} (params.yaml: statistics.min_rows). Ingest more rows, or change "
            "backtest.windows or backtest.first_share"
        )
    return edges


def _day(number: int) -> str:
    return (UNDATED + timedelta(days=number)).isoformat()
