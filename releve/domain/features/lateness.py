"""How late values of lagged columns are known in truth, beside what was declared: a lag that is shorter is missing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from releve.domain.features.clock import UNKNOWN, Ticks, step_ticks, ticks_of
from releve.domain.schema.columns import DATE
from releve.domain.schema.schema import Schema

USUAL = 0.9  # quantile


@dataclass(frozen=True)
class LateValues:
    """A lagged column of which too many values came late. In steps of `features`."""

    column: str
    unit: str  # hour, day or month
    allowed: float
    declared: bool  # as features.delay; else it is what the shortest lag needs
    late: float  # share 0-1 that came later
    usual: float  # nine of ten came sooner
    values: int


def comes_afterwards(schema: Schema) -> tuple[str, ...]:
    """Return the lagged columns whose values nobody knows when a row is asked."""
    lagged = schema.derived.lagged if schema.derived else ()
    return tuple(name for name in lagged if name == schema.target.name or not schema.by_name[name].feature)


def find_late(
    schema: Schema, arrivals: Mapping[str, Iterable[tuple[Ticks, NDArray[np.datetime64]]]], *, most: float, fewest: int
) -> tuple[LateValues, ...]:
    """Return the columns of which more than a share of `most` came late, of at least `fewest` values.

    `arrivals`: by column the ticks of rows, and when their values came (UTC). None where time is a number, which
    no clock tells.
    """
    if schema.derived is None or schema.by_name[str(schema.time)].type != DATE:
        return ()
    delays, found = dict(schema.derived.delays), []
    for name, pairs in arrivals.items():
        steps = np.concatenate([np.empty(0), *(_delays(schema, rows, came) for rows, came in pairs)])
        allowed = delays.get(name, min(lag.steps for lag in schema.derived.lags if lag.column == name))
        late = float((steps > allowed).mean()) if len(steps) >= max(1, fewest) else 0.0
        if late > most:
            usual, unit = float(np.quantile(steps, USUAL)), str(schema.derived.step)
            found.append(LateValues(name, unit, allowed, name in delays, late, usual, len(steps)))
    return tuple(found)


def _delays(schema: Schema, rows: Ticks, came: NDArray[np.datetime64]) -> NDArray[np.float64]:
    known = rows != UNKNOWN
    steps: NDArray[np.float64] = (ticks_of(schema, came)[known] - rows[known]) / step_ticks(schema)
    return steps
