"""An ensemble as one graph answers as the ensemble does, whatever its members know, and its weights can be replaced."""

import hashlib
import json
import re
import subprocess
import sys

import numpy as np
import onnx
import pandas as pd
import pytest
import skops.io

from releve.adapters.models.description import DESCRIPTION, ModelDescription
from releve.adapters.models.model_runtime import load, load_pipeline, onnx_runner, pipeline_runner
from releve.adapters.models.onnx_export import ONNX, SKLEARN, TEXT_REASON, Limits, export_checked
from releve.adapters.models.onnx_merge import reweighted, weights_of
from releve.core.errors import BadInput
from releve.domain.ensemble.ensemble import WeightedEnsemble, weighted
from releve.domain.neighbours.embedding import Embedder
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.training.learning import learn
from releve.domain.training.recipes import RECIPES, Candidate
from tests.mixed_tables import MIXES, mixed_table, small_options

TASKS = ("binary", "multiclass", "regression")
TOLERANCE = 1e-4


def fitted(recipe, schema, frame, **options):
    return learn(frame, schema, Candidate(recipe, "standard", small_options(recipe, schema) | options), seed=7)


def ensemble_of(schema, frame, recipes, weights=None):
    weights = weights or np.full(len(recipes), 1 / len(recipes))
    members = [(name, fitted(name, schema, frame), weight) for name, weight in zip(recipes, weights, strict=True)]
    return WeightedEnsemble(members, schema.target.classes)


def asked(exported, model, schema, frame):
    arrays = arrays_of_frame(schema, frame)
    return onnx_runner(exported)(arrays), pipeline_runner(model, schema)(arrays)


def three_classes(rows, **columns):
    schema = Schema.from_dict(
        {
            "columns": {"x": {"type": "number"}, "z": {"type": "number"}, **columns},
            "target": {"name": "y", "classes": ["a", "b", "c"]},
        }
    )
    random = np.random.default_rng(7)
    x = random.normal(size=rows)
    frame = pd.DataFrame(
        {"x": x, "z": random.normal(size=rows), "y": np.array(["a", "b", "c"])[np.digitize(x, [-1, 1])]}
    )
    return schema, frame.assign(y=frame["y"].astype(object))


@pytest.mark.parametrize("task", TASKS)
def test_an_ensemble_of_all_recipes_is_one_graph_that_answers_like_it(task):
    schema, frame = mixed_table(task, MIXES["tabular"])
    ensemble = ensemble_of(schema, frame, list(RECIPES))

    exported = export_checked(ensemble, schema, frame, tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)
    graph = onnx.load_from_string(exported.onnx).graph
    assert [each.name for each in graph.input] == ["numbers", "categories"]
    assert [each.name for each in graph.output] == ["values" if task == "regression" else "probabilities"]
    assert list(weights_of(exported.onnx)) == list(RECIPES)
    found, expected = asked(exported.onnx, ensemble, schema, frame)
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("kinds", ["numbers", "categories", "dates"])
def test_a_table_of_one_kind_of_column_is_merged_too(kinds):
    schema, frame = mixed_table("binary", MIXES[kinds])

    exported = export_checked(ensemble_of(schema, frame, ["linear", "constant"]), schema, frame, tolerance=TOLERANCE)

    assert exported.runtime == ONNX


def test_members_that_know_fewer_classes_or_one_have_no_probability_of_the_others():
    schema, frame = three_classes(300)
    windows = {"all": ("a", "b", "c"), "two": ("c", "a"), "one": ("b",), "none of c": ("a", "b")}
    recipes = {"all": "linear", "two": "hist_gradient_boosting", "one": "constant", "none of c": "extra_trees"}
    members = [
        (name, fitted(recipes[name], schema, frame[frame["y"].isin(known)]), 0.25) for name, known in windows.items()
    ]
    ensemble = WeightedEnsemble(members, ["a", "b", "c"])

    exported = export_checked(ensemble, schema, frame, tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)
    found, expected = asked(exported.onnx, ensemble, schema, frame)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (found[:, 1] > 0.25).all()


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.least_classes == 1])
def test_a_window_of_one_class_is_learned_by_the_naive_recipes_and_exported(recipe):
    schema, frame = mixed_table("binary", MIXES["tabular"])
    only = frame.assign(y="no")

    exported = export_checked(fitted(recipe, schema, only), schema, only, tolerance=TOLERANCE)

    assert exported.runtime == ONNX
    assert (onnx_runner(exported.onnx)(arrays_of_frame(schema, only)) == 1).all()


