import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import cron
from benchmarks.cron import CLEAN, CORRUPTED, Beside, by_holm, cost_lines
from benchmarks.cron_tables import REAL, RealTable, made, shuffle, spoil, tables, window_edges
from releve.core.errors import BadInput
from releve.domain.evaluation.intervals import Interval


def result(gain, p, *, way=CLEAN, cron_score=0.5, loop_score=0.4):
    return Beside(
        table="made",
        way=way,
        corrupted=None if way == CLEAN else 5,
        metric="log_loss",
        sign=-1,
        cron=cron_score,
        loop=loop_score,
        gain=Interval(gain, gain - 0.1, gain + 0.1),
        p=p,
        own=(0.8, 0.9),
        seconds=(1.0, 5.0),
        refreshes=2,
        refused=0,
        rolled_back=0,
    )


def test_a_gain_is_shown_only_where_it_is_among_all_comparisons():
    found = [result(0.1, 0.001), result(-0.1, 0.02), result(0.1, 0.03), result(-0.1, 0.2)]

    assert by_holm(found) == ["better", "level", "level", "level"]
    assert by_holm(found[1:2]) == ["worse"]


def test_the_cost_of_a_corrupted_window_is_what_is_lost_more_than_without_it():
    (row,) = cost_lines([result(0.1, 0.5), result(0.1, 0.5, way=CORRUPTED, cron_score=0.7, loop_score=0.5)])

    assert "| 0.2 | 0.1 | 0.50 | 0.7, 0.5 |" in row


@pytest.mark.parametrize("name", ["still", "digits"])
def test_every_label_of_a_corrupted_window_is_another_class_and_the_truth_stays(name):
    (table,) = tables([name], folder=None)
    spoiled = spoil(table, 100, 200)

    changed = (spoiled.learned != table.learned).to_numpy()
    assert changed[100:200].all()
    assert not changed[:100].any()
    assert not changed[200:].any()
    assert spoiled.rows is table.rows


def test_a_shuffled_table_has_the_same_rows_in_another_order():
    (table,) = tables(["abrupt"], folder=None)
    mixed = shuffle(table, 0)

    assert not mixed.rows.equals(table.rows)
    pd.testing.assert_frame_equal(*(each.sort_values("length", ignore_index=True) for each in (mixed.rows, table.rows)))


def test_windows_share_the_rows_after_the_first():
    edges = window_edges(1000, 5)

    assert edges == [150, 320, 490, 660, 830, 1000]


def test_labels_of_a_burst_are_drawn_by_lot():
    frame = made("bursts")
    inside = frame.iloc[1200:1360]

    assert np.mean((inside["length"] > 0) == (inside["kind"] == "yes")) == pytest.approx(0.5, abs=0.12)


def test_an_unknown_table_is_refused_with_the_known_ones():
    with pytest.raises(BadInput, match="known are digits, keystroke"):
        next(tables(["nowhere"], folder=None))


def test_the_loop_and_the_cron_job_stand_side_by_side_for_a_tiny_table(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(7)
    x, noise = random.normal(size=(2, 700))
    rows = pd.DataFrame({"x": x, "count": (20 + 3 * x + 2 * noise).round(2)})
    rows.to_csv(tmp_path / "tiny.csv", index=False)
    monkeypatch.setitem(REAL, "tiny", RealTable("tiny.csv", "count"))
    arguments = [
        "tiny",
        "--tables",
        str(tmp_path),
        "--windows",
        "4",
        "--resamples",
        "100",
        "--as",
        "clean",
        "corrupted",
    ]
    settings = [f"--set={each}" for each in ("train.recipe=linear", "search.on=[]", "compute.workers=1")]
    monkeypatch.setattr(
        sys, "argv", ["cron", *arguments, *settings, "--corrupt", "2", "--json", str(tmp_path / "figures.json")]
    )

    assert cron.main() == 0

    printed = capsys.readouterr().out
    assert "| tiny, corrupted in window 2 | mae |" in printed
    assert "lost by it" in printed
    assert (tmp_path / "figures.json").stat().st_size > 100
