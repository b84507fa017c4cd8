import json
import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from releve.adapters.files import read_document, write_json, write_parquet
from releve.adapters.models.description import DESCRIPTION, ModelDescription
from releve.adapters.models.model_store import ModelStore
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.evaluation.evaluation import FeatureImportances
from releve.domain.neighbours.embedding import Embedder
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import check_frame
from releve.domain.training.recipe_choice import RecipeChoice
from releve.domain.training.recipes import RECIPES, Candidate, default_candidate
from releve.domain.training.trials import DEFAULTS, SearchData, SearchSizes, try_candidate, validation_folds
from tasks.pipeline.stage import Stage
from tasks.pipeline.train import train
from tasks.pipeline.tune import Plan, SearchState, search, tune
from tasks.places import ScenarioFiles
from tests.clusters import running_cluster
from tests.tables import SHOP, make_params, shop_rows, shop_schema
from tests.values import priced_rows, priced_schema

ROWS, HOLDOUT = 200, 60
QUICK = ["linear", "k_neighbors"]
RECIPE = {"scale": "standard", "options": {}, "seed": 7, "metric": "accuracy", "last_batches": 0}
SEARCHED = {"trials": 5}
FEW = SearchSizes(together=2, folds=2)
AUTO = {"recipe": QUICK}