@pytest.mark.parametrize("recipe", [name for name, recipe in RECIPES.items() if recipe.least_classes > 1])
def test_a_window_of_one_class_is_refused_by_the_others_with_a_reason(recipe):
    schema, frame = mixed_table("binary", MIXES["tabular"])

    with pytest.raises(BadInput, match=r"too few labels to learn from \(y: no: 150\)"):
        fitted(recipe, schema, frame.assign(y="no"))


def test_the_same_fit_kept_twice_is_one_member_with_both_weights_and_one_without_weight_may_get_some_later():
    schema, frame = mixed_table("binary", MIXES["tabular"])
    linear, trees = fitted("linear", schema, frame), fitted("extra_trees", schema, frame)
    again = fitted("linear", schema, frame)
    members = [
        ("new", linear, 0.25),
        ("trees", trees, 0.25),
        ("kept", again, 0.5),
        ("out", fitted("constant", schema, frame), 0.0),
    ]

    exported = export_checked(WeightedEnsemble(members, ["no", "yes"]), schema, frame, tolerance=TOLERANCE)

    assert weights_of(exported.onnx) == {"new": 0.75, "trees": 0.25, "out": 0.0}


def test_new_weights_answer_as_the_ensemble_with_these_weights_and_change_nothing_else():
    schema, frame = mixed_table("multiclass", MIXES["tabular"])
    recipes = ["linear", "hist_gradient_boosting", "constant"]
    exported = export_checked(ensemble_of(schema, frame, recipes), schema, frame, tolerance=TOLERANCE)
    weights = {"linear": 0.1, "constant": 0.9}

    changed = reweighted(exported.onnx, weights)

    found, expected = asked(changed, ensemble_of(schema, frame, recipes, [0.1, 0.0, 0.9]), schema, frame)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert weights_of(changed) == pytest.approx({**weights, "hist_gradient_boosting": 0})
    assert reweighted(changed, weights_of(exported.onnx)) == exported.onnx


def test_weights_of_members_that_are_not_there_or_that_are_no_shares_are_refused():
    schema, frame = mixed_table("binary", MIXES["numbers"])
    exported = export_checked(
        ensemble_of(schema, frame, ["linear", "constant"]), schema, frame, tolerance=TOLERANCE
    ).onnx

    with pytest.raises(BadInput, match="the model has no member seasonal; it has linear, constant"):
        reweighted(exported, {"linear": 0.5, "seasonal": 0.5})
    for wrong in ({"linear": 0.5}, {"linear": 1.5, "constant": -0.5}, {"linear": float("nan"), "constant": 1}):
        with pytest.raises(BadInput, match="are no shares of 1"):
            reweighted(exported, wrong)
    single = export_checked(fitted("linear", schema, frame), schema, frame, tolerance=TOLERANCE).onnx
    with pytest.raises(BadInput, match="this model is a single one and has no weights"):
        reweighted(single, {"linear": 1})


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(bytes=1_000), r"the exported model has \d+ bytes; 1000 are allowed"),
        (Limits(nodes=200), r"the exported model has \d+ nodes; 200 are allowed"),
    ],
)
def test_a_member_that_costs_too_much_makes_the_ensemble_native_and_is_named(limits, reason):
    schema, frame = mixed_table("binary", MIXES["tabular"])
    ensemble = ensemble_of(schema, frame, ["extra_trees", "constant"])

    exported = export_checked(ensemble, schema, frame, tolerance=TOLERANCE, limits=limits)

    assert (exported.runtime, exported.onnx) == (SKLEARN, None)
    assert re.fullmatch(f"of the member extra_trees, {reason}", exported.reason)


def test_a_member_that_answers_otherwise_makes_the_ensemble_native_and_is_named():
    schema, frame = mixed_table("binary", MIXES["tabular"])

    exported = export_checked(ensemble_of(schema, frame, ["constant", "svm"]), schema, frame, tolerance=1e-12)

    assert (exported.runtime, exported.onnx) == (SKLEARN, None)
    assert exported.reason.startswith("of the member svm, the exported model")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kinds", ["tabular", "all"])
