"""Checks of the output tensors, and of asking for some of them."""

import math

from conformance.oip.check import NotApplicable, check, expect
from conformance.oip.server import InferenceServer, answered, refused
from conformance.oip.specification import (
    ALL_OUTPUTS,
    DATATYPES,
    INFERENCE_ERROR,
    METADATA_SHAPE,
    MODEL_OUTPUTS,
    OUTPUT_NAME,
    REQUEST_OUTPUTS,
    REQUESTED_OUTPUT,
    RESPONSE_BATCH,
    RESPONSE_DATA,
    RESPONSE_DATATYPE,
    RESPONSE_OUTPUTS,
    RESPONSE_SHAPE,
)
from conformance.oip.tensors import DATATYPES as KNOWN
from conformance.oip.tensors import fits, same


@check(RESPONSE_OUTPUTS)
def outputs_are_tensors(server: InferenceServer) -> None:
    """Every output has name, shape, datatype and data."""
    for each in server.plain.values["outputs"]:
        missing = {"name", "shape", "datatype", "data"} - set(each)
        expect(not missing, f"the output {each.get('name')!r} has no {', '.join(sorted(missing))}")


@check(ALL_OUTPUTS, MODEL_OUTPUTS)
def all_outputs_come_unasked(server: InferenceServer) -> None:
    """Without 'outputs' in the request, every output of the metadata is returned, and no other."""
    listed = {each["name"] for each in server.metadata.get("outputs") or []}
    if not listed:
        raise NotApplicable("the metadata lists no outputs")
    expect(set(server.plain.outputs) == listed, f"{sorted(server.plain.outputs)} came, {sorted(listed)} are listed")


@check(RESPONSE_DATATYPE, DATATYPES)
def output_datatypes(server: InferenceServer) -> None:
    """Every output's datatype is one of the table."""
    for name, tensor in server.plain.outputs.items():
        expect(tensor.datatype in KNOWN, f"the datatype of '{name}' is {tensor.datatype!r}")


@check(RESPONSE_DATATYPE, MODEL_OUTPUTS)
def output_datatypes_are_those_described(server: InferenceServer) -> None:
    """Every output has the datatype that the metadata gives it."""
    for each in server.metadata.get("outputs") or []:
        found = server.plain.outputs[each["name"]].datatype
        expect(found == each["datatype"], f"'{each['name']}' is {found}, the metadata says {each['datatype']}")


@check(RESPONSE_SHAPE)
def output_shapes(server: InferenceServer) -> None:
    """Every dimension of an output is a whole number, 0 or more."""
    for each in server.plain.values["outputs"]:
        fine = all(type(size) is int and 0 <= size < 2**64 for size in each["shape"])
        expect(fine, f"the shape of '{each['name']}' is {each['shape']}")


@check(METADATA_SHAPE)
def output_shapes_are_those_described(server: InferenceServer) -> None:
    """Every output has the shape that the metadata gives it, -1 standing for any size."""
    for each in server.metadata.get("outputs") or []:
        found = server.plain.outputs[each["name"]].shape
        fine = len(found) == len(each["shape"])
        fine = fine and all(size in (-1, of) for size, of in zip(each["shape"], found, strict=True))
        expect(fine, f"'{each['name']}' has shape {list(found)}, the metadata says {each['shape']}")


@check(RESPONSE_DATA, RESPONSE_SHAPE)
def output_sizes(server: InferenceServer) -> None:
    """Every output has as many elements as its shape says."""
    for name, tensor in server.plain.outputs.items():
        count = math.prod(tensor.shape)
        expect(len(tensor.values) == count, f"'{name}' has {len(tensor.values)} elements, its shape takes {count}")


@check(RESPONSE_DATA, RESPONSE_DATATYPE)
def output_elements(server: InferenceServer) -> None:
    """Every element is of the kind that the datatype says."""
    for name, tensor in server.plain.outputs.items():
        for value in tensor.values:
            expect(fits(tensor.datatype, value), f"'{name}' is {tensor.datatype} and holds {value!r}")


@check(RESPONSE_BATCH)
def a_batch_has_all_its_rows(server: InferenceServer) -> None:
    """The outputs for three rows have three rows."""
    server.need_batches()
    for name, tensor in server.infer(server.request((0, 1, 2))).outputs.items():
        expect(tensor.shape[:1] == (3,), f"'{name}' has shape {list(tensor.shape)} for 3 rows")


@check(RESPONSE_BATCH)
def a_batch_of_many_rows(server: InferenceServer) -> None:
    """The outputs for twenty rows have twenty rows."""
    server.need_batches()
    response = server.post(f"{server.path}/infer", server.request(range(20)))
    if response.status_code == 413:
        raise NotApplicable("the server takes fewer rows in one request")
    for name, tensor in answered(response).outputs.items():
        expect(tensor.shape[:1] == (20,), f"'{name}' has shape {list(tensor.shape)} for 20 rows")
        expect(len(tensor.values) == math.prod(tensor.shape), f"'{name}' has {len(tensor.values)} elements")


@check(REQUEST_OUTPUTS, REQUESTED_OUTPUT)
def one_output_alone(server: InferenceServer) -> None:
    """Each output can be asked for by itself: it comes, and no other does."""
    for name, tensor in server.plain.outputs.items():
        found = server.infer(server.request(outputs=[{"name": name}])).outputs
        expect(list(found) == [name], f"{list(found)} came, '{name}' was asked for")
        expect(same(found[name].values, tensor.values), f"'{name}' differs when it is asked for alone")


@check(REQUEST_OUTPUTS)
def all_outputs_by_name(server: InferenceServer) -> None:
    """All outputs can be asked for by name, in any order."""
    names = list(server.plain.outputs)[::-1]
    found = server.infer(server.request(outputs=[{"name": name} for name in names])).outputs
    expect(set(found) == set(names), f"{list(found)} came, {names} were asked for")
    for name in names:
        expect(same(found[name].values, server.plain.outputs[name].values), f"'{name}' differs")


@check(OUTPUT_NAME, INFERENCE_ERROR)
def unknown_output(server: InferenceServer) -> None:
    """An output that the model has not is an error in the protocol's form."""
    response = server.post(f"{server.path}/infer", server.request(outputs=[{"name": "no-such-output-9b1d"}]))
    refused(response, "an output that the model has not")
