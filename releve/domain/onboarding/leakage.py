"""Leakage: columns that give the target away, known only once the outcome is known, or the outcome in another form.

A small tree (numbers) or a table of values (categories), fitted on one random half of the rows, predicts the other
half. It is judged for the target as a whole, for each class against the rest, and by being missing. What is sure enough
to be left out, and what is asked: docs/decisions/0025-leaks.md.

Columns that add up to the target, as casual and registered riders add up to all riders, are found by orthogonal
matching pursuit (Pati, Rezaiifar and Krishnaprasad 1993, Asilomar Conference): take the column that explains most of
what is left, fit all columns taken so far, and again.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import counted, listed
from releve.domain.onboarding.issues import Issue
from releve.domain.onboarding.profiles import MOST_LISTED, ColumnProfile
from releve.domain.schema.cells import fold, trimmed
from releve.domain.schema.columns import CATEGORY, NUMBER

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

MOST_ROWS = 5000  # that a column is fitted on, spread evenly over the sample; what is counted is counted in all
FEWEST_ROWS = 40  # fewer say nothing
FEWEST_OF_A_CLASS = 20  # rows of a class, or of those where a column is filled, on either side of a comparison
LEAK = {True: 0.98, False: 0.99}  # share of the error that one column takes away; of classes, and of numbers
MOST_CLASSES = 0.2  # share of the rows; classes of fewer than five rows are hardly learned from half of them
STRONG = 0.9
PURE = 0.99  # share of one class among the rows where a column is filled (or is not)
HALF = 0.5  # of a class's rows, which a column that is filled after the outcome covers at least
PURE_P_VALUE = 1e-6  # chance that so pure a group was drawn from all rows
WELL = {True: 0.75, False: 0.25}  # AUC of a class against the rest, and share of the variance: more than most features
LEAVES = 64  # of the tree on a number; of classes, a few each
SEED = 7
ADDS_UP = 0.9999  # R2
MOST_TERMS = 5  # columns in a sum
# Words of columns that are commonly written when, or after, the outcome is known.
AFTERWARDS = re.compile(
    r"duration|dauer|durée|clos(ed|ing)|resol(ved|ution)|reason|grund|outcome|result|ergebnis|settle|refund|chargeback"
    r"|paid|pay_?out|payment_?date|invoice|recover|cancel|storn|kündig|churn_?date|exit|left|end_?(date|time|ed|at)"
    r"|finish|deliver|return(ed|_)|dispos|final|actual|approved|decision|status|verdict|discharge|death"
    r"|(aus|be|rück|nach|ge)zahl|abschluss|abgeschlossen|erledig|erstatt|rückgabe|entscheid|genehmig|abgelehnt"
    r"|clôtur|motif|résilia|rembours|indemnis|décision|résultat|cierre|motivo|resultado|chiusura|esito|rimbors",
    re.IGNORECASE,
)
KEEP = "if it is known before the outcome is, remove 'feature: false' from its line in params.yaml"


@dataclass(frozen=True, eq=False)
class LeakTarget:
    """The target per row: a number, or of classes the place of its name; NaN where it is missing."""

    target: str
    values: Floats
    names: tuple[str, ...] = ()  # none for numbers

    @property
    def is_class(self) -> bool:
        return bool(self.names)


@dataclass(frozen=True)
class PredictivePower:
    """How well one column predicts the target on rows that it was not fitted on."""

    whole: float = 0.0  # share 0-1 of a constant guess's errors, or of the variance, that it takes away
    right: float = 0.0  # share of the rows that it predicts correctly
    naive: float = 0.0  # the same of the commonest class
    by_class: tuple[float, ...] = ()  # the share of the errors, each class against the rest
    best_auc: float = 0.5  # the largest of a class against the rest


def leak_issues(columns: Sequence[ColumnProfile], target: ColumnProfile, *, is_class: bool) -> list[Issue]:
    """Name columns that predict `target` almost perfectly, alone or as a sum, and those to ask about."""
    if is_class:  # classes that differ in case or spaces alone are one: a leak would hide behind two spellings
        codes, names = _folded(target)
        outcome = LeakTarget(target.name, np.where(codes < 0, np.nan, codes.astype(np.float64)), names)
    else:
        outcome = LeakTarget(target.name, np.where(target.codes < 0, np.nan, target.numbers))
    labelled = np.flatnonzero(~np.isnan(outcome.values))
    rows = _spread(labelled)
    if len(rows) < FEWEST_ROWS or (is_class and not 1 < len(outcome.names) <= MOST_CLASSES * len(rows)):
        return []
    power = {column.name: _power(column, outcome, rows) for column in columns}
    alone = [_alone(column, outcome, labelled, power[column.name]) for column in columns]
    sums: list[Issue] = []
    if target.type == NUMBER or len(outcome.names) == 2:
        rest = [column for column in columns if power[column.name].whole < LEAK[is_class]]
        numbers = target.numbers if target.type == NUMBER else outcome.values
        sums = list(_sum_issues(rest, target.name, numbers, rows))
    explained = {name for issue in sums for name in issue.leaves_out}
    return [each for each, column in zip(alone, columns, strict=True) if each and column.name not in explained] + sums


def _folded(column: ColumnProfile) -> tuple[Rows, tuple[str, ...]]:
    """Number the values of each row without case and spaces, -1 where missing; and as they are commonly written."""
    places: dict[str, int] = {}
    names = []
    for value in column.counts:  # the most frequent first
        if (folded := fold(str(value))) not in places:
            places[folded] = len(places)
            names.append(trimmed(str(value)))
    place_of = np.array([*(places[fold(str(value))] for value in column.counts), -1], dtype=np.int64)
    return place_of[column.codes], tuple(names)


def _spread(rows: Rows) -> Rows:
    """Take at most MOST_ROWS of them, evenly."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(np.int64)]


