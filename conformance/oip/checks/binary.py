"""Checks of the extension binary_tensor_data."""

import json
from typing import Any

from conformance.oip.check import NotApplicable, check, expect
from conformance.oip.extensions import (
    BINARY_BYTES,
    BINARY_DATA,
    BINARY_EXAMPLE,
    BINARY_HEADER,
    BINARY_INPUT,
    BINARY_ORDER,
    BINARY_OUTPUT,
    BINARY_OVERRIDE,
    BINARY_PLACE,
    BINARY_REPORTED,
    BINARY_SEQUENCE,
    BINARY_SIZE,
    BINARY_SIZES,
)
from conformance.oip.server import BINARY_EXTENSION, LENGTH, InferenceAnswer, InferenceServer, answered, refused
from conformance.oip.specification import (
    INFERENCE_ERROR,
)
from conformance.oip.tensors import same


def _same_outputs(found: InferenceAnswer, expected: InferenceAnswer, when: str) -> None:
    for name, tensor in expected.outputs.items():
        expect(name in found.outputs, f"'{name}' is missing {when}")
        expect(same(found.outputs[name].values, tensor.values), f"'{name}' differs {when}")


def _all_binary(server: InferenceServer, names: list[str] | None = None) -> InferenceAnswer:
    names = list(server.plain.outputs) if names is None else names
    return server.infer(server.request(outputs=[{"name": name, "parameters": {"binary_data": True}} for name in names]))


@check(BINARY_REPORTED)
def binary_is_reported(server: InferenceServer) -> None:
    """The server metadata lists binary_tensor_data."""
    server.need_extension(BINARY_EXTENSION)


@check(BINARY_INPUT, BINARY_PLACE)
def binary_inputs(server: InferenceServer) -> None:
    """Inputs as bytes behind the JSON are answered."""
    server.need_extension(BINARY_EXTENSION)
    answered(server.send_binary(*server.binary()))


@check(BINARY_ORDER, BINARY_SIZES)
def binary_inputs_are_the_same_tensors(server: InferenceServer) -> None:
    """Inputs as bytes are answered as the same inputs in JSON are."""
    server.need_extension(BINARY_EXTENSION)
    _same_outputs(answered(server.send_binary(*server.binary())), server.plain, "for inputs as bytes")


@check(BINARY_ORDER)
def binary_batches(server: InferenceServer) -> None:
    """Several rows as bytes are answered as the same rows in JSON are."""
    server.need_extension(BINARY_EXTENSION)
    server.need_batches()
    found = answered(server.send_binary(*server.binary((0, 1, 2))))
    _same_outputs(found, server.infer(server.request((0, 1, 2))), "for rows as bytes")


@check(BINARY_SEQUENCE)
def binary_inputs_in_their_order(server: InferenceServer) -> None:
    """Bytes stand in the order of the inputs in the JSON, whatever that is."""
    server.need_extension(BINARY_EXTENSION)
    if len(server.inputs) < 2:
        raise NotApplicable("the model has one input")
    _same_outputs(answered(server.send_binary(*server.binary(backwards=True))), server.plain, "in another order")


@check(BINARY_INPUT, BINARY_SEQUENCE)
def binary_beside_json(server: InferenceServer) -> None:
    """One input may be JSON while the others are bytes."""
    server.need_extension(BINARY_EXTENSION)
    if len(server.inputs) < 2:
        raise NotApplicable("the model has one input")
    for each in server.inputs:
        found = answered(server.send_binary(*server.binary(but=[each.name])))
        _same_outputs(found, server.plain, f"where '{each.name}' alone is JSON")


@check(BINARY_BYTES)
def binary_texts(server: InferenceServer) -> None:
    """Texts are taken as a length of 4 bytes and the bytes."""
    server.need_extension(BINARY_EXTENSION)
    texts = [each.name for each in server.inputs if each.datatype == "BYTES"]
    if not texts:
        raise NotApplicable("no input of the model is BYTES")
    others = [each.name for each in server.inputs if each.name not in texts]
    _same_outputs(answered(server.send_binary(*server.binary(but=others))), server.plain, "for texts as bytes")


