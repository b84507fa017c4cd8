"""MLflow's scoring protocol: every form of a table becomes the rows that /predict takes, and errors are MLflow's."""

import json
from functools import partial
from typing import Any

import httpx
import pandas as pd
import pytest

from releve.adapters.prediction_ledger.reader import find_answer
from releve.core.errors import BadInput, TooLarge
from releve.domain.schema.schema import Schema
from releve.serving.faults import UnsupportedMediaType
from releve.serving.mlflow_scoring import tables
from tests.factories import SCENARIO, make_row, make_schema
from tests.serving.conftest import Running
from tests.tables import RENTALS, rentals_row, rentals_schema

rows_of = partial(tables.rows_of, max_rows=2)
JSON = "application/json"
ROWS = [make_row(), make_row(length=9.5, weight=None, colour="blue")]
FRAME = pd.DataFrame(ROWS)
NUMBERS = Schema.from_dict(
    {"target": {"name": "t", "classes": [0, 1]}, "columns": {"a": {"type": "number"}, "b": {"type": "number"}}}
)
FORMS: dict[str, tuple[str, str]] = {
    "split": (JSON, json.dumps({"dataframe_split": FRAME.to_dict(orient="split")})),
    "records": (JSON, json.dumps({"dataframe_records": FRAME.to_dict(orient="records")})),
    "instances": (JSON, json.dumps({"instances": FRAME.to_dict(orient="records")})),
    "inputs by row": (JSON, json.dumps({"inputs": ROWS, "params": {"top": 3}})),
    "inputs by column": (JSON, json.dumps({"inputs": FRAME.to_dict(orient="list")})),
    "inputs as arrays": (JSON, json.dumps({"inputs": {name: [[cell] for cell in FRAME[name]] for name in FRAME}})),
    "a charset": (f"{JSON}; charset=UTF-8", json.dumps({"instances": ROWS})),
    "CSV": ("text/csv", FRAME.to_csv(index=False)),
    "CSV with its index": ("text/csv; charset=utf-8", FRAME.to_csv()),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_table_becomes_its_rows(form: str):
    content_type, body = FORMS[form]

    assert rows_of(body.encode(), content_type, make_schema()) == ROWS


def test_a_matrix_has_the_features_in_the_order_of_the_schema():
    for name in ("inputs", "instances"):
        assert rows_of(json.dumps({name: [[1, 2.5]]}).encode(), JSON, NUMBERS) == [{"a": 1, "b": 2.5}]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv", 'a,b\n1,2\n3,4\n5,6\n"an open quote'),
        (JSON, '{"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4], "no row"]}}'),
        (JSON, '{"dataframe_records": [{}, {}, {}]}'),
        (JSON, '{"instances": [[1, 2], [3, 4], [5]]}'),
        (JSON, '{"inputs": {"a": [1, 2, 3], "b": [1, 2, 3]}}'),
    ],
)
def test_too_many_rows_are_refused_before_any_is_looked_at(content_type: str, body: str):
    with pytest.raises(TooLarge, match="more rows than 2, which one request may carry"):
        rows_of(body.encode(), content_type, NUMBERS)


