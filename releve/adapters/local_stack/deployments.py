"""What the running Prefect server is told of the scenarios, and what it has of scenarios that are gone, deleted."""

import http.client
import json
import time
from pathlib import Path
from typing import Any

import yaml

from releve.adapters.files import scenario_names, write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.core.errors import ReleveError, Unavailable
from releve.core.settings import LOOPBACK, Settings
from releve.domain.scheduling.prefect_yaml import deployments_for

TAG = "releve"  # that every deployment of prefect.yaml carries
HTTP_SECONDS = 30.0
BUSY_ATTEMPTS, BUSY_SECONDS = 10, 0.5  # its SQLite database is locked while others write to it: then it answers 503
COMMENT = "# Made of prefect.yaml and the folders in scenarios/ by `make up`; edits are lost.\n"


def write_deployments(settings: Settings) -> Path:
    """prefect.yaml with the deployments of every scenario, below the home; returns its path."""
    file = yaml.safe_load((settings.project / "prefect.yaml").read_text(encoding="utf-8"))
    made = deployments_for(file, {name: _silence_hours(settings, name) for name in scenario_names(settings.project)})
    path = settings.home / "run" / "prefect.yaml"
    write_bytes(path, (COMMENT + yaml.safe_dump(made, sort_keys=False)).encode())
    return path


def delete_removed(settings: Settings) -> list[str]:
    """Delete our deployments of scenarios that have no folder any more, with schedules and triggers; their names.

    Raises Unavailable when the server does not do it.
    """
    known = scenario_names(settings.project)
    wanted = {"deployments": {"tags": {"all_": [TAG]}}}
    found = _ask(settings.prefect_port, "POST", "/api/deployments/filter", wanted)
    ours = [each for each in found if "scenario" in each["parameters"]]
    gone = [each for each in ours if each["parameters"]["scenario"] not in known]
    for each in gone:
        # first: Prefect keeps the automations of a deployment that is gone
        _ask(settings.prefect_port, "DELETE", f"/api/automations/owned-by/prefect.deployment.{each['id']}")
        _ask(settings.prefect_port, "DELETE", f"/api/deployments/{each['id']}")
    return [each["name"] for each in gone]


def _silence_hours(settings: Settings, scenario: str) -> float | None:
    """None where its params cannot be read: its own runs say what is wrong with them, the others start."""
    try:
        return read_committed(settings, scenario).params.alerts.silence_hours
    except ReleveError:
        return None


def _ask(port: int, method: str, path: str, body: Any = None) -> Any:
    for _ in range(BUSY_ATTEMPTS):
        status, content = _request(port, method, path, body)
        if status != http.client.SERVICE_UNAVAILABLE:
            break
        time.sleep(BUSY_SECONDS)
    if status >= http.client.BAD_REQUEST:
        raise Unavailable(f"the Prefect server answered {method} {path} with {status}")
    return json.loads(content) if content else None


def _request(port: int, method: str, path: str, body: Any) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=HTTP_SECONDS)
    try:
        connection.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"the Prefect server did not answer {method} {path}: {error}") from error
    finally:
        connection.close()
