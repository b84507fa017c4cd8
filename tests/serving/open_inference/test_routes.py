"""What /v2 answers over real HTTP beside the protocol's own rules: the ledger, limits, faults."""

import gzip
import json
from typing import Any

import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader, find_answer
from tests.factories import SCENARIO, make_row
from tests.serving.open_inference.served import MAX_ROWS, NUMBERS, RENTALS, Service
from tests.tables import rentals_row

pytestmark = pytest.mark.slow


def columns(*rows: dict[str, Any], nested: bool = False) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "shape": [len(rows), 1],
            "datatype": "FP64" if isinstance(rows[0][name], float) else "BYTES",
            "data": [[row[name]] if nested else row[name] for row in rows],
        }
        for name in rows[0]
    ]


def matrix(*rows: list[float | None]) -> dict[str, Any]:
    return {"name": "features", "shape": [len(rows), 3], "datatype": "FP64", "data": list(rows)}


def test_an_answer_is_in_the_ledger_and_can_be_labelled(service: Service):
    response = service.infer(SCENARIO, inputs=columns(make_row(length=1.5), make_row(weight=None)))

    parameters = response.json()["parameters"]
    row_id = f"{parameters['answer_id']}.1"
    found = find_answer(service.home / "ledger" / SCENARIO, row_id)
    assert found is not None
    assert (found.features, found.model, found.index) == (
        make_row(weight=None),
        f"{SCENARIO}:one",
        "releve_flowers_one",
    )
    assert response.json()["outputs"][0]["data"][1] == found.predicted
    assert parameters["index_version"] == found.index and parameters["naive"] is False
    told = service.client.post(f"/scenarios/{SCENARIO}/feedback", json={"labels": [{"id": row_id, "label": 2}]})
    assert told.status_code == 200
    assert LedgerReader(service.home / "ledger" / SCENARIO).labels()[row_id][0] == 2


def test_an_answer_says_in_its_headers_who_answered(service: Service):
    response = service.client.post(
        f"/v2/models/{NUMBERS}/infer", json={"inputs": [matrix([1, 2, 0])]}, headers={"x-request-id": "mine-1"}
    )

    found = [response.headers[name] for name in ("x-releve-model", "x-releve-arm", "x-request-id")]
    assert found == [f"{NUMBERS}:one", "champion", "mine-1"]
    assert response.json()["parameters"]["answer_id"] != "mine-1"


def test_columns_that_are_no_features_go_to_the_ledger(service: Service):
    row = rentals_row(station="north")

    response = service.infer(RENTALS, inputs=columns(row, nested=True))

    answer_id = response.json()["parameters"]["answer_id"]
    assert find_answer(service.home / "ledger" / RENTALS, f"{answer_id}.0").features == row


def test_a_missing_number_is_null(service: Service):
    with_null = service.infer(NUMBERS, inputs=[matrix([1.0, None, 0.0])])
    without = service.infer(NUMBERS, inputs=[matrix([None, 1.0, 0.0])])

    assert with_null.status_code == 200
    assert (without.status_code, without.json()) == (
        400,
        {"error": "1 problem: row 0: a is empty, expected a value"},
    )


@pytest.mark.parametrize(("rows", "status"), [(MAX_ROWS, 200), (MAX_ROWS + 1, 413)])
def test_as_many_rows_as_the_limit_are_answered(service: Service, rows: int, status: int):
    response = service.infer(NUMBERS, inputs=[matrix(*[[1.0, 2.0, 0.0]] * rows)])

    assert response.status_code == status
    assert status == 200 or f"one request may carry {MAX_ROWS}" in response.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("GET", "/v2/models/nobody", 404, "no scenario of that name"),
        ("GET", "/v2/models/nobody/ready", 404, "no scenario of that name"),
        ("POST", "/v2/models/nobody/infer", 404, "no scenario of that name"),
        ("GET", f"/v2/models/{NUMBERS}/versions/two", 404, "has no version 'two' to ask; one is the one that serves"),
        ("GET", f"/v2/models/{NUMBERS}/versions/two/ready", 404, "has no version 'two'"),
        ("POST", f"/v2/models/{NUMBERS}/versions/two/infer", 404, "has no version 'two'"),
        ("GET", "/v2/nothing", 404, "there is nothing at this path"),
        ("GET", f"/v2/models/{NUMBERS}/infer", 405, "is asked with POST"),
        ("DELETE", f"/v2/models/{NUMBERS}", 405, "is asked with GET"),
        ("POST", f"/v2/repository/models/{NUMBERS}/load", 400, "is decided by its releases"),
        ("POST", f"/v2/repository/models/{NUMBERS}/unload", 400, "is decided by its releases"),
        ("POST", "/v2/repository/models/nobody/load", 404, "no scenario of that name"),
    ],
)
def test_a_request_that_cannot_be_answered_says_why(service: Service, method: str, path: str, status: int, says: str):
    response = service.client.request(method, path)

    assert response.status_code == status
    assert set(response.json()) == {"error"} and says in response.json()["error"]


@pytest.mark.parametrize("body", [b"3", b"[]", b'{"ready": 1}', b"{"])
def test_an_index_request_that_is_wrong_is_refused(service: Service, body: bytes):
    response = service.client.post("/v2/repository/index", content=body)

    assert response.status_code == 400 and set(response.json()) == {"error"}


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": true}'])
def test_an_index_request_may_be_empty(service: Service, body: bytes):
    names = [each["name"] for each in service.client.post("/v2/repository/index", content=body).json()]

    assert names == sorted(names) and NUMBERS in names


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 200), ("br", 415)])
def test_a_compressed_body_is_read_or_refused_in_words(service: Service, encoding: str, status: int):
    body = gzip.compress(json.dumps({"inputs": [matrix([1, 2, 0])]}).encode())

    response = service.client.post(f"/v2/models/{NUMBERS}/infer", content=body, headers={"content-encoding": encoding})

    assert response.status_code == status
    if status == 415:
        assert response.json().keys() == {"error"} and "gzip or deflate" in response.json()["error"]


def test_no_rows_are_refused(service: Service):
    response = service.infer(NUMBERS, inputs=[{"name": "features", "shape": [0, 3], "datatype": "FP64", "data": []}])

    assert (response.status_code, response.json()) == (400, {"error": "the inputs have no rows; send at least one"})


def test_a_body_in_pieces_is_answered(service: Service):
    body = json.dumps({"inputs": [matrix([1, 2, 0])], "id": "pieces"}).encode()

    response = service.client.post(
        f"/v2/models/{NUMBERS}/infer", content=iter(body[at : at + 7] for at in range(0, len(body), 7))
    )

    assert response.json()["id"] == "pieces"
