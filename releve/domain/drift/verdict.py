"""Has the table changed? Two tests per column, one verdict per table.

Rows are cleaned, counted, checked for broken data, and only then compared. A column has drifted when its change is
unlikely to be chance (p-values, corrected over the columns), large enough to matter (an effect size), and more than
what adjacent past windows of the reference show. One such column is an alarm: a broken key column is one of many.
A share of drifted columns is not a verdict: docs/decisions/0018-drift.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from releve.core.errors import BadInput
from releve.core.params import Monitor
from releve.domain.drift.data_quality import (
    MAX_MISSING_RISE,
    MIN_PRESENT,
    DataIssue,
    DataIssueKind,
    find_broken_cells,
    find_notable_cells,
    has_unique_values,
)
from releve.domain.drift.preprocessing import Pair, pair_of
from releve.domain.drift.two_sample_tests import METHODS, Change
from releve.domain.drift.variance_inflation import VarianceInflation, estimate_inflation, measure_adjacent
from releve.domain.schema.columns import CATEGORY, NUMBER, Column
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

if TYPE_CHECKING:
    import pandas as pd


class DriftState(StrEnum):
    """What a comparison of two windows says."""

    INSUFFICIENT_DATA = "insufficient data"
    BROKEN_DATA = "broken data"
    NO_DRIFT = "no drift"
    SUSPECTED = "drift suspected"
    DRIFT = "drift"


ALARMS = (DriftState.SUSPECTED, DriftState.DRIFT)
PREDICTION = "prediction"  # name of the predictions' row; "_prediction" where a feature has that name
MIN_ROWS = 200  # of the reference and of the window; with fewer a verdict is noise: docs/decisions/0018-drift.md
STRONG_EFFECT = 0.2  # distance 0-1 from which one alarm is drift; a smaller change has to be seen twice in a row
STRONG_P = 50  # times smaller than the threshold: the p-value of a strong alarm


@dataclass(frozen=True)
class ColumnDrift:
    """One column's result."""

    name: str
    method: str
    change: Change
    threshold: float  # p-value up to which the change is no chance
    drifted: bool
    strong: bool = False  # one such alarm is enough
    inflation: float = 1.0  # of the test's statistics among past windows; 1: rows are as good as independent
    normal_effect: float = 0.0  # up to which changes between windows are normal; 0: no more than chance allows
    of_predictions: bool = False  # the row of the champion's predictions, and no column of the table


