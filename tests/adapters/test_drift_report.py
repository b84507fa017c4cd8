"""Evidently really runs here; its import costs seconds, once for all of these tests."""

import json

import numpy as np
import pandas as pd
import pytest

from releve.adapters import drift_report as adapter
from releve.adapters.drift_report import ReportMismatch, drift_report
from releve.rules import drift
from tests.tables import make_params, rentals_rows, rentals_schema, shop_rows, shop_schema

pytestmark = pytest.mark.slow

RULE = make_params().monitor


@pytest.fixture(scope="session", autouse=True)
def evidently():
    return pytest.importorskip("evidently")


def compared(rows=300, **changes):
    return drift.as_compared(shop_rows(rows, **changes), shop_schema())


def shifted(**changes):
    """Other prices, and hardly any apple left."""
    frame = compared(seed=8, price_shift=40.0)
    return frame.assign(kind=frame["kind"].replace("apple", "cheese"), **changes)


def drifted_names(report):
    return {column.name for column in report.columns if column.drifted}


def test_changed_columns_are_found_and_the_page_and_evidentlys_json_come_along():
    report = drift_report(compared(), shifted(), shop_schema(), RULE)

    assert drifted_names(report) == {"price", "kind"}
    assert [column.name for column in report.columns] == shop_schema().names
    assert report.html.lstrip().lower().startswith(("<!doctype", "<html", "<head", "\n<"))
    assert "price" in report.html
    assert json.loads(report.json)["metrics"]


def test_evidently_counts_the_columns_that_the_rules_count():
    report = drift_report(compared(), shifted(), shop_schema(), RULE)

    counted = next(metric for metric in json.loads(report.json)["metrics"] if "Count" in metric["config"]["type"])
    assert counted["value"]["count"] == 2


def test_evidently_counting_otherwise_is_refused():
    found = {"metrics": [{"config": {"type": adapter.COUNT_METRIC}, "value": {"count": 1.0}}]}

    with pytest.raises(ReportMismatch, match="Evidently counts 1 drifted columns, the rules 0; nothing was decided"):
        adapter._check_count(found, ())


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_rows_of_the_same_table_have_not_drifted(seed):
    report = drift_report(compared(seed=seed), compared(seed=seed + 100), shop_schema(), RULE)

    assert drifted_names(report) == set()


def test_the_threshold_is_shared_out_over_the_columns():
    report = drift_report(compared(), compared(seed=8), shop_schema(), RULE)

    assert [column.threshold for column in report.columns] == pytest.approx([RULE.alpha / 3] * 3)


@pytest.mark.parametrize(("drawn", "widgets"), [(1, 1), (2, 2), (3, 3), (12, 3)])
def test_only_the_most_changed_columns_are_drawn_and_all_are_tested(drawn, widgets):
    rule = make_params(monitor={"drawn_columns": drawn}).monitor

    report = drift_report(compared(), shifted(), shop_schema(), rule)

    drawn_columns = [
        metric["config"]["column"] for metric in json.loads(report.json)["metrics"] if "column" in metric["config"]
    ]
    by_effect = [column.name for column in drift.by_effect(report.columns)]
    assert drawn_columns == by_effect[:widgets]
    assert len(report.columns) == 3


def test_missing_cells_are_left_out_of_the_comparison():
    sparse = compared().assign(weight=lambda frame: frame["weight"].where(np.arange(300) % 2 == 0))

    report = drift_report(compared(), sparse, shop_schema(), RULE)

    assert drifted_names(report) == set()


def test_a_constant_column_is_no_trouble():
    constant = compared().assign(price=5.0, kind="apple")

    report = drift_report(constant, constant, shop_schema(), RULE)

    assert drifted_names(report) == set()


def test_the_frames_of_the_caller_are_left_alone():
    reference, current = compared(), shifted()
    before = (reference.copy(), current.copy())

    drift_report(reference, current, shop_schema(), RULE)

    pd.testing.assert_frame_equal(reference, before[0])
    pd.testing.assert_frame_equal(current, before[1])


def test_longer_texts_are_drift_and_newer_dates_are_not():
    reference = drift.as_compared(rentals_rows(300), rentals_schema())
    newer = rentals_rows(300, seed=8).assign(day=lambda frame: frame["day"] + pd.Timedelta(days=400))
    longer = newer.assign(
        note=newer["note"].map(lambda note: note + " all day long" if isinstance(note, str) else note)
    )
    current = drift.as_compared(longer, rentals_schema())

    report = drift_report(reference, current, drift.comparable(reference, current, rentals_schema()), RULE)

    assert [column.name for column in report.columns] == ["temperature", "season", "note"]
    assert drifted_names(report) == {"note"}
