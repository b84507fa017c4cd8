"""What the same recipe does when it is never retrained, and when it is retrained after every window."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.training.pipeline import build, model_frame
from releve.domain.training.recipes import Candidate


@dataclass(frozen=True)
class Comparison:
    """Per row of the windows after the first: right or wrong; and the accuracy per window."""

    static: npt.NDArray[np.bool_]
    every: npt.NDArray[np.bool_]
    static_by_window: tuple[float, ...]
    every_by_window: tuple[float, ...]


def compare(
    tables: list[pd.DataFrame], schema: Schema, candidate: Candidate, seed_windows: int, *, seed: int
) -> Comparison:
    """Fit on all earlier windows, score the next one; both policies see the same rows in the same order."""
    first = _fit(tables[:seed_windows], schema, candidate, seed)
    static, every = [], []
    for number in range(seed_windows, len(tables)):
        static.append(_right(first, tables[number], schema))
        every.append(_right(_fit(tables[:number], schema, candidate, seed), tables[number], schema))
    return Comparison(
        np.concatenate(static),
        np.concatenate(every),
        tuple(float(flags.mean()) for flags in static),
        tuple(float(flags.mean()) for flags in every),
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