@dataclass(frozen=True)
class DriftVerdict:
    """A window beside the reference. `columns` is empty where nothing could be compared.

    `state` is that of the whole table: one broken column is broken data, whatever the others say (`of_sound_columns`).
    """

    state: DriftState
    rows: int
    reference_rows: int
    columns: tuple[ColumnDrift, ...] = ()
    before: DriftState = DriftState.NO_DRIFT  # state of the monitoring run before, over other rows
    problems: tuple[DataIssue, ...] = ()  # why nothing was compared: too few rows, or broken data
    notes: tuple[DataIssue, ...] = ()  # columns that were not compared, and cells that a person should know of
    of: int = 0  # features of the table
    beside_broken: DriftState = DriftState.INSUFFICIENT_DATA  # where a column is broken: what the others say

    @property
    def of_sound_columns(self) -> DriftState:
        """Return what the columns say that are not broken."""
        return self.beside_broken if self.state == DriftState.BROKEN_DATA else self.state

    @property
    def broken(self) -> tuple[str, ...]:
        """The broken columns, each once."""
        problems = self.problems if self.state == DriftState.BROKEN_DATA else ()
        return tuple(dict.fromkeys(name for issue in problems for name in issue.columns))

    @property
    def is_wholly_broken(self) -> bool:
        """Return whether most columns are broken, so that rows are no rows of this table any more."""
        return bool(self.broken) and 2 * len(self.broken) > self.of

    @property
    def drifted(self) -> tuple[ColumnDrift, ...]:
        """The drifted columns, largest effect first."""
        return by_effect(column for column in self.columns if column.drifted)

    @property
    def features(self) -> tuple[ColumnDrift, ...]:
        """The columns without the champion's predictions."""
        return tuple(column for column in self.columns if not column.of_predictions)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the champion predicted: classes, or numbers (of a regression; probabilities of one class)."""

    reference: Sequence[Any]  # for rows that it had not learned from: it fits the ones it learned from too well
    current: Sequence[Any]  # for each row of the window


@dataclass(frozen=True, eq=False)
class DriftComparison:
    """A verdict and the cells that it rests on, for a report to draw."""

    verdict: DriftVerdict
    pairs: tuple[Pair, ...] = ()  # as verdict.columns
    inflations: tuple[VarianceInflation, ...] = ()  # as verdict.columns


def by_effect(columns: Iterable[ColumnDrift]) -> tuple[ColumnDrift, ...]:
    """Sort, the most changed column first."""
    return tuple(sorted(columns, key=lambda column: -column.change.effect))


def compare(
    reference: "pd.DataFrame",
    current: "pd.DataFrame",
    schema: Schema,
    params: Monitor,
    *,
    max_missing_rise: float = MAX_MISSING_RISE,
    before: DriftState = DriftState.NO_DRIFT,
    predictions: Predictions | None = None,
) -> DriftComparison:
    """Compare `current` with `reference`, both in time order.

    Frames may be as they came: cells are cleaned here, and columns that are no feature of `schema` are not compared.
    `before` is the state of the sound columns in the run before, over other rows. Beside a broken column the others are
    compared, but not the predictions, which rest on it. Raises BadInput unless each row has a prediction.
    """
    verdict = DriftVerdict(
        DriftState.INSUFFICIENT_DATA, len(current), len(reference), before=before, of=len(schema.features)
    )
    for rows, kind in ((current, DataIssueKind.FEW_ANSWERS), (reference, DataIssueKind.FEW_REFERENCE_ROWS)):
        if len(rows) < MIN_ROWS:
            few = DataIssue(kind, value=len(rows), limit=MIN_ROWS)
            return DriftComparison(replace(verdict, problems=(few,)))
    # columns named by numbers are called as the schema calls them
    reference, current = (
        frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)
        for frame in (reference, current)
    )
    problems, on_reference, compared = _check_columns(reference, current, schema)
    pairs = [pair_of(column, reference[column.name], current[column.name]) for column in compared]
    problems += [issue for pair in pairs if (issue := find_broken_cells(pair, max_missing_rise))]
    if predictions:
        pairs.append(_prediction_pair(predictions, schema, rows=len(current)))
    notes = (*_not_compared(pairs, current, schema), *on_reference)
    if problems:
        verdict = replace(verdict, state=DriftState.BROKEN_DATA, problems=tuple(problems), notes=notes)
    pairs = [
        pair
        for pair in pairs
        if pair.column.type in METHODS and pair.present >= MIN_PRESENT and not has_unique_values(pair)
        if not problems or not (pair.of_predictions or pair.column.name in verdict.broken)
    ]
    if problems and (verdict.is_wholly_broken or not pairs):
        return DriftComparison(verdict)
    if not pairs:
        few = DataIssue(DataIssueKind.FEW_CELLS, limit=MIN_PRESENT)
        return DriftComparison(replace(verdict, problems=(few,), notes=notes))
    past = [measure_adjacent(pair.windows, METHODS[pair.column.type].measure, least=MIN_PRESENT) for pair in pairs]
    inflations = estimate_inflation(past)
    columns, state = _judge(pairs, inflations, params), DriftState.NO_DRIFT
    if any(column.drifted for column in columns):
        # one weak alarm is a suspicion; the second in a row, or a strong one, is drift
        is_sure = before in ALARMS or any(column.strong for column in columns)
        state = DriftState.DRIFT if is_sure else DriftState.SUSPECTED
    state, beside_broken = (verdict.state, state) if problems else (state, verdict.beside_broken)
    verdict = replace(verdict, state=state, columns=columns, notes=notes, beside_broken=beside_broken)
    return DriftComparison(verdict, tuple(pairs), tuple(inflations))


def _judge(pairs: Sequence[Pair], inflations: Sequence[VarianceInflation], params: Monitor) -> tuple[ColumnDrift, ...]:
    measured = [METHODS[pair.column.type].measure(pair.before, pair.now) for pair in pairs]
    pairs_of = zip(measured, inflations, strict=True)
    changes = [Change(inflation.p_value(result), result.effect) for result, inflation in pairs_of]
    threshold = corrected([change.p_value for change in changes], params.alpha)
    results = []
    for pair, result, inflation, change in zip(pairs, measured, inflations, changes, strict=True):
        drifted = has_drifted(change, threshold=threshold, min_effect=params.min_effect)
        results.append(
            ColumnDrift(
                name=pair.column.name,
                method=METHODS[pair.column.type].name,
                change=change,
                threshold=threshold,
                drifted=drifted,
                strong=drifted and change.p_value <= threshold / STRONG_P and change.effect >= STRONG_EFFECT,
                inflation=inflation.factor,
                normal_effect=inflation.effect(result, p_value=threshold),
                of_predictions=pair.of_predictions,
            )
        )
    return tuple(results)


def corrected(p_values: Sequence[float], alpha: float) -> float:
    """Return the p-value up to which changes are no chance: Benjamini & Hochberg (1995).

    Where no column changed, the chance that any is named is `alpha`, as with Bonferroni; where several did, less is
    asked of each.
    """
    count = len(p_values)
    passed = [place for place, p in enumerate(sorted(p_values), start=1) if p <= alpha * place / count]
    return alpha * max(passed, default=1) / count


def has_drifted(change: Change, *, threshold: float, min_effect: float) -> bool:
    """Return whether a change is both unlikely by chance AND large enough to matter."""
    return change.p_value <= threshold and change.effect >= min_effect


def _check_columns(
    reference: "pd.DataFrame", current: "pd.DataFrame", schema: Schema
) -> tuple[list[DataIssue], list[DataIssue], list[Column]]:
    """Problems of the window, notes on the reference, and the features that are there once on both sides."""
    problems, notes, compared = [], [], []
    for column in schema.features:
        before, now = (list(frame.columns).count(column.name) for frame in (reference, current))
        if now != 1:
            kind = DataIssueKind.COLUMN_REPEATED if now else DataIssueKind.COLUMN_MISSING
            problems.append(DataIssue(kind, (column.name,), now))
        elif before != 1:
            kind = DataIssueKind.REPEATED_IN_REFERENCE if before else DataIssueKind.MISSING_IN_REFERENCE
            notes.append(DataIssue(kind, (column.name,), before))
        else:
            compared.append(column)
    return problems, notes, compared


def _not_compared(pairs: Sequence[Pair], current: "pd.DataFrame", schema: Schema) -> list[DataIssue]:
    dates = [pair.column.name for pair in pairs if pair.column.type not in METHODS]
    sparse = [pair.column.name for pair in pairs if pair.column.type in METHODS and pair.present < MIN_PRESENT]
    ids = [pair.column.name for pair in pairs if has_unique_values(pair) and pair.column.name not in sparse]
    known = {column.name for column in schema.columns} | {schema.target.name}
    extra = [str(name) for name in current.columns if name not in known and not str(name).startswith("_")]
    named = {
        DataIssueKind.DATES: dates,
        DataIssueKind.FEW_PRESENT: sparse,
        DataIssueKind.UNIQUE_VALUES: ids,
        DataIssueKind.NOT_IN_SCHEMA: extra,
    }
    left_out = [DataIssue(kind, tuple(names), limit=MIN_PRESENT) for kind, names in named.items() if names]
    return left_out + [issue for pair in pairs for issue in find_notable_cells(pair)]


def _prediction_pair(predictions: Predictions, schema: Schema, *, rows: int) -> Pair:
    import pandas as pd

    if len(predictions.current) != rows:
        raise BadInput(f"{len(predictions.current)} predictions for {rows} rows; expected one for each row")
    values = [*predictions.reference, *predictions.current]
    is_number = schema.target.task == REGRESSION or all(isinstance(value, float) for value in values)
    name = PREDICTION if PREDICTION not in schema.names else f"_{PREDICTION}"
    sides = [pd.Series(list(side), dtype=object) for side in (predictions.reference, predictions.current)]
    return replace(pair_of(Column(name, NUMBER if is_number else CATEGORY), *sides), of_predictions=True)
