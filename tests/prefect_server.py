"""A real Prefect server that asks for a password and for CSRF tokens; flows are deployed as `make up` does."""

import base64
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from releve.adapters.http.clients import client_of
from releve.adapters.prefect.api import PrefectApi
from releve.core.settings import LOOPBACK
from releve.domain.scheduling.deployments import TAG, with_choices
from tests.serving.process import free_port, running_process, wait_until

PASSWORD = "operators:open-sesame"
BUSY_SECONDS = 60


@dataclass(frozen=True)
class PrefectServer:
    """Where it is, and what a test wants to see or change there by itself."""

    api_url: str
    pid: int  # it leads a process group of its own

    @property
    def environ(self) -> dict[str, str]:
        """Of a program that asks it."""
        return {"PREFECT_API_URL": self.api_url, "PREFECT_API_AUTH_STRING": PASSWORD}

    def post(self, path: str, body: object) -> Any:
        """Ask as a program does that waits while the server, busy with its own start, locks its database."""
        basic = f"Basic {base64.b64encode(PASSWORD.encode()).decode()}"
        api = PrefectApi(self.api_url, headers={"authorization": basic})
        return api.ask("POST", path, body, until=time.monotonic() + BUSY_SECONDS).json()

    def runs(self, scenario: str) -> list[dict[str, Any]]:
        """All that was started for a scenario, by whomever."""
        named = {"flow_runs": {"tags": {"all_": [f"scenario:{scenario}"]}}}
        found: list[dict[str, Any]] = self.post("/flow_runs/filter", named)
        return found

    def deploy(self, flow: Any, *scenarios: str) -> None:
        """Deploy a flow of flows/ with the parameters that it takes, for these scenarios."""
        deployment = {
            "name": flow.name,
            "flow_id": self.post("/flows/", {"name": flow.name})["id"],
            "tags": [TAG],
            "entrypoint": f"flows/{flow.name}.py:{flow.name}",
            "enforce_parameter_schema": True,
            "parameter_openapi_schema": with_choices(flow.parameters.model_dump(), [*scenarios]),
        }
        self.post("/deployments/", deployment)


@contextmanager
def prefect_serving(home: Path) -> Iterator[PrefectServer]:
    """`prefect server start`, from its first answer on."""
    port = free_port()
    environ = {
        "PREFECT_HOME": str(home),
        "PREFECT_API_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_API_AUTH_STRING": PASSWORD,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)]
    log = home / "server.log"
    with running_process(command, log, cwd=home, environ=environ) as pid:
        server = PrefectServer(f"http://{LOOPBACK}:{port}/api", pid)
        wait_until(lambda: _answers(server), log, seconds=240)
        yield server


def _answers(server: PrefectServer) -> bool:
    try:
        with client_of(server.api_url, seconds=5) as client:
            return client.get("/health").is_success
    except httpx.TransportError:
        return False
