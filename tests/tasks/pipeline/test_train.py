import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from releve.adapters.files import MEMORY, NO_MEMORY, PipelineInputs, file_digest, write_inputs, write_parquet
from releve.adapters.models.memory_files import MemoryFolder
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.ensemble.weights import Serves
from releve.domain.ensemble.wrong_labels import LeftOut
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.schema import Schema
from releve.domain.training.learning import answer
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.stage import Stage
from tasks.pipeline.train import train
from tasks.places import ScenarioFiles
from tests.tables import SHOP, make_params, shop_rows, shop_schema
from tests.values import priced_rows, priced_schema

BATCH_ROWS = 100
QUICK = {"recipe": ["linear", "k_neighbors"]}


def make_stage(root: Path, *, schema: Schema | None = None, search_cause: str = "", **sections) -> Stage:
    files = ScenarioFiles(root, SHOP)
    write_inputs(files.inputs, PipelineInputs("batches", "", NO_MEMORY, search_cause))
    settings = Settings(project=root, home=root / "var", registry_url="", milvus_uri="")
    usual = {"train": QUICK, "compute": {"workers": 1}, "search": {"trials": 4}}
    return Stage(settings, make_params(**(usual | sections)), schema or shop_schema(), files)


def receive(stage: Stage, rows: pd.DataFrame, *, start: int = 1) -> None:
    """Rows arrive in batches of BATCH_ROWS, whose numbers begin at `start`."""
    for number, first in enumerate(range(0, len(rows), BATCH_ROWS), start=start):
        write_parquet(stage.files.batches / f"{number:04d}.parquet", rows[first : first + BATCH_ROWS])


def remember(stage: Stage, *, search_cause: str = "", champion: str = "") -> None:
    """The refresh becomes the memory of the next one."""
    memory = stage.files.folder / MEMORY
    shutil.rmtree(memory, ignore_errors=True)
    shutil.copytree(stage.files.memory, memory)
    write_inputs(stage.files.inputs, PipelineInputs("batches", champion, MEMORY, search_cause))


