"""Checks of tensor data in JSON."""

import math
from typing import Any

from conformance.oip.check import NotApplicable, check, expect
from conformance.oip.server import InferenceServer, refused, shown
from conformance.oip.specification import (
    COERCION,
    ELEMENTS,
    INPUT_BATCH,
    JSON_ARRAY,
    REPRESENTATION,
    RESPONSE_BATCH,
    ROW_MAJOR,
)
from conformance.oip.tensors import flatten, same

ROWS = (0, 1, 2)


def _row(tensor: Any, row: int) -> Any:
    size = math.prod(tensor.shape[1:])
    return tensor.values[row * size : (row + 1) * size]


@check(REPRESENTATION)
def flat_data(server: InferenceServer) -> None:
    """Data of several rows is taken as one flat array."""
    server.need_batches()
    server.infer(server.request(ROWS))


@check(REPRESENTATION)
def nested_data(server: InferenceServer) -> None:
    """Data of several rows is taken as nested arrays."""
    server.need_batches()
    server.infer(server.request(ROWS, nested=True))


@check(REPRESENTATION, ROW_MAJOR)
def nested_is_flat(server: InferenceServer) -> None:
    """Nested and flat data are the same tensor: the outputs are the same."""
    server.need_batches()
    flat, nested = server.infer(server.request(ROWS)), server.infer(server.request(ROWS, nested=True))
    for name, tensor in flat.outputs.items():
        expect(same(nested.outputs[name].values, tensor.values), f"'{name}' differs")


@check(INPUT_BATCH, RESPONSE_BATCH)
def rows_of_a_batch_answer_as_alone(server: InferenceServer) -> None:
    """Each row of a batch is answered as it is alone."""
    server.need_batches()
    together = server.infer(server.request(ROWS))
    for row in ROWS:
        alone = server.infer(server.request((row,)))
        for name, tensor in alone.outputs.items():
            expect(same(_row(together.outputs[name], row), tensor.values), f"'{name}' of row {row} differs")


@check(ROW_MAJOR)
def rows_stand_one_after_the_other(server: InferenceServer) -> None:
    """A flat batch whose rows are sent in another order is answered in that order."""
    server.need_batches()
    forwards, backwards = server.infer(server.request(ROWS)), server.infer(server.request(ROWS[::-1]))
    for name, tensor in forwards.outputs.items():
        for row in ROWS:
            found = _row(backwards.outputs[name], len(ROWS) - 1 - row)
            expect(same(found, _row(tensor, row)), f"'{name}' of row {row} differs")


@check(JSON_ARRAY, ELEMENTS)
def output_data_is_an_array(server: InferenceServer) -> None:
    """Data of every output is an array of numbers, texts and truth values, flat or nested."""
    for each in server.plain.values["outputs"]:
        expect(isinstance(each["data"], list), f"the data of '{each['name']}' is {str(each['data'])[:60]}")
        for value in flatten(each["data"]):
            expect(isinstance(value, str | int | float | bool), f"'{each['name']}' holds {value!r}")


@check(COERCION)
def numbers_as_texts(server: InferenceServer) -> None:
    """A text among numbers is coerced or refused, in the protocol's form."""
    _unexpected(server, lambda datatype: datatype not in ("BYTES", "BOOL"), "no number")


@check(COERCION)
def numbers_as_objects(server: InferenceServer) -> None:
    """An object among numbers is refused, in the protocol's form."""
    _unexpected(server, lambda datatype: datatype not in ("BYTES", "BOOL"), {"value": 1})


@check(COERCION)
def texts_as_numbers(server: InferenceServer) -> None:
    """A number among texts is coerced or refused, in the protocol's form."""
    _unexpected(server, lambda datatype: datatype == "BYTES", 3)


@check(ELEMENTS, COERCION)
def whole_numbers_as_floats(server: InferenceServer) -> None:
    """A whole number written 1 stands for a floating-point number, or is refused in the protocol's form."""
    _unexpected(server, lambda datatype: datatype.startswith("FP"), 1)


def _unexpected(server: InferenceServer, suits: Any, value: Any) -> None:
    request = server.request()
    chosen = next((each for each in request["inputs"] if suits(each["datatype"])), None)
    if chosen is None:
        raise NotApplicable("no input of the model has such a datatype")
    chosen["data"] = [value, *chosen["data"][1:]]
    response = server.post(f"{server.path}/infer", request)
    if response.status_code != 200:
        refused(response, f"{value!r} as {chosen['datatype']}")
        expect(response.status_code < 500, f"a value that was not expected gave {shown(response)}")
