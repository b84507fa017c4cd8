"""Bodies of inference requests and responses: where the JSON ends, which outputs are wanted, what is refused."""

import json
import random
import struct
from functools import partial
from typing import Any

import pytest

from releve.core.errors import BadInput, TooLarge
from releve.serving.faults import Refused
from releve.serving.open_inference import inference
from releve.serving.open_inference.inference import HEADER_LENGTH, write
from releve.serving.open_inference.tensors import BYTES, Tensor

read = partial(inference.read, max_rows=3, max_inputs=4)
X = {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, 2.5]}
BINARY_X = {"name": "x", "shape": [2], "datatype": "FP64", "parameters": {"binary_data_size": 16}}
BINARY_Y = {"name": "y", "shape": [2], "datatype": "BYTES", "parameters": {"binary_data_size": 10}}
X_BYTES, Y_BYTES = struct.pack("<2d", 1.5, 2.5), b"\1\0\0\0a\1\0\0\0b"
OUTPUTS = [Tensor("label", BYTES, (2, 1), ["a", "é"]), Tensor("score", "FP64", (2, 2), [0.25, 0.75, 1.0, 0.0])]


def body_of(*inputs: dict[str, Any], **values: Any) -> bytes:
    return json.dumps({"inputs": inputs, **values}).encode()


def binary(head: bytes, *tails: bytes) -> tuple[bytes, str]:
    return b"".join([head, *tails]), str(len(head))


def test_a_request_of_json_is_read_whole():
    request = read(body_of(X, id="42", parameters={"priority": 3, "other": "x"}), None)

    assert request.id == "42"
    assert request.inputs == (Tensor("x", "FP64", (2,), [1.5, 2.5]),)
    assert request.wanted(["label", "score"]) == {"label": False, "score": False}


def test_binary_tensors_follow_the_json_in_the_order_of_the_inputs():
    request = read(*binary(body_of(BINARY_Y, X | {"name": "z"}, BINARY_X), Y_BYTES, X_BYTES))

    assert [(tensor.name, list(tensor.values)) for tensor in request.inputs] == [
        ("y", ["a", "b"]),
        ("z", [1.5, 2.5]),
        ("x", [1.5, 2.5]),
    ]


def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(Refused, match="data stands twice in one object"):
        read(body_of(X).replace(b'"data": [1.5, 2.5]', b'"data": [1.5, 2.5], "data": [3, 4]'), None)


def test_the_length_of_the_json_may_be_given_without_binary_tensors():
    body = body_of(X)

    assert read(body, str(len(body))) == read(body, None)


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, {"label": False, "score": False}),
        ({"outputs": []}, {"label": False, "score": False}),
        ({"outputs": [{"name": "score"}]}, {"score": False}),
        ({"outputs": [{"name": "score"}, {"name": "label"}]}, {"score": False, "label": False}),
        ({"outputs": [{"name": "score", "parameters": {"binary_data": True}}]}, {"score": True}),
        ({"parameters": {"binary_data_output": True}}, {"label": True, "score": True}),
        (
            {
                "parameters": {"binary_data_output": True},
                "outputs": [{"name": "label", "parameters": {"binary_data": False}}, {"name": "score"}],
            },
            {"label": False, "score": True},
        ),
    ],
)
def test_outputs_are_those_asked_for_in_the_form_asked_for(values: dict, wanted: dict):
    found = read(body_of(X, **values), None).wanted(["label", "score"])

    assert list(found.items()) == list(wanted.items())


@pytest.mark.parametrize("rows", [3, 4])
def test_more_rows_than_may_be_are_refused_before_they_are_read(rows: int):
    body = body_of({"name": "x", "shape": [rows], "datatype": "FP64", "data": [1.0] * 3})

    if rows == 3:
        assert len(read(body, None).inputs[0].values) == 3
    else:
        with pytest.raises(TooLarge, match="the input 'x' has 4 rows, one request may carry 3"):
            read(body, None)


