"""Find scores that are too good to be true: a column may hold what is known only after the outcome.

Such leaks pass every other check, since the holdout has them too (Kaufman et al. 2012, "Leakage in data mining").
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.evaluation import ColumnShare, Opponent, TooGood
from releve.domain.schema.columns import CATEGORY, TEXT
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

LEFT = 0.01  # share of the best baseline's error that a model leaves, at most, for its score to be reported
FEWEST_ERRORS = 30  # of that baseline: an honest model that avoids nine errors of ten would avoid so few by chance (4%)
STRONG = 0.5  # share of the error that a column takes away alone, at least, to be named
MOST_NAMED, MOST_ROWS, LEAVES, SEED = 3, 5000, 64, 7


def too_good(truth: NDArray[Any], answers: Floats, baselines: Mapping[Opponent, Floats]) -> TooGood | None:
    """None where the score is believable. `truth`: class indices or values; `answers`: as outputs."""
    errors = {name: _errors(truth, other) for name, other in baselines.items()}
    if not errors:
        return None
    best = min(errors, key=lambda name: float(errors[name].sum()))
    naive, mine = float(errors[best].sum()), float(_errors(truth, answers).sum())
    if np.count_nonzero(errors[best]) < FEWEST_ERRORS or mine > LEFT * naive:
        return None
    return TooGood(rows=len(truth), baseline=best, left=mine / naive)


def telling_columns(
    known: "pd.DataFrame", asked: "pd.DataFrame", schema: Schema, *, truths: tuple[NDArray[Any], NDArray[Any]]
) -> tuple[ColumnShare, ...]:
    """Columns that alone take away most of the error on `asked`, each by a small tree learned from `known`."""
    names = [column.name for column in schema.features if column.type != TEXT]
    found = [ColumnShare(column=name, share=_share_alone(known, asked, schema, name, truths)) for name in names]
    strong = [each for each in found if each.share >= STRONG]
    return tuple(sorted(strong, key=lambda each: -each.share)[:MOST_NAMED])


def _share_alone(
    known: "pd.DataFrame",
    asked: "pd.DataFrame",
    schema: Schema,
    name: str,
    truths: tuple[NDArray[Any], NDArray[Any]],
) -> float:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    is_class = bool(schema.target.classes)
    before, truth = truths[0][-MOST_ROWS:], truths[1]
    cells, kind = known[name].iloc[-MOST_ROWS:], schema.column(name).type
    numbers, asked_numbers = (_numbers(each, cells, before, kind) for each in (cells, asked[name]))
    tree_type = DecisionTreeClassifier if is_class else DecisionTreeRegressor
    tree = tree_type(max_leaf_nodes=LEAVES, min_samples_leaf=2, random_state=SEED).fit(numbers, before)
    usual = np.bincount(before).argmax() if is_class else before.mean()
    wrong, naive = (
        float(np.mean(guess != truth) if is_class else np.mean((guess - truth) ** 2))
        for guess in (tree.predict(asked_numbers), np.full(len(truth), usual))
    )
    return round(1 - wrong / naive, 3) if naive else 0.0


def _numbers(cells: "pd.Series[Any]", known: "pd.Series[Any]", truth: NDArray[Any], kind: str) -> Floats:
    """One column; a category stands where its mean label has it, so that a tree can part them."""
    import pandas as pd

    if kind == CATEGORY:
        means = pd.Series(truth).groupby(known.to_numpy()).mean()
        return np.asarray(cells.map(means), dtype=np.float64).reshape(-1, 1)
    moments = cells.astype("int64").where(cells.notna()) if cells.dtype.kind == "M" else cells
    return np.asarray(moments, dtype=np.float64).reshape(-1, 1)


def _errors(truth: NDArray[Any], answers: Floats) -> Floats:
    """Per row: 1 for a wrong class, or the squared difference of values."""
    if answers.ndim > 1:
        return np.asarray(answers.argmax(axis=1) != truth, dtype=np.float64)
    return np.asarray((answers - truth) ** 2, dtype=np.float64)
