"""A real service, or none, at the other end."""

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.adapters.http.service import ServiceStatus, SwapTimeout, TokenRefused, service_status, wait_until_serving
from releve.core.settings import LOOPBACK
from tests.factories import SCENARIO, make_project, make_stored_model
from tests.serving.conftest import release_first
from tests.serving.process import free_port, serving, wait_until

MODEL = "flowers:one"
PATIENCE = 30.0  # seconds


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("service_client")
    make_project(home)
    release_first(home, make_stored_model(home, "one"))
    return home


@pytest.fixture(scope="module")
def following(home: Path) -> Iterator[int]:
    """The port of a service that follows the releases of `flowers`."""
    with serving(home, home / "project") as address:
        port = port_of(address)
        wait_until(lambda: service_status(port, SCENARIO) == ServiceStatus(MODEL, follows=True))
        yield port


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@pytest.mark.slow
def test_the_service_that_took_the_release_over_is_waited_for(following: int):
    address = wait_until_serving(following, MODEL, scenario=SCENARIO, seconds=PATIENCE)

    assert address == f"http://{LOOPBACK}:{following}/scenarios/{SCENARIO}"


@pytest.mark.slow
def test_a_service_of_another_scenario_is_none_to_wait_for(following: int):
    started = time.monotonic()

    served = wait_until_serving(following, "churn:one", scenario="churn", seconds=PATIENCE)

    assert not served
    assert time.monotonic() - started < PATIENCE / 2


@pytest.mark.slow
def test_a_service_that_is_pinned_is_none_to_wait_for(home: Path):
    with serving(home, home / "project", RELEVE_MODEL=MODEL) as address:
        status = service_status(port_of(address), SCENARIO)
        served = wait_until_serving(port_of(address), "flowers:two", scenario=SCENARIO, seconds=PATIENCE)

    assert status == ServiceStatus(MODEL, follows=False)
    assert not served


@pytest.mark.slow
def test_a_release_that_the_service_does_not_take_over_is_told(following: int):
    with pytest.raises(SwapTimeout, match=r"does not answer with flowers:two after 0.3 s"):
        wait_until_serving(following, "flowers:two", scenario=SCENARIO, seconds=0.3)


@pytest.mark.slow
def test_a_service_that_asks_for_another_token_is_not_waited_for(home: Path):
    with serving(home, home / "project", RELEVE_TOKEN_OPERATE="token-of-the-service") as address:
        for token, why in (("", "none is set here"), ("another-token-of-ours", "refuses ours")):
            with pytest.raises(TokenRefused, match=rf"{why}: set RELEVE_TOKEN_READ"):
                wait_until_serving(port_of(address), MODEL, scenario=SCENARIO, token=token, seconds=PATIENCE)


@pytest.mark.slow
def test_a_service_without_a_release_yet_is_waited_for(tmp_path: Path):
    with serving(tmp_path, make_project(tmp_path)) as address:
        status = service_status(port_of(address), SCENARIO)
        with pytest.raises(SwapTimeout):
            wait_until_serving(port_of(address), MODEL, scenario=SCENARIO, seconds=0.3)

    assert status == ServiceStatus(None, follows=True)


def test_no_service_is_none_to_wait_for():
    port = free_port()

    assert service_status(port, SCENARIO) is None
    assert not wait_until_serving(port, MODEL, scenario=SCENARIO, seconds=PATIENCE)


class SomebodyElse(http.server.BaseHTTPRequestHandler):
    """Answers everything with a list."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_program_that_is_not_the_service_has_no_status():
    with http.server.HTTPServer((LOOPBACK, 0), SomebodyElse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        status = service_status(server.server_address[1], SCENARIO)
        server.shutdown()

    assert status is None
