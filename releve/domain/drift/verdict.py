"""Has the table changed? Two tests per column, one verdict per table.

Rows are cleaned, counted, looked at for broken data, and only then compared. A column has drifted when its change is
unlikely to be chance (p-values, corrected over the columns), large enough to matter (an effect size), and more than
what adjacent past windows of the reference show. One such column is an alarm: a broken key column is one of many.
A share of drifted columns is not a verdict: docs/decisions/0018-drift.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from releve.core.errors import BadInput
from releve.core.params import Monitor
from releve.domain.drift.data_quality import MAX_MISSING_RISE, MIN_PRESENT, broken, odd, own_each
from releve.domain.drift.preprocessing import Pair, pair_of
from releve.domain.drift.two_sample_tests import METHODS, Change, Measured
from releve.domain.drift.variance_inflation import Normal, normals, pairs_of
from releve.domain.schema.columns import CATEGORY, NUMBER, Column
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

if TYPE_CHECKING:
    import pandas as pd

INSUFFICIENT, BROKEN = "insufficient data", "broken data"
NO_DRIFT, SUSPECTED, DRIFT = "no drift", "drift suspected", "drift"
ALARMS = (SUSPECTED, DRIFT)
PREDICTION = "prediction"  # the row of the answers; "_prediction" where a feature has that name
OF_ANSWERS = " of the answers"  # how that row's method ends
MIN_ROWS = 200  # of the reference and of the window; with fewer a verdict is noise: docs/decisions/0018-drift.md
STRONG_EFFECT = 0.2  # distance 0-1 from which one alarm is drift; a smaller change has to be seen twice running
STRONG_P = 50  # times smaller than the threshold: the p-value of a strong alarm
MEND = "mend the source before anything is retrained on it; where the change is real, retrain by hand"
SHOWN = 5  # columns that a sentence names


@dataclass(frozen=True)
class ColumnDrift:
    """One column's result, as the report and the artifacts show it."""

    name: str
    method: str
    change: Change
    threshold: float  # p-value below which the change is no chance
    drifted: bool
    strong: bool = False  # one such alarm is enough
    inflation: float = 1.0  # of the test's statistics among past windows; 1: rows are as good as independent
    normal: float = 0.0  # effect up to which changes between windows are normal; 0: no more than chance allows

    @property
    def of_answers(self) -> bool:
        """Whether this is the row of the champion's answers, and no column of the table."""
        return self.method.endswith(OF_ANSWERS)

    @property
    def measure(self) -> str:
        """Test, effect and p-value, as a sentence shows them."""
        return f"{self.method} {self.change.effect:.2f}, p {self.change.p_value:.1g}"


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


@dataclass(frozen=True, eq=False)
class Predictions:
    """What the champion answers: classes, or numbers (of a regression; probabilities of one class)."""

    reference: Sequence[Any]  # to rows that it had not learned from: answers to those that it had are another's
    current: Sequence[Any]  # to each row of the window


@dataclass(frozen=True, eq=False)
class Look:
    """A verdict and the cells that it rests on, for a report to draw."""

    verdict: Verdict
    pairs: tuple[Pair, ...] = ()  # as verdict.columns
    normals: tuple[Normal, ...] = ()  # as verdict.columns


def by_effect(columns: Iterable[ColumnDrift]) -> tuple[ColumnDrift, ...]:
    """The most changed column first."""
    return tuple(sorted(columns, key=lambda column: -column.change.effect))


def compare(
    reference: "pd.DataFrame",
    current: "pd.DataFrame",
    schema: Schema,
    params: Monitor,
    *,
    max_missing_rise: float = MAX_MISSING_RISE,
    before: str = NO_DRIFT,
    predictions: Predictions | None = None,
) -> Verdict:
    """The verdict on `current` beside `reference`, both in time order.

    Frames may be as they came: cells are cleaned here, and columns that are no feature of `schema` are not compared.
    `before` is the state of the look before, over other rows. Raises BadInput unless each of its rows has a prediction.
    """
    return look(
        reference, current, schema, params, max_missing_rise=max_missing_rise, before=before, predictions=predictions
    ).verdict


