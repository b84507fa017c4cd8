import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from releve.adapters.models.model_runtime import onnx_runner, pipeline_runner
from releve.adapters.models.onnx_export import ONNX, SKLEARN, TEXT_REASON, export, export_checked, parity_problem
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from releve.domain.training.pipeline import MOST_CATEGORIES, build, model_frame
from releve.domain.training.recipes import RECIPES
from tests.mixed_tables import LEARNERS, MIXES, mixed_table, small_options
from tests.tables import SHOP_TABLE, shop_rows, shop_schema

TASKS = ("binary", "multiclass", "regression")
TOLERANCE = 1e-4
TABULAR = MIXES["tabular"]


def accepted(rows=200, *, schema=None):
    return check_frame(schema or shop_schema(), shop_rows(rows)).accepted


def learned(pipeline, schema, frame):
    return pipeline.fit(model_frame(arrays_of_frame(schema, frame), schema), frame[schema.target.name])


def fitted(recipe="linear", *, schema=None, frame=None, scale="standard", **options):
    schema = schema or shop_schema()
    options = small_options(recipe, schema) | options
    pipeline = build(schema, recipe=recipe, scale=scale, options=options, seed=7)
    return learned(pipeline, schema, accepted(schema=schema) if frame is None else frame)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("task", TASKS)
def test_every_recipe_is_exported_for_every_task_and_answers_alike_on_hard_rows_too(recipe, task):
    schema, frame = mixed_table(task, TABULAR, colours=[f"colour {number}" for number in range(MOST_CATEGORIES + 20)])
    arrays = arrays_of_frame(schema, frame)
    assert np.isnan(arrays["numbers"]).any()

    exported = export_checked(fitted(recipe, schema=schema, frame=frame), schema, frame, tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)


@pytest.mark.parametrize("recipe", LEARNERS)
def test_unscaled_numbers_are_exported_too(recipe):
    frame = accepted()

    exported = export_checked(fitted(recipe, scale="none"), shop_schema(), frame, tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)


def test_a_difference_that_only_missing_numbers_show_is_found_without_any_in_the_real_rows():
    schema, frame = mixed_table("binary", MIXES["numbers"])
    whole = frame.assign(width=frame["width"].fillna(0.0))
    other = fitted("linear", schema=schema, frame=whole)
    other["prepare"].transformers_[0][1]["simpleimputer"].statistics_[1] = 1e3
    real = arrays_of_frame(schema, whole)
    assert not np.isnan(real["numbers"]).any()

    problem = parity_problem(
        onnx_runner(export(fitted("linear", schema=schema, frame=whole), schema)),
        other,
        schema,
        whole,
        tolerance=TOLERANCE,
    )

    assert problem.startswith("the exported model, for extreme, missing or unseen values, gives another label on")


def test_a_table_with_texts_is_served_by_scikit_learn_and_says_why():
    schema, frame = mixed_table("binary", MIXES["all"])

    exported = export_checked(fitted("linear", schema=schema, frame=frame), schema, frame, tolerance=TOLERANCE)

    assert (exported.runtime, exported.onnx, exported.reason) == (SKLEARN, None, TEXT_REASON)


@pytest.mark.parametrize("names", [["price"], ["price", "weight"], ["kind"]])
def test_a_table_of_one_type_alone_is_exported_too(names):
    schema = Schema.from_dict({**SHOP_TABLE, "columns": {name: SHOP_TABLE["columns"][name] for name in names}})

    exported = export_checked(fitted(schema=schema), schema, accepted(schema=schema), tolerance=TOLERANCE)

    assert exported.runtime == ONNX


def test_a_model_that_exports_otherwise_is_served_by_scikit_learn_with_the_reason():
    frame = accepted()

    exported = export_checked(fitted("svm"), shop_schema(), frame, tolerance=1e-12)

    assert (exported.runtime, exported.onnx) == (SKLEARN, None)
    assert "the exported model gives another label on 0 of 200 rows and probabilities up to" in exported.reason
    assert "1e-12 is allowed" in exported.reason


def test_boosting_that_is_told_which_column_is_a_category_has_no_export():
    random = np.random.default_rng(7)
    columns = {name: {"type": "number"} for name in ("price", "shelf")}
    schema = Schema.from_dict({**SHOP_TABLE, "columns": columns})
    frame = accepted(600).assign(shelf=random.integers(0, 12, 600))
    frame = frame.assign(bought=np.where(frame["shelf"].isin([1, 4, 6, 11]), "yes", "no"))
    model = HistGradientBoostingClassifier(categorical_features=[1], random_state=7, max_iter=5)
    pipeline = learned(Pipeline([("prepare", FunctionTransformer()), ("model", model)]), schema, frame)

    exported = export_checked(pipeline, schema, frame, tolerance=TOLERANCE)

    assert exported.reason == "it cannot be exported: boosting with native categories: encode them before"


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "gamma", "quantile"])
def test_boosting_of_every_loss_is_exported(loss):
    schema, frame = mixed_table("regression", TABULAR)
    options = {"loss": loss, **({"quantile": 0.9} if loss == "quantile" else {})}
    positive = frame.assign(y=frame["y"].abs() + 1)

    exported = export_checked(
        fitted("hist_gradient_boosting", schema=schema, frame=positive, **options),
        schema,
        positive,
        tolerance=TOLERANCE,
    )

    assert (exported.runtime, exported.reason) == (ONNX, None)


