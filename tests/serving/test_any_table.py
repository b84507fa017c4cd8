"""A regression and a table of texts, answered by the running service over real HTTP."""

import pandas as pd
import pytest

from releve.adapters.models import model_runtime
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.reader import LedgerReader, find_answer
from releve.domain.drift.preprocessing import clean
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows, rows_of_frame
from releve.domain.schema.validation import check_frame
from tests.serving.conftest import Running
from tests.serving.tables import packed
from tests.serving.test_http import error_of
from tests.tables import (
    MESSAGES,
    RENTALS,
    RENTALS_TABLE,
    messages_rows,
    rentals_row,
    rentals_rows,
    rentals_schema,
)

pytestmark = pytest.mark.slow

COLUMNS = {name: spec for name, spec in RENTALS_TABLE["columns"].items() if name != "note"}
WITHOUT_TEXT = {**RENTALS_TABLE, "columns": COLUMNS}
HOT, COLD = {"temperature": 30.0}, {"temperature": -5.0}


def answered(running: Running, *rows: dict) -> list[dict]:
    response = running.post("/predict", rows=list(rows))
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


def test_a_regression_answers_a_number_per_row(rentals: Running):
    predictions = answered(rentals, rentals_row(**HOT), rentals_row(**COLD))

    assert [set(prediction) for prediction in predictions] == [{"id", "value", "interval"}] * 2
    hot, cold = (prediction["value"] for prediction in predictions)
    assert hot > cold + 30


def test_a_number_has_an_interval_that_is_wider_where_the_model_errs_more(rentals: Running):
    hot, cold = answered(rentals, rentals_row(**HOT), rentals_row(**COLD))

    assert cold["value"] < 50 < 60 < hot["value"]
    assert hot["interval"] == pytest.approx([hot["value"] - 70, hot["value"] + 70], abs=1e-3)
    assert cold["interval"] == pytest.approx([0, cold["value"] + 50], abs=1e-3)  # nothing is rented less than 0 times


def test_the_service_answers_as_the_model_that_was_packed(rentals: Running):
    rows = rows_of_frame(rentals_schema(), check_frame(rentals_schema(), rentals_rows(5, seed=9)).accepted)
    model = ModelStore(rentals.home).load(f"{RENTALS}:one")

    found = [prediction["value"] for prediction in answered(rentals, *rows)]

    assert found == pytest.approx(model.answer(arrays_of_rows(model.schema, rows)).labels, rel=1e-5)


@pytest.mark.parametrize("day", ["2024-07-06T08:30:00Z", "2024-07-06 08:30", "2024-07-06T10:30:00+02:00"])
def test_a_date_means_the_same_moment_in_every_form(rentals: Running, day: str):
    expected = answered(rentals, rentals_row(day="2024-07-06T08:30:00"))[0]["value"]

    assert answered(rentals, rentals_row(day=day))[0]["value"] == expected


def test_what_the_model_does_not_see_changes_no_answer(rentals: Running):
    without, with_it = answered(rentals, rentals_row(), rentals_row(casual=1e6, station="north"))

    assert with_it["value"] == without["value"]


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"day": "31/01/2024"}, "day", "expected a date such as 2024-01-31"),
        ({"day": "2024-02-30"}, "day", "which is no date: day is out of range for month"),
        ({"day": "2019-12-31"}, "day", "expected at least 2020-01-01T00:00:00"),
        ({"day": 1704067200}, "day", "is 1704067200, expected a date"),
        ({"note": "x" * 41}, "note", "has 41 characters, expected at most 40"),
        ({"note": 5}, "note", "is 5, expected text"),
        ({"casual": "many"}, "casual", "is 'many', expected a number"),
    ],
)
def test_a_cell_of_the_wrong_kind_is_named(rentals: Running, changes: dict, column: str, reason: str):
    response = rentals.post("/predict", rows=[rentals_row(), rentals_row(**changes)])

    problem = error_of(response)["problems"][0]
    assert response.status_code == 400
    assert (problem["row"], problem["column"]) == (1, column)
    assert reason in problem["reason"]


def test_an_answered_number_and_its_outcome_are_in_the_ledger(rentals: Running):
    row = rentals_row(casual=3)
    prediction = answered(rentals, row)[0]

    told = rentals.post("/feedback", labels=[{"id": prediction["id"], "label": 41.5}])

    assert told.json()["accepted"] == 1
    folder = rentals.home / "ledger" / RENTALS
    found = find_answer(folder, prediction["id"])
    assert (float(f"{found.predicted:.6g}"), found.probabilities) == (prediction["value"], None)
    assert found.interval == prediction["interval"]
    assert found.features == row
    assert LedgerReader(folder).labels()[prediction["id"]][0] == 41.5


def test_feedback_may_name_a_row_by_the_tables_own_id(rentals: Running):
    (older,) = answered(rentals, rentals_row(station="dock 7"))
    (newest,) = answered(rentals, rentals_row(station="dock 7"))

    told = rentals.post("/feedback", labels=[{"id": "dock 7", "label": 12}])
    unknown = rentals.post("/feedback", labels=[{"id": "dock 8", "label": 12}])

    labels = LedgerReader(rentals.home / "ledger" / RENTALS).labels()
    assert told.json()["accepted"] == 1
    assert labels[newest["id"]][0] == 12 and older["id"] not in labels
    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "unknown_answer")
    assert "'dock 8' is the 'station' of no answer" in error_of(unknown)["message"]


