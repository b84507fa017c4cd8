"""Columns that give the target away: known only once the outcome is known, or the outcome in another form.

A small tree (numbers) or a table of values (categories), fitted on one random half of the rows, predicts the other half
almost perfectly. Columns that do so together are looked for in `releve.rules.inference.sums`.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from releve.rules.columns import NUMBER
from releve.rules.inference.findings import Finding
from releve.rules.inference.profiles import Profile
from releve.rules.inference.sums import sum_findings

MOST_ROWS = 5000  # looked at, spread evenly over the sample
FEWEST_ROWS = 40  # fewer say nothing
LEAK = {True: 0.98, False: 0.99}  # share of the error that one column takes away; of classes, and of numbers
MOST_CLASSES = 0.2  # share of the rows; classes of fewer than five rows are hardly learned from half of them
STRONG = 0.9
LEAVES = 64  # of the tree on a number; of classes, a few each
SEED = 7


def leak_findings(columns: Sequence[Profile], target: Profile, *, is_class: bool) -> list[Finding]:
    """Columns that predict `target` almost perfectly, alone or as a sum."""
    values = target.codes.astype(np.float64) if is_class else target.numbers
    values = np.where(target.codes < 0, np.nan, values)
    rows = _some_rows(values)
    if len(rows) < FEWEST_ROWS or (is_class and target.distinct > MOST_CLASSES * len(rows)):
        return []
    power = {column.name: _power(column, values, rows, is_class=is_class) for column in columns}
    alone = [_alone(column, target, power[column.name], is_class=is_class) for column in columns]
    rest = [column for column in columns if power[column.name] < LEAK[is_class]]
    numbers = target.numbers if target.type == NUMBER else values
    sums = sum_findings(rest, target.name, numbers, rows) if target.type == NUMBER or target.distinct == 2 else []
    told = {name for finding in sums for name in finding.leaves_out}
    return [each for each, column in zip(alone, columns, strict=True) if each and column.name not in told] + sums


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
    alone = max(0.0, 1 - wrong / naively_wrong) if naively_wrong else 0.0
    return alone if is_class or not column.is_ordered else max(alone, _same_order(column.numbers[rows], values[rows]))


def _same_order(numbers: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Squared rank correlation: 1 for the outcome in any other unit, where a tree is too coarse for long tails."""
    from scipy.stats import rankdata

    if len(np.unique(numbers)) < 2:
        return 0.0
    return float(np.corrcoef(rankdata(np.nan_to_num(numbers, nan=-np.inf)), rankdata(values))[0, 1] ** 2)


def _error(guess: NDArray[np.float64] | float, truth: NDArray[np.float64], is_class: bool) -> float:
    return float(np.mean(guess != truth) if is_class else np.mean((guess - truth) ** 2))


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
    typical = groups.apply(lambda group: _typical(np.asarray(group, dtype=np.float64), is_class))
    found = pd.Series(column.codes[asked]).map(typical).fillna(_typical(values[known], is_class))
    return np.asarray(found, dtype=np.float64)