def test_a_native_ensemble_is_kept_in_a_file_and_answers_as_before(task, kinds, tmp_path):
    schema, frame = mixed_table(task, MIXES[kinds])
    ensemble = ensemble_of(schema, frame, list(RECIPES))
    (tmp_path / "ensemble.skops").write_bytes(skops.io.dumps(ensemble))

    again = load_pipeline(tmp_path / "ensemble.skops")

    arrays = arrays_of_frame(schema, frame)
    assert (pipeline_runner(again, schema)(arrays) == pipeline_runner(ensemble, schema)(arrays)).all()
    assert again.classes_.tolist() == list(schema.target.classes)
    assert [(name, weight) for name, _, weight in again.members()] == [
        (name, weight) for name, _, weight in ensemble.members()
    ]
    if kinds == "all":
        assert export_checked(ensemble, schema, frame, tolerance=TOLERANCE).reason == TEXT_REASON


@pytest.mark.parametrize("runtime", [ONNX, SKLEARN])
def test_a_loaded_ensemble_never_answers_a_class_that_no_member_knows(runtime, tmp_path):
    schema, frame = three_classes(200)
    known = frame[frame["y"] != "b"]
    members = [(name, fitted(name, schema, known), 0.5) for name in ("linear", "constant")]
    ensemble = weighted(members, schema.target.classes)
    description = ModelDescription(
        scenario="three",
        runtime=runtime,
        classes=tuple(ensemble.classes),
        schema=schema.as_dict(),
        embedder=Embedder.fit(arrays_of_frame(schema, frame)).describe(),
    )
    (tmp_path / DESCRIPTION).write_text(json.dumps(description.to_json()))
    exported = export_checked(ensemble, schema, known, tolerance=TOLERANCE)
    (tmp_path / "model.onnx").write_bytes(exported.onnx)
    (tmp_path / "model.skops").write_bytes(skops.io.dumps(ensemble))

    answered = load(tmp_path, tag="three:one").answer(arrays_of_frame(schema, frame))

    assert ensemble.classes == ["a", "c"]
    assert (answered.probabilities[:, 1] == 0).all()
    np.testing.assert_allclose(answered.probabilities.sum(axis=1), 1, atol=1e-6)
    assert set(answered.labels) == {"a", "c"}


SCRIPT = """
import hashlib
from tests.adapters.models.test_onnx_merge import TOLERANCE, ensemble_of, export_checked, mixed_table, MIXES, RECIPES
schema, frame = mixed_table("multiclass", MIXES["tabular"])
exported = export_checked(ensemble_of(schema, frame, list(RECIPES)), schema, frame, tolerance=TOLERANCE)
print(hashlib.sha256(exported.onnx).hexdigest())
"""


def test_the_bytes_are_the_same_in_every_process():
    schema, frame = mixed_table("multiclass", MIXES["tabular"])
    here = export_checked(ensemble_of(schema, frame, list(RECIPES)), schema, frame, tolerance=TOLERANCE).onnx

    there = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout

    assert there.strip() == hashlib.sha256(here).hexdigest()


@pytest.mark.parametrize("rows", [20, 60])
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_learns_from_a_tiny_table_and_is_exported(recipe, rows):
    schema, frame = mixed_table("binary", MIXES["tabular"], rows=rows)

    exported = export_checked(fitted(recipe, schema, frame), schema, frame, tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)


@pytest.mark.parametrize("recipe", [name for name in RECIPES if name != "seasonal"])
def test_every_recipe_learns_thirty_classes_and_three_hundred_columns(recipe):
    random = np.random.default_rng(7)
    names = [f"x{number}" for number in range(300)]
    columns = {name: {"type": "number", "nullable": True} for name in names}
    schema = Schema.from_dict({"columns": columns, "target": {"name": "y", "classes": list(range(30))}})
    frame = pd.DataFrame(random.normal(size=(240, 300)), columns=names).assign(y=np.arange(240) % 30)
    ensemble = WeightedEnsemble(
        [(recipe, fitted(recipe, schema, frame), 0.5), ("constant", fitted("constant", schema, frame), 0.5)],
        schema.target.classes,
    )

    exported = export_checked(ensemble, schema, frame, tolerance=TOLERANCE)

    assert (exported.runtime, exported.reason) == (ONNX, None)