def look(
    reference: "pd.DataFrame",
    current: "pd.DataFrame",
    schema: Schema,
    params: Monitor,
    *,
    max_missing_rise: float = MAX_MISSING_RISE,
    before: str = NO_DRIFT,
    predictions: Predictions | None = None,
) -> Look:
    """As `compare`, with the cells that the verdict rests on."""
    sizes = (len(current), len(reference))
    for count, side in zip(sizes, ("answered rows", "rows of reference"), strict=True):
        if count < MIN_ROWS:
            reason = f"{count} {side}; a drift verdict needs {MIN_ROWS}"
            return Look(Verdict(INSUFFICIENT, (reason,), *sizes))
    reference, current = _with_text_names(reference), _with_text_names(current)
    absent = {name: told for name in schema.names if (told := _absent(name, reference, current))}
    columns = [column for column in schema.features if column.name not in absent]
    pairs = [pair_of(column, reference[column.name], current[column.name]) for column in columns]
    if predictions:
        pairs.append(_prediction_pair(predictions, schema, rows=len(current)))
    wrong = [told.text for told in absent.values() if told.broken]
    wrong += [text for pair in pairs if not pair.of_answers and (text := broken(pair, max_missing_rise))]
    notes = [*_notes(pairs, current, schema), *(told.text for told in absent.values() if not told.broken)]
    if wrong:
        return Look(Verdict(BROKEN, (*wrong, MEND, *notes), *sizes))
    judged = [pair for pair in pairs if _can_be_judged(pair)]
    if not judged:
        return Look(Verdict(INSUFFICIENT, (f"no column has {MIN_PRESENT} present cells on both sides", *notes), *sizes))
    known = normals([_past(pair) for pair in judged])
    results = _judge(judged, known, params)
    return Look(_verdict(results, notes, before, sizes), tuple(judged), tuple(known))


def _judge(pairs: Sequence[Pair], known: Sequence[Normal], params: Monitor) -> tuple[ColumnDrift, ...]:
    measured = [METHODS[pair.column.type].measure(pair.before, pair.now) for pair in pairs]
    p_values = [normal.p_value(found) for found, normal in zip(measured, known, strict=True)]
    threshold = corrected(p_values, params.alpha)
    return tuple(
        _result(pair, found, normal, threshold, params)
        for pair, found, normal in zip(pairs, measured, known, strict=True)
    )


def corrected(p_values: Sequence[float], alpha: float) -> float:
    """The p-value up to which changes are no chance: Benjamini & Hochberg (1995).

    Where no column changed, the chance that any is named is `alpha`, as with Bonferroni; where several did, less is
    asked of each.
    """
    count = len(p_values)
    passed = [place for place, p in enumerate(sorted(p_values), start=1) if p <= alpha * place / count]
    return alpha * max(passed, default=1) / count


def _past(pair: Pair) -> list[Measured]:
    return pairs_of(pair.windows, METHODS[pair.column.type].measure, least=MIN_PRESENT)


def _result(pair: Pair, found: Measured, normal: Normal, threshold: float, params: Monitor) -> ColumnDrift:
    change = normal.change(found)
    drifted = has_drifted(change, threshold=threshold, min_effect=params.min_effect)
    strong = drifted and change.p_value <= threshold / STRONG_P and change.effect >= STRONG_EFFECT
    return ColumnDrift(
        pair.column.name,
        METHODS[pair.column.type].name + (OF_ANSWERS if pair.of_answers else ""),
        change,
        threshold,
        drifted,
        strong,
        normal.inflation,
        normal.effect(found, p_value=threshold),
    )


def has_drifted(change: Change, *, threshold: float, min_effect: float) -> bool:
    """Both keys must turn: unlikely by chance AND large enough to matter."""
    return change.p_value <= threshold and change.effect >= min_effect


