"""The guard around a small application with every kind of misbehaviour."""

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from releve.core.settings import LOOPBACK
from releve.serving.guard import InstallGuard
from tests.serving.process import free_port, wait_until

LIMIT = 100


async def length(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


async def sleep(request: Request) -> Response:
    await asyncio.sleep(5)
    return PlainTextResponse("too late")


async def fail(request: Request) -> Response:
    raise RuntimeError("the password is secret")


async def teapot(request: Request) -> Response:
    return PlainTextResponse("an inner message", status_code=418)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    endpoints = (length, sleep, fail, teapot)
    routes = [Route(f"/{endpoint.__name__}", endpoint, methods=["POST"]) for endpoint in endpoints]
    guard = Middleware(InstallGuard, max_body_bytes=LIMIT, seconds=0.2)
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=routes, middleware=[guard]), host=LOOPBACK, port=port, log_config=None, ws="none"
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_until(lambda: server.started)
    with httpx.Client(base_url=f"http://{LOOPBACK}:{port}") as client:
        yield client
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize(("size", "status"), [(0, 200), (LIMIT, 200), (LIMIT + 1, 413), (20 * LIMIT, 413)])
def test_bodies_up_to_the_limit_pass_unchanged(client: httpx.Client, size: int, status: int):
    response = client.post("/length", content=b"x" * size)

    assert response.status_code == status
    if status == 200:
        assert response.text == str(size)


def test_an_answer_that_takes_too_long_is_a_timeout(client: httpx.Client):
    response = client.post("/sleep")

    assert (response.status_code, response.json()["error"]["code"]) == (504, "timeout")


def test_what_failed_inside_stays_in_the_log(client: httpx.Client, caplog: pytest.LogCaptureFixture):
    response = client.post("/fail")

    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in response.text
    wait_until(lambda: "secret" in caplog.text)  # it is logged after it is answered
    assert response.json()["request_id"] in caplog.text


def test_an_error_in_another_form_is_rewritten_with_its_status(client: httpx.Client):
    response = client.post("/teapot")

    assert (response.status_code, response.json()["error"]["code"]) == (418, "bad_input")
    assert "inner" not in response.text
