import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from releve.adapters.model_runtime import onnx_runner
from releve.adapters.onnx_export import ONNX, SKLEARN, export, export_checked, parity_problem
from releve.rules.pipeline import RECIPES, TREES, as_served, build
from releve.rules.schema import Schema
from tests.tables import SHOP_TABLE, shop_row, shop_rows, shop_schema

SMALL = {"extra_trees": {"n_estimators": 20}, "hist_gradient_boosting": {"max_iter": 20}}
TOLERANCE = 1e-4


def accepted(rows=200, *, schema=None):
    return (schema or shop_schema()).check_frame(shop_rows(rows)).accepted


def fitted(recipe="logistic", *, schema=None, scale="standard"):
    schema = schema or shop_schema()
    pipeline = build(schema, recipe=recipe, scale=scale, options=SMALL.get(recipe, {}), seed=7)
    frame = accepted(schema=schema)
    return pipeline.fit(frame[schema.names], frame["bought"])


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("scale", ["standard", "none"])
def test_every_recipe_is_exported_and_answers_alike_with_missing_values(recipe, scale):
    arrays = shop_schema().frame_input(accepted())
    assert np.isnan(arrays["numbers"]).any()
    assert (arrays["categories"] == "").any()

    exported = export_checked(fitted(recipe, scale=scale), shop_schema(), arrays, tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_exported_model_answers_alike_for_categories_it_never_saw(recipe):
    arrays = shop_schema().model_input([shop_row(kind="unheard of", price=price) for price in range(0, 100, 7)])
    pipeline = fitted(recipe)

    problem = parity_problem(export(pipeline, shop_schema()), pipeline, arrays, tolerance=TOLERANCE)

    assert problem is None


@pytest.mark.parametrize("names", [["price"], ["price", "weight"], ["kind"]])
def test_a_table_of_one_type_alone_is_exported_too(names):
    schema = Schema.from_dict({**SHOP_TABLE, "columns": {name: SHOP_TABLE["columns"][name] for name in names}})

    exported = export_checked(
        fitted(schema=schema), schema, schema.frame_input(accepted(schema=schema)), tolerance=TOLERANCE
    )

    assert exported.runtime == ONNX


def native_categories():
    """Histogram gradient boosting that is told which column is a category: it exports silently wrong."""
    schema = Schema.from_dict(
        {**SHOP_TABLE, "columns": {"price": {"type": "number"}, "shelf": {"type": "number"}, "row": {"type": "number"}}}
    )
    random = np.random.default_rng(7)
    frame = accepted(600).assign(shelf=random.integers(0, 12, 600), row=random.integers(0, 12, 600))
    labels = np.where(frame["shelf"].isin([1, 4, 6, 11]) ^ frame["row"].isin([2, 3, 9]), "yes", "no")
    model = HistGradientBoostingClassifier(categorical_features=[1, 2], random_state=7, max_iter=40)
    pipeline = Pipeline([("prepare", FunctionTransformer()), ("model", model)]).fit(frame[schema.names], labels)
    return pipeline, schema, schema.frame_input(frame)


def test_a_model_that_exports_wrong_is_served_by_scikit_learn_with_the_reason():
    pipeline, schema, arrays = native_categories()

    exported = export_checked(pipeline, schema, arrays, tolerance=TOLERANCE)

    assert (exported.runtime, exported.onnx) == (SKLEARN, None)
    assert "the exported model gives another label on" in exported.reason
    assert "0.0001 is allowed (params.yaml: package.parity_tolerance)" in exported.reason


def test_a_model_that_cannot_be_exported_is_served_by_scikit_learn_with_the_reason():
    frame = accepted()
    pipeline = Pipeline(
        [("prepare", FunctionTransformer(np.asarray)), ("encode", OrdinalEncoder()), ("model", fitted()["model"])]
    )
    pipeline["encode"].fit(frame[shop_schema().names].to_numpy(object))

    exported = export_checked(pipeline, shop_schema(), shop_schema().frame_input(frame), tolerance=TOLERANCE)

    assert (exported.runtime, exported.onnx) == (SKLEARN, None)
    assert exported.reason.startswith("it cannot be exported: ")
    assert "\n" not in exported.reason


def test_a_tie_that_falls_the_other_way_is_no_difference():
    """Two trees that disagree: both classes have 0.5, and the last bit decides."""
    forest = build(shop_schema(), recipe="extra_trees", scale="none", options={"n_estimators": 2}, seed=7)
    frame = accepted()
    forest.fit(frame[shop_schema().names], frame["bought"])
    arrays = shop_schema().frame_input(shop_schema().check_frame(shop_rows(500, seed=8)).accepted)
    assert (onnx_runner(export(forest, shop_schema()))(arrays) == 0.5).any()

    assert parity_problem(export(forest, shop_schema()), forest, arrays, tolerance=TOLERANCE) is None


def test_the_gap_itself_is_allowed_and_anything_below_it_is_not():
    pipeline, arrays = fitted(), shop_schema().frame_input(accepted())
    exported = export(pipeline, shop_schema())
    gap = float(np.abs(onnx_runner(exported)(arrays) - pipeline.predict_proba(accepted()[shop_schema().names])).max())
    assert 0 < gap < TOLERANCE

    # The runner gives scikit-learn float32 numbers, so the gap is found once and then bracketed.
    assert parity_problem(exported, pipeline, arrays, tolerance=10 * gap) is None
    assert "0 of 200 rows" in parity_problem(exported, pipeline, arrays, tolerance=gap / 1000)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_pipeline_gives_the_same_bytes_in_every_process(recipe):
    import onnx

    pipeline = fitted(recipe)
    exported = export(pipeline, shop_schema())

    assert export(pipeline, shop_schema()) == exported
    # The converter keeps these in a set of texts, whose order changes from process to process.
    assert [each.domain for each in onnx.load_from_string(exported).opset_import] == ["", "ai.onnx.ml"]


def test_the_export_takes_the_blocks_of_the_schema_and_gives_probabilities():
    import onnxruntime

    session = onnxruntime.InferenceSession(export(fitted(), shop_schema()), providers=["CPUExecutionProvider"])

    assert [each.name for each in session.get_inputs()] == ["numbers", "categories"]
    assert [each.type for each in session.get_inputs()] == ["tensor(float)", "tensor(string)"]
    assert "probabilities" in [each.name for each in session.get_outputs()]


@pytest.mark.parametrize("recipe", TREES)
def test_a_tree_answers_alike_on_continuous_numbers_where_every_threshold_is_a_value(recipe):
    schema = Schema.from_dict(
        {"target": {"name": "y", "classes": [0, 1]}, "columns": {f"x{n}": {"type": "number"} for n in range(4)}}
    )
    numbers = np.random.default_rng(7).normal(size=(400, 4))
    rows = pd.DataFrame(numbers, columns=schema.names)
    pipeline = build(schema, recipe=recipe, scale="standard", options=SMALL[recipe], seed=7)
    pipeline.fit(as_served(rows, schema), (numbers.sum(axis=1) > 0).astype(int))

    exported = export_checked(pipeline, schema, schema.frame_input(rows), tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)
