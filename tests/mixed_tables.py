"""Tables of every mix of column types and every task, small enough to fit a recipe in a moment."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from releve.domain.training.recipes import ALL_FEATURES, RECIPES
from tests.images import png

TARGETS: dict[str, dict[str, Any]] = {
    "binary": {"name": "y", "classes": ["no", "yes"]},
    "multiclass": {"name": "y", "classes": [0, 1, 2]},
    "regression": {"name": "y", "task": "regression"},
}
COLUMNS: dict[str, dict[str, dict[str, Any]]] = {
    "numbers": {"length": {"type": "number"}, "width": {"type": "number", "nullable": True, "min": -5, "max": 5}},
    "dates": {"day": {"type": "date", "nullable": True}},
    "categories": {"colour": {"type": "category"}, "size": {"type": "category", "categories": ["s", "m"]}},
    "texts": {"title": {"type": "text", "nullable": True}},
}
IMAGES = {"photo": {"type": "image", "size": [2, 2], "nullable": True}}  # only where they are asked for
MIXES = {**{kind: (kind,) for kind in COLUMNS}, "tabular": ("numbers", "dates", "categories"), "all": tuple(COLUMNS)}
LEARNERS = [name for name, recipe in RECIPES.items() if recipe.features == ALL_FEATURES]
SMALL: Mapping[str, dict[str, Any]] = {
    "extra_trees": {"n_estimators": 10},
    "random_forest": {"n_estimators": 10},
    "hist_gradient_boosting": {"max_iter": 5},
}
SMALL_TEXT = {"text_dimensions": 4}
COLOURS = [f"colour {number}" for number in range(9)]
WORDS = ["red", "apple", "green", "pear", "car", "slow", "rain"]


def mixed_schema(task: str, kinds: tuple[str, ...]) -> Schema:
    """The columns of these kinds, and the target of that task."""
    columns = {name: spec for kind in kinds for name, spec in {**COLUMNS, "images": IMAGES}[kind].items()}
    return Schema.from_dict({"columns": columns, "target": TARGETS[task]})


def mixed_rows(task: str, *, rows: int = 150, seed: int = 7, colours: list[str] = COLOURS) -> pd.DataFrame:
    """Rows of all kinds of columns with labels that follow from each of them a little; some cells are missing."""
    random = np.random.default_rng(seed)
    length, gone = random.normal(10, 3, rows), random.random((3, rows)) < 0.1
    colour, words = random.choice(len(colours), rows), random.choice(len(WORDS), (rows, 3))
    days = random.integers(0, 900, rows)
    score = length + colour % 3 + (words == 0).sum(axis=1) + days / 400 + random.normal(0, 0.5, rows)
    return pd.DataFrame(
        {
            "length": length,
            "width": np.where(gone[0], np.nan, random.uniform(-5, 5, rows)),
            "day": pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="h")).mask(gone[1]),
            "colour": np.array(colours, dtype=object)[colour],
            "size": np.where(score > 11, "m", "s").astype(object),
            "title": [None if gone[2][n] else " ".join(WORDS[word] for word in row) for n, row in enumerate(words)],
            "y": labels_of(score, task),
        }
    )


def labels_of(score: np.ndarray, task: str) -> np.ndarray:
    """The score itself times ten, or its lower and upper parts as classes."""
    if task == "regression":
        return np.asarray(score * 10)
    parts = np.searchsorted(np.quantile(score, [0.5] if task == "binary" else [0.33, 0.67]), score)
    return np.array(TARGETS[task]["classes"], dtype=object)[parts]


def mixed_table(task: str, kinds: tuple[str, ...], **rows: Any) -> tuple[Schema, pd.DataFrame]:
    """A schema and its checked rows."""
    schema = mixed_schema(task, kinds)
    frame = mixed_rows(task, **rows)
    if "images" in kinds:
        lights = np.clip(frame["length"] * 10, 0, 255)
        frame["photo"] = [png(np.full((3, 3), light)) if row % 9 else None for row, light in enumerate(lights)]
    return schema, check_frame(schema, frame[[*schema.names, "y"]]).accepted


def offered_mixes(task: str) -> list[tuple[str, tuple[str, ...]]]:
    """Every recipe with every mix of columns that it can learn from."""
    return [
        (recipe, kinds) for recipe in RECIPES for kinds in MIXES.values() if recipe != "seasonal" or "dates" in kinds
    ]


def small_options(recipe: str, schema: Schema) -> dict[str, Any]:
    """Options with which a recipe is fitted in a moment."""
    return {**SMALL.get(recipe, {}), **(SMALL_TEXT if schema.texts and recipe in LEARNERS else {})}
