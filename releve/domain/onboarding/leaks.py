"""Columns that give the target away: known only once the outcome is known, or the outcome in another form.

A small tree (numbers) or a table of values (categories), fitted on one random half of the rows, predicts the other
half. It is judged for the target as a whole, for each class against the rest, and by being missing. What is sure enough
to be left out, and what is asked: docs/decisions/0025-leaks.md. Columns that do so together are looked for in
`releve.domain.onboarding.sums`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import counted
from releve.domain.onboarding.findings import Finding
from releve.domain.onboarding.profiles import MOST_LISTED, Profile
from releve.domain.onboarding.sums import sum_findings
from releve.domain.schema.cells import fold, trimmed
from releve.domain.schema.columns import CATEGORY, NUMBER

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

MOST_ROWS = 5000  # looked at, spread evenly over the sample
FEWEST_ROWS = 40  # fewer say nothing
FEWEST_OF_A_CLASS = 20  # rows of a class, or of those where a column is filled, on either side of a comparison
LEAK = {True: 0.98, False: 0.99}  # share of the error that one column takes away; of classes, and of numbers
MOST_CLASSES = 0.2  # share of the rows; classes of fewer than five rows are hardly learned from half of them
STRONG = 0.9
PURE = 0.99  # share of one class among the rows where a column is filled (or is not)
HALF = 0.5  # of a class's rows, which a column that is filled after the outcome covers at least
LUCK = 1e-6  # chance that so pure a group was drawn from all rows
WELL = {True: 0.75, False: 0.25}  # AUC of a class against the rest, and share of the variance: more than most features
LEAVES = 64  # of the tree on a number; of classes, a few each
SEED = 7
# Words of columns that are commonly written when, or after, the outcome is known.
AFTERWARDS = re.compile(
    r"duration|dauer|durée|clos(ed|ing)|resol(ved|ution)|reason|grund|outcome|result|ergebnis|settle|refund|chargeback"
    r"|paid|payment_?date|invoice|recover|cancel|storn|kündig|churn_?date|exit|left|end_?(date|time|ed|at)|finish"
    r"|deliver|return(ed|_)|dispos|final|actual|approved|decision|status|verdict|discharge|death",
    re.IGNORECASE,
)
KEEP = "if it is known before the outcome is, remove 'feature: false' from its line in params.yaml"


@dataclass(frozen=True, eq=False)
class Outcome:
    """The target per row: a number, or of classes the place of its name; NaN where it is missing."""

    target: str
    values: Floats
    names: tuple[str, ...] = ()  # none for numbers

    @property
    def is_class(self) -> bool:
        return bool(self.names)


@dataclass(frozen=True)
class Power:
    """What one column tells of the outcome on rows that it was not fitted on."""

    whole: float = 0.0  # share 0-1 of a constant guess's errors, or of the variance, that it takes away
    right: float = 0.0  # share of the rows that it predicts correctly
    naive: float = 0.0  # the same of the commonest class
    by_class: tuple[float, ...] = ()  # the share of the errors, each class against the rest
    best_area: float = 0.5  # the largest AUC of a class against the rest


def leak_findings(columns: Sequence[Profile], target: Profile, *, is_class: bool) -> list[Finding]:
    """Columns that predict `target` almost perfectly, alone or as a sum, and those to ask about."""
    outcome = _outcome(target, is_class=is_class)
    rows = _some_rows(outcome.values)
    if len(rows) < FEWEST_ROWS or (is_class and not 1 < len(outcome.names) <= MOST_CLASSES * len(rows)):
        return []
    power = {column.name: _power(column, outcome, rows) for column in columns}
    alone = [_alone(column, outcome, rows, power[column.name]) for column in columns]
    rest = [column for column in columns if power[column.name].whole < LEAK[is_class]]
    numbers = target.numbers if target.type == NUMBER else outcome.values
    sums = sum_findings(rest, target.name, numbers, rows) if target.type == NUMBER or len(outcome.names) == 2 else []
    told = {name for finding in sums for name in finding.leaves_out}
    return [each for each, column in zip(alone, columns, strict=True) if each and column.name not in told] + sums


def _outcome(target: Profile, *, is_class: bool) -> Outcome:
    """Classes that differ in case or spaces alone are one: a leak would hide behind a class's two spellings."""
    if not is_class:
        return Outcome(target.name, np.where(target.codes < 0, np.nan, target.numbers))
    codes, names = _folded(target)
    return Outcome(target.name, np.where(codes < 0, np.nan, codes.astype(np.float64)), names)


