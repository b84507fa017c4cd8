"""The application around a small one with every kind of misbehaviour."""

import asyncio
import gc
import gzip
import re
import socket
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request as StarletteRequest
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route as StarletteRoute

from releve.core.errors import BadInput, ReleveError
from releve.core.settings import LOOPBACK
from releve.serving.application import Application, InstallApplication
from releve.serving.faults import native_error
from releve.serving.routes import Reply, Request, Route, Runs
from tests.serving.process import free_port, wait_until

LIMIT = 100
SECONDS = 0.3
HUNG = threading.Event()


def length(request: Request) -> Reply:
    return Reply(200, str(len(request.body)).encode(), b"text/plain")


async def sleep(_: Request) -> Reply:
    await asyncio.sleep(5)
    return Reply(200, b"too late")


def hang(_: Request) -> Reply:
    HUNG.wait(60)
    return Reply(200, b"late")


def fail(_: Request) -> Reply:
    raise RuntimeError("the password is secret")


def named(request: Request) -> Reply:
    return Reply(200, " ".join(f"{name}={value}" for name, value in request.parameters.items()).encode())


def short(fault: ReleveError, request_id: str) -> Reply:
    return Reply(fault.status, b"E " + fault.code.encode())


ROUTES = [
    Route("POST", "/length", length, native_error),
    Route("POST", "/disk", length, native_error, runs=Runs.DISK),
    Route("POST", "/sleep", sleep, native_error),
    Route("POST", "/hang", hang, native_error, runs=Runs.INDEX),
    Route("POST", "/fail", fail, native_error),
    Route("GET", "/things/{thing}/parts/{part}", named, native_error),
    Route("GET", "/things/all/parts/{part}", named, native_error),
    Route("GET", "/v9/here", length, short),
]


async def alive(_: StarletteRequest) -> Response:
    return PlainTextResponse("alive")


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    application = Application(max_body_bytes=LIMIT, seconds=SECONDS)
    application.offer(ROUTES)
    port = free_port()
    inner = Starlette(
        routes=[StarletteRoute("/livez", alive), StarletteRoute("/hidden", alive)],
        middleware=[Middleware(InstallApplication, application=application)],
    )
    server = uvicorn.Server(uvicorn.Config(inner, host=LOOPBACK, port=port, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    with httpx.Client(base_url=f"http://{LOOPBACK}:{port}", timeout=30) as client:
        yield client
    HUNG.set()
    server.should_exit = True
    thread.join()
    application.close()


@pytest.mark.parametrize(("size", "status"), [(0, 200), (LIMIT, 200), (LIMIT + 1, 413), (20 * LIMIT, 413)])
def test_bodies_up_to_the_limit_pass_unchanged(client: httpx.Client, size: int, status: int):
    response = client.post("/length", content=b"x" * size)

    assert response.status_code == status
    if status == 200:
        assert response.text == str(size)


@pytest.mark.parametrize(("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
@pytest.mark.parametrize(("size", "status"), [(0, 200), (LIMIT, 200), (LIMIT + 1, 413), (200 * LIMIT, 413)])
def test_a_compressed_body_has_the_limit_of_what_it_becomes(
    client: httpx.Client, encoding: str, compress: Callable[[bytes], bytes], size: int, status: int
):
    body = compress(b"x" * size)
    assert len(body) <= LIMIT

    response = client.post("/length", content=body, headers={"content-encoding": encoding})

    assert response.status_code == status
    if status == 200:
        assert response.text == str(size)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "nonsense"])
def test_a_body_in_another_encoding_is_refused_with_those_that_are_read(client: httpx.Client, encoding: str):
    response = client.post("/length", content=b"x", headers={"content-encoding": encoding})

    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_encoding")
    assert "gzip or deflate" in response.json()["error"]["message"]
    assert response.headers["accept-encoding"] == "gzip, deflate"


def test_an_empty_body_is_empty_in_every_encoding(client: httpx.Client):
    assert client.post("/length", headers={"content-encoding": "gzip"}).text == "0"


def test_an_answer_that_takes_too_long_is_a_timeout(client: httpx.Client):
    response = client.post("/sleep")

    assert (response.status_code, response.json()["error"]["code"]) == (504, "timeout")


def test_what_failed_inside_stays_in_the_log(client: httpx.Client, caplog: pytest.LogCaptureFixture):
    response = client.post("/fail")

    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in response.text and "secret" in caplog.text
    assert response.json()["request_id"] in caplog.text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/things/a/parts/b", "thing=a part=b"),
        ("/things/all/parts/b", "part=b"),
        ("/things/a%20c/parts/b", "thing=a c part=b"),
    ],
)
def test_a_segment_of_a_path_is_a_parameter_unless_a_route_names_it(client: httpx.Client, path: str, text: str):
    assert client.get(path).text == text


