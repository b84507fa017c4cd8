import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from releve.adapters.local_stack import ports as stack_ports
from releve.core.settings import LOOPBACK
from tests.serving import process


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/fine" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@pytest.fixture
def free_port() -> int:
    return process.free_port()


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def web_port() -> Iterator[int]:
    with HTTPServer((LOOPBACK, 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_free_port_passes(free_port: int) -> None:
    stack_ports.check_port_is_free(free_port, wanted_for="milvus", setting="RELEVE_MILVUS_PORT")

    assert stack_ports.is_free(free_port)


def test_a_taken_port_is_named_with_its_holder_and_the_setting_that_moves_it(taken_port: int) -> None:
    with pytest.raises(stack_ports.PortTaken) as caught:
        stack_ports.check_port_is_free(taken_port, wanted_for="milvus", setting="RELEVE_MILVUS_PORT")

    assert f"port {taken_port} on 127.0.0.1, wanted for milvus, is taken" in str(caught.value)
    assert f"(pid {os.getpid()})" in str(caught.value)
    assert "RELEVE_MILVUS_PORT" in str(caught.value)
    assert caught.value.status == 409


def test_a_port_that_is_given_back_in_a_moment_passes() -> None:
    server = socket.create_server((LOOPBACK, 0))
    threading.Timer(0.3, server.close).start()

    stack_ports.check_port_is_free(server.getsockname()[1], wanted_for="milvus", setting="RELEVE_MILVUS_PORT")

    assert server.fileno() == -1


def test_a_port_taken_on_every_address_is_taken_here_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not stack_ports.is_free(server.getsockname()[1])


def test_nobody_listens_on_a_free_port(free_port: int) -> None:
    assert stack_ports.listener(free_port) == ""


@pytest.mark.parametrize(("path", "expected"), [("/fine", True), ("/poorly", False)])
def test_http_answers_only_with_200(web_port: int, path: str, expected: bool) -> None:
    assert stack_ports.answers_http(web_port, path) is expected


def test_a_proxy_in_the_environment_is_not_asked(web_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://{LOOPBACK}:1")

    assert stack_ports.answers_http(web_port, "/fine")


def test_nothing_answers_on_a_free_port(free_port: int) -> None:
    assert not stack_ports.answers_http(free_port, "/fine")
    assert not stack_ports.answers_tcp(free_port)


def test_a_listening_port_answers_tcp(taken_port: int) -> None:
    assert stack_ports.answers_tcp(taken_port)


def test_something_that_does_not_speak_http_does_not_answer_it(
    monkeypatch: pytest.MonkeyPatch, taken_port: int
) -> None:
    monkeypatch.setattr(stack_ports, "HTTP_SECONDS", 0.2)

    assert not stack_ports.answers_http(taken_port, "/fine")
