import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import cron
from benchmarks.cron_results import Beside, Way, by_holm, cost_lines, read, write
from benchmarks.cron_rivals import BLIND, Detector, detectors, drive, play_blind, play_detector
from benchmarks.tables import REAL, RealTable, made, shuffle, spoil, tables, window_edges
from releve.core.errors import BadInput
from releve.domain.backtest.jobs import FitMember
from releve.domain.backtest.variants import CRON
from releve.domain.evaluation.intervals import Interval
from tests.streams import Here, abrupt, stream, stream_course


def result(gain, errors, *, table="made", way=Way.CLEAN, rival=CRON.name, theirs=0.5, loop=0.4):
    """`errors`: how many standard errors the gain is."""
    half = 1.96 * abs(gain) / errors
    return Beside(
        table=table,
        way=way,
        corrupted=5 if way == Way.CORRUPTED else None,
        rival=rival,
        metric="log_loss",
        sign=-1,
        theirs=theirs,
        loop=loop,
        gain=Interval(gain, gain - half, gain + half),
        own=(0.8, 0.9),
        seconds=(1.0, 5.0),
        fits=20,
        refreshes=2,
        refused=0,
        rolled_back=0,
    )


def test_a_gain_is_shown_only_where_it_is_among_all_comparisons_with_the_same_rival():
    found = [result(0.1, 3.3), result(-0.1, 2.3), result(0.1, 2.2), result(-0.1, 1.3)]

    assert by_holm(found) == ["better", "level", "level", "level"]
    assert by_holm(found[1:2]) == ["worse"]
    assert by_holm([*found, result(-0.1, 2.3, rival=BLIND)])[-1] == "worse"


def test_figures_of_several_runs_are_judged_together(tmp_path):
    write(tmp_path / "one.json", [result(0.1, 2.1, table="one")])
    write(tmp_path / "two.json", [result(0.1, 2.1, table="two"), result(0.1, 2.1, table="two", rival=BLIND)])

    found = read([tmp_path / "one.json", tmp_path / "two.json"])

    assert [(each.table, each.rival) for each in found] == [("one", CRON.name), ("two", CRON.name), ("two", BLIND)]
    assert by_holm(found) == ["level", "level", "better"]


def test_figures_that_two_files_hold_are_refused_and_so_is_another_file(tmp_path):
    for name in ("one.json", "two.json"):
        write(tmp_path / name, [result(0.1, 3)])
    (tmp_path / "other.json").write_text("[]")

    with pytest.raises(BadInput, match=r"one.json and .*two.json both hold made beside the cron job"):
        read([tmp_path / "one.json", tmp_path / "two.json"])
    with pytest.raises(BadInput, match=r"other.json.*play it again"):
        read([tmp_path / "other.json"])


def test_the_cost_of_a_corrupted_window_is_what_is_lost_more_than_without_it():
    spoiled = result(0.1, 1, way=Way.CORRUPTED, theirs=0.7, loop=0.5)
    (row,) = cost_lines([result(0.1, 1), spoiled, result(0.1, 1, rival=BLIND)])

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


def test_a_file_is_read_as_a_table_by_its_target_and_time(tmp_path):
    path = tmp_path / "rides.csv"
    days = pd.date_range("2026-01-01", periods=200).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"day": days[::-1], "length": np.arange(200) % 17 + 0.5, "secret": "x", "fare": range(200)})
    frame.to_csv(path, index=False)

    (table,) = tables([f"rides={path}:fare:day"], leave_out=["secret"])

    assert table.name == "rides"
    assert table.schema.target.name == "fare"
    assert table.rows["day"].is_monotonic_increasing
    assert "secret" not in table.rows


class Tenth:
    """Fires at the tenth error in twenty rows, and warns at the fifth."""

    def __init__(self):
        self.errors, self.drift_detected, self.warning_detected, self.width = [], False, False, 0

    def update(self, error):
        self.errors.append(error)
        self.width = 20
        self.warning_detected, self.drift_detected = (sum(self.errors[-20:]) >= many for many in (5, 10))


def fits_of(rival):
    plan = stream_course(stream(angle=abrupt, noise=0.0))  # the rule turns at row 400, where the third window begins
    here = Here(plan.context)
    played = drive(play_detector(plan, rival), here, {})
    assert played.answers.shape == (600, 2)
    return [(each.first, each.end) for each in here.jobs if isinstance(each, FitMember)]


def test_where_a_detector_fires_boosting_is_fitted_anew_on_the_rows_that_it_names():
    assert fits_of(Detector("all", Tenth)) == [(0, 200), (0, 500), (0, 600), (0, 700)]
    ((first, end),) = fits_of(Detector("window", Tenth, "window"))[1:]
    assert 380 < first < 410  # 20 rows before it fired
    assert end == 500
    ((first, end),) = fits_of(Detector("warning", Tenth, "warning"))[1:]
    assert 400 < first <= 410


def test_a_cron_job_with_a_detector_learns_from_all_rows_since_the_change():
    fits = fits_of(Detector("cron", Tenth, "warning", is_cron=True))

    assert [end for _, end in fits] == [200, 300, 400, 500, 600, 700]
    assert [first for first, _ in fits[:3]] == [0, 0, 0]
    assert len({first for first, _ in fits[3:]}) == 1
    assert fits[-1][0] > 400


def test_a_rival_that_is_not_installed_is_asked_for_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "river.drift", None)

    with pytest.raises(BadInput, match="uv pip install --no-deps --target var/river river"):
        detectors()


def test_the_blind_ensemble_fits_all_past_rows_before_each_window():
    plan = stream_course(stream(angle=abrupt), train={"recipe": ["linear", "hist_gradient_boosting"]})
    here = Here(plan.context)

    played = drive(play_blind(plan), here, {})

    assert played.answers.shape == (600, 2)
    later = [each for each in here.jobs if isinstance(each, FitMember) and each.end > plan.start]
    assert {each.first for each in later} == {0}
    assert {each.end for each in later} == {300, 400, 500, 600, 700}


def test_the_loop_and_its_rivals_stand_side_by_side_for_a_tiny_table(tmp_path, monkeypatch, capsys):
    random = np.random.default_rng(7)
    x, noise = random.normal(size=(2, 700))
    rows = pd.DataFrame({"x": x, "count": (20 + 3 * x + 2 * noise).round(2)})
    rows.to_csv(tmp_path / "tiny.csv", index=False)
    monkeypatch.setitem(REAL, "tiny", RealTable("tiny.csv", "count"))
    figures = str(tmp_path / "figures.json")
    tables_of = ["tiny", "--tables", str(tmp_path), "--windows", "4", "--resamples", "100"]
    ways = ["--as", "clean", "corrupted", "shuffled", "--corrupt", "2", "--json", figures]
    settings = [f"--set={each}" for each in ("train.recipe=linear", "search.on=[]", "compute.workers=1")]
    monkeypatch.setattr(sys, "argv", ["cron", *tables_of, *ways, *settings])

    worse = cron.main()

    printed = capsys.readouterr().out
    assert worse == printed.count(" worse |")
    assert "| tiny, corrupted in window 2 | cron job | mae |" in printed
    assert f"| tiny, shuffled | {BLIND} | mae |" in printed
    assert "lost by it" in printed

    monkeypatch.setattr(sys, "argv", ["cron", "--from", figures])
    assert cron.main() == worse
    again = capsys.readouterr().out
    assert printed.endswith(again)
