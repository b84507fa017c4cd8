"""Fit a recipe to rows in time order, and answer the rows after them."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.training.pipeline import build, model_frame
from releve.domain.training.recipes import RECIPES, Candidate

if TYPE_CHECKING:
    import pandas as pd

REFERENCE_ROWS = 20_000  # newest rows that travel with a model, at most: for drift, and for neighbours
VALUE = "_value"  # column of the answers in a regression; no class is called so
ANSWER, TRUTH = "_answer_", "_truth"  # columns: an answer per class by its place, or one value; the label


def window(rows: "pd.DataFrame", *, end: int, last_batches: int, left_out: Sequence[Fold] = ()) -> "pd.DataFrame":
    """Return the rows before `end` that a model learns from: of the newest `last_batches` batches, or all when it is 0.

    `left_out`: places of rows that nobody learns; a batch that they fill counts as if it were not there.

    Where `end` lies inside a batch, that batch's rows before it come on top: what is released learns from so many
    whole batches, and the model of a block that begins a row later than a batch must not be judged on that one row.
    """
    before = rows.iloc[:end]
    before = before[is_outside(left_out, len(before))]
    if last_batches == 0:
        return before
    cut = set(before[BATCH].tail(1)) & set(rows[BATCH].iloc[end : end + 1])
    newest = before[BATCH].drop_duplicates().tail(last_batches + len(cut))
    return before[before[BATCH].isin(set(newest))]


def is_outside(parts: Sequence[Fold], count: int) -> NDArray[np.bool_]:
    """Return of each of `count` rows whether it lies in none of the parts (count,)."""
    outside = np.ones(count, dtype=bool)
    for part in parts:
        outside[max(0, part.start) : max(0, part.end)] = False
    return outside


def learn(rows: "pd.DataFrame", schema: Schema, candidate: Candidate, *, seed: int) -> Any:
    """Fit a pipeline. Raises BadInput when the rows hold too few labels, or the recipe knows no such option."""
    labels = rows[schema.target.name]
    if schema.target.task != REGRESSION:
        recipe, counts = RECIPES[candidate.recipe], Counter(labels.tolist())
        if len(counts) < recipe.least_classes or min(counts.values()) < recipe.least_per_class:
            held = ", ".join(f"{label}: {count}" for label, count in sorted(counts.items(), key=str))
            raise BadInput(
                f"the first {len(labels)} rows hold too few labels to learn from ({schema.target.name}: {held}); at "
                f"least two classes with {recipe.least_per_class} rows each are needed. Ingest more rows"
            )
    pipeline = build(schema, recipe=candidate.recipe, scale=candidate.scale, options=dict(candidate.options), seed=seed)
    # Where all texts are alike, the decomposition divides what it explains of their variance by nothing: nobody reads
    # that share.
    quiet: Any = {"divide": "ignore", "invalid": "ignore"} if schema.texts else {}
    features = _features(rows, schema)
    # A column without any value, as a new one is in old rows, becomes a constant: no tree splits one, and histogram
    # gradient boosting fails where there is nothing at all.
    empty = features.columns[features.isna().all()]
    with np.errstate(**quiet):
        return pipeline.fit(features.assign(**dict.fromkeys(empty, 0.0)), labels)


def answer(model: Any, rows: "pd.DataFrame", schema: Schema) -> "pd.DataFrame":
    """Predict `rows` by the model of `learn`: a probability per class of the schema, in its order; or VALUE."""
    return answer_features(model, _features(rows, schema), schema)


def answer_features(model: Any, features: "pd.DataFrame", schema: Schema) -> "pd.DataFrame":
    """Answer the rows of a `model_frame` as `answer` does."""
    import pandas as pd

    if schema.target.task == REGRESSION:
        return pd.DataFrame({VALUE: model.predict(features)})
    found = pd.DataFrame(model.predict_proba(features), columns=model.classes_.tolist())
    return found.reindex(columns=list(schema.target.classes), fill_value=0.0).rename(columns=str)


def _features(rows: "pd.DataFrame", schema: Schema) -> "pd.DataFrame":
    return model_frame(arrays_of_frame(schema, rows), schema)


def as_kept(rows: "pd.DataFrame", answers: Any, schema: Schema) -> "pd.DataFrame":
    """Put out-of-sample answers beside the labels, as they travel with a model to calibrate estimates.

    `rows`: that were answered, in time order; `answers`: (rows, classes), or (rows, 1). Features are kept for a
    regression alone, whose losses are learned from them.
    """
    target, labels = schema.target, rows[schema.target.name].tolist()
    kept = rows[schema.names if target.task == REGRESSION else []].reset_index(drop=True)
    for place in range(answers.shape[1]):
        kept[f"{ANSWER}{place}"] = answers[:, place]
    kept[TRUTH] = labels if target.task == REGRESSION else [target.classes.index(label) for label in labels]
    return kept


def answers_of(kept: "pd.DataFrame", *, task: str) -> Any:
    """Read (rows, classes) probabilities, or (rows,) values."""
    names = [name for name in kept if str(name).startswith(ANSWER)]
    found = kept[names].to_numpy(np.float64)
    return found[:, 0] if task == REGRESSION else found


def truth_of(kept: "pd.DataFrame") -> Any:
    """Places among the classes, or values."""
    return kept[TRUTH].to_numpy()
