"""A small server of the protocol to try the suite on, and ways in which a server departs from it.

It reads and writes bodies by the product's codec, which the suite does not share.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from conformance.oip.check import ConformanceResult, run
from conformance.oip.server import InferenceServer
from releve.core.errors import BadInput, TooLarge
from releve.serving.open_inference import inference
from releve.serving.open_inference.tensors import Tensor

MODEL, VERSION = "toy", "3"
INPUTS = [
    {
        "name": "size",
        "datatype": "FP64",
        "shape": [-1, 2],
        "parameters": {"examples": "[[1.0, 2.0], [4.0, 3.0], [0.5, 6.0]]"},
    },
    {"name": "kind", "datatype": "BYTES", "shape": [-1, 1], "parameters": {"categories": '["good", "bad"]'}},
]
OUTPUTS = [
    {"name": "label", "datatype": "BYTES", "shape": [-1, 1]},
    {"name": "score", "datatype": "FP64", "shape": [-1, 2]},
]
SERVER = {"name": "toy server", "version": "1.0", "extensions": ["binary_tensor_data", "model_repository"]}
METADATA = {"name": MODEL, "versions": [VERSION], "platform": "onnx_onnxv1", "inputs": INPUTS, "outputs": OUTPUTS}
PATH = re.compile(r"/v2/models/(?P<model>[^/]+)(/versions/(?P<version>[^/]+))?(?P<rest>/ready|/infer)?")

Handler = Callable[[httpx.Request], httpx.Response]


def results_of(handler: Handler, **options: Any) -> list[ConformanceResult]:
    """Run the suite on the handler, without a socket."""
    with httpx.Client(base_url="http://toy", transport=httpx.MockTransport(handler)) as client:
        return list(run(InferenceServer(client, MODEL, **{"example": None, "control": True} | options)))


def of_path(pattern: str) -> Callable[[httpx.Request], bool]:
    """Whether a request is for such a path, to say which answers of a server are changed."""
    return lambda request: re.fullmatch(pattern, request.url.path) is not None


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the specification says."""
    path, post = request.url.path, request.method == "POST"
    match path.rstrip("/"):
        case "/v2":
            return httpx.Response(200, json=SERVER)
        case "/v2/health/live" | "/v2/health/ready":
            return httpx.Response(200, json={"live": True})
        case "/v2/repository/index":
            return _index(request.content) if post else _error(405, "ask with POST")
        case "/v2/repository/models/toy/load":
            return httpx.Response(200, json={})
    found = PATH.fullmatch(path)
    if found is None or found["model"] != MODEL or found["version"] not in (None, VERSION):
        return _error(404, f"nothing is at {path}")
    if post != (found["rest"] == "/infer"):
        return _error(405, "ask with the other method")
    if found["rest"] == "/ready":
        return httpx.Response(200, json={"name": MODEL, "ready": True})
    if found["rest"] is None:
        return httpx.Response(200, json=METADATA)
    try:
        return _infer(request.content, request.headers.get(inference.HEADER_LENGTH))
    except (BadInput, TooLarge) as error:
        return _error(error.status, str(error))


def _infer(body: bytes, length: str | None) -> httpx.Response:
    request = inference.read(body, length, max_rows=100, max_inputs=10)
    by_name = {tensor.name: tensor for tensor in request.inputs}
    if set(by_name) != {"size", "kind"}:
        raise BadInput("the inputs are size and kind")
    size, kind = by_name["size"], by_name["kind"]
    rows = kind.shape[0]
    if size.shape != (rows, 2) or kind.shape != (rows, 1):
        raise BadInput("the shapes are [n, 2] and [n, 1]")
    label = Tensor("label", "BYTES", (rows, 1), [f"{kind.values[row]} {size.values[2 * row]:g}" for row in range(rows)])
    score = Tensor("score", "FP64", (rows, 2), [value * 0.5 for value in size.values])
    values = {"model_name": MODEL, "model_version": VERSION, "parameters": {"arm": "champion"}}
    values |= {} if request.id is None else {"id": request.id}
    content, headers = inference.write(values, [label, score], request.wanted(["label", "score"]))
    return httpx.Response(200, content=content, headers=headers)


def _index(body: bytes) -> httpx.Response:
    try:
        inference.read_object(body)
    except BadInput as error:
        return _error(400, str(error))
    return httpx.Response(200, json=[{"name": MODEL, "version": VERSION, "state": "READY", "reason": ""}])


def _error(status: int, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": message})


@contextmanager
def listening(handler: Handler) -> Iterator[str]:
    """Serve on a free port of this machine; yields the address."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            url, headers = f"http://toy{self.path}", [*self.headers.items()]
            response = handler(httpx.Request(self.command, url, headers=headers, content=body))
            content = response.read()
            self.send_response(response.status_code)
            for name, value in ({**response.headers, "content-length": str(len(content))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def changed(when: Callable[[httpx.Request], bool], change: Callable[[Any], Any]) -> Handler:
    """Return a server whose JSON answers of 200 are changed, where `when` says so."""

    def handler(request: httpx.Request) -> httpx.Response:
        response = answer(request)
        if response.status_code != 200 or not when(request) or inference.HEADER_LENGTH in response.headers:
            return response
        return httpx.Response(200, json=change(json.loads(response.content)))

    return handler