def _alone(column: ColumnProfile, outcome: LeakTarget, rows: Rows, power: PredictivePower) -> Issue | None:
    """Return the most serious issue of one column."""
    name, target = column.name, outcome.target
    filled = _filled(column, outcome, rows) if outcome.is_class else None
    if filled is not None and filled.leaves_out:
        return filled
    how = (
        f"from it alone {power.right:.1%} of the rows are predicted correctly ({power.naive:.1%} without it)"
        if outcome.is_class
        else f"it alone explains {power.whole:.1%} of the variance"
    )
    if power.whole >= LEAK[outcome.is_class]:
        text = f"{name} gives {target} away: {how}. It is no feature; {KEEP}"
        return Issue("leak", text, (name,), f"a leak: gives {target} away")
    if filled is not None:
        return filled
    well = power.best_auc if outcome.is_class else power.whole
    if power.whole >= STRONG:
        text = f"{name} predicts {target} almost by itself: {how}"
    elif len(outcome.names) > 2 and max(power.by_class) >= STRONG:
        strongest = outcome.names[int(np.argmax(power.by_class))]
        text = f"{name} alone tells {target} = {strongest} from all other rows, nearly without error"
    elif (where_filled := _leaking_where_filled(column, outcome, rows)) is not None:
        text = f"where {name} is filled ({counted(where_filled, 'row')}), it gives {target} away"
    elif AFTERWARDS.search(name) and well >= WELL[outcome.is_class]:
        how = f"AUC {well:.2f}" if outcome.is_class else f"{well:.0%} of the variance"
        text = (
            f"{name} predicts {target} well by itself ({how}), and its name is that of something known only afterwards"
        )
    else:
        return None
    ask = f"Is it known before the outcome is? If not, put 'feature: false' beside {name} in params.yaml"
    return Issue("strong", f"{text}. {ask}", doubts=(name,))


def _filled(column: ColumnProfile, outcome: LeakTarget, rows: Rows) -> Issue | None:
    """Test whether a column is filled (or missing) in the rows of one class alone, more purely than by chance."""
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
        if counts[place] < PURE * size or binom.sf(counts[place] - 1, size, usual) > PURE_P_VALUE:
            continue
        shown = f"{outcome.target} = {outcome.names[place]}"
        text = (
            f"{column.name} is {word} only where {shown}: {counts[place]:,} of the {size:,} rows where it is {word} "
            f"({counts[place] / size:.1%}; of all rows {usual:.1%})"
        )
        if counts[place] >= HALF * totals[place]:
            text += f". It looks as if it were written after the outcome, and is no feature; {KEEP}"
            return Issue("leak", text, (column.name,), f"a leak: {word} only where {shown}")
        ask = "Is it written before the outcome is known? If not, put 'feature: false'"
        return Issue("strong", f"{text}. {ask}", doubts=(column.name,))
    return None


