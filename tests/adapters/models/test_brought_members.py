"""A brought model in an ensemble: in one graph with the others where that is possible, else asked beside them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from releve.adapters.brought.trial import try_model
from releve.adapters.models.brought_pipeline import BroughtPipeline, block_columns
from releve.adapters.models.model_runtime import load_pipeline, onnx_runner
from releve.adapters.models.onnx_export import SKLEARN, export_checked
from releve.adapters.models.onnx_merge import weights_of
from releve.adapters.models.skops_files import dump_pipeline
from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile
from releve.domain.ensemble.ensemble import WeightedEnsemble
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.columns import NUMBER, Column
from releve.domain.schema.validation import check_frame
from releve.domain.training.learning import learn
from releve.domain.training.pipeline import model_frame
from releve.domain.training.recipes import Candidate
from tests.foreign_models import network
from tests.mixed_tables import mixed_rows, mixed_schema

NUMBERS = ("length", "width")


def ensemble(task: str, *kinds: str, opset: int = 13) -> tuple[Any, Any, WeightedEnsemble]:
    """A linear model and a brought network, whose weights are .25 and .75; with the table and its rows."""
    schema = mixed_schema(task, kinds or ("numbers",))
    frame = check_frame(schema, mixed_rows(task)[[*schema.names, "y"]]).accepted
    content, report = try_model(
        network(frame, schema, NUMBERS, opset=opset), schema, MappingFile(inputs={"X": list(NUMBERS)}), frame
    )
    ours = learn(frame, schema, Candidate("linear", "standard"), seed=7)
    brought = BroughtPipeline(content, block_columns(schema), report.classes)
    members = [("linear", ours, 0.25), ("brought_one", brought, 0.75)]
    return schema, frame, WeightedEnsemble(members, schema.target.classes)


def answered(model: WeightedEnsemble, schema: Any, frame: Any) -> np.ndarray:
    features = model_frame(arrays_of_frame(schema, frame), schema)
    found = model.predict_proba(features) if model.classes else model.predict(features)
    return np.asarray(found, dtype=np.float64).reshape(len(frame), -1)


@pytest.mark.parametrize("opset", [13, 19])
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_one_graph_holds_both_whatever_opset_the_brought_one_has(task: str, opset: int):
    schema, frame, model = ensemble(task, opset=opset)

    made = export_checked(model, schema, frame, tolerance=1e-4)

    assert made.reason is None
    assert made.onnx is not None
    assert weights_of(made.onnx) == pytest.approx({"linear": 0.25, "brought_one": 0.75})
    found = onnx_runner(made.onnx)(arrays_of_frame(schema, frame))
    assert np.abs(found - answered(model, schema, frame)).max() < 1e-3


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_it_finds_its_columns_in_a_table_that_has_got_others(task: str):
    schema, frame, model = ensemble(task)
    wider = replace(schema, columns=(Column("before", NUMBER), *schema.columns))
    more = frame.assign(before=np.arange(len(frame)) % 7.0)
    ours = learn(more, wider, Candidate("linear", "standard"), seed=7)
    members = [("linear", ours, 0.25), ("brought_one", model.pipelines[1], 0.75)]
    both = WeightedEnsemble(members, schema.target.classes)

    alone = WeightedEnsemble([("brought_one", model.pipelines[1], 1.0)], schema.target.classes)
    assert np.array_equal(answered(alone, wider, more), answered(alone, schema, frame))
    made = export_checked(both, wider, more, tolerance=1e-4)
    assert made.reason is None
    assert np.abs(onnx_runner(made.onnx)(arrays_of_frame(wider, more)) - answered(both, wider, more)).max() < 1e-3


def test_a_table_without_one_of_its_columns_is_refused_by_name():
    schema, frame, model = ensemble("binary")
    features = model_frame(arrays_of_frame(schema, frame), schema).drop(columns="width")

    with pytest.raises(BadInput, match="a brought model asks for width, which the table has no more"):
        model.pipelines[1].predict(features)


FORESTS = {
    "forest": ("RandomForest", {"n_estimators": 8, "max_depth": 4}),
    "boosting": ("GradientBoosting", {"n_estimators": 8, "max_depth": 3}),
}


@pytest.mark.parametrize("name", FORESTS)
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_trees_of_an_older_file_join_the_graph_too(task: str, name: str):
    from skl2onnx import to_onnx
    from sklearn import ensemble as forests

    schema = mixed_schema(task, ("numbers",))
    frame = check_frame(schema, mixed_rows(task)[[*schema.names, "y"]].fillna({"width": 0.5})).accepted
    kind, options = FORESTS[name]
    make = getattr(forests, f"{kind}{'Regressor' if task == 'regression' else 'Classifier'}")
    features = frame[list(NUMBERS)].to_numpy(np.float32)
    fitted = make(random_state=7, **options).fit(features, frame["y"].tolist())
    file = to_onnx(fitted, features[:1], target_opset={"": 15, "ai.onnx.ml": 3})
    mapping = MappingFile(inputs={"X": list(NUMBERS)}, missing={"width": 0.5})

    content, report = try_model(file.SerializeToString(), schema, mapping, frame)

    answers = onnx_runner(content)(arrays_of_frame(schema, frame))
    there = fitted.predict_proba(features) if report.classes else fitted.predict(features)[:, None]
    assert np.abs(answers - there).max() < 1e-4
    ours = learn(frame, schema, Candidate("linear", "standard"), seed=7)
    brought = BroughtPipeline(content, block_columns(schema), report.classes)
    model = WeightedEnsemble([("linear", ours, 0.25), ("brought_one", brought, 0.75)], schema.target.classes)
    made = export_checked(model, schema, frame, tolerance=1e-4)
    assert (made.reason, "TreeEnsembleClassifier" in str(made.onnx)) == (None, False)


def test_beside_texts_the_whole_is_asked_natively_and_a_file_gives_the_same_answers(tmp_path):
    schema, frame, model = ensemble("binary", "numbers", "texts")

    made = export_checked(model, schema, frame, tolerance=1e-4)
    (tmp_path / "model.skops").write_bytes(dump_pipeline(model))
    again = load_pipeline(tmp_path / "model.skops")

    assert made.runtime == SKLEARN
    assert np.array_equal(answered(again, schema, frame), answered(model, schema, frame))
    assert dump_pipeline(again) == dump_pipeline(model)


def test_alone_it_is_served_as_it_is_texts_included():
    schema, frame, model = ensemble("binary", "numbers", "texts")
    brought = model.pipelines[1]

    made = export_checked(WeightedEnsemble([("one", brought, 1.0)], ["no", "yes"]), schema, frame, tolerance=1e-4)

    assert (made.onnx, made.reason) == (brought.onnx, None)
