import subprocess
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from releve.adapters.compute import cores
from releve.core.settings import Settings
from releve.domain.ensemble.pool import SEARCH, Member, MemberPool
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import check_frame
from releve.domain.training.recipes import RECIPES, Candidate, default_candidate
from releve.domain.training.trials import DEFAULTS, SearchData, SearchSizes, try_candidate, validation_folds
from tasks.pipeline.stage import Stage
from tasks.pipeline.training.search import Plan, SearchState, find_member, search
from tasks.places import ScenarioFiles
from tests.clusters import Cluster
from tests.tables import SHOP, make_params, shop_rows, shop_schema
from tests.values import priced_rows, priced_schema
from tests.workers import computing_here

ROWS = 140
NONE = MemberPool(members=())
QUICK = ["linear", "k_neighbors"]
SEARCHED = {"trials": 5}
FEW = SearchSizes(together=2, folds=2)
SEARCHES = "tasks.pipeline.training.search"
AUTO = {"recipe": QUICK}


def make_stage(root: Path, *, schema: Schema | None = None, **sections: Any) -> Stage:
    schema = schema or shop_schema()
    metric = "auto" if schema.target.task == REGRESSION else "accuracy"
    usual = {"compute": {"workers": 1}, "train": AUTO, "search": SEARCHED, "gate": {"metric": metric}}
    home = root / "var"
    settings = Settings(
        project=root, home=home, registry_url="sqlite://", milvus_uri=str(home / "milvus.db"), service_port=1
    )
    return Stage(settings, make_params(**(usual | sections)), schema, ScenarioFiles(root, SHOP))


def found(
    stage: Stage, *, rows: pd.DataFrame | None = None, newest: int = FEW.rows, pool: MemberPool = NONE
) -> tuple[Member | None, SearchState]:
    """Search the rows that are older than all windows."""
    typed = check_frame(stage.schema, shop_rows(ROWS) if rows is None else rows).accepted.assign(_batch="old")
    with computing_here(SEARCHES):
        return find_member(stage, typed, pool, name="new", sizes=replace(FEW, rows=newest))


def make_plan(
    *, trials: int = 8, together: int = 3, seconds: float = 1e6, workers: int = 1, boosted: bool = False
) -> Plan:
    """Quick recipes, or with `boosted` also one that computes in many threads where it may."""
    schema = shop_schema()
    rows = check_frame(schema, shop_rows(160)).accepted.assign(_batch="a")
    params = make_params(compute={"workers": workers})
    recipes = ("linear", "k_neighbors", *(("hist_gradient_boosting",) if boosted else ()))
    first = tuple((DEFAULTS, default_candidate(recipe, RECIPES[recipe].class_space)) for recipe in recipes)
    table = SearchData(rows, schema, validation_folds(160, share=0.4, folds=2), "log_loss", 7, last_batches=0)
    return Plan(table, recipes, first, trials, seconds, params.compute, together)


def searched(plan: Plan, *, clock: Any = lambda: 0.0) -> SearchState:
    return search(plan, clock=clock, progress=lambda line: None)


def searched_here(plan: Plan, *, clock: Any = lambda: 0.0) -> SearchState:
    with computing_here(SEARCHES):
        return searched(plan, clock=clock)


@pytest.fixture(scope="module")
def alone() -> SearchState:
    """No worker, nothing else to do."""
    return searched_here(make_plan())


def test_the_best_of_the_trials_is_proposed_and_all_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member, state = found(make_stage(tmp_path))

    best = max(state.trials, key=lambda trial: trial.result.score or 0.0)
    assert member == Member.of(best.candidate, origin=SEARCH, name="new")
    assert [trial.number for trial in state.trials] == [1, 2, 3, 4, 5]
    assert [trial.origin for trial in state.trials] == ["defaults"] * 2 + ["search"] * 3
    assert state.stopped_by == "trials"
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("trial 1/5 linear C=1: accuracy 0.")
    assert "(chosen so far: 0." in lines[4] and lines[5].startswith("best: ")


def test_what_the_pool_has_already_is_not_proposed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = make_stage(tmp_path)
    best, _ = found(stage)
    assert best

    member, _ = found(stage, pool=MemberPool(members=(best.model_copy(update={"name": "old"}),)))

    assert member is None
    assert "it is in the pool already" in capsys.readouterr().out