def _folded(column: Profile) -> tuple[Rows, tuple[str, ...]]:
    """One whole number per row that stands for its value without case and spaces, -1 where it is missing; the values
    as they are commonly written."""
    places: dict[str, int] = {}
    names = []
    for value in column.counts:  # the most frequent first
        if (folded := fold(str(value))) not in places:
            places[folded] = len(places)
            names.append(trimmed(str(value)))
    place_of = np.array([*(places[fold(str(value))] for value in column.counts), -1], dtype=np.int64)
    return place_of[column.codes], tuple(names)


def _some_rows(values: Floats) -> Rows:
    rows = np.flatnonzero(~np.isnan(values))
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(np.int64)] if len(rows) else rows


def _alone(column: Profile, outcome: Outcome, rows: Rows, power: Power) -> Finding | None:
    """The weightiest thing that there is to say of one column."""
    name, target = column.name, outcome.target
    how = (
        f"from it alone {power.right:.1%} of the rows are predicted correctly ({power.naive:.1%} without it)"
        if outcome.is_class
        else f"it alone explains {power.whole:.1%} of the variance"
    )
    why = f"a leak: gives {target} away"
    filled = _filled(column, outcome, rows) if outcome.is_class else None
    if filled is not None and filled.leaves_out:
        return filled
    if power.whole >= LEAK[outcome.is_class]:
        return Finding("leak", f"{name} gives {target} away: {how}. It is no feature; {KEEP}", (name,), why)
    if filled is not None:
        return filled
    ask = f"Is it known before the outcome is? If not, put 'feature: false' beside {name} in params.yaml"
    if power.whole >= STRONG:
        return Finding("strong", f"{name} predicts {target} almost by itself: {how}. {ask}")
    if len(outcome.names) > 2 and max(power.by_class) >= STRONG:
        told = outcome.names[int(np.argmax(power.by_class))]
        return Finding(
            "strong", f"{name} alone tells {target} = {told} from all other rows, nearly without error. {ask}"
        )
    if (where_filled := _where_filled(column, outcome, rows)) is not None:
        text = f"where {name} is filled ({counted(where_filled, 'row')}), it gives {target} away"
        return Finding("strong", f"{text}. {ask}")
    well = power.best_area if outcome.is_class else power.whole
    if AFTERWARDS.search(name) and well >= WELL[outcome.is_class]:
        how = f"AUC {power.best_area:.2f}" if outcome.is_class else f"{power.whole:.0%} of the variance"
        text = (
            f"{name} predicts {target} well by itself ({how}), and its name is that of something known only afterwards"
        )
        return Finding("strong", f"{text}. {ask}")
    return None


def _filled(column: Profile, outcome: Outcome, rows: Rows) -> Finding | None:
    """A column that is filled (or missing) in the rows of one class alone, more purely than by luck."""
    from scipy.stats import binom

    values = outcome.values[rows].astype(np.int64)
    missing = column.codes[rows] < 0
    totals = np.bincount(values, minlength=len(outcome.names))
    for word, side in (("filled", ~missing), ("missing", missing)):
        size = int(side.sum())
        if min(size, len(rows) - size) < FEWEST_OF_A_CLASS:
            continue
        counts = np.bincount(values[side], minlength=len(outcome.names))
        place = int(counts.argmax())
        usual = totals[place] / len(rows)
        if counts[place] < PURE * size or binom.sf(counts[place] - 1, size, usual) > LUCK:
            continue
        shown = f"{outcome.target} = {outcome.names[place]}"
        text = (
            f"{column.name} is {word} only where {shown}: {counts[place]:,} of the {size:,} rows where it is {word} "
            f"({counts[place] / size:.1%}; of all rows {usual:.1%})"
        )
        if counts[place] >= HALF * totals[place]:
            text += f". It looks as if it were written after the outcome, and is no feature; {KEEP}"
            return Finding("leak", text, (column.name,), f"a leak: {word} only where {shown}")
        return Finding("strong", f"{text}. Is it written before the outcome is known? If not, put 'feature: false'")
    return None


def _where_filled(column: Profile, outcome: Outcome, rows: Rows) -> int | None:
    """Rows in which a column that is mostly missing gives the outcome away."""
    filled = rows[column.codes[rows] >= 0]
    if len(filled) == len(rows) or len(filled) < FEWEST_ROWS or not outcome.is_class:
        return None
    return len(filled) if _power(column, outcome, filled).whole >= LEAK[True] else None