def test_cells_of_csv_are_typed_by_their_columns():
    body = "day,season,temperature,note\n2024-01-01,warm,NaN,nan\n2024-01-02,cold,-1.5e0,\n"

    rows = rows_of(body.encode(), "text/csv", rentals_schema())

    assert [row["temperature"] for row in rows] == [None, -1.5]
    assert [row["note"] for row in rows] == ["nan", None]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 9999, "not JSON"),
        ('{"inputs": [{"length": "\\ud800"}], "a": NaN}', "not JSON"),
        ("[]", "expected an object with exactly one of 'dataframe_split'"),
        ("{}", "exactly one of"),
        ('{"inputs": [], "instances": []}', "exactly one of"),
        ('{"rows": []}', "exactly one of"),
        ('{"inputs": [{"length": Infinity}]}', "holds Infinity; expected finite numbers"),
        ('{"inputs": [{"length": 1, "length": 2}]}', "row 0: length stands twice in one object"),
        ('{"inputs": [], "inputs": []}', "inputs stands twice in one object"),
        ('{"dataframe_split": {"columns": ["a"], "data": [[1]], "data": [[2]]}}', "data stands twice in one object"),
        ('{"inputs": [{"length": NaN, "length": 2}]}', "row 0: length stands twice in one object"),
        ('{"inputs": 3}', "'inputs' is 3, expected a list"),
        ('{"inputs": {"length": 3}}', "'inputs.length' is 3, expected a list"),
        ('{"inputs": {"length": [1], "width": [1, 2]}}', "columns of several lengths (length: 1, width: 2)"),
        ('{"inputs": [[1, 2, 3, 4]]}', "not every feature is a number"),
        ('{"dataframe_records": {}}', "'dataframe_records' is {}, expected a list"),
        ('{"dataframe_split": []}', "expected an object with 'columns' and 'data'"),
        ('{"dataframe_split": {"data": []}}', "expected an object with 'columns' and 'data'"),
        ('{"dataframe_split": {"columns": ["a", "a"], "data": []}}', "each once"),
        ('{"dataframe_split": {"columns": [1], "data": []}}', "expected names of columns"),
        ('{"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}', "row 0 of 'dataframe_split.data' is a list of 2"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(body: str, says: str):
    with pytest.raises(BadInput, match=says.replace("[", r"\[").replace("(", r"\(").replace(")", r"\)")):
        rows_of(body.encode(), JSON, make_schema())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "the body is empty"),
        (b"\xff", "no CSV in UTF-8"),
        (b'a,"b\n1,2', "no CSV in UTF-8"),
        (b"a,a\n1,2", "each once"),
        (b"a,b\n1", "row 0 of the CSV"),
    ],
)
def test_what_is_wrong_with_csv_is_said(body: bytes, says: str):
    with pytest.raises(BadInput, match=says):
        rows_of(body, "text/csv", make_schema())


@pytest.mark.parametrize("content_type", ["text/plain", "application/vnd.apache.parquet", f"{JSON}; charset=latin-1"])
def test_other_media_types_are_not_read(content_type: str):
    with pytest.raises(UnsupportedMediaType):
        rows_of(b"{}", content_type, make_schema())


def invoke(running: Running, body: Any, *, path: str = "/invocations", content_type: str = JSON) -> httpx.Response:
    content = body if isinstance(body, str) else json.dumps(body)
    return running.client.post(path, content=content, headers={"content-type": content_type})


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", f"/scenarios/{SCENARIO}"])
def test_answers_are_those_of_predict_and_are_in_the_ledger(running: Running, prefix: str):
    expected = [each["label"] for each in running.post("/predict", rows=ROWS).json()["predictions"]]

    for content_type, body in FORMS.values():
        answer = invoke(running, body, path=f"{prefix}/invocations", content_type=content_type)
        assert (answer.status_code, answer.json()) == (200, {"predictions": expected})
        found = find_answer(running.home / "ledger" / SCENARIO, f"{answer.headers['x-releve-answer']}.1")
        assert found is not None and (found.features, found.predicted) == (ROWS[1], expected[1])
    assert running.client.get(f"{prefix}/ping").content == b"\n"
    assert running.client.get(f"{prefix}/health").status_code == 200
    assert running.client.get(f"{prefix}/version").text.startswith("3.")


@pytest.mark.slow
def test_a_regression_answers_numbers(rentals: Running):
    values = [each["value"] for each in rentals.post("/predict", rows=[rentals_row()]).json()["predictions"]]

    assert invoke(rentals, {"inputs": [rentals_row()]}).json() == {"predictions": values}
    assert invoke(rentals, {"inputs": [rentals_row()]}, path=f"/scenarios/{RENTALS}/invocations").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "body", "content_type", "status", "code"),
    [
        ("/invocations", {"inputs": []}, JSON, 400, "BAD_REQUEST"),
        ("/invocations", {"inputs": [{"length": 1}]}, JSON, 400, "BAD_REQUEST"),
        ("/invocations", {"inputs": [3]}, JSON, 400, "BAD_REQUEST"),
        ("/invocations", {"inputs": ROWS * 3}, JSON, 413, "BAD_REQUEST"),
        ("/invocations", {}, "text/html", 415, "BAD_REQUEST"),
        ("/ping", {}, JSON, 405, "BAD_REQUEST"),
        ("/scenarios/nobody/invocations", {}, JSON, 404, "RESOURCE_DOES_NOT_EXIST"),
    ],
)
def test_errors_have_mlflows_shape(running: Running, path, body, content_type, status, code):
    refused = invoke(running, body, path=path, content_type=content_type)

    assert refused.status_code == status
    assert set(refused.json()) == {"error_code", "message"} and refused.json()["error_code"] == code