@pytest.mark.slow
def test_the_search_reads_the_newest_rows_only(tmp_path: Path) -> None:
    rows = shop_rows(ROWS)
    other = rows.copy()
    other.loc[: ROWS - 81, "bought"] = "no"
    stage = make_stage(tmp_path)

    assert found(stage, rows=rows, newest=80) == found(stage, rows=other, newest=80)


def test_a_recipe_has_to_bear_the_rows_it_is_fitted_on_in_the_end_not_only_those_of_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (RECIPES["svm"].max_rows or 0) + 1
    stage = make_stage(tmp_path, search={"trials": 2}, train={"recipe": ["linear", "svm"]})

    _, state = found(stage, rows=shop_rows(rows), newest=80)

    assert {trial.candidate.recipe for trial in state.trials} == {"linear"}
    assert f"svm is left out: {rows} rows" in capsys.readouterr().out


def test_the_quantile_of_the_gate_is_the_one_that_is_searched_for(tmp_path: Path) -> None:
    def score(quantile: float) -> float | None:
        stage = make_stage(tmp_path, schema=priced_schema(), gate={"metric": "pinball", "quantile": quantile})
        return found(stage, rows=priced_rows(ROWS))[1].trials[0].result.score

    assert score(0.5) != score(0.9)


def test_too_few_rows_to_search_on_are_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(make_stage(tmp_path), rows=shop_rows(19)) == (None, SearchState())
    assert "no search: there are 19 labelled rows" in capsys.readouterr().out


def test_a_named_recipe_is_tried_as_it_is_first_and_is_the_only_one(tmp_path: Path) -> None:
    _, state = found(make_stage(tmp_path, train={"recipe": "linear", "options": {"C": 0.5, "max_iter": 500}}))

    assert [trial.origin for trial in state.trials] == ["params", "defaults", "search", "search", "search"]
    assert state.trials[0].candidate.options == {"C": 0.5, "max_iter": 500}
    assert {trial.candidate.recipe for trial in state.trials} == {"linear"}


def test_a_trial_that_fails_is_printed_and_does_not_end_the_search(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = shop_rows(ROWS).assign(bought="no")
    rows.loc[[5, 60], "bought"] = "yes"  # two are too few for a calibrated machine

    member, state = found(make_stage(tmp_path, search={"trials": 2}, train={"recipe": ["svm", "linear"]}), rows=rows)

    failed, fitted = state.trials
    assert (failed.result.score, failed.result.folds) == (None, ())
    assert "too few labels to learn from" in failed.result.reason
    assert fitted.result.score == 1.0
    assert member and member.recipe == "linear"
    assert "trial 1/2 svm C=1 gamma=scale: failed, the first" in capsys.readouterr().out


def test_a_search_in_which_every_trial_fails_proposes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member, state = found(make_stage(tmp_path), rows=shop_rows(ROWS).assign(bought="no"))

    assert member is None
    assert len(state.trials) == 5
    assert "none of 5 candidates could be fitted" in capsys.readouterr().out


@pytest.mark.whole
@pytest.mark.usefixtures("many_threads")
def test_neither_the_number_of_workers_nor_load_nor_a_cluster_changes_anything(cluster: Cluster) -> None:
    alone = searched_here(make_plan(boosted=True)).trials
    many = searched(make_plan(boosted=True, workers=3)).trials
    burning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores())]
    try:
        loaded = searched(make_plan(boosted=True, workers=2)).trials
    finally:
        for process in burning:
            process.kill()
            process.wait()
    plan = make_plan(boosted=True)
    there = replace(plan, compute=plan.compute.model_copy(update={"address": cluster.address}))
    on_cluster = searched(there).trials

    assert many == alone
    assert loaded == alone
    assert on_cluster == alone


@pytest.mark.slow
def test_another_seed_searches_elsewhere(alone: SearchState) -> None:
    plan = make_plan()

    found = searched_here(replace(plan, table=replace(plan.table, seed=8)))

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

    found = searched_here(make_plan(seconds=seconds), clock=clock)

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
