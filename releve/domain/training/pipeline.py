"""Build scikit-learn pipelines by the recipe's name, seeded, for every task and every type of column.

The input is a frame of `Schema.model_names`: numbers (and the parts of dates), categories, texts, picked by position,
which is what survives the export to ONNX. Categories are encoded before any model sees them: histogram gradient
boosting with native categories exports silently wrong. Figures: docs/decisions/0009-recipes.md
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.training.recipes import (
    ALL_FEATURES,
    NO_FEATURES,
    RECIPES,
    SEASON,
    STANDARD,
    Recipe,
    Value,
    season_columns,
)

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

Options = Mapping[str, Value]

MOST_CATEGORIES = 64  # columns that one category may become; the rarer ones, and unseen ones, share the last
HASHES = 2**14  # n-grams of texts are told apart up to chance collisions: no vocabulary to keep, none to be empty
TEXT_OPTIONS: Options = {"text_analyzer": "char_wb", "text_ngrams": 4, "text_dimensions": 64}


def build(schema: Schema, *, recipe: str, scale: str, options: Options, seed: int) -> "Pipeline":
    """Make an unfitted pipeline for the schema's task.

    `options` are arguments of the recipe's estimator, and TEXT_OPTIONS where there are texts. Raises BadInput naming
    an option that is not known, or that a model file could not hold.
    """
    from sklearn.pipeline import Pipeline

    text = {name: value for name, value in options.items() if name in TEXT_OPTIONS}
    own = {name: value for name, value in options.items() if name not in TEXT_OPTIONS}
    if text and not schema.texts:
        raise BadInput(f"train.options has {', '.join(sorted(text))}, and the table has no text column; remove it")
    known = RECIPES[recipe]
    for name, (needed, reason) in known.fixed.items():
        if own.get(name, needed) != needed:
            raise BadInput(f"train.options has {name}: {own[name]!r}, expected {needed!r} for {recipe}: {reason}")
    make = known.regressor if schema.target.task == REGRESSION else known.classifier
    if known.features == SEASON and not season_columns(schema):
        raise BadInput(f"the recipe {recipe} needs a date among the features, and the table has none; name another")
    prepare = _prepare(schema, known, scale=scale, text={**TEXT_OPTIONS, **text}, seed=seed)
    return Pipeline([("prepare", prepare), ("model", make(own, seed))])


def model_frame(arrays: Mapping[str, NDArray[Any]], schema: Schema) -> "pd.DataFrame":
    """Make what pipelines are fitted on and asked: rows x `schema.model_names`, numbers as exact as float32 holds them.

    A tree that learned a threshold between two float64 values may send the same value, rounded, the other way.
    """
    import pandas as pd

    blocks = {"numbers": (schema.model_numbers, "float64"), "categories": (schema.categories, "object")}
    blocks["texts"] = (schema.texts, "object")
    frames = [
        pd.DataFrame(arrays[block].astype(kind), columns=names, dtype=kind)
        for block, (names, kind) in blocks.items()
        if names
    ]
    return pd.concat(frames, axis=1)


def _prepare(schema: Schema, recipe: Recipe, *, scale: str, text: Any, seed: int) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    from releve.domain.training.transformers import BoundedScaler, KnownTfidf, TextFolder

    if recipe.features == NO_FEATURES:
        return "passthrough"
    numbers = list(range(len(schema.model_numbers))) if recipe.features == ALL_FEATURES else season_columns(schema)
    first_text, last = len(schema.model_numbers) + len(schema.categories), len(schema.model_names)
    blocks: list[tuple[str, Any, Any]] = []
    steps: list[Any] = []
    if numbers:
        if not recipe.knows_missing and any(
            schema.column(name).nullable for name in schema.numbers + schema.dates + schema.images
        ):
            steps.append(SimpleImputer(strategy="median", keep_empty_features=True))
        if scale == STANDARD and recipe.scaled:
            steps.append(BoundedScaler())
        blocks.append(("numbers", make_pipeline(*steps) if steps else "passthrough", numbers))
    if recipe.features == SEASON:
        return ColumnTransformer(blocks)
    if schema.categories:
        encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=MOST_CATEGORIES, sparse_output=False, dtype=np.float64
        )
        blocks.append(("categories", encoder, list(range(len(schema.model_numbers), first_text))))
    shortest = 2 if text["text_analyzer"] != "word" else 1
    for place in range(first_text, last):
        counter = HashingVectorizer(
            analyzer=text["text_analyzer"],
            ngram_range=(min(shortest, text["text_ngrams"]), text["text_ngrams"]),
            n_features=HASHES,
            alternate_sign=False,
            norm=None,
        )
        folder = TextFolder(text["text_dimensions"], random_state=seed)
        steps = [counter, KnownTfidf(sublinear_tf=True), folder]
        # One number, not a list: the vectoriser takes a single column of texts.
        blocks.append((f"text_{place - first_text}", make_pipeline(*steps), place))
    return ColumnTransformer(blocks, sparse_threshold=0.0)
