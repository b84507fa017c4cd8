import json

import numpy as np
import pandas as pd
import pytest

from releve.adapters.fairness import find_unfairness, group_scores
from releve.adapters.files import PipelineInputs, write_inputs
from releve.adapters.models.memory_files import MemoryFolder
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.evaluation.evaluation import FeatureImportance, FeatureImportances
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.registry.release import expected_performance
from releve.domain.schema.schema import Schema
from tasks.pipeline.evaluate import evaluate, gather
from tasks.pipeline.package import package
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.stage import Stage
from tasks.pipeline.train import train
from tasks.places import HOLDOUT, ScenarioFiles
from tests.refreshes import write_refresh
from tests.tables import make_params, shop_rows
from tests.tasks.pipeline.test_train import make_stage, receive, remember, turned

ROWS, FIRST = 400, 200
IMPORTANCES = FeatureImportances(rows=200, features=(FeatureImportance(feature="price", loss=Interval(0.3, 0.2, 0.4)),))
COLUMNS = {
    "at": {"type": "date"},
    "price": {"type": "number"},
    "sex": {"type": "category", "feature": False},
}


def table():
    random = np.random.default_rng(7)
    price = random.uniform(0, 10, ROWS)
    return pd.DataFrame(
        {
            "at": pd.date_range("2024-01-01", periods=ROWS, freq="h"),
            "price": price,
            "sex": random.choice(["f", "m"], ROWS),
            "spent": 3 * price + random.normal(size=ROWS),
            "bought": np.where(price + random.normal(size=ROWS) > 5, "yes", "no"),
        }
    )


def a_case(root, target, answers, *, rows=None, served=None, **gate):
    """A stage and its rows; the newest of them were answered in two windows."""
    files, schema = ScenarioFiles(root, "shop"), Schema.from_dict({"target": target, "time": "at", "columns": COLUMNS})
    rows = table() if rows is None else rows
    blocks = (Fold(FIRST, 300), Fold(300, ROWS))
    files.inputs.parent.mkdir(parents=True, exist_ok=True)
    write_inputs(files.inputs, PipelineInputs("batches", champion=""))
    write_refresh(files.memory, rows, schema, blocks=blocks, answers=answers, served=served, importances=IMPORTANCES)
    return Stage(Settings.from_environ({}, cwd=root), make_params(gate=gate), schema, files), rows


def of_values(root, **gate):
    answers = 3 * table()[["price"]].iloc[FIRST:].to_numpy()
    return a_case(root, {"name": "spent", "task": "regression"}, answers, **gate)


def of_classes(root, **gate):
    chance = 1 / (1 + np.exp(5 - table()["price"].iloc[FIRST:].to_numpy()))
    return a_case(root, {"name": "bought", "classes": ["no", "yes"]}, np.column_stack([1 - chance, chance]), **gate)


def evaluated(case):
    stage, rows = case
    evaluate(stage, rows)
    return json.loads(stage.files.evaluation.read_text())


def gathered(stage, rows):
    folder = MemoryFolder(stage.files.memory)
    return gather(stage, rows, folder, folder.memory)


def test_values_are_judged_by_the_error_against_four_naive_answers(tmp_path):
    found = evaluated(of_values(tmp_path))

    assert (found["task"], found["metric"], found["sign"], found["holdout_rows"]) == ("regression", "mae", -1, 200)
    assert found["challenger"]["metrics"].keys() == {"mae", "rmse", "pinball"}
    score = found["challenger"]["score"]
    assert score["low"] < score["value"] < score["high"]
    assert found["against"].keys() == {"usual value", "previous label", "label of the row before", "seasonal answer"}
    assert all(other["gain"]["low"] > 0 for other in found["against"].values())


def test_the_log_names_two_repeated_labels_apart_by_what_each_knows(tmp_path, capsys):
    against = evaluated(of_values(tmp_path))["against"]

    log = capsys.readouterr().out
    for name in ("previous label (the newest that has arrived)", "label of the row before (as if every label arrived"):
        assert name in log
        assert name.partition(" (")[0] in against  # what is kept has the short name


def test_classes_are_judged_with_their_calibration_and_by_every_metric(tmp_path):
    found = evaluated(of_classes(tmp_path, metric="auc"))

    assert found["metric"] == "auc"
    assert found["challenger"]["metrics"].keys() == {"accuracy", "log_loss", "auc", "f1", "brier"}
    assert found["challenger"]["calibration"]["error"] < 0.1
    assert found["against"]["majority label"]["score"] == 0.5  # in each block, however the shares differ


