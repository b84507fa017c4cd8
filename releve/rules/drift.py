"""Has the table changed? Two tests per column, one verdict per table.

A column has drifted when the change is both unlikely to be chance (a p-value, shared out over the columns:
Bonferroni) and large enough to matter (an effect size). A share of drifted columns is not a verdict: with one
column of 16 broken it stays silent, with small windows it fires on noise.

A text is judged by its length in characters. A date is not judged: time always moves, so that newer rows always
differ in it; only its missing cells are looked at.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.rules.cells import MISSING_TEXT
from releve.rules.columns import CATEGORY, NUMBER, TEXT, Column
from releve.rules.params import Monitor
from releve.rules.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

INSUFFICIENT, BROKEN, DRIFT, NO_DRIFT = "insufficient data", "broken data", "drift", "no drift"
MIN_EXPECTED = 5  # cells of a contingency table below this expectation are pooled, as chi-square needs (Cochran 1954)
MIN_PRESENT = 20  # present cells a side; fewer cannot be compared, whatever the window's size

Cells = Iterable[Any]  # the present cells of one column


@dataclass(frozen=True)
class Change:
    """How one column differs: probability of at least this much by chance, and its size on a scale of 0-1."""

    p_value: float
    effect: float


@dataclass(frozen=True)
class ColumnDrift:
    """One column's result, as the report and the artifacts show it."""

    name: str
    method: str
    change: Change
    threshold: float
    drifted: bool