def make_stage(
    root: Path, *, rows: pd.DataFrame | None = None, schema: Schema | None = None, champion: str = "", **sections: Any
) -> Stage:
    """A scenario whose rows are split, in two batches."""
    schema = schema or shop_schema()
    metric = "auto" if schema.target.task == REGRESSION else "accuracy"
    usual = {"compute": {"workers": 1}, "train": AUTO, "search": SEARCHED, "gate": {"metric": metric}}
    sections = usual | sections
    files = ScenarioFiles(root, SHOP)
    typed = check_frame(schema, shop_rows(ROWS) if rows is None else rows).accepted
    write_parquet(files.rows, typed.assign(_batch=["old"] * 90 + ["new"] * (len(typed) - 90)))
    first = len(typed) - HOLDOUT
    folds = [{"start": first, "end": first + HOLDOUT // 2}, {"start": first + HOLDOUT // 2, "end": len(typed)}]
    write_json(files.folds, {"format": 1, "folds": folds})
    files.inputs.write_text(f'rows: "seed"\nchampion: "{champion}"\nseen_rows: 0\n')
    home = root / "var"
    settings = Settings(
        project=root, home=home, registry_url="sqlite://", milvus_uri=str(home / "milvus.db"), service_port=1
    )
    return Stage(settings, make_params(**sections), schema, files)


def cut_in_batches(stage: Stage, *, rows: int) -> None:
    typed = pd.read_parquet(stage.files.rows)
    write_parquet(stage.files.rows, typed.assign(_batch=typed.index // rows))


def tuned(stage: Stage, *, rows: int = FEW.rows) -> dict[str, Any]:
    tune(stage, sizes=replace(FEW, rows=rows))
    found: dict[str, Any] = json.loads(stage.files.recipe.read_text())
    return found


def store_champion(stage: Stage, folder: Path, **recipe: Any) -> None:
    """A champion of this recipe in the stage's model store, named by its inputs."""
    described = ModelDescription(
        scenario=SHOP,
        runtime="sklearn",
        classes=(),
        schema=stage.schema.as_dict(),
        embedder=Embedder((), (), ()).describe(),
        recipe=RecipeChoice.model_validate(RECIPE | recipe),
    )
    write_json(folder / DESCRIPTION, described.to_json())
    ModelStore(stage.settings.home).save(folder, scenario=SHOP, version="0123456789ab", labels={})
    stage.files.inputs.write_text(f'rows: "seed"\nchampion: "{SHOP}:0123456789ab"\nseen_rows: 0\n')


def make_plan(
    *, trials: int = 8, together: int = 3, seconds: float = 1e6, workers: int = 1, boosted: bool = False
) -> Plan:
    """Quick recipes, or with `boosted` also one that computes in many threads where it may."""
    schema = shop_schema()
    rows = check_frame(schema, shop_rows(160)).accepted.assign(_batch="a")
    params = make_params(search={"trials": trials, "seconds": seconds}, compute={"workers": workers})
    recipes = ("linear", "k_neighbors", *(("hist_gradient_boosting",) if boosted else ()))
    first = tuple((DEFAULTS, default_candidate(recipe, RECIPES[recipe].class_space)) for recipe in recipes)
    table = SearchData(rows, schema, validation_folds(160, share=0.4, folds=2), "log_loss", 7, last_batches=0)
    return Plan(table, recipes, first, params.search, params.compute, together)


def searched(plan: Plan, *, clock: Any = lambda: 0.0) -> SearchState:
    return search(plan, clock=clock, progress=lambda line: None)


@pytest.fixture(scope="module")
def alone() -> SearchState:
    """One worker, nothing else to do."""
    return searched(make_plan())


def test_a_named_recipe_without_trials_is_written_as_it_is(tmp_path: Path) -> None:
    named = {"recipe": "svm", "scale": "none", "options": {"gamma": 0.001}}
    written = {"recipe": "svm", "options": {"scale": "none", "gamma": 0.001}}

    found = tuned(make_stage(tmp_path, train=written, search={"trials": 0}))

    assert {key: found[key] for key in named} == named
    assert (found["trials"], found["asked"], found["done"], found["score"]) == ([], 0, 0, None)
    assert found["last_batches"] == 0


def test_auto_without_trials_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"train\.recipe names no single recipe and search\.trials is 0"):
        tune(make_stage(tmp_path, search={"trials": 0}))


def test_the_best_of_the_trials_is_chosen_and_all_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = tuned(make_stage(tmp_path))

    best = max(found["trials"], key=lambda trial: trial["score"])
    assert {key: found[key] for key in ("recipe", "scale", "options", "score")} == {
        key: best[key] for key in ("recipe", "scale", "options", "score")
    }
    assert [trial["number"] for trial in found["trials"]] == [1, 2, 3, 4, 5]
    assert [trial["origin"] for trial in found["trials"]] == ["defaults"] * 2 + ["search"] * 3
    assert (found["metric"], found["asked"], found["done"], found["stopped_by"]) == ("accuracy", 5, 5, "trials")
    assert (found["searched_rows"], [fold["rows"] for fold in found["folds"]]) == (ROWS - HOLDOUT, [28, 28])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("trial 1/5 linear C=1: accuracy 0.")
    assert "(chosen so far: 0." in lines[4] and lines[5].startswith("chosen: ")


@pytest.mark.slow
def test_the_holdout_has_no_say(tmp_path: Path) -> None:
    rows = shop_rows(ROWS)
    other = rows.copy()
    other.loc[ROWS - HOLDOUT :, "bought"] = "no"
    other.loc[ROWS - HOLDOUT :, "price"] = 1.0

    assert tuned(make_stage(tmp_path / "one", rows=rows)) == tuned(make_stage(tmp_path / "other", rows=other))


@pytest.mark.slow
def test_the_search_reads_the_newest_rows_only(tmp_path: Path) -> None:
    rows = shop_rows(ROWS)
    other = rows.copy()
    other.loc[: ROWS - HOLDOUT - 81, "bought"] = "no"

    one = tuned(make_stage(tmp_path / "one", rows=rows), rows=80)

    assert one["searched_rows"] == 80
    assert one == tuned(make_stage(tmp_path / "other", rows=other), rows=80)


def test_a_recipe_has_to_bear_the_rows_it_is_fitted_on_in_the_end_not_only_those_of_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = RECIPES["svm"].max_rows + 1
    stage = make_stage(tmp_path, rows=shop_rows(rows), search={"trials": 2}, train={"recipe": ["linear", "svm"]})

    found = tuned(stage, rows=80)

    assert {trial["recipe"] for trial in found["trials"]} == {"linear"}
    assert f"svm is left out: {rows} rows" in capsys.readouterr().out


def test_the_quantile_of_the_gate_is_the_one_that_is_searched_for(tmp_path: Path) -> None:
    given = {"rows": priced_rows(ROWS), "schema": priced_schema()}

    scores = [
        tuned(make_stage(tmp_path / f"{quantile}", **given, gate={"metric": "pinball", "quantile": quantile}))["score"]
        for quantile in (0.5, 0.9)
    ]

    assert scores[0] != scores[1]


def test_too_few_rows_to_search_on_are_rejected(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="19 labelled rows before the holdout"):
        tuned(make_stage(tmp_path, rows=shop_rows(HOLDOUT + 91)), rows=19)


def test_a_named_recipe_with_trials_is_tried_as_it_is_first_and_is_the_only_one(tmp_path: Path) -> None:
    found = tuned(make_stage(tmp_path, train={"recipe": "linear", "options": {"C": 0.5, "max_iter": 500}}))

    assert [trial["origin"] for trial in found["trials"]] == ["params", "defaults", "search", "search", "search"]
    assert found["trials"][0]["options"] == {"C": 0.5, "max_iter": 500}
    assert {trial["recipe"] for trial in found["trials"]} == {"linear"}


def test_the_champions_recipe_is_tried_first(tmp_path: Path) -> None:
    stage = make_stage(tmp_path)
    store_champion(stage, tmp_path / "model", recipe="k_neighbors", options={"n_neighbors": 9, "p": 1})

    found = tuned(stage)

    first = found["trials"][0]
    assert (first["origin"], first["recipe"], first["options"]) == (
        "champion",
        "k_neighbors",
        {"n_neighbors": 9, "p": 1},
    )
    assert len(found["trials"]) == 5


def test_a_champion_that_is_a_recipes_defaults_is_not_tried_twice(tmp_path: Path) -> None:
    stage = make_stage(tmp_path)
    store_champion(stage, tmp_path / "model", recipe="linear", options={"C": 1.0})

    assert [trial["origin"] for trial in tuned(stage)["trials"]] == ["champion", "defaults", *["search"] * 3]


@pytest.mark.parametrize("recipe", ["extra_trees", "svc"])
def test_a_champion_of_a_recipe_that_is_not_searched_is_not_tried(tmp_path: Path, recipe: str) -> None:
    stage = make_stage(tmp_path)
    store_champion(stage, tmp_path / "model", recipe=recipe)

    assert {trial["recipe"] for trial in tuned(stage)["trials"]} == set(QUICK)


def test_a_trial_that_fails_is_printed_and_does_not_end_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shop_rows(ROWS)
    rows.loc[: ROWS - HOLDOUT - 1, "bought"] = "no"
    rows.loc[[5, 60], "bought"] = "yes"  # two are too few for a calibrated machine

    found = tuned(make_stage(tmp_path, rows=rows, search={"trials": 2}, train={"recipe": ["svm", "linear"]}))

    failed, fitted = found["trials"]
    assert (failed["score"], failed["folds"]) == (None, [])
    assert "too few labels to learn from" in failed["reason"]
    assert fitted["score"] == 1.0
    assert found["recipe"] == "linear"
    assert "trial 1/2 svm C=1 gamma=scale: failed, the first" in capsys.readouterr().out


def test_a_search_in_which_every_trial_fails_is_an_error(tmp_path: Path) -> None:
    rows = shop_rows(ROWS).assign(bought="no")

    with pytest.raises(BadInput, match=r"none of 5 candidates could be fitted.*too few labels"):
        tune(make_stage(tmp_path, rows=rows))


def test_a_regression_is_searched_by_its_own_metric_and_trained(tmp_path: Path) -> None:
    stage = make_stage(tmp_path, rows=priced_rows(ROWS), schema=priced_schema())

    found = tuned(stage)
    train(stage)

    assert (found["metric"], found["recipe"]) == ("mae", "linear")
    assert found["score"] == min(trial["score"] for trial in found["trials"])
    holdout = pd.read_parquet(stage.files.holdout)
    assert holdout.columns.tolist() == ["_value", "_position"]
    truth = priced_rows(ROWS)["spent"].tail(HOLDOUT).to_numpy()
    assert abs(holdout["_value"].to_numpy() - truth).mean() < 2
    strongest = read_document(stage.files.importances, FeatureImportances).features[0]
    assert (strongest.feature, strongest.loss.low > 0) == ("price", True)


def test_training_learns_from_the_newest_batches_only_where_params_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"recipe": "linear", "last_batches": 1}
    stage = make_stage(tmp_path, train=named, search={"trials": 0})
    cut_in_batches(stage, rows=20)

    tune(stage)
    train(stage)

    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == ["block 140-170: fitted on 20 rows", "block 170-200: fitted on 30 rows"]  # 10 of a cut batch


def test_training_uses_the_recipe_that_was_chosen(tmp_path: Path) -> None:
    from releve.adapters.models.model_runtime import load_pipeline

    stage = make_stage(tmp_path)
    tune(stage)
    chosen = json.loads(stage.files.recipe.read_text()) | {"recipe": "linear", "options": {"C": 0.125}}
    write_json(stage.files.recipe, chosen)

    train(stage)

    assert load_pipeline(stage.files.pipeline)["model"].C == 0.125


def test_the_pipeline_that_is_released_has_learned_from_the_holdout_too(tmp_path: Path) -> None:
    from releve.adapters.models.model_runtime import load_pipeline

    rows = shop_rows(ROWS)
    rows.loc[: ROWS - HOLDOUT - 1, "kind"] = "apple"
    rows.loc[ROWS - 1, "kind"] = "cheese"
    stage = make_stage(tmp_path, rows=rows, train={"recipe": "linear"}, search={"trials": 0})

    tune(stage)
    train(stage)

    known = load_pipeline(stage.files.pipeline)["prepare"].named_transformers_["categories"].categories_[0]
    assert "cheese" in known


@pytest.mark.slow
def test_a_second_worker_changes_nothing(alone: SearchState) -> None:
    assert searched(make_plan(workers=2)).trials == alone.trials


@pytest.mark.slow
@pytest.mark.usefixtures("many_threads")
def test_neither_the_number_of_workers_nor_load_nor_a_cluster_changes_anything() -> None:
    alone = searched(make_plan(boosted=True)).trials
    many = searched(make_plan(boosted=True, workers=3)).trials
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        loaded = searched(make_plan(boosted=True, workers=2)).trials
    finally:
        for process in burning:
            process.kill()
            process.wait()
    plan = make_plan(boosted=True)
    with running_cluster(workers=2) as cluster:
        there = replace(plan, compute=plan.compute.model_copy(update={"address": cluster.address}))
        on_cluster = searched(there).trials

    assert many == alone
    assert loaded == alone
    assert on_cluster == alone


@pytest.mark.slow
def test_another_seed_searches_elsewhere(alone: SearchState) -> None:
    plan = make_plan()

    found = searched(replace(plan, table=replace(plan.table, seed=8)))

    assert [trial.candidate for trial in found.trials[2:]] != [trial.candidate for trial in alone.trials[2:]]


def test_the_trials_of_a_search_are_the_scores_of_their_candidates(alone: SearchState) -> None:
    table = make_plan().table

    for trial in alone.trials:
        again = try_candidate(table, trial.candidate)
        assert (again.score, again.folds) == (pytest.approx(trial.result.score), pytest.approx(trial.result.folds))


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "done"), [(1.0, 3), (1.001, 6), (2.5, 8)])
def test_the_time_budget_ends_a_search_after_a_whole_round_and_changes_no_score(
    alone: SearchState, seconds: float, done: int
) -> None:
    clock = count().__next__  # a second a round

    found = searched(make_plan(seconds=seconds), clock=clock)

    assert found.trials == alone.trials[:done]
    assert found.stopped_by == ("seconds" if done < 8 else "trials")


@pytest.mark.slow
def test_a_candidate_whose_process_dies_fails_and_the_others_go_on(alone: SearchState) -> None:
    deadly = ("params", Candidate("linear", "standard", {"C": Deadly(2.0)}))  # type: ignore[dict-item]

    plan = make_plan(trials=3)

    found = searched(replace(plan, first=(deadly, *plan.first)))

    assert found.trials[0].result.score is None
    assert "out of memory" in found.trials[0].result.reason
    assert [trial.result for trial in found.trials[1:]] == [trial.result for trial in alone.trials[:2]]


class Deadly(float):
    """A number that ends the process it arrives in."""

    def __reduce__(self) -> Any:
        return _die, ()


def _die() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
