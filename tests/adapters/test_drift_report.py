"""Evidently really runs here; its import costs seconds, once for all of these tests."""

import json

import pandas as pd
import pytest

from releve.adapters import drift_report as adapter
from releve.adapters.drift_report import ReportMismatch, ReportSubject, drift_report
from releve.domain.drift.verdict import Predictions, by_effect, compare
from tests.tables import make_params, rentals_rows, rentals_schema, shop_rows, shop_schema

pytestmark = pytest.mark.slow

RULE = make_params().monitor
SUBJECT = ReportSubject(
    "shop",
    "shop:8a09f25a39b0-7",
    at="2026-05-31T12:00:00+00:00",
    first_at="2026-05-30T08:00:00+00:00",
    last_at="2026-05-31T11:30:00+00:00",
)
ANSWERS = Predictions(["yes", "no"] * 150, ["yes"] * 250 + ["no"] * 50)


@pytest.fixture(scope="session", autouse=True)
def evidently():
    return pytest.importorskip("evidently")


def changed(**options):
    """Other prices, and hardly any apple left."""
    current = shop_rows(300, seed=8, price_shift=40.0)
    current = current.assign(kind=current["kind"].replace("apple", "cheese"))
    return compare(shop_rows(300), current, shop_schema(), RULE, **options)


def reported(look, *, page=False, rule=RULE, **options):
    report = drift_report(look, rule, SUBJECT, sentences=("2 of 3 columns drifted",), page=page, **options)
    return report, json.loads(report.json)["metrics"]


def test_evidently_counts_what_the_verdict_counts_and_shows_the_answers_beside_it():
    look = changed(predictions=ANSWERS)

    report, metrics = reported(look)

    counted = next(metric for metric in metrics if "Count" in metric["config"]["type"])
    assert counted["value"]["count"] == 2
    assert {metric["config"].get("column") for metric in metrics} >= {"prediction", "price", "kind"}
    assert report.html is None


def test_the_report_says_which_scenario_window_and_time_it_is_about():
    report, _ = reported(changed(), page=True)

    about = json.loads(report.json)["metadata"]
    assert report.html.lstrip().lower().startswith("<!doctype html>")
    assert "<title>Drift of shop, 2026-05-31 12:00 UTC</title>" in report.html
    assert "Window: 2026-05-30 08:00 UTC to 2026-05-31 11:30 UTC, 300 rows" in report.html
    assert SUBJECT.model in report.html
    assert about | vars(SUBJECT) == about
    assert (about["verdict"], about["columns"], about["drifted_columns"]) == ("drift", 3, ["price", "kind"])


def test_the_page_shows_the_verdicts_own_figures_and_none_that_evidently_rounded():
    look = changed()

    report, _ = reported(look, page=True)

    assert "2 of 3 columns drifted" in report.html
    assert "price: drifted" in report.html
    assert all(f"effect {column.change.effect:.3g} (drift from" in report.html for column in look.verdict.columns)
    assert not any(words in report.html for words in ("Drift score: ", "Data drift detected", "Drifted Columns"))


def test_evidently_counting_otherwise_is_refused():
    found = {"metrics": [{"config": {"type": adapter.COUNT_METRIC}, "value": {"count": 1.0}}]}

    with pytest.raises(ReportMismatch, match="Evidently counts 1 drifted columns, our tests 0; nothing was decided"):
        adapter._check_count(found, ())


@pytest.mark.parametrize(("drawn", "widgets"), [(1, 1), (2, 2), (3, 3), (12, 3)])
def test_only_the_most_changed_columns_are_drawn_and_all_are_tested(drawn, widgets):
    look = changed()

    _, metrics = reported(look, drawn_columns=drawn)

    drawn_columns = [metric["config"]["column"] for metric in metrics if "column" in metric["config"]]
    assert drawn_columns == [column.name for column in by_effect(look.verdict.columns)][:widgets]


def test_evidently_agrees_on_texts_missing_cells_and_rows_that_depend_on_each_other():
    rows = rentals_rows(1500).sort_values("temperature", ignore_index=True)
    current = rentals_rows(300, seed=8).assign(note=lambda frame: frame["note"].replace("sunny", "a fog as thick"))
    look = compare(rows, current, rentals_schema(), RULE)

    _, metrics = reported(look)

    told = {metric["config"].get("column"): metric["value"] for metric in metrics}
    assert any(column.inflation > 1 for column in look.verdict.columns)
    assert {column.name: pytest.approx(column.change.p_value) for column in look.verdict.columns} == {
        name: value for name, value in told.items() if name
    }


def test_a_constant_column_is_no_trouble():
    constant = shop_rows(300).assign(price=5.0, kind="apple")

    _, metrics = reported(compare(constant, constant, shop_schema(), RULE))

    assert metrics[0]["value"]["count"] == 0


def test_runs_are_kept_for_evidentlys_own_pages_the_newest_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(adapter, "KEPT_RUNS", 2)

    for _ in range(3):
        reported(changed(), workspace=tmp_path)

    projects = [folder for folder in tmp_path.iterdir() if (folder / "metadata.json").is_file()]
    assert len(projects) == 1
    assert len(list((projects[0] / "snapshots").glob("*.json"))) == 2


def test_a_wide_and_long_table_is_sampled_before_it_is_copied():
    rows = pd.concat([shop_rows(30_000, seed=seed) for seed in (1, 2)], ignore_index=True)

    look = compare(rows, rows, shop_schema(), RULE)

    assert {len(pair.before) for pair in look.pairs} == {20_000}
    assert (look.verdict.rows, look.verdict.reference_rows) == (60_000, 60_000)