@check(BINARY_DATA)
def binary_outputs(server: InferenceServer) -> None:
    """Outputs that are asked for as bytes come as bytes, without 'data'."""
    server.need_extension(BINARY_EXTENSION)
    for each in _all_binary(server).values["outputs"]:
        expect("data" not in each, f"'{each['name']}' has 'data'")
        expect("binary_data_size" in (each.get("parameters") or {}), f"'{each['name']}' has no binary_data_size")


@check(BINARY_ORDER, BINARY_BYTES)
def binary_outputs_are_the_same_tensors(server: InferenceServer) -> None:
    """Outputs as bytes hold what they hold in JSON."""
    server.need_extension(BINARY_EXTENSION)
    _same_outputs(_all_binary(server), server.plain, "as bytes")


@check(BINARY_SIZE)
def binary_sizes(server: InferenceServer) -> None:
    """binary_data_size of every output is a whole number, and together they are the rest of the body."""
    server.need_extension(BINARY_EXTENSION)
    found = _all_binary(server)
    sizes = [each["parameters"]["binary_data_size"] for each in found.values["outputs"]]
    expect(all(type(size) is int for size in sizes), f"binary_data_size is {sizes}")
    expect(sum(sizes) == len(found.rest), f"binary_data_size is {sizes}, {len(found.rest)} bytes follow the JSON")


@check(BINARY_HEADER)
def binary_header(server: InferenceServer) -> None:
    """A response with bytes has Inference-Header-Content-Length, where its JSON ends."""
    server.need_extension(BINARY_EXTENSION)
    response = _all_binary(server).response
    expect(LENGTH in response.headers, "the header is missing")
    json.loads(response.content[: int(response.headers[LENGTH])])


@check(BINARY_HEADER)
def binary_content_length(server: InferenceServer) -> None:
    """Content-Length of such a response is the length of the whole body."""
    server.need_extension(BINARY_EXTENSION)
    response = _all_binary(server).response
    found = response.headers.get("content-length")
    if found is None:
        raise NotApplicable("the response came in chunks, which have no Content-Length")
    expect(int(found) == len(response.content), f"Content-Length is {found}, the body has {len(response.content)}")


@check(BINARY_EXAMPLE)
def binary_content_type(server: InferenceServer) -> None:
    """The content type of such a response is application/octet-stream."""
    server.need_extension(BINARY_EXTENSION)
    found = _all_binary(server).response.headers.get("content-type", "")
    expect(found.split(";")[0] == "application/octet-stream", f"content-type is {found!r}")


@check(BINARY_SEQUENCE)
def binary_outputs_in_their_order(server: InferenceServer) -> None:
    """Bytes stand in the order of the outputs in the JSON, whatever was asked for first."""
    server.need_extension(BINARY_EXTENSION)
    names = list(server.plain.outputs)
    if len(names) < 2:
        raise NotApplicable("the model has one output")
    _same_outputs(_all_binary(server, names[::-1]), server.plain, "asked for backwards")


@check(BINARY_OUTPUT)
def binary_data_output(server: InferenceServer) -> None:
    """The parameter binary_data_output of the request makes all outputs bytes."""
    server.need_extension(BINARY_EXTENSION)
    found = server.infer(server.request(parameters={"binary_data_output": True}))
    for each in found.values["outputs"]:
        expect("data" not in each, f"'{each['name']}' has 'data'")
    _same_outputs(found, server.plain, "with binary_data_output")


@check(BINARY_OVERRIDE)
def binary_data_overrides(server: InferenceServer) -> None:
    """binary_data of one output has the last word over binary_data_output, either way."""
    server.need_extension(BINARY_EXTENSION)
    for default in (True, False):
        for name in server.plain.outputs:
            wanted: dict[str, Any] = {each: default for each in server.plain.outputs} | {name: not default}
            outputs = [{"name": each} for each in wanted if each != name]
            outputs.append({"name": name, "parameters": {"binary_data": not default}})  # type: ignore[dict-item]
            found = server.infer(server.request(parameters={"binary_data_output": default}, outputs=outputs))
            for each in found.values["outputs"]:
                expect(("data" not in each) == wanted[each["name"]], f"'{each['name']}' came in the other form")
            _same_outputs(found, server.plain, "in a mixed response")