@dataclass(frozen=True)
class Verdict:
    """What the window says, and why in sentences. `columns` is empty where nothing could be compared."""

    state: str
    reasons: tuple[str, ...]
    rows: int
    reference_rows: int
    columns: tuple[ColumnDrift, ...] = ()

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The drifted columns, largest effect first."""
        return by_effect(column for column in self.columns if column.drifted)


def by_effect(columns: Iterable[ColumnDrift]) -> tuple[ColumnDrift, ...]:
    """The most changed column first."""
    return tuple(sorted(columns, key=lambda column: -column.change.effect))


def number_change(reference: Cells, current: Cells) -> Change:
    """Two-sample Kolmogorov-Smirnov; the effect is its statistic D."""
    from scipy.stats import ks_2samp

    result = ks_2samp(reference, current, method="asymp")
    return Change(float(result.pvalue), float(result.statistic))


def category_change(reference: Cells, current: Cells) -> Change:
    """Two-sample chi-square over pooled rare categories; the effect is the total variation distance."""
    from scipy.stats import chi2_contingency

    table = _pooled_table(reference, current)
    if table.shape[1] < 2:
        return Change(1.0, 0.0)
    shares = table / table.sum(axis=1, keepdims=True)
    p_value = chi2_contingency(table, correction=False)[1]
    return Change(float(p_value), float(np.abs(shares[0] - shares[1]).sum() / 2))


def has_drifted(change: Change, *, threshold: float, min_effect: float) -> bool:
    """Both keys must turn: unlikely by chance AND large enough to matter."""
    return change.p_value < threshold and change.effect >= min_effect


def as_compared(frame: "pd.DataFrame", schema: Schema) -> "pd.DataFrame":
    """The features of `frame` as they are compared; the caller's frame is left.

    Numbers are float64, a missing category is missing in whatever form it travelled, a text is its number of
    characters (float64), a date stays as it is.
    """
    features = frame.reindex(columns=schema.names).reset_index(drop=True)
    return features.assign(
        **{name: _categories(schema.column(name), features[name]) for name in schema.categories},
        **{name: features[name].astype("float64") for name in schema.numbers},
        **{name: _lengths(features[name]) for name in schema.texts},
    )


def _categories(column: Column, cells: "pd.Series[Any]") -> "pd.Series[Any]":
    typed = cells.astype(object).map(column.typed)
    return typed.where(typed != MISSING_TEXT)


def _lengths(texts: "pd.Series[Any]") -> list[float]:
    return [float(len(text)) if isinstance(text, str) and text != MISSING_TEXT else float("nan") for text in texts]


def check_data(reference: "pd.DataFrame", current: "pd.DataFrame", schema: Schema, params: Monitor) -> Verdict | None:
    """The verdicts that need no test: too few rows, or broken cells. None when columns can be compared."""
    sizes = (len(current), len(reference))
    for count, side in zip(sizes, ("answered rows", "rows of reference"), strict=True):
        if count < params.min_rows:
            reason = f"{count} {side}; a drift verdict needs {params.min_rows} (params.yaml: monitor.min_rows)"
            return Verdict(INSUFFICIENT, (reason,), *sizes)
    broken = [found for name in schema.names if (found := _broken(reference[name], current[name], params))]
    if broken:
        return Verdict(BROKEN, tuple(broken), *sizes)
    if not comparable(reference, current, schema).columns:
        return Verdict(INSUFFICIENT, (f"no column has {MIN_PRESENT} present cells on both sides",), *sizes)
    return None


def comparable(reference: "pd.DataFrame", current: "pd.DataFrame", schema: Schema) -> Schema:
    """The columns that can be judged and that both sides have cells enough of: one always nearly empty is no news."""
    present = [
        column
        for column in schema.features
        if column.type in METHODS
        and min(reference[column.name].notna().sum(), current[column.name].notna().sum()) >= MIN_PRESENT
    ]
    return replace(schema, columns=tuple(present))


def judge(
    columns: Sequence[ColumnDrift], *, rows: int, reference_rows: int, params: Monitor, dates: Sequence[str] = ()
) -> Verdict:
    """The table's verdict from the results of its comparable columns; `dates` are named as left out."""
    drifted = by_effect(column for column in columns if column.drifted)
    named = ", ".join(f"{c.name} ({c.method} {c.change.effect:.2f}, p {c.change.p_value:.1g})" for c in drifted[:5])
    found = f"{len(drifted)} of {len(columns)} columns drifted" + (f": {named}" if named else "")
    needed = min(params.min_columns, len(columns))
    state = DRIFT if len(drifted) >= needed else NO_DRIFT
    reasons = [f"{found}; {needed} make a drifted table (params.yaml: monitor.min_columns)"]
    if dates:
        reasons.append(f"not judged, as time always moves: {', '.join(dates)}")
    return Verdict(state, tuple(reasons), rows, reference_rows, tuple(columns))


def _broken(reference: "pd.Series[Any]", current: "pd.Series[Any]", params: Monitor) -> str | None:
    missing_before, missing_now = float(reference.isna().mean()), float(current.isna().mean())
    if missing_now - missing_before > params.max_missing_rise:
        return (
            f"{reference.name}: {missing_now:.0%} of the cells are missing, {missing_before:.0%} were before; "
            "mend the source before anything is retrained on it"
        )
    return None


def _pooled_table(reference: Cells, current: Cells) -> np.ndarray[Any, np.dtype[np.float64]]:
    before, now = Counter(map(str, reference)), Counter(map(str, current))
    names = sorted(before.keys() | now.keys())
    table = np.array([[side[name] for name in names] for side in (before, now)], dtype=float)
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < MIN_EXPECTED
    pooled = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)]) if rare.any() else table
    return np.asarray(pooled[:, pooled.sum(axis=0) > 0])


@dataclass(frozen=True)
class Method:
    """How columns of one type are compared."""

    name: str  # as the report shows it
    change: Callable[[Cells, Cells], Change]


METHODS = {  # by type; a type that is not named is not judged
    NUMBER: Method("KS", number_change),
    CATEGORY: Method("chi-square", category_change),
    TEXT: Method("KS of length", number_change),
}


def method_of(schema: Schema, name: str) -> Method:
    """The test that a column gets, by its type."""
    return METHODS[schema.column(name).type]