@pytest.mark.parametrize("inputs", [4, 5])
def test_more_inputs_than_the_table_has_columns_are_refused(inputs: int):
    body = body_of(*(X | {"name": f"x{at}"} for at in range(inputs)))

    if inputs == 4:
        assert len(read(body, None).inputs) == 4
    else:
        with pytest.raises(BadInput, match="'inputs' has 5 tensors, and the model has 4 columns"):
            read(body, None)


def test_an_output_that_the_model_has_not_is_refused():
    with pytest.raises(BadInput, match="the output 'scores' is none of the model's: label, score"):
        read(body_of(X, outputs=[{"name": "scores"}]), None).wanted(["label", "score"])


def test_a_response_of_json_has_no_length_of_its_head():
    body, headers = write({"model_name": "m", "id": "42"}, OUTPUTS, {"score": False, "label": False})

    assert headers == {"content-type": "application/json"}
    assert json.loads(body) == {
        "model_name": "m",
        "id": "42",
        "outputs": [
            {"name": "score", "shape": [2, 2], "datatype": "FP64", "data": [0.25, 0.75, 1.0, 0.0]},
            {"name": "label", "shape": [2, 1], "datatype": "BYTES", "data": ["a", "é"]},
        ],
    }


def test_a_response_with_binary_tensors_says_where_its_json_ends():
    body, headers = write({"model_name": "m"}, OUTPUTS, {"label": True, "score": True})

    size = int(headers[HEADER_LENGTH])
    label, score = json.loads(body[:size])["outputs"]
    assert headers["content-type"] == "application/octet-stream"
    assert label == {"name": "label", "shape": [2, 1], "datatype": "BYTES", "parameters": {"binary_data_size": 11}}
    assert score["parameters"] == {"binary_data_size": 32} and "data" not in score
    assert body[size:] == b"\1\0\0\0a\2\0\0\0\xc3\xa9" + struct.pack("<4d", 0.25, 0.75, 1.0, 0.0)


@pytest.mark.parametrize("length", ["-1", "+5", "1.5", "", " ", "a", "0x10", "9" * 30, "1_0", "٣"])
def test_a_length_that_is_no_number_is_refused(length: str):
    with pytest.raises(BadInput, match="Inference-Header-Content-Length"):
        read(body_of(X), length)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_length_that_misses_the_end_of_the_json_is_refused(change: int):
    body, length = binary(body_of(BINARY_X), X_BYTES)

    with pytest.raises(BadInput):
        read(body, str(int(length) + change))


def test_a_length_beyond_the_body_is_refused():
    body = body_of(X)

    with pytest.raises(BadInput, match=f"is {len(body) + 1}, and the body has {len(body)} bytes"):
        read(body, str(len(body) + 1))


@pytest.mark.parametrize(
    ("inputs", "tail", "reason"),
    [
        ([BINARY_X], X_BYTES[:-1], "and the body has 15 bytes left"),
        ([BINARY_X], X_BYTES + b"\0", "the body has 1 bytes more"),
        ([X], b"\0", "the body has 1 bytes more"),
        ([BINARY_X, BINARY_Y], X_BYTES, "and the body has 0 bytes left"),
        ([BINARY_X | {"data": [1.5, 2.5]}], X_BYTES, "both 'data' and the parameter"),
        ([BINARY_X | {"parameters": {"binary_data_size": -1}}], b"", "binary_data_size -1"),
        ([BINARY_X | {"parameters": {"binary_data_size": 16.0}}], X_BYTES, "binary_data_size 16.0"),
        ([BINARY_X | {"parameters": {"binary_data_size": True}}], b"\0", "binary_data_size True"),
        ([BINARY_X | {"shape": [1]}], X_BYTES, "has 16 bytes, and FP64 of shape"),
    ],
)
def test_binary_tensors_that_do_not_add_up_are_refused(inputs: list, tail: bytes, reason: str):
    with pytest.raises(BadInput, match=reason):
        read(*binary(body_of(*inputs), tail))