@check(BINARY_DATA)
def json_unless_asked(server: InferenceServer) -> None:
    """Inputs as bytes do not make outputs bytes: those are JSON unless asked for otherwise."""
    server.need_extension(BINARY_EXTENSION)
    found = answered(server.send_binary(*server.binary()))
    for each in found.values["outputs"]:
        expect("data" in each, f"'{each['name']}' has no 'data'")
    expect(not found.rest, f"{len(found.rest)} bytes follow the JSON")


@check(BINARY_INPUT, BINARY_DATA)
def binary_both_ways(server: InferenceServer) -> None:
    """Bytes in and bytes out are answered as JSON in and out, with the id of the request."""
    server.need_extension(BINARY_EXTENSION)
    found = answered(server.send_binary(*server.binary(id="both", parameters={"binary_data_output": True})))
    expect(found.values.get("id") == "both", f"'id' is {found.values.get('id')!r}")
    _same_outputs(found, server.plain, "both ways as bytes")


@check(BINARY_HEADER, INFERENCE_ERROR)
def binary_without_its_header(server: InferenceServer) -> None:
    """Bytes without Inference-Header-Content-Length are an error in the protocol's form."""
    server.need_extension(BINARY_EXTENSION)
    request, tails = server.binary()
    body = b"".join([json.dumps(request).encode(), *tails])
    refused(server.send(f"{server.path}/infer", body), "bytes without their header")


@check(BINARY_HEADER, INFERENCE_ERROR)
def binary_header_beyond_the_body(server: InferenceServer) -> None:
    """An Inference-Header-Content-Length beyond the body is an error in the protocol's form."""
    server.need_extension(BINARY_EXTENSION)
    body = json.dumps(server.request()).encode()
    refused(server.send(f"{server.path}/infer", body, {LENGTH: str(len(body) + 10)}), "a header beyond the body")


@check(BINARY_HEADER, INFERENCE_ERROR)
def binary_header_is_a_number(server: InferenceServer) -> None:
    """An Inference-Header-Content-Length that is no number is an error in the protocol's form."""
    server.need_extension(BINARY_EXTENSION)
    body = json.dumps(server.request()).encode()
    for value in ("many", "-1"):
        refused(server.send(f"{server.path}/infer", body, {LENGTH: value}), f"a header that is {value!r}")


@check(BINARY_SIZE, INFERENCE_ERROR)
def binary_cut_short(server: InferenceServer) -> None:
    """A body that ends before the last byte is an error in the protocol's form."""
    server.need_extension(BINARY_EXTENSION)
    request, tails = server.binary()
    tails[-1] = tails[-1][:-1]
    refused(server.send_binary(request, tails), "a body that is cut short")


@check(BINARY_SIZE, INFERENCE_ERROR)
def binary_of_another_size(server: InferenceServer) -> None:
    """Bytes that are more than the shape takes are an error in the protocol's form."""
    server.need_extension(BINARY_EXTENSION)
    request, tails = server.binary()
    tails[-1] += b"\0" * 8
    request["inputs"][-1]["parameters"]["binary_data_size"] += 8
    refused(server.send_binary(request, tails), "bytes that are more than the shape takes")


@check(BINARY_BYTES, INFERENCE_ERROR)
def binary_texts_cut_short(server: InferenceServer) -> None:
    """A text whose length is beyond its tensor is an error in the protocol's form."""
    server.need_extension(BINARY_EXTENSION)
    at = next((at for at, each in enumerate(server.inputs) if each.datatype == "BYTES"), None)
    if at is None:
        raise NotApplicable("no input of the model is BYTES")
    request, tails = server.binary()
    tails[at] = b"\xff\xff\xff\x7f" + tails[at][4:]
    refused(server.send_binary(request, tails), "a text that is longer than its tensor")
