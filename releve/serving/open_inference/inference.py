"""The bytes of an inference request and of its response: a JSON object, then the binary tensors in its order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import orjson

from releve.core.errors import BadInput, TooLarge
from releve.domain.schema.cells import format_value
from releve.serving.open_inference import tensors
from releve.serving.open_inference.tensors import DATATYPES, MAX_DIMENSIONS, Tensor
from releve.serving.requests import read_object

JSON, BINARY = "application/json", "application/octet-stream"
HEADER_LENGTH = "inference-header-content-length"
LARGEST_SIZE = 2**64  # of a dimension: below
UNSUPPORTED = ("classification", "shared_memory_region")  # of outputs and inputs: they would change what is meant


@dataclass(frozen=True)
class InferenceRequest:
    """What a client asks: `outputs` names what it wants back, each with whether as binary; None is everything."""

    id: str | None
    inputs: tuple[Tensor, ...]
    outputs: Mapping[str, bool] | None
    binary_output: bool  # of everything, where `outputs` is None

    def wanted(self, names: Sequence[str]) -> dict[str, bool]:
        """Return the outputs to send of those that the model has. Raise BadInput for one that it has not."""
        if self.outputs is None:
            return dict(zip(names, repeat(self.binary_output)))
        for name in self.outputs:
            if name not in names:
                raise BadInput(f"the output {format_value(name)} is none of the model's: {', '.join(names)}")
        return dict(self.outputs)


def read(body: bytes, header_length: str | None, *, max_rows: int, max_inputs: int) -> InferenceRequest:
    """Read a request; `header_length` is the header HEADER_LENGTH.

    Raise BadInput saying what is wrong with it; TooLarge for more than `max_rows`, before any row is read.
    """
    size = _json_size(body, header_length)
    request = read_object(body[:size])
    parameters = _parameters(request, "the request")
    inputs = _objects(request, "inputs")
    if not inputs:
        raise BadInput("'inputs' is empty; send the tensors that the model's metadata lists")
    if len(inputs) > max_inputs:
        raise BadInput(f"'inputs' has {len(inputs)} tensors, and the model has {max_inputs} columns")
    read_inputs, at = [], size
    for each in inputs:
        tensor, taken = _input(each, body, at, has_header=header_length is not None, max_rows=max_rows)
        read_inputs.append(tensor)
        at += taken
    if at < len(body):
        raise BadInput(f"the body has {len(body) - at} bytes more than 'binary_data_size' of its inputs says")
    _check_once([tensor.name for tensor in read_inputs], "input")
    return InferenceRequest(
        id=_text(request, "id", "the request") if request.get("id") is not None else None,
        inputs=tuple(read_inputs),
        outputs=_outputs(request, binary := _flag(parameters, "binary_data_output")),
        binary_output=binary,
    )


def write(
    values: Mapping[str, Any], outputs: Sequence[Tensor], wanted: Mapping[str, bool]
) -> tuple[bytes, dict[str, str]]:
    """Write the response and its headers: `values`, and of `outputs` those that are wanted, in the order wanted."""
    by_name = {tensor.name: tensor for tensor in outputs}
    described, parts = [], []
    for name, binary in wanted.items():
        tensor = by_name[name]
        entry: dict[str, Any] = {"name": name, "shape": tensor.shape, "datatype": tensor.datatype}
        if binary:
            parts.append(tensors.to_binary(tensor))
            described.append(entry | {"parameters": {"binary_data_size": len(parts[-1])}})
        else:
            described.append(entry | {"data": tensor.values})
    head = orjson.dumps({**values, "outputs": described}, option=orjson.OPT_SERIALIZE_NUMPY)
    if not parts:
        return head, {"content-type": JSON}
    return b"".join([head, *parts]), {"content-type": BINARY, HEADER_LENGTH: str(len(head))}


def _json_size(body: bytes, header_length: str | None) -> int:
    if header_length is None:
        return len(body)
    if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 20):
        raise BadInput(f"Inference-Header-Content-Length is {format_value(header_length)}, expected a number of bytes")
    if int(header_length) > len(body):
        raise BadInput(f"Inference-Header-Content-Length is {header_length}, and the body has {len(body)} bytes")
    return int(header_length)


def _input(values: Mapping[str, Any], body: bytes, at: int, *, has_header: bool, max_rows: int) -> tuple[Tensor, int]:
    """Return the tensor, and how many bytes of `body` it took, from `at` on."""
    name = _text(values, "name", "an input")
    datatype, shape = _text(values, "datatype", f"the input '{name}'"), values.get("shape")
    if datatype not in DATATYPES:
        raise BadInput(
            f"the input '{name}' has datatype {format_value(datatype)}, expected one of {', '.join(DATATYPES)}"
        )
    if (
        not isinstance(shape, list)
        or len(shape) > MAX_DIMENSIONS
        or not all(type(size) is int and 0 <= size < LARGEST_SIZE for size in shape)
    ):
        raise BadInput(
            f"the input '{name}' has shape {format_value(shape)}, expected an array of whole numbers, 0 or more"
        )
    if shape and shape[0] > max_rows:
        raise TooLarge(
            f"the input '{name}' has {shape[0]} rows, one request may carry {max_rows} (params.yaml: "
            "service.max_rows); send several requests"
        )
    parameters = _parameters(values, f"the input '{name}'")
    size = parameters.get("binary_data_size")
    if size is None:
        if "data" not in values:
            raise BadInput(f"the input '{name}' has neither 'data' nor the parameter 'binary_data_size'; send one")
        return tensors.from_json(name, datatype, tuple(shape), values["data"]), 0
    if "data" in values:
        raise BadInput(f"the input '{name}' has both 'data' and the parameter 'binary_data_size'; send one")
    if not has_header:
        raise BadInput(
            f"the input '{name}' is binary, and the header Inference-Header-Content-Length is missing; "
            "it says where the JSON ends"
        )
    if type(size) is not int or size < 0:
        raise BadInput(f"the input '{name}' has binary_data_size {format_value(size)}, expected a number of bytes")
    if size > len(body) - at:
        raise BadInput(f"the input '{name}' has binary_data_size {size}, and the body has {len(body) - at} bytes left")
    return tensors.from_binary(name, datatype, tuple(shape), body[at : at + size]), size


def _outputs(request: Mapping[str, Any], binary: bool) -> dict[str, bool] | None:
    if request.get("outputs") is None:
        return None
    outputs = _objects(request, "outputs")
    if not outputs:
        return None
    names = [_text(each, "name", "an output") for each in outputs]
    _check_once(names, "output")
    flags = [
        _flag(_parameters(each, f"the output '{name}'"), "binary_data", default=binary)
        for name, each in zip(names, outputs, strict=True)
    ]
    return dict(zip(names, flags, strict=True))


def _objects(values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    items = values.get(key)
    if not isinstance(items, list) or not all(isinstance(each, dict) for each in items):
        found = f"is {format_value(items)}" if key in values else "is missing"
        raise BadInput(f"'{key}' {found}, expected an array of objects")
    return items


def _parameters(values: Mapping[str, Any], owner: str) -> dict[str, Any]:
    parameters = values.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise BadInput(f"{owner} has parameters {format_value(parameters)}, expected an object")
    for name in UNSUPPORTED:
        if name in parameters:
            raise BadInput(f"{owner} has the parameter '{name}', which this server does not have; leave it out")
    return parameters


def _text(values: Mapping[str, Any], key: str, owner: str) -> str:
    text = values.get(key)
    if not isinstance(text, str):
        found = f"is {format_value(text)}" if key in values else "is missing"
        raise BadInput(f"'{key}' of {owner} {found}, expected a text")
    return text


def _flag(parameters: Mapping[str, Any], key: str, *, default: bool = False) -> bool:
    value = parameters.get(key, default)
    if not isinstance(value, bool):
        raise BadInput(f"the parameter '{key}' is {format_value(value)}, expected true or false")
    return value


def _check_once(names: Sequence[str], what: str) -> None:
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise BadInput(f"the {what} {format_value(name)} stands {times} times; send each {what} once")
