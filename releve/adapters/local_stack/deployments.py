"""The deployments that the running Prefect server has: one set per scenario, none of a scenario that is gone."""

import time
from pathlib import Path

import yaml

from releve.adapters.files import scenario_names, write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.local_stack.parts import flow_command, prefect_api_url
from releve.adapters.prefect_api import TAG, PrefectApi, authorization_of
from releve.core.errors import ReleveError
from releve.core.settings import Settings
from releve.domain.scheduling.prefect_yaml import deployments_for, with_command

HTTP_SECONDS = 30.0  # for all that is asked
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
    made = with_command(deployments_for(file, silence_hours), flow_command(settings))
    path = settings.home / "run" / "prefect.yaml"
    write_bytes(path, (COMMENT + yaml.safe_dump(made, sort_keys=False)).encode())
    return path


def delete_removed(settings: Settings) -> list[str]:
    """Delete our deployments of scenarios that have no folder any more, with schedules and triggers; their names.

    Raises PrefectUnavailable when the server does not do it.
    """
    known = scenario_names(settings.project)
    until = time.monotonic() + HTTP_SECONDS
    api = PrefectApi(prefect_api_url(settings), headers=authorization_of(settings))
    wanted = {"deployments": {"tags": {"all_": [TAG]}}}
    found = api.ask("POST", "/deployments/filter", wanted, until=until).json()
    ours = [each for each in found if "scenario" in each["parameters"]]
    gone = [each for each in ours if each["parameters"]["scenario"] not in known]
    for each in gone:
        # first: Prefect keeps the automations of a deployment that is gone
        api.ask("DELETE", f"/automations/owned-by/prefect.deployment.{each['id']}", until=until)
        api.ask("DELETE", f"/deployments/{each['id']}", until=until)
    return [each["name"] for each in gone]
