import json

import numpy as np
import pandas as pd
import pytest

from releve.adapters.fairness import find_unfairness, group_scores
from releve.adapters.files import PipelineInputs, write_document, write_inputs, write_parquet
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.evaluation.evaluation import FeatureImportance, FeatureImportances
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.rolling_origin import Fold, HoldoutFolds
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tasks.pipeline.evaluate import evaluate, gather
from tasks.pipeline.stage import Stage
from tasks.places import POSITION, ScenarioFiles
from tests.serving.tables import packed
from tests.tables import make_params

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


def a_stage(root, target, answers, **gate):
    files = ScenarioFiles(root, "shop")
    values = {"target": target, "time": "at", "columns": COLUMNS}
    write_parquet(files.rows, table())
    write_parquet(files.holdout, answers.assign(**{POSITION: range(FIRST, ROWS)}))
    write_document(files.importances, IMPORTANCES)
    write_document(files.folds, HoldoutFolds(folds=(Fold(FIRST, 300), Fold(300, ROWS))))
    write_inputs(files.inputs, PipelineInputs("batches", champion="", seen_rows=0))
    settings = Settings.from_environ({}, cwd=root)
    return Stage(settings, make_params(gate=gate), Schema.from_dict(values), files)


def of_values(root, **gate):
    answers = pd.DataFrame({"_value": 3 * table()["price"].iloc[FIRST:].to_numpy()})
    return a_stage(root, {"name": "spent", "task": "regression"}, answers, **gate)


def of_classes(root, **gate):
    chance = 1 / (1 + np.exp(5 - table()["price"].iloc[FIRST:].to_numpy()))
    answers = pd.DataFrame({"no": 1 - chance, "yes": chance})
    return a_stage(root, {"name": "bought", "classes": ["no", "yes"]}, answers, **gate)


def evaluated(stage):
    evaluate(stage)
    return json.loads(stage.files.evaluation.read_text())


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
    case = gather(of_values(tmp_path, protected=["sex"]))

    assert find_unfairness(case, min_rows=150) == ((), ("sex",))
    assert [part.score for part in group_scores(case, min_rows=150)] == [None, None]


def test_groups_of_which_one_has_no_score_are_not_compared(tmp_path):
    """Rows of one class alone rank nothing: an AUC that one group does not have is no difference of 0."""
    sizes = ["small", "medium", "large"]
    answers = pd.DataFrame(np.random.default_rng(8).dirichlet([1, 1, 1], ROWS - FIRST), columns=sizes)
    stage = a_stage(tmp_path, {"name": "size", "classes": sizes}, answers, metric="auc", protected=["sex"])
    rows = table()
    size = np.where(rows["sex"] == "f", "small", np.random.default_rng(9).choice(sizes, ROWS))
    write_parquet(stage.files.rows, rows.assign(size=size))

    found = evaluated(stage)

    assert (found["fairness"], found["unknown_groups"]) == ([], ["sex"])


def test_the_same_rows_give_the_same_figures(tmp_path):
    assert evaluated(of_classes(tmp_path)) == evaluated(of_classes(tmp_path))


def test_people_read_the_scores_of_all_in_one_place(tmp_path):
    stage = of_values(tmp_path)
    evaluate(stage)

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
        evaluate(of_values(tmp_path, **gate))


def crown(stage, root, described, rows):
    """A champion that learned from these rows."""
    learned = packed(root / "made" / "shop", described, check_frame(Schema.from_dict(described), rows).accepted)
    champion = ModelStore(stage.settings.home).save(learned, scenario="shop", version="one", labels={})
    write_inputs(stage.files.inputs, PipelineInputs("batches", champion=champion.tag, seen_rows=0))


def test_what_a_champion_gave_to_a_class_that_is_gone_is_shared_out_over_the_others(tmp_path):
    stage = of_classes(tmp_path, metric="log_loss")
    rows = table()[["price", "bought"]]
    before = {
        "target": {"name": "bought", "classes": ["maybe", "no", "yes"]},
        "columns": {"price": {"type": "number"}},
    }
    crown(stage, tmp_path, before, rows.assign(bought=rows["bought"].where(np.arange(ROWS) % 2 == 0, "maybe")))

    champion = evaluated(stage)["against"]["champion"]["score"]

    assert champion < 0.25  # as of one that never knew the class; the chances that it was given would add log 2


def test_a_champion_that_learned_a_column_as_another_type_cannot_be_compared(tmp_path):
    stage = of_classes(tmp_path)
    before = {"target": {"name": "bought", "classes": ["no", "yes"]}, "columns": {"price": {"type": "category"}}}
    rows = table()[["price", "bought"]].assign(price=lambda rows: rows["price"].round().astype(str))
    crown(stage, tmp_path, before, rows)

    with pytest.raises(BadInput, match="learned price as a category and the scenario calls it a number"):
        evaluate(stage)


def test_a_perfect_score_is_reported_with_the_column_that_explains_it_and_a_good_one_is_not(tmp_path):
    rows = table().assign(price=lambda all_rows: all_rows["price"].where(all_rows["bought"] == "yes"))
    perfect = pd.get_dummies(rows["bought"].iloc[FIRST:]).astype(float).reset_index(drop=True)
    leaking = a_stage(tmp_path / "leaking", {"name": "bought", "classes": ["no", "yes"]}, perfect)
    write_parquet(leaking.files.rows, rows)

    assert evaluated(of_classes(tmp_path / "good"))["too_good"] is None
    assert evaluated(leaking)["too_good"] == {
        "rows": 200,
        "baseline": "majority label",
        "left": 0.0,
        "columns": [{"column": "price", "share": 1.0}],
    }
