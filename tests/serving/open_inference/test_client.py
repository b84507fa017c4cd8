"""The client that Triton's users have asks the served scenarios, in JSON and in binary."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.factories import SCENARIO, make_row
from tests.serving.open_inference.served import MESSAGES, NUMBERS, RENTALS, Service
from tests.tables import BRIGHT, DARK

pytestmark = pytest.mark.slow

FLOWERS = [make_row(length=1.0), make_row(length=9.5, weight=None), make_row(colour="blue")]
TEXTS = ["win a free cash prize", "see you at lunch", "größe 日本 👩‍🚀"]


@pytest.fixture(scope="module")
def triton(service: Service) -> Iterator[Any]:
    from tritonclient.http import InferenceServerClient

    client = InferenceServerClient(service.address.removeprefix("http://"))
    yield client
    client.close()


def tensor(name: str, values: list, dtype: type, *, binary: bool) -> Any:
    from tritonclient.http import InferInput
    from tritonclient.utils import np_to_triton_dtype

    array = np.array(values, dtype=dtype).reshape(len(values), -1)
    given = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    given.set_data_from_numpy(array, binary_data=binary)
    return given


def flowers(*, binary: bool, floats: type = np.float64) -> list[Any]:
    columns = {name: [row[name] for row in FLOWERS] for name in FLOWERS[0]}
    columns["weight"] = [np.nan if value is None else value for value in columns["weight"]]
    numbers = [tensor(name, columns[name], floats, binary=binary) for name in ("length", "width")]
    weight = tensor("weight", columns["weight"], floats, binary=True)  # JSON has no NaN
    return [*numbers, weight, tensor("colour", columns["colour"], np.object_, binary=binary)]


def predicted(service: Service, name: str, rows: list[dict]) -> list[dict]:
    response = service.client.post(f"/scenarios/{name}/predict", json={"rows": rows})
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


def test_the_server_is_live_ready_and_described(triton: Any):
    assert triton.is_server_live() and triton.is_server_ready()
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data", "model_repository"]
    assert triton.is_model_ready(SCENARIO) and triton.is_model_ready(SCENARIO, "one")
    assert not triton.is_model_ready(SCENARIO, "two") and not triton.is_model_ready("nobody")
    assert triton.get_model_metadata(SCENARIO, "one") == triton.get_model_metadata(SCENARIO)


def test_the_index_lists_every_released_scenario(triton: Any):
    found = triton.get_model_repository_index()

    assert [(each["name"], each["version"], each["state"]) for each in found] == [
        (name, "one", "READY") for name in sorted([SCENARIO, MESSAGES, NUMBERS, RENTALS])
    ]


@pytest.mark.parametrize("floats", [np.float32, np.float64])
@pytest.mark.parametrize("binary", [False, True])
def test_rows_are_answered_as_by_predict(service: Service, triton: Any, binary: bool, floats: type):
    found = triton.infer(SCENARIO, flowers(binary=binary, floats=floats), request_id="q-1")

    expected = predicted(service, SCENARIO, FLOWERS)
    assert found.as_numpy("label").tolist() == [[each["label"]] for each in expected]
    probabilities = [list(each["probabilities"].values()) for each in expected]
    assert found.as_numpy("probabilities") == pytest.approx(np.array(probabilities), abs=1e-5)
    answer = found.get_response()
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("q-1", SCENARIO, "one")
    assert answer["parameters"]["arm"] == "champion"


@pytest.mark.parametrize("binary_out", [False, True])
@pytest.mark.parametrize("binary_in", [False, True])
def test_texts_go_in_and_classes_come_out(service: Service, triton: Any, binary_in: bool, binary_out: bool):
    from tritonclient.http import InferRequestedOutput

    inputs = [
        tensor("message", TEXTS, np.object_, binary=binary_in),
        tensor("sent", ["2024-01-05", "", "2024-02-01T10:00:00Z"], np.object_, binary=binary_in),
    ]
    found = triton.infer(MESSAGES, inputs, outputs=[InferRequestedOutput("label", binary_data=binary_out)])

    dates = ["2024-01-05", None, "2024-02-01T10:00:00Z"]
    rows = [{"message": text, "sent": sent} for text, sent in zip(TEXTS, dates, strict=True)]
    labels = [each[0] for each in found.as_numpy("label").tolist()]
    labels = [label.decode() if isinstance(label, bytes) else label for label in labels]
    assert labels == [each["label"] for each in predicted(service, MESSAGES, rows)]
    assert found.as_numpy("probabilities") is None


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, np.int8])
def test_a_matrix_of_any_number_type_is_answered(service: Service, triton: Any, dtype: type):
    rows = [[1, 2, 0], [5, -3, 0], [9, 0, 0]]

    found = triton.infer(NUMBERS, [tensor("features", rows, dtype, binary=True)])

    expected = predicted(service, NUMBERS, [dict(zip("abc", row, strict=True)) for row in rows])
    assert [each[0].decode() for each in found.as_numpy("label").tolist()] == [each["label"] for each in expected]


def test_a_limit_in_float32_is_within_the_limits(triton: Any):
    found = triton.infer(NUMBERS, [tensor("features", [[10, 0, 0.1], [0, 0, -0.1]], np.float32, binary=True)])

    assert found.as_numpy("label").shape == (2, 1)


def test_a_regression_answers_values_and_their_intervals(service: Service, triton: Any):
    inputs = [
        tensor("temperature", [30.0, -5.0], np.float64, binary=True),
        tensor("day", ["2024-07-06T08:30:00"] * 2, np.object_, binary=True),
        tensor("season", ["warm", "cold"], np.object_, binary=True),
        tensor("note", ["sunny", ""], np.object_, binary=True),
        tensor("sky", [BRIGHT, DARK], np.object_, binary=True),
    ]
    found = triton.infer(RENTALS, inputs)

    rows = [
        {"temperature": 30.0, "day": "2024-07-06T08:30:00", "season": "warm", "note": "sunny", "sky": BRIGHT},
        {"temperature": -5.0, "day": "2024-07-06T08:30:00", "season": "cold", "note": None, "sky": DARK},
    ]
    expected = predicted(service, RENTALS, rows)
    assert found.as_numpy("value").tolist() == [[each["value"]] for each in expected]
    assert found.as_numpy("interval").tolist() == [each["interval"] for each in expected]


def test_errors_arrive_as_the_clients_exception(triton: Any):
    from tritonclient.utils import InferenceServerException

    wrong = tensor("features", [[1, 2, 3, 4]], np.float64, binary=True)
    with pytest.raises(InferenceServerException, match=r"expected \[n, 3\]: a, b, c"):
        triton.infer(NUMBERS, [wrong])
    with pytest.raises(InferenceServerException, match="no version 'two' to ask; one is the one that serves"):
        triton.infer(NUMBERS, [tensor("features", [[1, 2, 0]], np.float64, binary=True)], model_version="two")
    for ask in (triton.load_model, triton.unload_model):
        with pytest.raises(InferenceServerException, match="is decided by its releases"):
            ask(NUMBERS)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_a_compressed_request_is_read_and_a_compressed_answer_may_be_asked_for(triton: Any, algorithm: str):
    inputs = [tensor("features", [[1, 2, 0]], np.float64, binary=True)]
    compressed = {"request_compression_algorithm": algorithm, "response_compression_algorithm": algorithm}

    found = triton.infer(NUMBERS, inputs, **compressed)

    assert found.as_numpy("label").tolist() == triton.infer(NUMBERS, inputs).as_numpy("label").tolist()