@pytest.mark.parametrize("path", ["/things", "/things/a", "/things//parts/b", "/things/a/parts/b/", "/hidden", "/"])
def test_only_what_is_offered_is_there(client: httpx.Client, path: str):
    assert client.get(path).status_code == 404


def test_a_request_of_no_path_is_answered_too(client: httpx.Client):
    with socket.create_connection((LOOPBACK, client.base_url.port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n")
        answer = connection.recv(4096)

    assert b" 404 " in answer.splitlines()[0]


@pytest.mark.parametrize(
    ("method", "path", "says"), [("GET", "/v9/there", "E not_found"), ("PUT", "/v9/here", "E method_not_allowed")]
)
def test_a_protocol_says_its_errors_in_its_own_shape(client: httpx.Client, method: str, path: str, says: str):
    assert client.request(method, path).text == says


def test_head_is_answered_like_get_without_a_body(client: httpx.Client):
    response = client.head("/things/a/parts/b")

    assert (response.status_code, response.content, response.headers["content-length"]) == (200, b"", "14")
    assert client.post("/v9/here").headers["allow"] == "GET, HEAD"


def test_what_is_bentomls_is_handed_on(client: httpx.Client):
    assert client.get("/livez").text == "alive"


@pytest.mark.parametrize("path", ["/livez", "/things/a/parts/b", "/nothing"])
def test_every_answer_has_the_id_of_its_request(client: httpx.Client, path: str):
    named, unnamed = client.get(path, headers={"x-request-id": "mine-1"}), client.get(path)

    assert named.headers.get_list("x-request-id") == ["mine-1"]
    assert re.fullmatch("[0-9a-f]{16}", unnamed.headers["x-request-id"])


def test_a_body_that_does_not_come_is_a_request_timeout(client: httpx.Client):
    with socket.create_connection((LOOPBACK, client.base_url.port)) as connection:
        connection.settimeout(10)
        connection.sendall(b"POST /length HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\r\nab")
        answer = connection.recv(4096)

    assert b" 408 " in answer.splitlines()[0] and b'"request_timeout"' in answer


def test_what_hangs_in_one_system_delays_no_request_that_does_not_need_it(client: httpx.Client):
    with ThreadPoolExecutor(70) as senders:
        HUNG.clear()
        sent = [senders.submit(client.post, "/hang") for _ in range(69)]
        refused, hanging = wait(sent, return_when=FIRST_COMPLETED)  # the one that comes when 68 wait
        others = [client.post(path, content=b"x").status_code for path in ("/length", "/disk", "/length", "/disk")]
        still_hanging = [each for each in hanging if not each.done()]
        HUNG.set()
        answers = [each.result().status_code for each in hanging]

    (too_many,) = [each.result() for each in refused]

    assert (too_many.status_code, too_many.json()["error"]["code"]) == (503, "overloaded")
    assert too_many.headers["retry-after"] == "1"
    assert others == [200] * 4 and len(still_hanging) == 68
    assert answers == [200] * 68


@pytest.mark.parametrize("runs", [Runs.INLINE, Runs.COMPUTE])
def test_nothing_keeps_the_body_of_a_request_that_was_refused(runs: Runs):
    """Without the collector, which comes late: hundreds of large bodies fill the memory first."""

    def refuse(request: Request) -> Reply:
        raise BadInput(f"{len(request.body)} bytes are too few")

    application = Application(seconds=SECONDS)
    application.offer([Route("POST", "/", refuse, native_error, runs=runs)])
    body = bytes(1000)

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    gc.collect()
    gc.disable()
    held = sys.getrefcount(body)
    reply = asyncio.run(application.reply(Request("POST", "/", {}, b"", [(b"host", b"localhost")], b"", ""), receive))
    held_now = sys.getrefcount(body)
    gc.enable()
    application.close()

    assert reply is not None and reply.status == 400
    assert held_now == held
