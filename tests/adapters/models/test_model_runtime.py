import builtins
import json
from dataclasses import replace

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from releve.adapters.models.description import DESCRIPTION, ModelDescription
from releve.adapters.models.model_runtime import (
    TRUSTED_TYPES,
    ModelAltered,
    ModelOutput,
    RuntimeMissing,
    load,
    load_pipeline,
    pipeline_runner,
)
from releve.adapters.models.onnx_export import export
from releve.core.errors import NotFound
from releve.domain.ensemble.ensemble import WeightedEnsemble
from releve.domain.evaluation.conformal import ConformalIntervals
from releve.domain.neighbours.embedding import Embedder
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows, rows_of_frame
from releve.domain.schema.target import REGRESSION, Target
from releve.domain.schema.validation import check_frame
from releve.domain.training.pipeline import build, model_frame
from releve.domain.training.recipes import RECIPES
from tests.mixed_tables import LEARNERS, MIXES, mixed_table, offered_mixes, small_options
from tests.tables import shop_row, shop_rows, shop_schema

TASKS = ("binary", "multiclass", "regression")


def learned(recipe, schema, frame):
    pipeline = build(schema, recipe=recipe, scale="standard", options=small_options(recipe, schema), seed=7)
    return pipeline.fit(model_frame(arrays_of_frame(schema, frame), schema), frame[schema.target.name])


def fitted(recipe="linear"):
    return learned(recipe, shop_schema(), check_frame(shop_schema(), shop_rows(200)).accepted)


def packed(folder, *, runtime="sklearn", recipe="linear"):
    """A model folder as `tasks.pipeline.package` leaves it."""
    pipeline, schema = fitted(recipe), shop_schema()
    arrays = arrays_of_frame(schema, check_frame(schema, shop_rows(200)).accepted)
    description = {
        "scenario": "shop",
        "runtime": runtime,
        "classes": pipeline.classes_.tolist(),
        "schema": schema.as_dict(),
        "embedder": Embedder.fit(arrays).describe().model_dump(mode="json"),
    }
    folder.mkdir()
    (folder / DESCRIPTION).write_text(json.dumps(ModelDescription.model_validate(description).to_json()))
    if runtime == "onnx":
        (folder / "model.onnx").write_bytes(export(pipeline, schema))
    else:
        (folder / "model.skops").write_bytes(skops.io.dumps(pipeline))
    return folder


@pytest.mark.parametrize("recipe", LEARNERS)
def test_scikit_learn_answers_as_the_exported_model_does(recipe, tmp_path):
    native = load(packed(tmp_path / "native", recipe=recipe), tag="shop:one")
    exported = load(packed(tmp_path / "exported", runtime="onnx", recipe=recipe), tag="shop:two")
    rows = [shop_row(), shop_row(weight=None), shop_row(kind=None), shop_row(kind="unheard of"), shop_row(price=99.5)]
    arrays = arrays_of_rows(shop_schema(), rows)

    expected, found = native.answer(arrays), exported.answer(arrays)

    assert found.labels == expected.labels
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-4)


def test_answers_have_intervals_within_the_limits_of_the_target_where_the_model_was_packaged_with_some(tmp_path):
    model = load(packed(tmp_path / "made"), tag="shop:one")
    numbers = replace(model.schema, target=Target("cost", REGRESSION, min=0, max=20))
    made = ConformalIntervals(confidence=0.9, alpha=0.1, rows=90, edges=(5.0,), half_widths=(1.0, 4.0), windows=())
    with_some = replace(model, schema=numbers, description=model.description.model_copy(update={"intervals": made}))

    assert with_some.intervals(ModelOutput([0.5, 5.0, 18.0], None)) == [[0, 1.5], [4, 6], [14, 20]]
    assert replace(model, schema=numbers).intervals(ModelOutput([0.5], None)) is None


@pytest.mark.parametrize("runtime", ["onnx", "sklearn"])
@pytest.mark.parametrize("rows", [1, 2, 1000])
def test_an_answer_is_a_label_and_all_probabilities_per_row(runtime, rows, tmp_path):
    model = load(packed(tmp_path / "model", runtime=runtime), tag="shop:one")

    answers = model.answer(arrays_of_rows(model.schema, [shop_row()] * rows))

    assert set(answers.labels) <= {"no", "yes"}
    assert len(answers.labels) == rows
    assert answers.probabilities.shape == (rows, 2)
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("runtime", ["onnx", "sklearn"])
def test_a_cheap_thing_is_bought_and_a_dear_one_is_not(runtime, tmp_path):
    model = load(packed(tmp_path / "model", runtime=runtime), tag="shop:one")

    answers = model.answer(arrays_of_rows(model.schema, [shop_row(price=1.0), shop_row(price=99.0)]))

    assert answers.labels == ["yes", "no"]