@pytest.mark.parametrize("made", [of_values, of_classes])
def test_slices_and_groups_that_no_model_sees_are_scored(made, tmp_path):
    found = evaluated(made(tmp_path, slices=["price", "at", "sex"], protected=["sex"]))

    assert {part["column"] for part in found["slices"]} == {"price", "at", "sex"}
    assert sum(part["rows"] for part in found["slices"]) == 3 * 200
    assert found["fairness"] and all(line["attribute"] == "sex" for line in found["fairness"])
    assert all(
        0 <= one["low"] <= one["value"] <= one["high"] for one in (line["challenger"] for line in found["fairness"])
    )
    assert found["unknown_groups"] == []
    assert [(part["column"], part["value"]) for part in found["groups"]] == [("sex", "f"), ("sex", "m")]
    assert sum(part["rows"] for part in found["groups"]) == 200
    assert all(part["score"]["low"] < part["score"]["value"] < part["score"]["high"] for part in found["groups"])


def test_the_strongest_features_that_training_measured_are_kept(tmp_path):
    assert evaluated(of_values(tmp_path))["importances"] == IMPORTANCES.model_dump(mode="json")


def test_groups_of_too_few_rows_are_not_compared(tmp_path):
    case = gathered(*of_values(tmp_path, protected=["sex"]))

    assert find_unfairness(case, min_rows=150) == ((), ("sex",))
    assert [part.score for part in group_scores(case, min_rows=150)] == [None, None]


def test_groups_of_which_one_has_no_score_are_not_compared(tmp_path):
    """Rows of one class alone rank nothing: an AUC that one group does not have is no difference of 0."""
    sizes = ["small", "medium", "large"]
    answers = np.random.default_rng(8).dirichlet([1, 1, 1], ROWS - FIRST)
    rows = table()
    size = np.where(rows["sex"] == "f", "small", np.random.default_rng(9).choice(sizes, ROWS))
    target = {"name": "size", "classes": sizes}

    found = evaluated(a_case(tmp_path, target, answers, rows=rows.assign(size=size), metric="auc", protected=["sex"]))

    assert (found["fairness"], found["unknown_groups"]) == ([], ["sex"])


def test_the_same_rows_give_the_same_figures(tmp_path):
    assert evaluated(of_classes(tmp_path)) == evaluated(of_classes(tmp_path))


def test_people_read_the_scores_of_all_in_one_place(tmp_path):
    stage, rows = of_values(tmp_path)
    evaluate(stage, rows)

    assert json.loads(stage.files.metrics.read_text()).keys() >= {
        "mae",
        "rmse",
        "usual_value",
        "seasonal_answer",
        "rows",
    }


@pytest.mark.parametrize(
    ("gate", "what"),
    [({"metric": "auc"}, "does not fit the task regression"), ({"slices": ["colour"]}, "no column of this scenario")],
)
def test_params_that_do_not_fit_the_table_are_refused(gate, what, tmp_path):
    with pytest.raises(BadInput, match=what):
        evaluate(*of_values(tmp_path, **gate))


def test_what_did_serve_is_the_champion_that_the_gate_compares_with(tmp_path):
    chance = 1 / (1 + np.exp(5 - table()["price"].iloc[FIRST:].to_numpy()))
    answers, target = np.column_stack([1 - chance, chance]), {"name": "bought", "classes": ["no", "yes"]}

    same = evaluated(a_case(tmp_path / "same", target, answers, served=answers))["against"]["champion"]
    worse = evaluated(a_case(tmp_path / "worse", target, answers, served=answers[:, ::-1]))["against"]["champion"]

    assert same["gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert worse["gain"]["low"] > 0
    assert "champion" not in evaluated(of_classes(tmp_path / "first"))["against"]


def test_a_perfect_score_is_reported_with_the_column_that_explains_it_and_a_good_one_is_not(tmp_path):
    rows = table().assign(price=lambda all_rows: all_rows["price"].where(all_rows["bought"] == "yes"))
    perfect = pd.get_dummies(rows["bought"].iloc[FIRST:]).to_numpy(float)
    leaking = a_case(tmp_path / "leaking", {"name": "bought", "classes": ["no", "yes"]}, perfect, rows=rows)

    assert evaluated(of_classes(tmp_path / "good"))["too_good"] is None
    assert evaluated(leaking)["too_good"] == {
        "rows": 200,
        "baseline": "majority label",
        "left": 0.0,
        "columns": [{"column": "price", "share": 1.0}],
    }


def test_no_performance_is_expected_by_labels_in_doubt_and_the_score_says_nothing_less(tmp_path):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive(stage, shop_rows(800))
    train(stage)
    remember(stage)
    sound = evaluate(stage, stage_rows(stage).rows)
    receive(stage, turned(shop_rows(100, seed=9)), start=9)
    train(stage)

    found = evaluate(stage, stage_rows(stage).rows)

    assert (sound.sound, expected_performance(sound).score) == (None, sound.score)
    assert found.sound.rows == found.holdout_rows - 100
    assert found.score.value > 1.5 * sound.score.value  # log loss
    assert expected_performance(found).score.value == pytest.approx(sound.score.value, rel=0.2)
    package(stage)  # and estimates are held to none of them
    assert len(pd.read_parquet(stage.files.model / HOLDOUT)) == found.sound.rows
