"""The deployments of prefect.yaml, as the Prefect server of this machine gets them."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from releve.adapters.files import scenario_names, write_bytes
from releve.adapters.git_dvc.committed import read_committed_settings
from releve.adapters.local_stack.parts import flow_command, prefect_api_url
from releve.adapters.prefect.api import PrefectApi, authorization_of
from releve.adapters.prefect.deployments import delete_removed, follow_scenarios
from releve.core.errors import ReleveError
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.scheduling.deployments import schedules_of, with_command
from releve.domain.scheduling.due import SECTIONS

COMMENT = "# Made of prefect.yaml by `make up`; edits are lost.\n"


def write_deployments(settings: Settings) -> Path:
    """prefect.yaml with the fork server as what runs flows, below the home; returns its path."""
    made = with_command(_read(settings), flow_command(settings))
    path = settings.home / "run" / "prefect.yaml"
    write_bytes(path, (COMMENT + yaml.safe_dump(made, sort_keys=False)).encode())
    return path


def settle_deployments(settings: Settings) -> None:
    """Once they are there: give them the scenarios, and delete what prefect.yaml has no more.

    Raises PrefectUnavailable when the server does not do it.
    """
    api = PrefectApi(prefect_api_url(settings), headers=authorization_of(settings))
    names = [f"{each['entrypoint'].rpartition(':')[2]}/{each['name']}" for each in _read(settings)["deployments"]]
    delete_removed(api, names)
    scenarios, params = scenario_names(settings.project), dict[str, Params | ReleveError]()
    with suppress(ReleveError):  # nothing is committed yet: the forms offer what there is
        params = dict(read_committed_settings(settings, scenarios, keys=SECTIONS))
    follow_scenarios(api, schedules_of(scenarios, params))


def _read(settings: Settings) -> Any:
    return yaml.safe_load((settings.project / "prefect.yaml").read_text(encoding="utf-8"))