def trained(stage: Stage):
    train(stage)
    folder = MemoryFolder(stage.files.memory)
    return folder.memory, folder


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): file_digest(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A first model of four batches, and a refresh with a fifth; the memory is of the first model."""
    stage = make_stage(tmp_path_factory.mktemp("refreshed"))
    receive(stage, shop_rows(400))
    train(stage)
    remember(stage)
    receive(stage, shop_rows(100, seed=8), start=5)
    train(stage)
    return stage


def test_a_first_model_is_weighed_by_what_it_answered_to_blocks_that_it_had_not_learned(tmp_path):
    stage = make_stage(tmp_path)
    receive(stage, shop_rows(400))

    memory, folder = trained(stage)

    assert [each.rows for each in memory.windows] == [Fold(200, 266), Fold(266, 333), Fold(333, 400)]
    assert (memory.refresh, memory.rows) == (1, 400)
    described = {each.name: each for each in folder.description.members}
    assert described.keys() == {
        *("linear", "linear_last_10", "linear_last_5", "linear_last_2", "k_neighbors", "constant")
    }
    assert described["linear_last_2"].rows == 200
    assert all(each.loss is not None for each in described.values())
    assert sum(each.weight for each in described.values()) == pytest.approx(1)


def test_a_refresh_lets_the_members_before_it_answer_the_new_rows_and_fits_each_once(refreshed, capsys):
    memory, folder = trained(refreshed)

    fitted = [line for line in capsys.readouterr().out.splitlines() if " rows before row " in line]
    assert fitted and all("before row 500" in line for line in fitted)
    assert fitted[0].startswith(f"fit 1 of {len(memory.pool.members)}, ")
    assert (memory.refresh, memory.rows) == (2, 500)
    assert memory.windows[-1].rows == Fold(400, 500)
    before = MemoryFolder(refreshed.files.folder / MEMORY)
    ensemble = before.ensemble(before.memory, refreshed.schema.target.classes)

    newest = folder.windows(memory)[-1]
    expected = answer(ensemble, stage_rows(refreshed).rows.iloc[400:], refreshed.schema).to_numpy(float)
    assert newest.refreshed == pytest.approx(expected, abs=1e-6)
    assert newest.served == pytest.approx(newest.refreshed)
    assert [each.name for each in memory.kept] == ["first"]
    assert "first" in newest.answers


def test_the_same_rows_make_the_same_bytes(refreshed):
    before = digests(refreshed.files.memory)

    train(refreshed)

    assert digests(refreshed.files.memory) == before


def test_a_memory_of_the_same_rows_makes_the_same_again_without_its_fitted_members(refreshed, tmp_path):
    again = replace(refreshed, files=ScenarioFiles(tmp_path, SHOP))
    shutil.copytree(refreshed.files.folder, again.files.folder)
    remember(again)
    shutil.rmtree(again.files.folder / MEMORY / "members")

    train(again)

    assert digests(again.files.memory) == digests(refreshed.files.memory)


def test_windows_older_than_six_leave_and_an_old_window_keeps_its_bytes(tmp_path):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive(stage, shop_rows(200))
    train(stage)
    for number in range(3, 10):
        remember(stage)
        receive(stage, shop_rows(100, seed=number), start=number)
        train(stage)

    memory = MemoryFolder(stage.files.memory).memory
    assert [each.rows.start for each in memory.windows] == [300, 400, 500, 600, 700, 800]
    assert [each.name for each in memory.kept] == ["first", "kept_6"]
    names = [f"forward/{each.name}.parquet" for each in memory.windows[:-1]]
    old, new = digests(stage.files.folder / MEMORY), digests(stage.files.memory)
    assert [old[name] for name in names] == [new[name] for name in names]
    assert {"kept/first.linear.skops"} <= old.keys() & new.keys()


def test_an_older_ensemble_serves_as_its_members(tmp_path):
    """The table returns to what it was at first, so that the first ensemble has weight again."""
    stage = make_stage(tmp_path, train={"recipe": "linear", "last_batches": 1})
    old = [shop_rows(100, seed=seed) for seed in range(8)]
    turned = [rows.assign(bought=rows["bought"].map({"yes": "no", "no": "yes"})) for rows in old]
    receive(stage, pd.concat(old[:2], ignore_index=True))
    train(stage)
    for number, rows in enumerate([turned[2], old[3], turned[4], old[5], turned[6], old[7]], start=3):
        remember(stage)
        receive(stage, rows, start=number)
        train(stage)

    folder = MemoryFolder(stage.files.memory)
    memory = folder.memory
    assert "first" in memory.weights
    if memory.serves == Serves.ENSEMBLE:
        assert any(name.startswith("first.") for name in folder.ensemble(memory, stage.schema.target.classes).names)


def test_where_the_newest_labels_are_in_doubt_the_ensemble_before_them_keeps_a_part_for_one_window(tmp_path):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive(stage, shop_rows(800))
    train(stage)
    remember(stage)
    turned = shop_rows(100, seed=9)
    receive(stage, turned.assign(bought=turned["bought"].map({"yes": "no", "no": "yes"})), start=9)

    doubted, folder = trained(stage)

    assert doubted.weights["before_1"] == pytest.approx(0.5, abs=1e-3)
    served = folder.ensemble(doubted, stage.schema.target.classes)
    assert any(name.startswith("before_1.") for name in served.names)
    assert sum(served.weights) == pytest.approx(1, abs=1e-3)

    before = digests(stage.files.memory)
    remember(stage)
    shutil.rmtree(stage.files.folder / MEMORY / "members")
    train(stage)
    assert digests(stage.files.memory) == before

    remember(stage)
    receive(stage, shop_rows(100, seed=10), start=10)
    after, folder = trained(stage)
    newest = folder.windows(after)[-1]
    expected = answer(served, stage_rows(stage).rows.iloc[900:], stage.schema).to_numpy(float)
    assert newest.refreshed == pytest.approx(expected, abs=1e-6)
    assert "before_1" not in after.weights
    assert [each.name for each in after.kept] == ["first"]


def receive_wrong_labels(stage: Stage) -> None:
    """The labels of batch 9 are turned round, and those of batch 10, which waits for its refresh, are right again."""
    receive(stage, shop_rows(800))
    train(stage)
    remember(stage)
    receive(stage, turned(shop_rows(100, seed=9)), start=9)
    train(stage)
    remember(stage)
    receive(stage, shop_rows(100, seed=10), start=10)


def test_rows_whose_labels_are_shown_to_be_wrong_are_learned_no_more_and_counted(tmp_path, capsys):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive_wrong_labels(stage)

    found, folder = trained(stage)

    assert found.left_out == (LeftOut(rows=Fold(800, 900), found=1000),)
    assert {each.rows for each in folder.description.members if each.recipe and not each.last_batches} == {900}
    assert folder.description.left_out == 100
    assert "labels of rows 800 to 900 are wrong: no member learns these rows" in capsys.readouterr().out

    before = digests(stage.files.memory)
    remember(stage)
    train(stage)
    assert digests(stage.files.memory) == before

    receive(stage, shop_rows(100, seed=11), start=11)
    later, folder = trained(stage)
    assert later.left_out == found.left_out
    assert {each.rows for each in folder.description.members if each.recipe and not each.last_batches} == {1000}


def test_a_pool_of_one_is_weighed_and_judged_as_any(tmp_path):
    stage = make_stage(tmp_path, train={**QUICK, "ensemble": False})
    receive(stage, shop_rows(400))

    memory, _ = trained(stage)

    assert (memory.pool.names, memory.weights, memory.serves) == (("linear",), {"linear": 1.0}, Serves.ENSEMBLE)


def test_a_pool_of_one_stays_one_whatever_a_refresh_or_a_search_would_add(tmp_path):
    stage = make_stage(tmp_path, train={"recipe": "linear", "ensemble": False})
    receive(stage, shop_rows(800))
    train(stage)
    for number, cause in ((9, "drift on 1a2b"), (10, "")):
        remember(stage, search_cause=cause)
        receive(stage, turned(shop_rows(100, seed=number)), start=number)
        memory, folder = trained(stage)

        assert (memory.pool.names, memory.kept, memory.weights) == (("linear",), (), {"linear": 1.0})
        assert folder.windows(memory)[-1].answers.keys() == {"linear"}


def test_a_pool_that_params_make_one_is_one_though_older_ensembles_served(refreshed, tmp_path):
    stage = replace(refreshed, files=ScenarioFiles(tmp_path, SHOP))
    shutil.copytree(refreshed.files.folder, stage.files.folder)
    remember(stage)
    single = replace(stage, params=make_params(train={"recipe": "linear", "ensemble": False}))
    receive(single, shop_rows(100, seed=12), start=6)

    memory, folder = trained(single)

    assert (memory.pool.names, memory.kept) == (("linear",), ())
    assert all(window.answers.keys() == {"linear"} for window in folder.windows(memory))


def test_a_pool_of_which_no_member_can_be_fitted_is_refused_with_the_reason(tmp_path):
    stage = make_stage(tmp_path)
    receive(stage, shop_rows(200).assign(bought="no"))
    train(stage)
    remember(stage)
    single = replace(stage, params=make_params(train={"recipe": "linear", "ensemble": False}))

    with pytest.raises(BadInput, match="too few labels to learn from"):
        train(single)


def test_another_table_starts_over(refreshed, tmp_path, capsys):
    stage = replace(refreshed, schema=shop_schema(price={"max": 5000}), files=ScenarioFiles(tmp_path, SHOP))
    shutil.copytree(refreshed.files.folder, stage.files.folder)

    memory, _ = trained(stage)

    assert memory.refresh == 1
    assert "described in another way than before: a fresh start" in capsys.readouterr().out


@pytest.mark.parametrize(("changed", "fresh"), [(False, False), (True, True)])
def test_other_rows_start_over_and_the_same_rows_in_batches_of_other_names_do_not(
    changed, fresh, refreshed, tmp_path, capsys
):
    stage = replace(refreshed, files=ScenarioFiles(tmp_path, SHOP))
    shutil.copytree(refreshed.files.folder, stage.files.folder)
    for path in stage.files.batches.glob("*.parquet"):
        rows = pd.read_parquet(path)
        path.unlink()
        write_parquet(stage.files.batches / f"{path.stem}-seed.parquet", rows[::-1] if changed else rows)

    memory, _ = trained(stage)

    assert ("are not those that the memory is of: a fresh start" in capsys.readouterr().out) == fresh
    assert memory.refresh == (1 if fresh else 2)


def test_a_member_that_params_add_answers_the_windows_by_rolling_origin(refreshed, tmp_path, capsys):
    files = ScenarioFiles(tmp_path, SHOP)
    shutil.copytree(refreshed.files.folder, files.folder)
    wider = {"recipe": ["linear", "k_neighbors", "extra_trees"]}
    stage = replace(refreshed, files=files, params=make_params(train=wider))
    before = MemoryFolder(files.folder / MEMORY)

    memory, folder = trained(stage)

    assert "1 new members answer 4 windows" in capsys.readouterr().out
    windows = folder.windows(memory)
    assert all("extra_trees" in window.answers for window in windows)
    served = [window.served for window in before.windows(before.memory)]
    for window, other in zip(windows[:-1], served, strict=True):
        assert window.served == pytest.approx(other)


def test_rows_with_one_label_alone_are_answered_by_it(tmp_path):
    stage = make_stage(tmp_path)
    receive(stage, shop_rows(200).assign(bought="no"))

    memory, folder = trained(stage)

    assert memory.serves == Serves.NAIVE
    problem = next(each.problem for each in folder.description.members if each.name == "linear")
    assert "too few labels to learn from" in problem


def test_where_no_member_can_be_fitted_the_first_ones_reason_is_the_error(tmp_path):
    stage = make_stage(tmp_path, train={"recipe": "linear", "ensemble": False})
    receive(stage, shop_rows(200).assign(bought="no"))

    with pytest.raises(BadInput, match="too few"):
        train(stage)


def test_values_are_weighed_by_their_absolute_error_and_the_strongest_feature_is_named(tmp_path):
    stage = make_stage(tmp_path, schema=priced_schema())
    receive(stage, priced_rows(300))

    memory, folder = trained(stage)

    assert folder.description.loss == "absolute"
    assert folder.importances.features[0].feature == "price"
    assert folder.windows(memory)[-1].refreshed.shape == (75, 1)


def test_a_broken_column_has_no_say(tmp_path):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive(stage, shop_rows(200))
    write_inputs(stage.files.inputs, PipelineInputs("batches", "", NO_MEMORY, without=("price",)))

    memory, folder = trained(stage)

    pipeline = folder.members(memory)["linear"]
    price = stage.schema.names.index("price")
    assert np.abs(pipeline.steps[-1][1].coef_[0, price]) < 1e-9


@pytest.mark.slow
def test_a_search_is_run_once_and_says_what_it_bought(tmp_path):
    stage = make_stage(tmp_path, search_cause="drift on 1a2b", train={"recipe": ["linear", "k_neighbors"]})
    receive(stage, shop_rows(400))

    memory, folder = trained(stage)

    search = folder.description.search
    assert search.causes == ("drift",)
    assert len(search.trials) == 4
    assert search.outcome.joined == any(member.origin == "search" for member in memory.pool.members)
    assert memory.search == "drift on 1a2b"

    remember(stage, search_cause="drift on 1a2b")
    _, again = trained(stage)
    assert again.description.search == search  # the same rows: it is not run again

    receive(stage, shop_rows(100, seed=8), start=5)
    _, later = trained(stage)
    assert later.description.search is None


def weigh_anew(stage: Stage, *, of: str = "shop:before") -> None:
    """The refresh becomes the memory of a re-weighting."""
    remember(stage)
    write_inputs(stage.files.inputs, PipelineInputs("batches", "", MEMORY, reweighs=of))


@pytest.fixture(scope="module")
def reweighed(refreshed: Stage, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The members of the refresh, weighed anew with two more batches, one after the other."""
    folder = tmp_path_factory.mktemp("reweighed")
    stage = replace(refreshed, files=ScenarioFiles(folder, SHOP))
    shutil.copytree(refreshed.files.folder, stage.files.folder)
    for number, start in ((6, 0), (7, 30)):
        weigh_anew(stage)
        write_parquet(stage.files.batches / f"{number:04d}.parquet", turned(shop_rows(90, seed=9))[start : start + 60])
        train(stage)
    return stage


def turned(rows: pd.DataFrame) -> pd.DataFrame:
    """The world has changed: what was bought is not, and the other way round."""
    return rows.assign(bought=rows["bought"].map({"yes": "no", "no": "yes"}))


def test_a_re_weighting_changes_weights_alone(refreshed, reweighed):
    before, after = MemoryFolder(refreshed.files.memory), MemoryFolder(reweighed.files.memory)

    assert (after.memory.rows, after.memory.learned, after.memory.refresh) == (620, 500, 2)
    kept = {name: digest for name, digest in digests(before.path).items() if name.startswith(("members/", "kept/"))}
    assert kept.items() <= digests(after.path).items()
    assert after.memory.weights != before.memory.weights
    assert after.memory.weights.keys() <= {*before.memory.exported}
    assert after.memory.identity != before.memory.identity
    rows = {each.name: each.rows for each in before.description.members}
    assert {each.name: each.rows for each in after.description.members} == rows
    assert {each.name: each.weight for each in after.description.members if each.weight} == after.memory.weights


def test_rows_that_the_same_members_answered_are_one_window_with_what_served_each(refreshed, reweighed):
    memory = MemoryFolder(reweighed.files.memory).memory
    first = MemoryFolder(reweighed.files.folder / MEMORY)

    assert [each.rows for each in memory.windows][-2:] == [Fold(400, 500), Fold(500, 620)]
    newest = MemoryFolder(reweighed.files.memory).windows(memory)[-1]
    members = first.ensemble(first.memory, reweighed.schema.target.classes)
    expected = answer(members, stage_rows(reweighed).rows.iloc[560:], reweighed.schema).to_numpy(float)
    assert newest.refreshed[60:] == pytest.approx(expected, abs=1e-6)


def test_a_re_weighting_is_made_again_without_its_fitted_members(reweighed, tmp_path):
    again = replace(reweighed, files=ScenarioFiles(tmp_path, SHOP))
    shutil.copytree(reweighed.files.folder, again.files.folder)
    weigh_anew(again)
    shutil.rmtree(again.files.folder / MEMORY / "members")

    train(again)

    assert digests(again.files.memory) == digests(reweighed.files.memory)


def test_the_next_refresh_learns_the_rows_that_were_only_weighed_by(reweighed, tmp_path):
    stage = replace(reweighed, files=ScenarioFiles(tmp_path, SHOP))
    shutil.copytree(reweighed.files.folder, stage.files.folder)
    remember(stage)

    memory, folder = trained(stage)

    assert (memory.rows, memory.learned, memory.refresh) == (620, 620, 3)
    assert [each.rows for each in memory.windows][-1] == Fold(500, 620)
    assert {each.name: each.rows for each in folder.description.members}["linear"] == 620


def test_a_re_weighting_says_nothing_by_wrong_labels_and_the_refresh_after_it_learns_none(tmp_path):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive_wrong_labels(stage)
    found, refreshed = trained(stage)
    members = digests(refreshed.path / "members")
    weigh_anew(stage)
    write_parquet(stage.files.batches / "0011.parquet", shop_rows(60, seed=11))

    memory, folder = trained(stage)

    assert (memory.rows, memory.learned, memory.left_out) == (1060, 1000, found.left_out)
    untouched = [each.rows for each in memory.windows if each.rows.end <= 800 or each.rows.start >= 1000]
    assert (folder.description.left_out, folder.description.windows) == (100, len(untouched))
    assert folder.description.rows == sum(each.end - each.start for each in untouched)
    assert digests(folder.path / "members") == members

    made = digests(stage.files.memory)
    weigh_anew(stage)
    shutil.rmtree(stage.files.folder / MEMORY / "members")  # they are fitted again, without these rows
    train(stage)
    assert digests(stage.files.memory) == made

    remember(stage)
    memory, folder = trained(stage)
    assert (memory.learned, memory.left_out) == (1060, found.left_out)
    assert {each.rows for each in folder.description.members if each.recipe and not each.last_batches} == {960}


def test_without_a_memory_of_this_table_nothing_can_be_weighed_anew(tmp_path):
    stage = make_stage(tmp_path)
    receive(stage, shop_rows(400))
    write_inputs(stage.files.inputs, PipelineInputs("batches", "", NO_MEMORY, reweighs="shop:before"))

    with pytest.raises(BadInput, match="retrain without --reweigh"):
        train(stage)
