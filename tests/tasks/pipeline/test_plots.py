import numpy as np
import pandas as pd
import pytest

from tests.tasks.pipeline.test_evaluate import FIRST, ROWS, a_case, evaluated, of_classes, of_values, table


def drawn(case, name):
    evaluated(case)
    return pd.read_csv(case[0].files.plots / f"{name}.csv", keep_default_na=False)


@pytest.mark.parametrize("made", [of_values, of_classes])
def test_quality_over_time_has_a_score_for_each_window_that_the_gate_judges(made, tmp_path):
    case = made(tmp_path)

    found = drawn(case, "quality")

    assert found["window"].tolist() == [1, 2]
    whole = evaluated(case)["challenger"]["score"]["value"]  # windows of equal size, and a mean over rows
    assert found["score"].mean() == pytest.approx(whole, rel=1e-5)


def test_classes_have_a_confusion_and_the_reliability_of_their_probabilities(tmp_path):
    case = of_classes(tmp_path)

    confusion, reliability = drawn(case, "confusion"), drawn(case, "reliability")

    right = (confusion["actual"] == confusion["predicted"]).mean()
    assert right == pytest.approx(evaluated(case)["challenger"]["metrics"]["accuracy"])
    assert confusion["actual"].tolist() == table()["bought"].iloc[FIRST:].tolist()
    assert len(reliability) == len(evaluated(case)["challenger"]["calibration"]["bins"])
    assert drawn(case, "residuals").empty


def test_values_have_residuals_and_neither_confusion_nor_reliability(tmp_path):
    case = of_values(tmp_path)

    found = drawn(case, "residuals")

    spent = table()["spent"].iloc[FIRST:].to_numpy()
    assert found["residual"].to_numpy() == pytest.approx(spent - found["predicted"].to_numpy(), abs=1e-4)
    assert drawn(case, "confusion").empty and drawn(case, "reliability").empty


def test_labels_with_commas_quotes_are_read_back(tmp_path):
    classes = ['a, "b"', "no\nbread"]
    rows = table().assign(bought=lambda frame: frame["bought"].map({"no": classes[0], "yes": classes[1]}))
    answers = np.tile([1.0, 0.0], (ROWS - FIRST, 1))

    found = drawn(a_case(tmp_path, {"name": "bought", "classes": classes}, answers, rows=rows), "confusion")

    assert set(found["actual"]) == {*classes}
    assert set(found["predicted"]) == {classes[0]}


def test_only_the_newest_thousand_rows_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("tasks.pipeline.plots.MOST_ROWS", 30)

    assert drawn(of_classes(tmp_path), "confusion")["actual"].tolist() == table()["bought"].iloc[-30:].tolist()
