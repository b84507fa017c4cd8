"""The server that is checked: requests to it, and its answers taken apart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import quote

import httpx

from conformance.oip.check import NotApplicable, expect
from conformance.oip.samples import Input, from_metadata, from_request
from conformance.oip.tensors import InferenceTensor, decode, encode, flatten, nest

LENGTH = "inference-header-content-length"
UNKNOWN = "no-such-model-9b1d"
UNKNOWN_VERSION = "no-such-version-9b1d"
BINARY_EXTENSION, REPOSITORY_EXTENSION = "binary_tensor_data", "model_repository"


class CannotStart(Exception):
    """The server is away, or nothing says which model to ask."""


@dataclass(frozen=True)
class InferenceAnswer:
    """A successful inference response."""

    values: dict[str, Any]  # the JSON object
    outputs: dict[str, InferenceTensor]  # decoded, in the order of the JSON
    rest: bytes  # behind the JSON
    response: httpx.Response


class InferenceServer:
    """One model of one server. What is needed again and again is asked once."""

    def __init__(self, client: httpx.Client, model: str, *, example: Mapping[str, Any] | None, control: bool) -> None:
        self.model = model
        self.control = control  # whether it may be asked to load the model
        self._client = client
        self._example = example

    @property
    def path(self) -> str:
        """The path of the model."""
        return f"/v2/models/{quote(self.model, safe='')}"

    def get(self, path: str) -> httpx.Response:
        """Ask with GET."""
        return self._client.get(path)

    def post(self, path: str, values: Any) -> httpx.Response:
        """Ask with POST and JSON."""
        return self.send(path, json.dumps(values).encode())

    def send(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Ask with POST and a body as it is."""
        return self._client.post(path, content=body, headers={"content-type": "application/json", **(headers or {})})

    @cached_property
    def extensions(self) -> list[str]:
        """What the server metadata says it supports; nothing where it cannot be read, which has a check of its own."""
        try:
            found = self.get("/v2").json().get("extensions")
        except (ValueError, AttributeError):
            return []
        return found if isinstance(found, list) else []

    def need_extension(self, name: str) -> None:
        """Raise NotApplicable unless the server reports the extension."""
        if name not in self.extensions:
            raise NotApplicable(f"the server does not report the extension {name}")

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """The model's metadata. Raises Departure when it cannot be read."""
        return object_of(self.get(self.path), "the model metadata")

    @property
    def versions(self) -> list[str]:
        """The versions that may be asked for. Raises NotApplicable when there are none."""
        versions: list[str] = self.metadata.get("versions") or []
        if not versions:
            raise NotApplicable("the model lists no versions")
        return versions

    @cached_property
    def inputs(self) -> list[Input]:
        """The model's inputs with rows for them. Raises NotApplicable when the metadata lists none."""
        if self._example is not None:
            return from_request(self._example["inputs"])
        inputs = self.metadata.get("inputs")
        if not inputs:
            raise NotApplicable("the metadata lists no inputs: give a request that the model answers by --request")
        return from_metadata(inputs)

    def need_batches(self) -> None:
        """Raise NotApplicable unless every input can carry several rows."""
        if not all(each.batched for each in self.inputs):
            raise NotApplicable("the model takes no batches: no -1 stands first in the shapes of its inputs")

    def request(self, rows: Sequence[int] = (0,), *, nested: bool = False, **values: Any) -> dict[str, Any]:
        """Return an inference request as JSON for some of the rows."""
        tensors = [each.tensor(rows) for each in self.inputs]
        return {"inputs": [as_json(tensor, nested=nested) for tensor in tensors], **values}

    def binary(
        self, rows: Sequence[int] = (0,), *, but: Sequence[str] = (), backwards: bool = False, **values: Any
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Return the same request with its inputs as bytes, except those named by `but`."""
        described, tails = [], []
        tensors = [each.tensor(rows) for each in self.inputs]
        for tensor in reversed(tensors) if backwards else tensors:
            entry = as_json(tensor)
            if tensor.name not in but:
                tails.append(encode(tensor.datatype, tensor.values))
                del entry["data"]
                entry["parameters"] = {"binary_data_size": len(tails[-1])}
            described.append(entry)
        return {"inputs": described, **values}, tails

    def send_binary(
        self, request: Mapping[str, Any], tails: Sequence[bytes], *, path: str | None = None
    ) -> httpx.Response:
        """Send JSON followed by bytes, with the length of the JSON in its header."""
        head = json.dumps(request).encode()
        headers = {"content-type": "application/octet-stream", LENGTH: str(len(head))}
        return self.send(path or f"{self.path}/infer", b"".join([head, *tails]), headers)

    def infer(self, request: Mapping[str, Any], *, version: str | None = None) -> InferenceAnswer:
        """Send a JSON request that must be answered. Raises Departure when it is not."""
        path = self.path if version is None else f"{self.path}/versions/{quote(version, safe='')}"
        return answered(self.post(f"{path}/infer", request))

    @cached_property
    def plain(self) -> InferenceAnswer:
        """The answer to the first row, with everything that is optional left out."""
        return self.infer(self.request())


def as_json(tensor: InferenceTensor, *, nested: bool = False) -> dict[str, Any]:
    """Return the tensor as an input of a JSON request."""
    data = nest(tensor.values, tensor.shape) if nested else list(tensor.values)
    return {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype, "data": data}


def object_of(response: httpx.Response, what: str) -> dict[str, Any]:
    """Return the JSON object of a successful response. Raises Departure for anything else."""
    expect(response.status_code == 200, f"{what} was answered with {shown(response)}")
    return _json_object(response, what)


def answered(response: httpx.Response) -> InferenceAnswer:
    """Take a successful inference response apart. Raises Departure for anything else."""
    expect(response.status_code == 200, f"the inference was answered with {shown(response)}")
    length = response.headers.get(LENGTH)
    expect(length is None or length.isdigit(), f"{LENGTH} is {length!r}, no number of bytes")
    size = len(response.content) if length is None else int(length)
    expect(size <= len(response.content), f"{LENGTH} is {size}, and the body has {len(response.content)} bytes")
    head, rest = response.content[:size], response.content[size:]
    try:
        values = json.loads(head)
    except ValueError as error:
        expect(False, f"the JSON of the response cannot be read: {error}: {head[:100]!r}")
    expect(isinstance(values, dict), f"the response is {str(values)[:100]}, no object")
    expect(isinstance(values.get("outputs"), list), f"'outputs' of the response is {values.get('outputs')!r}, no array")
    outputs, at = {}, 0
    for each in values["outputs"]:
        binary = (each.get("parameters") or {}).get("binary_data_size")
        if binary is None:
            found = flatten(each.get("data"))
        else:
            expect(at + binary <= len(rest), f"the body ends before the {binary} bytes of '{each['name']}'")
            found = decode(each["datatype"], rest[at : at + binary])
            at += binary
        outputs[each["name"]] = InferenceTensor(each["name"], each["datatype"], tuple(each["shape"]), tuple(found))
    expect(at == len(rest), f"the body has {len(rest) - at} bytes more than its outputs say")
    return InferenceAnswer(values, outputs, rest, response)


def refused(response: httpx.Response, what: str) -> str:
    """Return the message of an error in the protocol's form. Raises Departure for anything else."""
    expect(response.status_code >= 400, f"{what} was answered with {shown(response)}, expected an error")
    values = _json_object(response, f"the error ({response.status_code}) for {what}")
    message = values.get("error")
    expect(isinstance(message, str), f"the error ({response.status_code}) for {what} is {shown(response)}")
    return str(message)


def shown(response: httpx.Response) -> str:
    """Describe a response in a line."""
    return f"{response.status_code} {response.text[:160]!r}"


def _json_object(response: httpx.Response, what: str) -> dict[str, Any]:
    try:
        values = response.json()
    except ValueError:
        values = None
    expect(isinstance(values, dict), f"{what} is no JSON object: {shown(response)}")
    return dict(values)


def choose_model(client: httpx.Client) -> str:
    """Return the first model that the repository index calls ready. Raises CannotStart when there is none."""
    try:
        listed = client.post("/v2/repository/index", json={"ready": True}).json()
        return str(listed[0]["name"])
    except (ValueError, LookupError, TypeError):
        raise CannotStart("the server has no index of models, or none is ready: name one by --model") from None