def test_binary_tensors_need_the_length_of_the_json():
    with pytest.raises(BadInput, match="the header Inference-Header-Content-Length is missing"):
        read(body_of(BINARY_X), None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
        (b"{}", "'inputs' is missing"),
        (b'{"inputs": {}}', "'inputs' is {}"),
        (b'{"inputs": [3]}', "expected an array of objects"),
        (b'{"inputs": []}', "'inputs' is empty"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [NaN]}]}', "NaN and Infinity are not"),
        (body_of({**X, "name": 3}), "'name' of an input is 3"),
        (body_of({"shape": [2]}), "'name' of an input is missing"),
        (body_of({**X, "datatype": "FP128"}), "datatype 'FP128', expected one of BOOL"),
        (body_of({**X, "datatype": "fp64"}), "datatype 'fp64'"),
        (body_of({**X, "datatype": None}), "'datatype' of the input 'x' is None"),
        (body_of({**X, "shape": None}), "shape None"),
        (body_of({**X, "shape": [-1]}), r"shape \[-1\]"),
        (body_of({**X, "shape": [2.0]}), r"shape \[2.0\]"),
        (body_of({**X, "shape": [True, 2]}), r"shape \[True"),
        (body_of({**X, "shape": [1] * 9}), "shape"),
        (body_of({**X, "shape": [2, 2**64]}), "shape"),
        (body_of({key: X[key] for key in ("name", "shape", "datatype")}), "neither 'data' nor the parameter"),
        (body_of({**X, "parameters": []}), r"the input 'x' has parameters \[\]"),
        (body_of({**X, "parameters": {"shared_memory_region": "r"}}), "the parameter 'shared_memory_region'"),
        (body_of(X, X), "the input 'x' stands 2 times"),
        (body_of(X, id=42), "'id' of the request is 42"),
        (body_of(X, parameters=3), "the request has parameters 3"),
        (body_of(X, parameters={"binary_data_output": 1}), "the parameter 'binary_data_output' is 1"),
        (body_of(X, outputs={}), "'outputs' is {}"),
        (body_of(X, outputs=["label"]), "'outputs' is"),
        (body_of(X, outputs=[{}]), "'name' of an output is missing"),
        (body_of(X, outputs=[{"name": "a"}, {"name": "a"}]), "the output 'a' stands 2 times"),
        (body_of(X, outputs=[{"name": "a", "parameters": {"binary_data": "yes"}}]), "'binary_data' is 'yes'"),
        (body_of(X, outputs=[{"name": "a", "parameters": {"classification": 2}}]), "the parameter 'classification'"),
    ],
)
def test_a_body_that_is_no_request_says_what_is_wrong(body: bytes, reason: str):
    with pytest.raises(BadInput, match=reason):
        read(body, None)


def test_any_body_is_read_or_refused_in_words():
    chance = random.Random(7)
    whole, length = binary(
        body_of(BINARY_X, BINARY_Y, X | {"name": "z"}, outputs=[{"name": "label"}]), X_BYTES, Y_BYTES
    )
    refused = 0
    for _ in range(500):
        body = whole
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(body) + 1)
            match chance.randrange(4):
                case 0:
                    body = body[:at] + chance.randbytes(1) + body[at + 1 :]
                case 1:
                    body = body[:at] + body[at + chance.randint(1, 20) :]
                case 2:
                    tokens = [b"null", b"[[[[", b"-1", b"1e999", b'"', b"{}", b"\\ud800", b"\0"]
                    body = body[:at] + chance.choice(tokens) + body[at:]
                case _:
                    body = body[:at]
        try:
            read(body, chance.choice([length, length, str(chance.randrange(400)), None]))
        except (BadInput, TooLarge) as error:
            assert len(str(error)) < 400
            refused += 1
    assert refused > 400