def _verdict(columns: Sequence[ColumnDrift], notes: Sequence[str], before: str, sizes: tuple[int, int]) -> Verdict:
    drifted = by_effect(column for column in columns if column.drifted)
    features = [column for column in columns if not column.of_answers]
    changed = [column for column in drifted if not column.of_answers]
    named = ", ".join(f"{column.name} ({column.measure})" for column in changed[:SHOWN])
    found = f"{len(changed)} of {len(features)} columns drifted" + (f": {named}" if named else "")
    state, why = _remembered(drifted, before)
    reasons = [found, *why, *_answers_told(columns), *_normal_told(columns), *notes]
    return Verdict(state, tuple(reasons), *sizes, tuple(columns))


def _remembered(drifted: Sequence[ColumnDrift], before: str) -> tuple[str, list[str]]:
    """One weak alarm is a suspicion; the second in a row, or a strong one, is drift."""
    if not drifted:
        return NO_DRIFT, []
    if strong := [column.name for column in drifted if column.strong]:
        return DRIFT, [f"a strong alarm: {', '.join(strong[:SHOWN])}"]
    if before in ALARMS:
        return DRIFT, [f"the second alarm running (the look before said: {before})"]
    return SUSPECTED, ["one weak alarm; a second one running, or a strong one, makes it drift"]


def _answers_told(columns: Sequence[ColumnDrift]) -> list[str]:
    changed = [column for column in columns if column.drifted and column.of_answers]
    return [f"the champion's answers changed ({column.measure})" for column in changed]


def _normal_told(columns: Sequence[ColumnDrift]) -> list[str]:
    most = max(columns, key=lambda column: column.normal)
    if not most.normal:
        return []
    return [f"changes of up to {most.normal:.2f} ({most.name}) are normal between windows of this size"]


def _with_text_names(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Columns named by numbers are called as the schema calls them."""
    return frame if all(isinstance(name, str) for name in frame.columns) else frame.rename(columns=str)


@dataclass(frozen=True)
class _Absent:
    """A column that is not there just once on both sides."""

    text: str
    broken: bool


def _absent(name: str, reference: "pd.DataFrame", current: "pd.DataFrame") -> _Absent | None:
    before, now = (list(frame.columns).count(name) for frame in (reference, current))
    if now != 1:
        return _Absent(f"{name}: the column {'is missing' if now == 0 else f'is there {now} times'}", broken=True)
    if before != 1:
        how = "is missing" if before == 0 else f"is there {before} times"
        return _Absent(f"not judged, as it {how} in the reference: {name}", broken=False)
    return None


def _notes(pairs: Sequence[Pair], current: "pd.DataFrame", schema: Schema) -> list[str]:
    dates = [pair.column.name for pair in pairs if pair.column.type not in METHODS]
    sparse = [pair.column.name for pair in pairs if pair.column.type in METHODS and pair.present < MIN_PRESENT]
    ids = [pair.column.name for pair in pairs if own_each(pair) and pair.column.name not in sparse]
    known = {column.name for column in schema.columns} | {schema.target.name}
    extra = [str(name) for name in current.columns if name not in known and not str(name).startswith("_")]
    told = {
        "as time always moves": dates,
        f"as fewer than {MIN_PRESENT} cells are present on one side": sparse,
        "as nearly every row has a value of its own": ids,
        "as the scenario does not describe it": extra,
    }
    return [f"not judged, {why}: {', '.join(names)}" for why, names in told.items() if names] + [
        note for pair in pairs for note in odd(pair)
    ]


def _can_be_judged(pair: Pair) -> bool:
    return pair.column.type in METHODS and pair.present >= MIN_PRESENT and not own_each(pair)


def _prediction_pair(predictions: Predictions, schema: Schema, *, rows: int) -> Pair:
    import pandas as pd

    if len(predictions.current) != rows:
        raise BadInput(f"{len(predictions.current)} predictions for {rows} rows; expected one for each row")
    values = [*predictions.reference, *predictions.current]
    is_number = schema.target.task == REGRESSION or all(isinstance(value, float) for value in values)
    column = Column(
        PREDICTION if PREDICTION not in schema.names else f"_{PREDICTION}", NUMBER if is_number else CATEGORY
    )
    sides = [pd.Series(list(side), dtype=object) for side in (predictions.reference, predictions.current)]
    return replace(pair_of(column, *sides), of_answers=True)