def test_a_folder_without_a_model_is_told(tmp_path):
    with pytest.raises(NotFound, match=r"there is no model in .*: model.json is missing"):
        load(tmp_path, tag="shop:one")


def test_a_digest_that_does_not_match_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "model.json").write_text("this is no JSON")

    with pytest.raises(ModelAltered, match=f"the files of model shop:one have the digest .*but {'0' * 12} was"):
        load(tmp_path, tag="shop:one", digest="0" * 64)


@pytest.mark.parametrize(("recipe", "kinds"), offered_mixes("binary"))
@pytest.mark.parametrize("task", TASKS)
def test_every_recipe_task_and_mix_of_columns_is_kept_without_a_foreign_type(recipe, task, kinds, tmp_path):
    schema, frame = mixed_table(task, kinds, rows=60)
    pipeline = learned(recipe, schema, frame)
    (tmp_path / "pipeline.skops").write_bytes(skops.io.dumps(pipeline))

    again = load_pipeline(tmp_path / "pipeline.skops")

    ask, arrays = pipeline_runner(again, schema), arrays_of_frame(schema, frame)
    assert (ask(arrays) == pipeline_runner(pipeline, schema)(arrays)).all()


def test_no_type_is_trusted_that_no_recipe_needs():
    needed = set()
    for task in TASKS:
        schema, frame = mixed_table(task, MIXES["all"], rows=60)
        for recipe in RECIPES:
            ensemble = WeightedEnsemble([(recipe, learned(recipe, schema, frame), 1.0)], schema.target.classes)
            needed |= set(skops.io.get_untrusted_types(data=skops.io.dumps(ensemble)))

    assert needed | {"releve.adapters.models.brought_pipeline.BroughtPipeline"} == TRUSTED_TYPES


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"early_stopping": True, "scoring": "loss"}])
@pytest.mark.parametrize("task", TASKS)
def test_boosting_that_stops_early_is_kept_too(task, options, tmp_path):
    schema, frame = mixed_table(task, MIXES["numbers"])
    pipeline = build(schema, recipe="hist_gradient_boosting", scale="none", options={"max_iter": 5, **options}, seed=7)
    pipeline.fit(model_frame(arrays_of_frame(schema, frame), schema), frame["y"])
    (tmp_path / "pipeline.skops").write_bytes(skops.io.dumps(pipeline))

    assert load_pipeline(tmp_path / "pipeline.skops").n_features_in_ == 2


@pytest.mark.parametrize("runtime", ["onnx", "sklearn"])
def test_a_regression_answers_numbers_without_probabilities(runtime, tmp_path):
    schema, frame = mixed_table("regression", MIXES["tabular"])
    pipeline = learned("linear", schema, frame)
    description = {
        "scenario": "mixed",
        "runtime": runtime,
        "classes": [],
        "schema": schema.as_dict(),
        "embedder": Embedder.fit(arrays_of_frame(schema, frame)).describe().model_dump(mode="json"),
    }
    (tmp_path / DESCRIPTION).write_text(json.dumps(ModelDescription.model_validate(description).to_json()))
    (tmp_path / "model.onnx").write_bytes(export(pipeline, schema))
    (tmp_path / "model.skops").write_bytes(skops.io.dumps(pipeline))

    answers = load(tmp_path, tag="mixed:one").answer(arrays_of_rows(schema, rows_of_frame(schema, frame)))

    assert answers.probabilities is None
    assert all(type(label) is float for label in answers.labels)
    expected = pipeline.predict(model_frame(arrays_of_frame(schema, frame), schema))
    np.testing.assert_allclose(answers.labels, expected, rtol=1e-4)


@pytest.mark.parametrize("missing", ["sklearn", "skops", "pandas"])
def test_a_model_whose_runtime_is_not_installed_is_told_with_what_to_do(missing, tmp_path, monkeypatch):
    folder = packed(tmp_path / "model")
    found = builtins.__import__

    def import_all_but_one(name, *args, **kwargs):
        if name.partition(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", import_all_but_one)

    with pytest.raises(RuntimeMissing, match=rf"{missing} is not installed here: install releve\[native\]"):
        load(folder, tag="shop:one")


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
