"""Recipes: scikit-learn pipelines by name, seeded, over the blocks that a schema gives.

The input is numbers first, then categories (`Schema.names`); columns are picked by position, which is what
survives the export to ONNX. Categories are encoded before any model sees them: histogram gradient boosting
with native categories exports silently wrong.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from releve.errors import BadInput
from releve.rules.schema import Schema

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

CALIBRATION_FOLDS = 3  # a support vector machine has no probabilities; Platt scaling over three folds gives them
TREES = ("extra_trees", "hist_gradient_boosting")  # scale means nothing to them, and only costs exactness


def build(schema: Schema, *, recipe: str, scale: str, options: Mapping[str, Any], seed: int) -> "Pipeline":
    """An unfitted pipeline. Raises BadInput naming an option that the recipe's estimator does not have."""
    from sklearn.pipeline import Pipeline

    scale = "none" if recipe in TREES else scale
    return Pipeline([("prepare", _prepare(schema, scale)), ("model", RECIPES[recipe](dict(options), seed))])


def as_served(rows: "pd.DataFrame", schema: Schema) -> "pd.DataFrame":
    """The features of `rows` with numbers as exact as a served model gets them (float32).

    A tree that learned a threshold between two float64 values may send the same value, rounded, the other way.
    """
    features = rows[schema.names]
    return features.astype({name: "float32" for name in schema.numbers}).astype(
        {name: "float64" for name in schema.numbers}
    )


def _prepare(schema: Schema, scale: str) -> Any:
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    split = len(schema.numbers)
    blocks: list[tuple[str, Any, list[int]]] = []
    if split:
        blocks.append(("numbers", _numbers(schema, scale), list(range(split))))
    if schema.categories:
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        blocks.append(("categories", one_hot, list(range(split, len(schema.columns)))))
    return ColumnTransformer(blocks)


def _numbers(schema: Schema, scale: str) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    steps: list[Any] = []
    if any(column.nullable for column in schema.columns if column.name in schema.numbers):
        steps.append(SimpleImputer(strategy="median", keep_empty_features=True))
    if scale == "standard":
        steps.append(StandardScaler())
    return make_pipeline(*steps) if steps else "passthrough"


def _logistic(options: dict[str, Any], seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression

    return _estimator(LogisticRegression, {"max_iter": 1000, "random_state": seed}, options)


def _svc(options: dict[str, Any], seed: int) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    machine = _estimator(SVC, {"random_state": seed}, options)
    return CalibratedClassifierCV(machine, cv=CALIBRATION_FOLDS, ensemble=False)


def _extra_trees(options: dict[str, Any], seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return _estimator(ExtraTreesClassifier, {"n_estimators": 200, "random_state": seed, "n_jobs": 1}, options)


def _hist_gradient_boosting(options: dict[str, Any], seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return _estimator(HistGradientBoostingClassifier, {"random_state": seed}, options)


def _estimator(kind: Any, defaults: dict[str, Any], options: dict[str, Any]) -> Any:
    known = kind().get_params()
    if unknown := sorted(set(options) - set(known)):
        raise BadInput(
            f"train.options has {', '.join(unknown)}, which {kind.__name__} does not know; "
            f"it knows {', '.join(sorted(known))}"
        )
    return kind(**{**defaults, **options})


RECIPES: dict[str, Callable[[dict[str, Any], int], Any]] = {
    "logistic": _logistic,
    "svc": _svc,
    "extra_trees": _extra_trees,
    "hist_gradient_boosting": _hist_gradient_boosting,
}
