"""Rows that come again with another label, and what a refresh makes of them."""

import pandas as pd

from releve.adapters.files import write_parquet
from releve.adapters.models.memory_files import MemoryFolder
from releve.domain.ensemble.wrong_labels import LeftOut
from releve.domain.evaluation.rolling_origin import Fold
from tasks.pipeline.stage import Stage
from tasks.pipeline.train import train
from tests.tables import shop_rows
from tests.tasks.pipeline.test_train import (
    digests,
    make_stage,
    receive,
    receive_wrong_labels,
    remember,
    trained,
    turned,
)


def correct(stage: Stage, rows: pd.DataFrame, *, number: int) -> None:
    """Rows come again, in a batch of their own."""
    write_parquet(stage.files.batches / f"{number:04d}.parquet", rows)


def numbered(rows: pd.DataFrame, *, start: int = 0) -> pd.DataFrame:
    """Rows as harvested answers, each with its id."""
    return rows.assign(_answer_id=[f"answer {number}" for number in range(start, start + len(rows))])


def test_corrected_labels_correct_the_windows_on_record_and_are_learned(tmp_path, capsys):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive(stage, numbered(shop_rows(400)))
    train(stage)
    remember(stage)
    newest = numbered(shop_rows(100, seed=8), start=400)
    receive(stage, turned(newest), start=5)
    wrong, _ = trained(stage)
    remember(stage)
    correct(stage, newest, number=6)

    memory, folder = trained(stage)

    assert (memory.rows, memory.refresh, memory.windows[-1].rows) == (500, wrong.refresh, Fold(400, 500))
    window = folder.windows(memory)[-1]
    assert window.truth.tolist() == [["no", "yes"].index(label) for label in newest["bought"]]
    assert "100 older versions of rows do not count" in capsys.readouterr().out
    right = make_stage(tmp_path / "right", train={"recipe": "linear"})
    receive(right, pd.concat([numbered(shop_rows(400)), newest]))
    same, _ = trained(right)
    members = [digests(MemoryFolder(each.files.memory).path / "members")["linear.skops"] for each in (stage, right)]
    assert members[0] == members[1]
    assert same.rows == memory.rows

    before = digests(stage.files.memory)
    remember(stage)
    train(stage)
    assert digests(stage.files.memory) == before


def test_a_label_that_differs_and_that_nobody_corrected_starts_over(tmp_path, capsys):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive(stage, numbered(shop_rows(400)))
    train(stage)
    remember(stage)
    changed = numbered(shop_rows(400))[300:]
    write_parquet(stage.files.batches / "0004.parquet", turned(changed))
    correct(stage, changed[:99], number=5)

    train(stage)

    assert "are not those that the memory is of: a fresh start" in capsys.readouterr().out


def test_rows_that_were_left_out_as_wrong_are_learned_again_once_they_are_corrected(tmp_path, capsys):
    stage = make_stage(tmp_path, train={"recipe": "linear"})
    receive_wrong_labels(stage)
    path = stage.files.batches / "0009.parquet"
    write_parquet(path, numbered(pd.read_parquet(path)))
    train(stage)
    remember(stage)
    correct(stage, numbered(shop_rows(100, seed=9)), number=11)

    memory, folder = trained(stage)

    assert "labels of rows 800 to 900 were corrected: members learn these rows again" in capsys.readouterr().out
    assert {each.rows for each in folder.description.members if each.recipe and not each.last_batches} == {1000}
    assert folder.description.left_out == 0
    assert memory.left_out == (LeftOut(rows=Fold(900, 900), found=1000),)
    before = digests(stage.files.memory)
    remember(stage)
    train(stage)
    assert digests(stage.files.memory) == before
