"""The deployments that the running Prefect server has: one set per scenario, none of a scenario that is gone."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from releve.adapters.files import scenario_names, write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.http.clients import local_client
from releve.core.errors import ReleveError, Unavailable
from releve.core.settings import Settings
from releve.domain.scheduling.prefect_yaml import deployments_for

if TYPE_CHECKING:
    import httpx

TAG = "releve"  # that every deployment of prefect.yaml carries
HTTP_SECONDS = 30.0
BUSY_ATTEMPTS, BUSY_SECONDS = 10, 0.5  # its SQLite database is locked while others write to it: then it answers 503
COMMENT = "# Made of prefect.yaml and the folders in scenarios/ by `make up`; edits are lost.\n"


def write_deployments(settings: Settings) -> Path:
    """prefect.yaml with the deployments of every scenario, below the home; returns its path."""
    file = yaml.safe_load((settings.project / "prefect.yaml").read_text(encoding="utf-8"))
    silence_hours: dict[str, float | None] = {}
    for scenario in scenario_names(settings.project):
        try:
            silence_hours[scenario] = read_committed(settings, scenario).params.alerts.silence_hours
        except ReleveError:  # its own runs say what is wrong with its params, the others start
            silence_hours[scenario] = None
    made = deployments_for(file, silence_hours)
    path = settings.home / "run" / "prefect.yaml"
    write_bytes(path, (COMMENT + yaml.safe_dump(made, sort_keys=False)).encode())
    return path


def delete_removed(settings: Settings) -> list[str]:
    """Delete our deployments of scenarios that have no folder any more, with schedules and triggers; their names.

    Raises Unavailable when the server does not do it.
    """
    known = scenario_names(settings.project)
    wanted = {"deployments": {"tags": {"all_": [TAG]}}}
    with local_client(settings.prefect_port, seconds=HTTP_SECONDS) as client:
        found = _ask(client, "POST", "/api/deployments/filter", wanted).json()
        ours = [each for each in found if "scenario" in each["parameters"]]
        gone = [each for each in ours if each["parameters"]["scenario"] not in known]
        for each in gone:
            # first: Prefect keeps the automations of a deployment that is gone
            _ask(client, "DELETE", f"/api/automations/owned-by/prefect.deployment.{each['id']}")
            _ask(client, "DELETE", f"/api/deployments/{each['id']}")
    return [each["name"] for each in gone]


def _ask(client: "httpx.Client", method: str, path: str, body: Any = None) -> "httpx.Response":
    import httpx

    for attempt in range(BUSY_ATTEMPTS):
        try:
            answer = client.request(method, path, json=body)
        except (httpx.HTTPError, OSError) as error:
            raise Unavailable(f"the Prefect server did not answer {method} {path}: {error}") from error
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or attempt == BUSY_ATTEMPTS - 1:
            break
        time.sleep(BUSY_SECONDS)
    if answer.is_error:
        raise Unavailable(f"the Prefect server answered {method} {path} with {answer.status_code}")
    return answer
