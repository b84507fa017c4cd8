"""A score that is too good to be true, told and never refused: a column may hold what is known only after the outcome.

Such leaks pass every other check, since the holdout has them too (Kaufman et al. 2012, "Leakage in data mining").
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.baselines import describe_baseline
from releve.domain.schema.columns import CATEGORY, TEXT
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

LEFT = 0.01  # share of the best baseline's error that a model leaves, at most, for its score to be told
FEWEST_ERRORS = 30  # of that baseline: an honest model that avoids nine errors of ten would avoid so few by luck (4%)
STRONG = 0.5  # share of the error that a column takes away alone, at least, to be named
MOST_NAMED, MOST_ROWS, LEAVES, SEED = 3, 5000, 64, 7


@dataclass(frozen=True)
class TooGood:
    """How little error is left, beside which baseline, and which columns explain it."""

    rows: int
    baseline: str
    left: float  # share 0-1 of the baseline's error
    columns: tuple[tuple[str, float], ...] = ()  # with the share of the error that each takes away alone

    def as_dict(self) -> dict[str, Any]:
        """For evaluation.json."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "TooGood":
        """Read `as_dict`."""
        return cls(**{**values, "columns": tuple((name, share) for name, share in values["columns"])})

    def __str__(self) -> str:
        named = ", ".join(f"{name} ({share:.0%})" for name, share in self.columns)
        first = f"; alone, these take away most of the error: {named}" if named else ""
        return (
            f"this may be too good to be true: on {self.rows} rows the model makes {self.left:.2%} of the error of the "
            f"{describe_baseline(self.baseline)}. Check for a column that is known only after the outcome, and give it "
            f"feature: false (params.yaml: columns){first}"
        )


def too_good(truth: NDArray[Any], answers: Floats, baselines: Mapping[str, Floats]) -> TooGood | None:
    """None where the score is believable. `truth`: class indices or values; `answers`: as outputs."""
    errors = {name: _errors(truth, other) for name, other in baselines.items()}
    if not errors:
        return None
    best = min(errors, key=lambda name: float(errors[name].sum()))
    naive, mine = float(errors[best].sum()), float(_errors(truth, answers).sum())
    if np.count_nonzero(errors[best]) < FEWEST_ERRORS or mine > LEFT * naive:
        return None
    return TooGood(len(truth), best, mine / naive)


def telling_columns(
    known: "pd.DataFrame", asked: "pd.DataFrame", schema: Schema, *, truths: tuple[NDArray[Any], NDArray[Any]]
) -> tuple[tuple[str, float], ...]:
    """Columns that alone take away most of the error on `asked`, each by a small tree learned from `known`."""
    names = [column.name for column in schema.features if column.type != TEXT]
    found = [(name, _share_alone(known[name], asked[name], schema, name, truths)) for name in names]
    return tuple(sorted((each for each in found if each[1] >= STRONG), key=lambda each: -each[1])[:MOST_NAMED])


def _share_alone(
    known: "pd.Series[Any]",
    asked: "pd.Series[Any]",
    schema: Schema,
    name: str,
    truths: tuple[NDArray[Any], NDArray[Any]],
) -> float:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    is_class = bool(schema.target.classes)
    before, truth = truths[0][-MOST_ROWS:], truths[1]
    cells = known.iloc[-MOST_ROWS:]
    numbers, asked_numbers = (_numbers(each, cells, before, schema.column(name).type) for each in (cells, asked))
    kind = DecisionTreeClassifier if is_class else DecisionTreeRegressor
    tree = kind(max_leaf_nodes=LEAVES, min_samples_leaf=2, random_state=SEED).fit(numbers, before)
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