def _power(column: Profile, outcome: Outcome, rows: Rows) -> Power:
    order = np.random.default_rng(SEED).permutation(rows)
    known, asked = order[: len(order) // 2], order[len(order) // 2 :]
    if not outcome.is_class:
        return Power(whole=_variance_explained(column, outcome.values, rows, known, asked))
    if column.is_ordered:
        return _judged(_by_tree(column, outcome, known, asked), outcome, known, asked)
    found = [_judged(_by_value(codes, outcome, known, asked), outcome, known, asked) for codes in _spellings(column)]
    return max(found, key=lambda power: power.whole)


def _spellings(column: Profile) -> list[Rows]:
    """The values of a category, and of one with very many their pattern: an id such as Y-0001 may name the class."""
    codes, names = _folded(column)
    if column.type != CATEGORY or len(names) <= MOST_LISTED:
        return [codes]
    patterns, places = np.unique([re.sub(r"\d+", "0", name.casefold()) for name in names], return_inverse=True)
    return [codes, np.append(places, -1)[codes]] if len(patterns) < len(names) else [codes]


def _judged(chances: Floats, outcome: Outcome, known: Rows, asked: Rows) -> Power:
    """`chances`: asked rows x classes."""
    truth = outcome.values[asked].astype(np.int64)
    typical = int(np.bincount(outcome.values[known].astype(np.int64)).argmax())
    right, naive = float(np.mean(chances.argmax(axis=1) == truth)), float(np.mean(truth == typical))
    whole = max(0.0, 1 - (1 - right) / (1 - naive)) if naive < 1 else 0.0
    by_class, areas = [], [0.5]
    for place in range(len(outcome.names)):
        is_it = truth == place
        few = min(is_it.sum(), len(is_it) - is_it.sum())
        if few < FEWEST_OF_A_CLASS / 2:  # half of the rows are asked
            by_class.append(0.0)
            continue
        by_class.append(max(0.0, 1 - float(np.sum((chances[:, place] >= HALF) != is_it)) / float(few)))
        areas.append(_area(chances[:, place], is_it))
    return Power(whole, right, naive, tuple(by_class), max(areas))


def _area(scores: Floats, is_it: NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    ups = int(is_it.sum())
    return float((rankdata(scores)[is_it].sum() - ups * (ups + 1) / 2) / (ups * (len(is_it) - ups)))


def _by_tree(column: Profile, outcome: Outcome, known: Rows, asked: Rows) -> Floats:
    from sklearn.tree import DecisionTreeClassifier

    values = outcome.values[known].astype(np.int64)
    leaves = max(4, 2 * len(np.unique(values)))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=_leaf_rows(known), random_state=SEED)
    numbers = column.numbers.reshape(-1, 1)
    chances = np.zeros((len(asked), len(outcome.names)))
    chances[:, np.unique(values)] = tree.fit(numbers[known], values).predict_proba(numbers[asked])
    return chances


def _leaf_rows(known: Rows) -> int:
    return max(2, len(known) // 500)


def _by_value(codes: Rows, outcome: Outcome, known: Rows, asked: Rows) -> Floats:
    """The shares of the classes among the known rows of each value; of a value that was not met, among all."""
    values = outcome.values[known].astype(np.int64)
    counts = np.zeros((codes.max() + 2, len(outcome.names)))  # the last row is that of -1, a missing cell
    np.add.at(counts, (codes[known], values), 1)
    usual = np.bincount(values, minlength=len(outcome.names)) / len(known)
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.where(totals > 0, counts / np.maximum(totals, 1), usual)[codes[asked]], dtype=np.float64)


def _variance_explained(column: Profile, values: Floats, rows: Rows, known: Rows, asked: Rows) -> float:
    guess = (
        _mean_by_tree(column, values, known, asked)
        if column.is_ordered
        else _mean_by_value(column, values, known, asked)
    )
    spread = float(np.mean((values[asked] - values[known].mean()) ** 2))
    alone = max(0.0, 1 - float(np.mean((guess - values[asked]) ** 2)) / spread) if spread else 0.0
    return max(alone, _same_order(column.numbers[rows], values[rows])) if column.is_ordered else alone


def _mean_by_tree(column: Profile, values: Floats, known: Rows, asked: Rows) -> Floats:
    from sklearn.tree import DecisionTreeRegressor

    tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, min_samples_leaf=_leaf_rows(known), random_state=SEED)
    numbers = column.numbers.reshape(-1, 1)
    return np.asarray(tree.fit(numbers[known], values[known]).predict(numbers[asked]), dtype=np.float64)


def _mean_by_value(column: Profile, values: Floats, known: Rows, asked: Rows) -> Floats:
    import pandas as pd

    means: Any = pd.Series(values[known]).groupby(column.codes[known]).mean()
    return np.asarray(pd.Series(column.codes[asked]).map(means).fillna(values[known].mean()), dtype=np.float64)


def _same_order(numbers: Floats, values: Floats) -> float:
    """Squared rank correlation: 1 for the outcome in any other unit, where a tree is too coarse for long tails."""
    from scipy.stats import rankdata

    if len(np.unique(numbers)) < 2:
        return 0.0
    return float(np.corrcoef(rankdata(np.nan_to_num(numbers, nan=-np.inf)), rankdata(values))[0, 1] ** 2)
