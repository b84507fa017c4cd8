"""Checks of requests that are wrong: each must be refused as the protocol says, and harm nobody."""

import copy
from collections.abc import Callable
from typing import Any

from conformance.oip.check import add, check, expect
from conformance.oip.server import InferenceServer, refused, shown
from conformance.oip.specification import (
    INFERENCE_ERROR,
    INFERENCE_FAILED,
    INPUT_BATCH,
    INPUT_DATA,
    INPUT_DATATYPE,
    INPUT_NAME,
    INPUT_SHAPE,
    LIVE,
    MODEL_INPUTS,
    REQUEST_BODY,
    REQUEST_ID_TYPE,
    REQUEST_INPUTS,
    Clause,
)

Request = dict[str, Any]


def _first(change: Callable[[Request], None]) -> Callable[[Request], None]:
    return lambda request: change(request["inputs"][0])


def _replace(key: str, value: Any) -> Callable[[Request], None]:
    return lambda values: values.update({key: value})


def _without(key: str) -> Callable[[Request], None]:
    return lambda values: values.pop(key)


def _resize(by: int) -> Callable[[Request], None]:
    def change(tensor: Request) -> None:
        tensor["data"] = tensor["data"][:by] if by < 0 else tensor["data"] + tensor["data"][:1] * by

    return change


WRONG_BODIES: dict[str, tuple[str, Clause, bytes]] = {
    "empty_body": ("An empty body is refused", REQUEST_BODY, b""),
    "no_json": ("A body that is no JSON is refused", REQUEST_BODY, b"{"),
    "no_text": ("A body that is no text is refused", REQUEST_BODY, b"\xff\xfe\x00"),
    "no_object": ("A body that is an array is refused", REQUEST_BODY, b"[]"),
    "null_body": ("A body that is null is refused", REQUEST_BODY, b"null"),
    "no_inputs": ("A request without 'inputs' is refused", REQUEST_INPUTS, b"{}"),
    "inputs_no_array": ("'inputs' that are an object are refused", REQUEST_INPUTS, b'{"inputs": {}}'),
    "inputs_no_objects": ("'inputs' that are numbers are refused", REQUEST_INPUTS, b'{"inputs": [3]}'),
}
WRONG_REQUESTS: dict[str, tuple[str, Clause, Callable[[Request], None]]] = {
    "input_without_name": ("An input without 'name' is refused", INPUT_NAME, _first(_without("name"))),
    "input_without_shape": ("An input without 'shape' is refused", INPUT_SHAPE, _first(_without("shape"))),
    "input_without_datatype": ("An input without 'datatype' is refused", INPUT_DATATYPE, _first(_without("datatype"))),
    "input_without_data": ("An input without 'data' is refused", INPUT_DATA, _first(_without("data"))),
    "data_no_array": ("Data that is an object is refused", INPUT_DATA, _first(_replace("data", {"0": 1}))),
    "unknown_datatype": ("A datatype beside the table is refused", INPUT_DATATYPE, _first(_replace("datatype", "FP9"))),
    "datatype_no_text": ("A datatype that is a number is refused", INPUT_DATATYPE, _first(_replace("datatype", 32))),
    "shape_no_array": ("A shape that is a number is refused", INPUT_SHAPE, _first(_replace("shape", 1))),
    "negative_dimension": ("A negative dimension is refused", INPUT_SHAPE, _first(_replace("shape", [-1, 1]))),
    "fractional_dimension": ("A dimension of 1.5 is refused", INPUT_SHAPE, _first(_replace("shape", [1.5, 1]))),
    "dimension_no_number": ("A dimension that is a text is refused", INPUT_SHAPE, _first(_replace("shape", ["one"]))),
    "too_few_elements": ("Data with an element too few is refused", INPUT_BATCH, _first(_resize(-1))),
    "too_many_elements": ("Data with an element too many is refused", INPUT_BATCH, _first(_resize(1))),
    "shape_too_large": ("A shape far beyond its data is refused", INPUT_BATCH, _first(_replace("shape", [2**62, 4]))),
    "name_no_text": ("A name that is a number is refused", INPUT_NAME, _first(_replace("name", 3))),
    "missing_input": ("A request without an input is refused", MODEL_INPUTS, lambda each: each["inputs"].pop()),
}  # fmt: skip


def _refuses(
    body: bytes | None, change: Callable[[Request], None] | None, title: str
) -> Callable[[InferenceServer], None]:
    def ask(server: InferenceServer) -> None:
        path = f"{server.path}/infer"
        if body is not None:
            response = server.send(path, body)
        else:
            request = copy.deepcopy(server.request())
            assert change is not None
            change(request)
            response = server.post(path, request)
        refused(response, title.removesuffix(" is refused").removesuffix(" are refused").lower())
        expect(response.status_code < 500, f"the fault is the request's, and the status is {shown(response)}")

    return ask


for _name, (_title, _clause, _body) in WRONG_BODIES.items():
    add(_name, _title, (_clause, INFERENCE_FAILED, INFERENCE_ERROR), _refuses(_body, None, _title))
for _name, (_title, _clause, _change) in WRONG_REQUESTS.items():
    add(_name, _title, (_clause, INFERENCE_FAILED, INFERENCE_ERROR), _refuses(None, _change, _title))


@check(REQUEST_ID_TYPE, INFERENCE_ERROR)
def id_no_text(server: InferenceServer) -> None:
    """An id that is a number is refused in the protocol's form, or returned as text."""
    response = server.post(f"{server.path}/infer", server.request(id=42))
    if response.status_code == 200:
        expect(isinstance(response.json().get("id"), str), f"'id' is {response.json().get('id')!r}")
    else:
        refused(response, "an id that is a number")


@check(LIVE)
def alive_after_all(server: InferenceServer) -> None:
    """After all that the server is live, and answers as before."""
    response = server.get("/v2/health/live")
    expect(response.status_code == 200, shown(response))
    server.infer(server.request())
