"""Whether Evidently's defaults and river's ADWIN raise an alarm, for benchmarks.drift.

Evidently's own tests are called as its preset chooses them, without the report around them: that draws every column,
and costs seconds. Its verdict on a table is a share of drifted columns, 0.5 by default; "any" is what remains of it
for a table of which one column broke. ADWIN (Bifet & Gavaldà 2007) reads one column row by row, numbers scaled to 0-1
by the reference, of categories whether it is the commonest; an alarm is a change within the window.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from releve.domain.schema.columns import NUMBER
from releve.domain.schema.schema import Schema

EVIDENTLY, EVIDENTLY_ANY, ADWIN_ANY = "Evidently, half of the columns", "Evidently, any column", "ADWIN, any column"
DRIFT_SHARE = 0.5  # Evidently's default


def evidently(reference: pd.DataFrame, window: pd.DataFrame, schema: Schema) -> dict[str, bool]:
    """Alarms of the default tests."""
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    drifted = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy's, about small samples
        for column in schema.features:
            kind = ColumnType.Numerical if column.type == NUMBER else ColumnType.Categorical
            before, now = reference[column.name], window[column.name]
            test = get_stattest(before, now, kind, None)
            drifted.append(test(before, now, kind, None).drifted)
    return {EVIDENTLY: bool(np.mean(drifted) >= DRIFT_SHARE), EVIDENTLY_ANY: any(drifted)}


def adwin(reference: pd.DataFrame, window: pd.DataFrame, schema: Schema) -> dict[str, bool]:
    """Whether it finds a change in any column of the window, with its defaults."""
    return {ADWIN_ANY: any(_has_change(*_scaled(reference[c.name], window[c.name])) for c in schema.features)}


def _scaled(before: "pd.Series[Any]", now: "pd.Series[Any]") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if before.dtype != float:
        common = before.mode()[0]
        return (before == common).to_numpy(float), (now == common).to_numpy(float)
    low, reach = before.min(), (before.max() - before.min()) or 1.0
    return ((before - low) / reach).to_numpy(), ((now - low) / reach).to_numpy()


def _has_change(before: NDArray[np.float64], now: NDArray[np.float64]) -> bool:
    from river.drift import ADWIN

    detector = ADWIN()
    for value in before.tolist():
        detector.update(value)
    for value in now.tolist():
        detector.update(value)
        if detector.drift_detected:
            return True
    return False


def rivals() -> tuple[Callable[[pd.DataFrame, pd.DataFrame, Schema], dict[str, bool]], ...]:
    """Those that are installed: river is no dependency."""
    return (evidently, adwin) if find_spec("river") else (evidently,)
