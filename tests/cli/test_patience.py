"""Whether a Prefect server is there for the commands that wait for it."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from releve.cli.patience import _answers
from releve.core.settings import LOOPBACK
from tests.serving.process import free_port


class Proxy(BaseHTTPRequestHandler):
    """Stands before a server, or before none: the path says with which status it answers."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test output clean."""


@pytest.fixture
def proxy() -> Iterator[str]:
    with HTTPServer((LOOPBACK, 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{LOOPBACK}:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(("status", "is_there"), [(200, True), (401, True), (499, True), (502, False), (503, False)])
def test_a_proxy_without_a_server_behind_it_does_not_answer_for_one(proxy: str, status: int, is_there: bool) -> None:
    assert _answers(f"{proxy}/{status}") is is_there


def test_where_nothing_listens_nothing_answers() -> None:
    assert not _answers(f"http://{LOOPBACK}:{free_port()}")
