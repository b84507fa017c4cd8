"""The answers to the holdout as they travel with a model: what an estimate without labels is calibrated with.

They are answers out of sample: each block of the holdout was answered by a model fitted on the rows before it. Features
are kept for a regression alone, whose losses are learned from them.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.training.learning import VALUE

if TYPE_CHECKING:
    import pandas as pd

ANSWER, TRUTH = "_answer_", "_truth"  # columns: an answer per class by its place, or one value; the label


def as_kept(rows: "pd.DataFrame", answers: "pd.DataFrame", schema: Schema) -> "pd.DataFrame":
    """`rows` of the holdout in time order, and what was answered, as `learning.answer` gives it."""
    target, labels = schema.target, rows[schema.target.name].tolist()
    given = [VALUE] if target.task == REGRESSION else [str(label) for label in target.classes]
    kept = rows[schema.names if target.task == REGRESSION else []].reset_index(drop=True)
    for place, name in enumerate(given):
        kept[f"{ANSWER}{place}"] = answers[name].to_numpy(np.float64)
    kept[TRUTH] = labels if target.task == REGRESSION else [target.classes.index(label) for label in labels]
    return kept


def answers_of(kept: "pd.DataFrame", *, task: str) -> Any:
    """(rows, classes) probabilities, or (rows,) values."""
    names = [name for name in kept if str(name).startswith(ANSWER)]
    found = kept[names].to_numpy(np.float64)
    return found[:, 0] if task == REGRESSION else found


def truth_of(kept: "pd.DataFrame") -> Any:
    """Places among the classes, or values."""
    return kept[TRUTH].to_numpy()
