"""What the running service answers, over real HTTP."""

import gzip
import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader, find_answer
from tests.factories import SCENARIO, make_row
from tests.serving.conftest import COLLECTION, Running

pytestmark = pytest.mark.slow


def error_of(response: httpx.Response) -> dict:
    """The error, after checking the shape that all errors have."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert set(body) == {"error", "request_id"} and response.headers["x-request-id"] == body["request_id"]
    assert set(body["error"]) == {"code", "message", "problems"}
    assert all(set(problem) == {"row", "column", "reason"} for problem in body["error"]["problems"])
    assert "Traceback" not in body["error"]["message"]
    return body["error"]


def test_predict_answers_every_row_with_ids_and_versions(running: Running):
    response = running.post("/predict", rows=[make_row(length=1.0), make_row(length=9.5, weight=None)])

    answer = response.json()
    assert response.status_code == 200
    assert (answer["scenario"], answer["model_version"], answer["index_version"]) == (
        SCENARIO,
        "flowers:one",
        COLLECTION,
    )
    assert [prediction["label"] for prediction in answer["predictions"]] == [0, 2]
    assert [prediction["id"] for prediction in answer["predictions"]] == [
        f"{answer['request_id']}.{row}" for row in (0, 1)
    ]
    for prediction in answer["predictions"]:
        assert prediction["probability"] == prediction["probabilities"][str(prediction["label"])]
        assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_every_prediction_is_in_the_ledger_with_its_features(running: Running):
    row = make_row(length=3.25)

    prediction = running.post("/predict", rows=[row]).json()["predictions"][0]

    found = find_answer(running.home / "ledger" / SCENARIO, prediction["id"])
    assert found is not None
    assert (found.features, found.predicted, found.model, found.index) == (
        row,
        prediction["label"],
        "flowers:one",
        COLLECTION,
    )


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        (b"", 400, "bad_input", "is not JSON"),
        (b"{", 400, "bad_input", "is not JSON"),
        (b'{"rows": [{"length": NaN}]}', 400, "bad_input", "NaN and Infinity are not JSON"),
        (b'{"rows": [{"length": -Infinity}]}', 400, "bad_input", "NaN and Infinity are not JSON"),
        (b'{"rows": [{"length": 1e999}]}', 400, "bad_input", "infinity"),
        (b"\xff\xfe", 400, "bad_input", "is not JSON"),
        (b"[" * 5000, 400, "bad_input", "is not JSON"),
        (b"[]", 400, "bad_input", "the body is a list, expected an object with 'rows'"),
        (b"null", 400, "bad_input", "the body is null"),
        (b"{}", 400, "bad_input", "'rows' is missing"),
        (b'{"rows": [], "row": 1}', 400, "bad_input", "unknown field 'row'"),
        (b'{"rows": {}}', 400, "bad_input", "'rows' is an object, expected a list"),
        (b'{"rows": []}', 400, "bad_input", "'rows' is empty"),
        (b'{"rows": [3]}', 400, "bad_input", "expected an object of feature names and values"),
    ],
)
def test_a_body_that_cannot_be_read_says_what_is_wrong(
    running: Running, body: bytes, status: int, code: str, says: str
):
    response = running.send("/predict", body)

    error = error_of(response)
    assert (response.status_code, error["code"]) == (status, code)
    assert says in error["message"]


@pytest.mark.parametrize(
    ("changes", "column", "reason"),
    [
        ({"length": "long"}, "length", "is 'long', expected a number"),
        ({"length": True}, "length", "is True, expected a number"),
        ({"length": None}, "length", "is empty, expected a value"),
        ({"length": -0.001}, "length", "is -0.001, expected at least 0"),
        ({"length": 10.001}, "length", "is 10.001, expected at most 10"),
        ({"colour": 3}, "colour", "is 3, expected one of blue, red, white"),
        ({"colour": "green"}, "colour", "is 'green', expected one of blue, red, white"),
        ({"lenght": 1}, "lenght", "is not a feature; did you mean 'length'?"),
    ],
)
def test_a_wrong_cell_is_named_with_its_row(running: Running, changes: dict, column: str, reason: str):
    response = running.post("/predict", rows=[make_row(), make_row(**changes)])

    error = error_of(response)
    assert response.status_code == 400
    assert error["problems"] == [{"row": 1, "column": column, "reason": reason}]


def test_a_missing_field_is_named(running: Running):
    row = make_row()
    del row["width"]

    error = error_of(running.post("/predict", rows=[row]))

    assert error["problems"] == [{"row": 0, "column": "width", "reason": "is missing"}]


def test_a_number_too_large_for_the_model_is_refused(running: Running):
    response = running.post("/predict", rows=[make_row(), make_row(weight=1e39)])

    assert response.status_code == 400
    assert error_of(response)["problems"][0]["row"] == 1


@pytest.mark.parametrize(("rows", "status"), [(5, 200), (6, 413)])
def test_a_request_carries_at_most_max_rows(running: Running, rows: int, status: int):
    response = running.post("/predict", rows=[make_row()] * rows)

    assert response.status_code == status
    if status == 413:
        assert "'rows' has 6 items, one request may carry 5" in error_of(response)["message"]


def test_at_most_20_problems_are_listed_and_all_are_counted(running: Running):
    wrong = make_row(length=None, width="w", weight="w", colour="green", x=1, y=1)

    error = error_of(running.post("/predict", rows=[wrong] * 5))

    assert len(error["problems"]) == 20
    assert error["message"].startswith(
        "30 problems; the first 20 are listed: row 0: x is not a feature of this scenario"
    )


def test_long_values_are_echoed_short(running: Running):
    error = error_of(running.post("/predict", rows=[make_row(length="x" * 100_000), make_row(**{"y" * 9_000: 1})]))

    assert len(json.dumps(error)) < 2_000


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_however_it_is_sent(running: Running, chunked: bool):
    def chunks() -> Iterator[bytes]:
        yield from [b"x" * 2**20] * 9

    response = running.client.post("/predict", content=chunks() if chunked else b"".join(chunks()))

    assert response.status_code == 413
    assert error_of(response)["code"] == "too_large"


def test_search_by_row_finds_the_nearest_first(running: Running):
    response = running.post("/search", row=make_row(), limit=5)

    answer = response.json()
    distances = [neighbour["distance"] for neighbour in answer["neighbours"]]
    assert response.status_code == 200
    assert (answer["model_version"], answer["index_version"]) == ("flowers:one", COLLECTION)
    assert len(distances) == 5 and distances == sorted(distances)
    assert set(answer["neighbours"][0]) == {"label", "distance", "batch", "row", "row_id"}


@contextmanager
def no_room(running: Running) -> Iterator[None]:
    """No file of the service grows any more: what a full disk is to whoever writes, and needs no rights."""
    address = running.client.base_url.port
    parts = [each for each in psutil.Process().children(recursive=True) if listens(each, address)]
    limits = {each.pid: resource.prlimit(each.pid, resource.RLIMIT_FSIZE) for each in parts}
    assert limits
    for pid, (_, hard) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        for pid, limit in limits.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


def listens(process: psutil.Process, port: int | None) -> bool:
    return any(each.laddr and each.laddr.port == port for each in process.net_connections(kind="tcp"))


def test_a_full_disk_is_told_and_the_service_goes_on_once_there_is_room(running: Running):
    ledger = LedgerReader(running.home / "ledger" / SCENARIO)
    first = running.post("/predict", rows=[make_row()]).json()["predictions"][0]["id"]
    answered = len(ledger.answers())

    with no_room(running):
        refused = running.post("/predict", rows=[make_row()])
        unlabelled = running.post("/feedback", labels=[{"id": first, "label": 1}])
    again = running.post("/predict", rows=[make_row()])
    labelled = running.post("/feedback", labels=[{"id": first, "label": 1}])

    assert [(each.status_code, error_of(each)["code"]) for each in (refused, unlabelled)] == [(507, "disk_full")] * 2
    assert (again.status_code, labelled.status_code) == (200, 200)
    assert (len(ledger.answers()), ledger.answers().torn_lines) == (answered + 1, 0)


def test_a_search_is_in_the_ledger_under_its_request_id(running: Running):
    answer = running.post("/search", row=make_row(), limit=2).json()

    segments = [path.read_text() for path in running.home.rglob("searches-*.jsonl")]
    lines = [json.loads(line) for text in segments for line in text.splitlines()]
    found = [line for line in lines if line["id"] == answer["request_id"]]
    assert [line["neighbours"] for line in found] == [answer["neighbours"]]
    assert found[0]["question"]["row"] == make_row()


def test_the_root_lists_what_is_served(running: Running):
    answer = running.client.get("/").json()

    (listed,) = answer["scenarios"]
    assert (listed["scenario"], listed["model_version"]) == (SCENARIO, "flowers:one")


@pytest.mark.parametrize("path", ["/predict", f"/scenarios/{SCENARIO}/predict"])
def test_an_answer_names_release_and_arm_in_its_headers_too(running: Running, path: str):
    response = running.post(path, rows=[make_row()])

    sent = {name: response.headers[f"x-releve-{name}"] for name in ("model", "arm")}
    assert sent == {"model": "flowers:one", "arm": "champion"} and response.json()["arm"] == "champion"
    assert response.headers["x-request-id"] == response.json()["request_id"]


@pytest.mark.parametrize("path", ["/predict", "/search", "/feedback", "/status", "/nothing"])
@pytest.mark.parametrize("sent", ["order-4711", "0af7651916cd43dd8448eb211c80319c", "a" * 128])
def test_a_client_that_names_its_request_finds_that_name_in_header_and_body(running: Running, path: str, sent: str):
    row = {"rows": [make_row()]} if path == "/predict" else {"row": make_row()} if path == "/search" else {}

    response = running.client.post(path, json=row, headers={"x-request-id": sent})

    assert response.headers["x-request-id"] == response.json()["request_id"] == sent


@pytest.mark.parametrize("sent", ["a" * 129, "two words", "<script>", "\u00e9".encode()])
def test_a_name_that_is_no_name_is_replaced(running: Running, sent: str | bytes):
    response = running.client.post("/predict", json={"rows": []}, headers={"x-request-id": sent})

    assert re.fullmatch(r"[0-9a-f]{16}", response.headers["x-request-id"])
    assert response.headers["x-request-id"] == response.json()["request_id"]


@pytest.mark.parametrize("path", ["/scenarios/tulips/predict", "/scenarios/.../status", "/scenarios//predict"])
def test_a_scenario_that_is_not_there_is_not_found(running: Running, path: str):
    assert running.post(path, rows=[]).status_code == 404


def test_search_by_vector_and_label_finds_only_that_label(running: Running):
    answer = running.post("/search", vector=[0.5] * 6, limit=20, label=1).json()

    assert len(answer["neighbours"]) == 20
    assert {neighbour["label"] for neighbour in answer["neighbours"]} == {1}


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({}, "exactly one of a 'row'"),
        ({"row": make_row(), "vector": [0.5] * 6}, "exactly one of a 'row'"),
        ({"row": make_row(length="x")}, "expected a number"),
        ({"vector": [0.5] * 5}, "'vector' has 5 numbers, the index holds vectors of 6"),
        ({"vector": [0.5] * 5 + ["a"]}, "'vector' holds 'a' at position 5"),
        ({"vector": "abc"}, "'vector' is text"),
        ({"row": make_row(), "limit": 0}, "'limit' is 0, expected a whole number from 1 to 100"),
        ({"row": make_row(), "limit": 101}, "'limit' is 101"),
        ({"row": make_row(), "limit": True}, "'limit' is True"),
        ({"row": make_row(), "limit": 2.5}, "'limit' is 2.5"),
        ({"row": make_row(), "label": 3}, "'label' is 3, expected one of 0, 1, 2"),
        ({"row": make_row(), "label": '1" or id > 0 or label == "1'}, "'label' is"),
        (
            {"row": make_row(), "filters": {"batch": "frist.csv"}},
            f"'batch' is 'frist.csv', and {COLLECTION} has no row",
        ),
    ],
)
def test_a_wrong_search_is_refused(running: Running, question: dict, says: str):
    response = running.post("/search", **question)

    assert response.status_code == 400
    assert says in error_of(response)["message"]


@pytest.mark.parametrize(("batch", "found"), [("first.csv", 5), ({"from": "first.csv"}, 5), ({"from": "later.csv"}, 0)])
def test_a_search_among_batches_finds_their_rows(running: Running, batch: object, found: int):
    response = running.post("/search", row=make_row(), limit=5, filters={"batch": batch})

    assert (response.status_code, len(response.json()["neighbours"])) == (200, found)


def test_feedback_for_an_answered_row_is_accepted(running: Running):
    row_id = running.post("/predict", rows=[make_row()]).json()["predictions"][0]["id"]

    response = running.post("/feedback", labels=[{"id": row_id, "label": 2}])

    assert (response.status_code, response.json()["accepted"]) == (200, 1)


def test_one_unknown_id_refuses_all_labels_and_writes_none(running: Running):
    row_id = running.post("/predict", rows=[make_row()]).json()["predictions"][0]["id"]
    unknown = row_id[:-1] + "7"
    before = labels_on_disk(running)

    response = running.post(
        "/feedback", labels=[{"id": row_id, "label": 1}, {"id": unknown, "label": 1}, {"id": "../x", "label": 1}]
    )

    error = error_of(response)
    assert (response.status_code, error["code"]) == (404, "unknown_answer")
    assert [(problem["row"], problem["column"]) for problem in error["problems"]] == [(1, "id"), (2, "id")]
    assert labels_on_disk(running) == before


@pytest.mark.parametrize("label", [3, -1, 1.5, "many", None, True, [1]])
def test_a_label_that_is_no_class_refuses_all_labels(running: Running, label: object):
    row_id = running.post("/predict", rows=[make_row()]).json()["predictions"][0]["id"]
    before = labels_on_disk(running)

    response = running.post("/feedback", labels=[{"id": row_id, "label": 1}, {"id": row_id, "label": label}])

    error = error_of(response)
    assert response.status_code == 400
    assert [(problem["row"], problem["column"]) for problem in error["problems"]] == [(1, "label")]
    assert labels_on_disk(running) == before


def test_two_labels_for_one_id_write_none_and_the_same_label_twice_is_taken(running: Running):
    row_id = running.post("/predict", rows=[make_row()]).json()["predictions"][0]["id"]
    before = labels_on_disk(running)

    refused = running.post("/feedback", labels=[{"id": row_id, "label": 1}, {"id": row_id, "label": 2}])
    written = labels_on_disk(running)
    taken = running.post("/feedback", labels=[{"id": row_id, "label": 1}] * 2)

    assert (refused.status_code, written, taken.status_code) == (400, before, 200)
    assert [(problem["row"], problem["column"]) for problem in error_of(refused)["problems"]] == [(1, "label")]


@pytest.mark.parametrize("path", ["/predict", "/search", "/feedback"])
def test_a_key_twice_in_a_request_is_named(running: Running, path: str):
    twice = b'{"length": 1, "length": 2}'
    body = b'{"rows": [%s], "row": %s, "labels": [%s]}' % (twice, twice, twice)

    response = running.client.post(path, content=body)

    assert response.status_code == 400
    assert {"row": 0, "column": "length", "reason": "stands twice in one object; send each key once"} in error_of(
        response
    )["problems"]


@pytest.mark.parametrize("item", [{}, 3, {"id": "a"}, {"id": 3, "label": 1}, {"id": "a", "label": 1, "weight": 2}])
def test_an_item_of_feedback_in_another_form_is_named(running: Running, item: object):
    response = running.post("/feedback", labels=[item])

    assert response.status_code == 400
    assert error_of(response)["problems"][0]["row"] == 0


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_status_tells_the_release_and_what_can_be_reached(running: Running, method: str):
    status = running.client.request(method, "/status").json()

    assert (status["scenario"], status["model_version"]) == (SCENARIO, "flowers:one")
    assert status["release"]["index"] == COLLECTION
    assert status["registry_reachable"] and status["index_reachable"]
    assert status["request_id"] and status["loaded"] and status["ledger_problem"] is None


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("POST", "/predict/", 404, "not_found"),
        ("GET", "/static_content/nothing.js", 404, "not_found"),
        ("POST", "/livez", 405, "method_not_allowed"),
        ("GET", "/predict", 405, "method_not_allowed"),
        ("DELETE", "/status", 405, "method_not_allowed"),
    ],
)
def test_paths_and_methods_that_are_not_there_are_told_in_our_form(
    running: Running, method: str, path: str, status: int, code: str
):
    response = running.client.request(method, path)

    assert (response.status_code, error_of(response)["code"]) == (status, code)
    assert ("allow" in response.headers) == (status == 405)


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/predict", {"rows": [make_row()]}),
        ("/search", {"row": make_row()}),
        ("/invocations", {"dataframe_records": [make_row()]}),
    ],
)
def test_a_compressed_body_is_answered(running: Running, path: str, asked: dict):
    body = gzip.compress(json.dumps(asked).encode())

    assert running.client.post(path, content=body, headers={"content-encoding": "gzip"}).status_code == 200


def test_a_pickled_body_is_refused(running: Running):
    response = running.client.post("/predict", content=b"x", headers={"content-type": "application/vnd.bentoml+pickle"})

    assert (response.status_code, error_of(response)["code"]) == (415, "unsupported_media_type")


def test_unknown_paths_are_no_metric_label(running: Running):
    for number in range(3):
        running.client.get(f"/scan{number}")
        running.client.get(f"/static_content/scan{number}")

    metrics = running.client.get("/metrics").text

    assert "scan" not in metrics
    assert 'releve_requests_total{route="",scenario="",status="404"}' in metrics


@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/metrics", "/docs.json", "/schema.json"])
def test_what_bentoml_offers_is_there(running: Running, path: str):
    response = running.client.get(path)

    assert response.status_code == 200 and len(response.headers.get_list("x-request-id")) == 1


def test_no_other_site_may_ask(running: Running):
    response = running.client.get("/livez", headers={"origin": "http://example.org"})

    assert not [header for header in response.headers if header.startswith("access-control")]


def labels_on_disk(running: Running) -> bytes:
    return b"".join(path.read_bytes() for path in sorted((running.home / "ledger" / SCENARIO).glob("labels-*")))