def _leaking_where_filled(column: ColumnProfile, outcome: LeakTarget, rows: Rows) -> int | None:
    """Count the rows in which a column that is mostly missing gives the outcome away."""
    filled = rows[column.codes[rows] >= 0]
    if len(filled) == len(rows) or len(filled) < FEWEST_ROWS or not outcome.is_class:
        return None
    return len(filled) if _power(column, outcome, _spread(filled)).whole >= LEAK[True] else None


def _power(column: ColumnProfile, outcome: LeakTarget, rows: Rows) -> PredictivePower:
    order = np.random.default_rng(SEED).permutation(rows)
    known, asked = order[: len(order) // 2], order[len(order) // 2 :]
    if not outcome.is_class:
        return PredictivePower(whole=_variance_explained(column, outcome.values, rows, known, asked))
    if column.is_ordered:
        return _measure_power(_by_tree(column, outcome, known, asked), outcome, known, asked)
    codes, names = _folded(column)
    keys = [codes]
    if column.type == CATEGORY and len(names) > MOST_LISTED:  # an id such as Y-0001 may name the class by its pattern
        patterns, places = np.unique([re.sub(r"\d+", "0", name.casefold()) for name in names], return_inverse=True)
        keys += [np.append(places, -1)[codes]] if len(patterns) < len(names) else []
    powers = [_measure_power(_by_value(key, outcome, known, asked), outcome, known, asked) for key in keys]
    return max(powers, key=lambda power: power.whole)


def _measure_power(probabilities: Floats, outcome: LeakTarget, known: Rows, asked: Rows) -> PredictivePower:
    """Compare with the truth. `probabilities`: asked rows x classes."""
    from scipy.stats import rankdata

    truth = outcome.values[asked].astype(np.int64)
    typical = int(np.bincount(outcome.values[known].astype(np.int64)).argmax())
    right, naive = float(np.mean(probabilities.argmax(axis=1) == truth)), float(np.mean(truth == typical))
    whole = max(0.0, 1 - (1 - right) / (1 - naive)) if naive < 1 else 0.0
    by_class, aucs = [], [0.5]
    for place in range(len(outcome.names)):
        is_it, scores = truth == place, probabilities[:, place]
        ups = int(is_it.sum())
        few = min(ups, len(is_it) - ups)
        if few < FEWEST_OF_A_CLASS / 2:  # half of the rows are asked
            by_class.append(0.0)
            continue
        by_class.append(max(0.0, 1 - float(np.sum((scores >= HALF) != is_it)) / few))
        aucs.append(float((rankdata(scores)[is_it].sum() - ups * (ups + 1) / 2) / (ups * (len(is_it) - ups))))
    return PredictivePower(whole, right, naive, tuple(by_class), max(aucs))


def _by_tree(column: ColumnProfile, outcome: LeakTarget, known: Rows, asked: Rows) -> Floats:
    from sklearn.tree import DecisionTreeClassifier

    values = outcome.values[known].astype(np.int64)
    leaves = max(4, 2 * len(np.unique(values)))
    tree = DecisionTreeClassifier(max_leaf_nodes=leaves, min_samples_leaf=_leaf_rows(known), random_state=SEED)
    numbers = column.numbers.reshape(-1, 1)
    probabilities = np.zeros((len(asked), len(outcome.names)))
    probabilities[:, np.unique(values)] = tree.fit(numbers[known], values).predict_proba(numbers[asked])
    return probabilities


def _leaf_rows(known: Rows) -> int:
    return max(2, len(known) // 500)


def _by_value(codes: Rows, outcome: LeakTarget, known: Rows, asked: Rows) -> Floats:
    """Take the shares of the classes among the known rows of each value; of a new value, among all."""
    values = outcome.values[known].astype(np.int64)
    counts = np.zeros((codes.max() + 2, len(outcome.names)))  # the last row is that of -1, a missing cell
    np.add.at(counts, (codes[known], values), 1)
    usual = np.bincount(values, minlength=len(outcome.names)) / len(known)
    totals = counts.sum(axis=1, keepdims=True)
    return np.asarray(np.where(totals > 0, counts / np.maximum(totals, 1), usual)[codes[asked]], dtype=np.float64)


def _variance_explained(column: ColumnProfile, values: Floats, rows: Rows, known: Rows, asked: Rows) -> float:
    import pandas as pd
    from scipy.stats import rankdata
    from sklearn.tree import DecisionTreeRegressor

    if column.is_ordered:
        tree = DecisionTreeRegressor(max_leaf_nodes=LEAVES, min_samples_leaf=_leaf_rows(known), random_state=SEED)
        numbers = column.numbers.reshape(-1, 1)
        guess = np.asarray(tree.fit(numbers[known], values[known]).predict(numbers[asked]), dtype=np.float64)
    else:
        means = pd.Series(values[known]).groupby(column.codes[known]).mean()
        guesses = pd.Series(column.codes[asked]).map(means).fillna(values[known].mean())
        guess = np.asarray(guesses, dtype=np.float64)
    spread = float(np.mean((values[asked] - values[known].mean()) ** 2))
    explained = max(0.0, 1 - float(np.mean((guess - values[asked]) ** 2)) / spread) if spread else 0.0
    known_numbers = column.numbers[rows]
    if not column.is_ordered or len(np.unique(known_numbers)) < 2:
        return explained
    # Squared rank correlation: 1 for the outcome in any other unit, where a tree is too coarse for long tails.
    ranks = rankdata(np.nan_to_num(known_numbers, nan=-np.inf))
    return max(explained, float(np.corrcoef(ranks, rankdata(values[rows]))[0, 1] ** 2))


def _sum_issues(columns: Sequence[ColumnProfile], target: str, values: Floats, rows: Rows) -> Iterator[Issue]:
    """Name groups of number columns whose weighted sum is the target."""
    left = [column for column in columns if column.type == NUMBER and column.distinct > 1]
    while weights := _sum({column.name: column.numbers[rows] for column in left}, values[rows]):
        names = sorted(weights)
        terms = " ".join(f"{weight:+.3g} x {name}" for name, weight in sorted(weights.items()))
        formula = terms.replace("+1 x ", "+").replace("-1 x ", "-").replace(" +", " + ").replace(" -", " - ")
        text = (
            f"{target} is {formula.removeprefix('+')}: together {listed(names)} give it away, and are no features; if "
            "they are truly known before the outcome, remove 'feature: false'"
        )
        yield Issue("leak", text, tuple(names), f"a leak: {listed(names)} add up to {target}")
        left = [column for column in left if column.name not in names]


def _sum(table: dict[str, Floats], values: Floats) -> dict[str, float]:
    """Find the weights of at most MOST_TERMS columns that explain the values; empty when there are none."""
    truth = values - values.mean()
    centred = {
        name: numbers - numbers.mean()
        for name, numbers in table.items()
        if not np.isnan(numbers).any() and numbers.std() > 0
    }

    def fitted(names: list[str]) -> tuple[Floats, Floats]:
        block = np.column_stack([centred[name] for name in names])
        weights = np.linalg.lstsq(block, truth, rcond=None)[0]
        return weights, truth - block @ weights

    def explains(rest: Floats) -> bool:
        return float(rest @ rest) <= (1 - ADDS_UP) * float(truth @ truth)

    def likeness(name: str) -> float:
        return abs(float(centred[name] @ rest)) / float(np.sqrt(centred[name] @ centred[name]))

    taken: list[str] = []
    rest: Floats = truth
    weights: Floats = np.empty(0)
    while len(taken) < min(MOST_TERMS, len(centred)) and not explains(rest):
        taken.append(max(set(centred) - set(taken), key=lambda name: (likeness(name), name)))
        weights, rest = fitted(taken)
    if not taken or not explains(rest):
        return {}
    for name in [*taken]:  # some were taken on the way and are not needed
        if fewer := [other for other in taken if other != name]:
            lighter, rest = fitted(fewer)
            if explains(rest):
                taken, weights = fewer, lighter
    return dict(zip(taken, weights.tolist(), strict=True))
