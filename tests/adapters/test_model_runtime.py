import json

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from releve.adapters.model_runtime import DESCRIPTION, ModelAltered, load, load_pipeline
from releve.adapters.onnx_export import export
from releve.errors import NotFound
from releve.rules.embedding import Embedder
from releve.rules.pipeline import RECIPES, build
from tests.tables import shop_row, shop_rows, shop_schema

SMALL = {"extra_trees": {"n_estimators": 10}, "hist_gradient_boosting": {"max_iter": 10}}


def fitted(recipe="logistic"):
    schema = shop_schema()
    accepted = schema.check_frame(shop_rows(200)).accepted
    pipeline = build(schema, recipe=recipe, scale="standard", options=SMALL.get(recipe, {}), seed=7)
    return pipeline.fit(accepted[schema.names], accepted["bought"])


def packed(folder, *, runtime="sklearn", recipe="logistic"):
    """A model folder as `tasks.package` leaves it."""
    pipeline, schema = fitted(recipe), shop_schema()
    arrays = schema.frame_input(schema.check_frame(shop_rows(200)).accepted)
    description = {
        "scenario": "shop",
        "runtime": runtime,
        "classes": pipeline.classes_.tolist(),
        "schema": schema.as_dict(),
        "embedder": Embedder.fit(arrays).as_dict(),
        "golden": {"rows": [], "labels": []},
    }
    folder.mkdir()
    (folder / DESCRIPTION).write_text(json.dumps(description))
    if runtime == "onnx":
        (folder / "model.onnx").write_bytes(export(pipeline, schema))
    else:
        (folder / "model.skops").write_bytes(skops.io.dumps(pipeline))
    return folder


@pytest.mark.parametrize("recipe", RECIPES)
def test_scikit_learn_answers_as_the_exported_model_does(recipe, tmp_path):
    native = load(packed(tmp_path / "native", recipe=recipe), tag="shop:one")
    exported = load(packed(tmp_path / "exported", runtime="onnx", recipe=recipe), tag="shop:two")
    rows = [shop_row(), shop_row(weight=None), shop_row(kind=None), shop_row(kind="unheard of"), shop_row(price=99.5)]
    arrays = shop_schema().model_input(rows)

    expected, found = native.answer(arrays), exported.answer(arrays)

    assert found.labels == expected.labels
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)


@pytest.mark.parametrize("runtime", ["onnx", "sklearn"])
@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_an_answer_is_a_label_and_all_probabilities_per_row(runtime, rows, tmp_path):
    model = load(packed(tmp_path / "model", runtime=runtime), tag="shop:one")

    answers = model.answer(model.schema.model_input([shop_row()] * rows))

    assert set(answers.labels) <= {"no", "yes"}
    assert len(answers.labels) == rows
    assert answers.probabilities.shape == (rows, 2)
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("runtime", ["onnx", "sklearn"])
def test_a_cheap_thing_is_bought_and_a_dear_one_is_not(runtime, tmp_path):
    model = load(packed(tmp_path / "model", runtime=runtime), tag="shop:one")

    answers = model.answer(model.schema.model_input([shop_row(price=1.0), shop_row(price=99.0)]))

    assert answers.labels == ["yes", "no"]


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(NotFound, match=r"there is no model in .*: model.json is missing"):
        load(tmp_path, tag="shop:one")


def test_a_digest_that_does_not_match_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "model.json").write_text("this is no JSON")

    with pytest.raises(ModelAltered, match=f"the files of model shop:one have the digest .*but {'0' * 12} was"):
        load(tmp_path, tag="shop:one", digest="0" * 64)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_pipeline_of_every_recipe_is_trusted(recipe, tmp_path):
    (tmp_path / "pipeline.skops").write_bytes(skops.io.dumps(fitted(recipe)))

    assert load_pipeline(tmp_path / "pipeline.skops").classes_.tolist() == ["no", "yes"]


@pytest.mark.parametrize("function", [json.dumps, skops.io.load, shop_rows])
def test_a_pipeline_that_holds_foreign_types_is_not_loaded(function, tmp_path):
    pipeline = Pipeline([("foreign", FunctionTransformer(function))])
    (tmp_path / "pipeline.skops").write_bytes(skops.io.dumps(pipeline))

    with pytest.raises(ModelAltered, match=f"holds types that no recipe writes: .*{function.__name__}"):
        load_pipeline(tmp_path / "pipeline.skops")


@pytest.mark.parametrize("function", [eval, exec, open, __import__])
def test_a_pipeline_that_calls_what_runs_any_code_is_not_loaded(function, tmp_path):
    pipeline = Pipeline([("foreign", FunctionTransformer(function))])
    (tmp_path / "pipeline.skops").write_bytes(skops.io.dumps(pipeline))

    with pytest.raises(ModelAltered, match="holds types that no recipe writes"):
        load_pipeline(tmp_path / "pipeline.skops")
