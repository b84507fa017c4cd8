"""What the same recipe does when it is never refitted, or after every window, and what the cron job does."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.training.pipeline import build, model_frame
from releve.domain.training.recipes import Candidate

CRON = "cron", Candidate("hist_gradient_boosting", "none", {"early_stopping": "auto"})


@dataclass(frozen=True)
class PolicyAccuracies:
    """The accuracy on all rows of the windows after the first, and per window, by policy."""

    never: float
    every: float
    cron: float
    by_window: dict[str, tuple[float, ...]]  # the same names


def compare(
    tables: list[pd.DataFrame], schema: Schema, candidate: Candidate, seed_windows: int, *, seed: int
) -> PolicyAccuracies:
    """Fit on all earlier windows, score the next one; all policies see the same rows in the same order.

    The cron job is boosting with scikit-learn's defaults, refitted on all rows before each window.
    """
    first = _fit(tables[:seed_windows], schema, candidate, seed)
    right: dict[str, list[npt.NDArray[np.bool_]]] = {"never": [], "every": [], "cron": []}
    for number in range(seed_windows, len(tables)):
        refitted = {name: _fit(tables[:number], schema, each, seed) for name, each in (("every", candidate), CRON)}
        for name, model in {"never": first, **refitted}.items():
            right[name].append(_right(model, tables[number], schema))
    return PolicyAccuracies(
        **{name: float(np.concatenate(flags).mean()) for name, flags in right.items()},
        by_window={name: tuple(float(one.mean()) for one in flags) for name, flags in right.items()},
    )


def _fit(tables: list[pd.DataFrame], schema: Schema, candidate: Candidate, seed: int) -> object:
    rows = pd.concat(tables)
    recipe, scale, options = candidate.recipe, candidate.scale, candidate.options
    model = build(schema, recipe=recipe, scale=scale, options=options, seed=seed)
    return model.fit(_features(rows, schema), rows[schema.target.name])


def _right(model: object, table: pd.DataFrame, schema: Schema) -> npt.NDArray[np.bool_]:
    predicted = model.predict(_features(table, schema))  # type: ignore[attr-defined]  # any scikit-learn classifier
    return np.asarray(predicted == table[schema.target.name].to_numpy())


def _features(rows: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    return model_frame(arrays_of_frame(schema, rows), schema)
