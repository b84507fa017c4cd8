"""Columns that give the target away: known only once the outcome is known, or the outcome in another form.

One column: a small tree (numbers) or a table of values (categories) fitted on one random half of the rows predicts the
other half almost perfectly. Several: columns that add up to the target, found by orthogonal matching pursuit (Pati,
Rezaiifar and Krishnaprasad 1993, Asilomar): take the column that explains most of what is left, again and again.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from releve.rules.columns import NUMBER
from releve.rules.inference.findings import Finding, listed
from releve.rules.inference.profiles import Profile

MOST_ROWS = 5000  # looked at, spread evenly over the sample
FEWEST_ROWS = 40  # fewer say nothing
LEAK = {True: 0.98, False: 0.99}  # share of the error that one column takes away; of classes, and of numbers
STRONG = 0.9
ADDS_UP = 0.9999  # R2
MOST_TERMS = 5  # columns in a sum
LEAVES = 64  # of the tree on a number; of classes, a few each
SEED = 7


def leak_findings(columns: Sequence[Profile], target: Profile, *, is_class: bool) -> list[Finding]:
    """Columns that predict `target` almost perfectly, alone or as a sum."""
    values = target.codes.astype(np.float64) if is_class else target.numbers
    values = np.where(target.codes < 0, np.nan, values)
    rows = _some_rows(values)
    if len(rows) < FEWEST_ROWS:
        return []
    power = {column.name: _power(column, values, rows, is_class=is_class) for column in columns}
    alone = [_alone(column, target, power[column.name], is_class=is_class) for column in columns]
    rest = [column for column in columns if power[column.name] < LEAK[is_class]]
    numbers = target.numbers if target.type == NUMBER else values
    sums = _sums(rest, target.name, numbers, rows) if target.type == NUMBER or target.distinct == 2 else []
    return [finding for finding in alone if finding is not None] + sums


def _some_rows(values: NDArray[np.float64]) -> NDArray[np.int64]:
    rows = np.flatnonzero(~np.isnan(values))
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(np.int64)] if len(rows) else rows


def _alone(column: Profile, target: Profile, power: float, *, is_class: bool) -> Finding | None:
    if power < STRONG:
        return None
    how = f"{power:.1%} of the " + ("errors of the commonest class" if is_class else "variance")
    if power < LEAK[is_class]:
        text = f"{column.name} alone takes away {how} of {target.name}: is it known before the outcome is?"
        return Finding("strong", text)
    text = (
        f"{column.name} gives {target.name} away: alone it takes away {how}. It is no feature; if it is truly known "
        "before the outcome, remove 'feature: false'"
    )
    return Finding("leak", text, (column.name,), f"a leak: gives {target.name} away")


def _power(column: Profile, values: NDArray[np.float64], rows: NDArray[np.int64], *, is_class: bool) -> float:
    """Share 0-1 of the error of a constant guess that the column takes away on rows it was not fitted on."""
    order = np.random.default_rng(SEED).permutation(rows)
    known, asked = order[: len(order) // 2], order[len(order) // 2 :]
    predict = _tree if column.is_ordered else _table
    guess = predict(column, values, known, asked, is_class)
    naive = _typical(values[known], is_class)
    wrong, naively_wrong = _error(guess, values[asked], is_class), _error(naive, values[asked], is_class)
    return max(0.0, 1 - wrong / naively_wrong) if naively_wrong else 0.0


def _error(guess: NDArray[np.float64] | float, truth: NDArray[np.float64], is_class: bool) -> float:
    return float((guess != truth).mean() if is_class else ((guess - truth) ** 2).mean())


def _typical(values: NDArray[np.float64], is_class: bool) -> float:
    if not is_class:
        return float(values.mean())
    found, counts = np.unique(values, return_counts=True)
    return float(found[counts.argmax()])


def _tree(
    column: Profile, values: NDArray[np.float64], known: NDArray[np.int64], asked: NDArray[np.int64], is_class: bool
) -> NDArray[np.float64]:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    leaves = max(4, 2 * len(np.unique(values[known]))) if is_class else LEAVES
    kind = DecisionTreeClassifier if is_class else DecisionTreeRegressor
    tree = kind(max_leaf_nodes=leaves, min_samples_leaf=max(2, len(known) // 500), random_state=SEED)
    numbers = column.numbers.reshape(-1, 1)
    return np.asarray(tree.fit(numbers[known], values[known]).predict(numbers[asked]), dtype=np.float64)


def _table(
    column: Profile, values: NDArray[np.float64], known: NDArray[np.int64], asked: NDArray[np.int64], is_class: bool
) -> NDArray[np.float64]:
    """The typical outcome of each value; of one that was not met, the typical outcome of all."""
    import pandas as pd

    groups = pd.Series(values[known]).groupby(column.codes[known])
    typical = groups.apply(lambda group: _typical(group.to_numpy(), is_class))
    found = pd.Series(column.codes[asked]).map(typical).fillna(_typical(values[known], is_class))
    return np.asarray(found, dtype=np.float64)


def _sums(
    columns: Sequence[Profile], target: str, values: NDArray[np.float64], rows: NDArray[np.int64]
) -> list[Finding]:
    """Groups of number columns whose weighted sum is the target."""
    left = [column for column in columns if column.type == NUMBER and column.distinct > 1]
    findings = []
    while (found := _sum(left, values, rows)) is not None:
        terms, weights = found
        names = [column.name for column in terms]
        text = (
            f"{target} is {_formula(names, weights)}: together {listed(names)} give it away, and are no features; if "
            "they are truly known before the outcome, remove 'feature: false'"
        )
        findings.append(Finding("leak", text, tuple(names), f"a leak: {listed(names)} add up to {target}"))
        left = [column for column in left if column.name not in names]
    return findings


def _sum(
    columns: Sequence[Profile], values: NDArray[np.float64], rows: NDArray[np.int64]
) -> tuple[list[Profile], NDArray[np.float64]] | None:
    """At most MOST_TERMS columns that explain the values, and their weights; None when there are none."""
    table = {column.name: column.numbers[rows] for column in columns}
    whole = {name: numbers for name, numbers in table.items() if not np.isnan(numbers).any() and numbers.std() > 0}
    truth = values[rows] - values[rows].mean()
    centred = {name: numbers - numbers.mean() for name, numbers in whole.items()}
    taken: list[str] = []
    rest, weights = truth, np.empty(0)
    while len(taken) < min(MOST_TERMS, len(centred)) and not _explains(rest, truth):
        taken.append(max(set(centred) - set(taken), key=lambda name: (_likeness(centred[name], rest), name)))
        block = np.column_stack([centred[name] for name in taken])
        weights = np.linalg.lstsq(block, truth, rcond=None)[0]
        rest = truth - block @ weights
    if not taken or not _explains(rest, truth):
        return None
    return _needed([column for name in taken for column in columns if column.name == name], weights, centred, truth)


def _needed(
    terms: list[Profile], weights: NDArray[np.float64], centred: dict[str, NDArray[np.float64]], truth: NDArray[np.float64]
) -> tuple[list[Profile], NDArray[np.float64]]:
    """The terms without those that were taken in vain on the way."""
    for term in list(terms):
        fewer = [other for other in terms if other is not term]
        if not fewer:
            break
        block = np.column_stack([centred[other.name] for other in fewer])
        lighter = np.linalg.lstsq(block, truth, rcond=None)[0]
        if _explains(truth - block @ lighter, truth):
            terms, weights = fewer, lighter
    return terms, weights


def _explains(rest: NDArray[np.float64], truth: NDArray[np.float64]) -> bool:
    return float(rest @ rest) <= (1 - ADDS_UP) * float(truth @ truth)


def _likeness(numbers: NDArray[np.float64], rest: NDArray[np.float64]) -> float:
    return abs(float(numbers @ rest)) / float(np.sqrt(numbers @ numbers))


def _formula(names: Sequence[str], weights: NDArray[np.float64]) -> str:
    parts = (f"{weight:+.3g} x {name}".replace("+1 x ", "+ ").replace("-1 x ", "- ") for name, weight in zip(names, weights, strict=True))
    return " ".join(parts).removeprefix("+").strip()