def test_answers_come_back_from_the_ledger_as_the_schema_types_them(rentals: Running):
    answered(rentals, rentals_row(), rentals_row(note=None))

    answers = LedgerReader(rentals.home / "ledger" / RENTALS).answers()

    notes = clean(rentals_schema().column("note"), answers.features["note"])
    assert notes.values[-2:].tolist() == ["sunny", None]
    rows = answers.features[rentals_schema().names].tail(2).to_dict("records")
    assert arrays_of_rows(rentals_schema(), rows)["numbers"].shape == (2, 8)


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        ("many", "is 'many', expected a finite number, at least 0"),
        (-1, "is -1, expected a finite number, at least 0"),
        (True, "is True, expected a finite number, at least 0"),
        (None, "is None, expected a finite number, at least 0"),
        ([3], "is [3], expected a finite number, at least 0"),
    ],
)
def test_an_outcome_that_is_no_number_is_refused(rentals: Running, label: object, reason: str):
    row_id = answered(rentals, rentals_row())[0]["id"]

    response = rentals.post("/feedback", labels=[{"id": row_id, "label": label}])

    assert response.status_code == 400
    assert error_of(response)["problems"] == [{"row": 0, "column": "label", "reason": reason}]


def test_neighbours_of_a_regression_carry_numbers(rentals: Running):
    response = rentals.post("/search", row=rentals_row(**HOT), limit=5)

    labels = [neighbour["label"] for neighbour in response.json()["neighbours"]]
    known = rentals_rows()["rented"].tolist()
    assert len(labels) == 5
    assert all(type(label) is float and label in known for label in labels)


def test_neighbours_of_a_regression_cannot_be_chosen_by_label(rentals: Running):
    response = rentals.post("/search", row=rentals_row(), label=41.5)

    assert response.status_code == 400
    assert error_of(response)["message"].startswith(
        "'label' is 41.5, and 'rented' is a number: neighbours can be asked"
    )


def test_texts_are_told_apart(messages: Running):
    spam, ham = (
        {"message": "win a free cash prize", "sent": None},
        {"message": "see you at lunch", "sent": "2024-01-05"},
    )

    found = answered(messages, spam, ham)

    assert [prediction["label"] for prediction in found] == ["spam", "ham"]
    assert all(set(prediction["probabilities"]) == {"ham", "spam"} for prediction in found)


@pytest.mark.parametrize(("message", "held"), [("", "an empty text"), (None, "empty")])
def test_a_text_that_may_not_be_missing_is_told(messages: Running, message: str | None, held: str):
    response = messages.post("/predict", rows=[{"message": message, "sent": None}])

    (problem,) = error_of(response)["problems"]
    assert problem == {"row": 0, "column": "message", "reason": f"is {held}, expected a value"}


def test_a_text_at_the_limit_is_answered_and_kept_whole(messages: Running):
    text = "prïze 日本 " * 17 + "👩‍🚀" * 2
    assert len(text) <= 160

    prediction = answered(messages, {"message": text, "sent": None})[0]

    assert find_answer(messages.home / "ledger" / MESSAGES, prediction["id"]).features["message"] == text


def test_half_a_character_is_refused_as_the_bodys_fault(messages: Running):
    response = messages.send("/predict", b'{"rows": [{"message": "\\ud83d", "sent": null}]}')

    assert response.status_code == 400
    assert error_of(response)["code"] == "bad_input"


def test_the_nearest_text_is_the_text_itself(messages: Running):
    rows = messages_rows()

    response = messages.post("/search", row={"message": rows["message"][3], "sent": None}, limit=1)

    assert response.json()["neighbours"][0]["label"] == rows["kind"][3]


def test_a_text_alone_finds_the_text_itself(messages: Running):
    rows = messages_rows()

    answer = messages.post("/search", text=rows["message"][3], limit=1).json()

    assert answer["neighbours"][0]["label"] == rows["kind"][3]
    assert answer["metric"] == "L2"


def test_neighbours_can_be_filtered_by_a_column_that_is_kept_and_by_batch(rentals: Running):
    near = rentals_row(**HOT)
    rows = rentals_rows()
    cold = rows.index[rows["season"] == "cold"]

    found = rentals.post("/search", row=near, limit=50, filters={"season": "cold"}).json()["neighbours"]
    later = rentals.post("/search", row=near, filters={"batch": {"from": "second.csv"}}).json()["neighbours"]
    unknown = rentals.post("/search", row=near, filters={"weather": "wet"})

    assert found
    assert {neighbour["row"] for neighbour in found} <= {*cold}
    assert later == []
    assert unknown.status_code == 400
    assert "it can name 'label', 'batch', 'season'" in error_of(unknown)["message"]


def test_neighbours_of_texts_can_be_chosen_by_class(messages: Running):
    response = messages.post("/search", row={"message": "lunch", "sent": None}, limit=5, label="spam")

    assert {neighbour["label"] for neighbour in response.json()["neighbours"]} == {"spam"}


def test_the_description_of_a_regression_has_values_and_intervals(rentals: Running):
    described = rentals.client.get("/openapi.json").json()["components"]["schemas"]["Prediction"]

    assert set(described["properties"]) == {"id", "value", "interval"}


@pytest.mark.parametrize("recipe", ["linear", "extra_trees"])
def test_a_regression_is_exported_and_answers_alone(recipe: str, tmp_path):
    frame = check_frame(rentals_schema(), rentals_rows()).accepted
    folder = packed(tmp_path / RENTALS, WITHOUT_TEXT, frame, recipe=recipe)

    model = model_runtime.load(folder, tag="rentals:two")
    answers = model.answer(arrays_of_frame(model.schema, frame))

    assert model.description.runtime == "onnx"
    assert answers.probabilities is None
    assert all(type(label) is float for label in answers.labels)
    assert pd.Series(answers.labels).corr(frame["rented"]) > 0.7