def test_a_model_that_cannot_be_exported_is_served_by_scikit_learn_with_the_reason():
    frame = accepted()
    pipeline = Pipeline(
        [("prepare", FunctionTransformer(np.asarray)), ("encode", OrdinalEncoder()), ("model", fitted()["model"])]
    )
    pipeline["encode"].fit(frame[shop_schema().names].to_numpy(object))

    exported = export_checked(pipeline, shop_schema(), frame, tolerance=TOLERANCE)

    assert (exported.runtime, exported.onnx) == (SKLEARN, None)
    assert exported.reason.startswith("it cannot be exported: ")
    assert "\n" not in exported.reason


def test_a_tie_that_falls_the_other_way_is_no_difference():
    """Two trees that disagree: both classes have 0.5, and the last bit decides."""
    forest = fitted("extra_trees", n_estimators=2)
    frame = check_frame(shop_schema(), shop_rows(500, seed=8)).accepted
    exported = export(forest, shop_schema())
    assert (onnx_runner(exported)(arrays_of_frame(shop_schema(), frame)) == 0.5).any()

    assert parity_problem(onnx_runner(exported), forest, shop_schema(), frame, tolerance=TOLERANCE) is None


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_gap_itself_is_allowed_and_anything_below_it_is_not(task):
    schema, frame = mixed_table(task, TABULAR)
    pipeline, arrays = fitted("svm", schema=schema, frame=frame), arrays_of_frame(schema, frame)
    exported = export(pipeline, schema)
    gap = float(np.abs(onnx_runner(exported)(arrays) - pipeline_runner(pipeline, schema)(arrays)).max())
    assert gap > 0

    # Made rows may be a little further apart than real ones, so the gap is bracketed.
    assert parity_problem(onnx_runner(exported), pipeline, schema, frame, tolerance=1000 * gap) is None
    assert " of 150 rows" in parity_problem(onnx_runner(exported), pipeline, schema, frame, tolerance=gap / 1e6)


@pytest.mark.parametrize("recipe", LEARNERS)
def test_the_same_pipeline_gives_the_same_bytes_in_every_process(recipe):
    import onnx

    pipeline = fitted(recipe)
    exported = export(pipeline, shop_schema())

    assert export(pipeline, shop_schema()) == exported
    # The converter keeps these in a set of texts, whose order changes from process to process.
    domains = [each.domain for each in onnx.load_from_string(exported).opset_import]
    assert domains == sorted(domains)


def test_the_export_takes_the_blocks_of_the_schema_and_gives_probabilities():
    import onnxruntime

    session = onnxruntime.InferenceSession(export(fitted(), shop_schema()), providers=["CPUExecutionProvider"])

    assert [each.name for each in session.get_inputs()] == ["numbers", "categories"]
    assert [each.type for each in session.get_inputs()] == ["tensor(float)", "tensor(string)"]
    assert "probabilities" in [each.name for each in session.get_outputs()]


@pytest.mark.parametrize("recipe", [name for name in LEARNERS if not RECIPES[name].scaled])
def test_a_tree_answers_alike_on_continuous_numbers_where_every_threshold_is_a_value(recipe):
    schema = Schema.from_dict(
        {"target": {"name": "y", "classes": [0, 1]}, "columns": {f"x{n}": {"type": "number"} for n in range(4)}}
    )
    numbers = np.random.default_rng(7).normal(size=(400, 4))
    rows = pd.DataFrame(numbers, columns=schema.names).assign(y=(numbers.sum(axis=1) > 0).astype(int))

    exported = export_checked(fitted(recipe, schema=schema, frame=rows), schema, rows, tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)


def test_a_regression_gives_values():
    import onnxruntime

    schema, frame = mixed_table("regression", TABULAR)
    exported = export(fitted("linear", schema=schema, frame=frame), schema)

    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])

    assert [(each.name, each.shape) for each in session.get_outputs()] == [("values", [None, 1])]
    assert onnx_runner(exported)(arrays_of_frame(schema, frame)).shape == (len(frame), 1)


@pytest.mark.parametrize("recipe", ["linear", "svm"])
def test_the_largest_numbers_are_answered_and_not_with_nan(recipe):
    schema, frame = mixed_table("multiclass", MIXES["numbers"])
    arrays = {"numbers": arrays_of_frame(schema, frame)["numbers"].copy()}
    arrays["numbers"][:, 0] = np.finfo(np.float32).max

    answers = onnx_runner(export(fitted(recipe, schema=schema, frame=frame), schema))(arrays)

    assert np.isfinite(answers).all()


@pytest.mark.parametrize("recipe", ["linear", "svm", "k_neighbors"])
def test_columns_of_rounding_and_of_one_value_are_exported_and_say_nothing_whatever_is_asked(recipe):
    random = np.random.default_rng(7)
    schema = Schema.from_dict(
        {"columns": {name: {"type": "number"} for name in ("x", "same", "noise")}, "target": SHOP_TABLE["target"]}
    )
    x = random.normal(0, 1, 200)
    rows = pd.DataFrame(
        {"x": x, "same": 5.0, "noise": 1.0 + (x > 0) * 2.0**-23, "bought": np.where(x > 0, "yes", "no")}
    )
    frame = check_frame(schema, rows).accepted
    pipeline = fitted(recipe, schema=schema, frame=frame)
    exported = export_checked(pipeline, schema, frame, tolerance=TOLERANCE)

    asked, other = (arrays_of_frame(schema, rows) for rows in (frame, frame.assign(same=-1e6, noise=3.0)))

    assert (exported.runtime, exported.reason) == (ONNX, None)
    np.testing.assert_array_equal(onnx_runner(exported.onnx)(asked), onnx_runner(exported.onnx)(other))
