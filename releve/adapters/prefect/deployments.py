"""The deployments of a running Prefect server: which scenarios they offer, and which rows their schedules have."""

import time
from collections.abc import Iterable, Mapping

from releve.adapters.prefect.api import PrefectApi
from releve.core.params import Schedule
from releve.domain.scheduling.deployments import TAG, JsonMapping, change_for, is_removed

HTTP_SECONDS = 60.0  # for all that is asked


def follow_scenarios(api: PrefectApi, scenarios: Mapping[str, Schedule | None]) -> list[str]:
    """Have every deployment offer these scenarios alone, and their rows; the names of those that were changed.

    It may be done again and again. Raises PrefectUnavailable.
    """
    until, changed = time.monotonic() + HTTP_SECONDS, []
    for deployment in _ours(api, until):
        change = change_for(deployment, scenarios)
        if change is None:
            continue
        for row in change.gone:
            api.ask("DELETE", f"/deployments/{deployment['id']}/schedules/{row}", until=until)
        if change.patch:
            api.ask("PATCH", f"/deployments/{deployment['id']}", change.patch, until=until)
        changed.append(deployment["name"])
    return changed


def delete_removed(api: PrefectApi, names: Iterable[str]) -> list[str]:
    """Delete deployments of ours that are none of `names` (flow/deployment), with schedules and triggers; their names.

    Raises PrefectUnavailable.
    """
    until, deleted, names = time.monotonic() + HTTP_SECONDS, list[str](), [*names]
    while gone := [each for each in _ours(api, until) if is_removed(each, names)]:  # the server tells 200 at most
        for each in gone:
            # first: Prefect keeps the automations of a deployment that is gone
            api.ask("DELETE", f"/automations/owned-by/prefect.deployment.{each['id']}", until=until)
            api.ask("DELETE", f"/deployments/{each['id']}", until=until)
            deleted.append(each["name"])
    return deleted


def _ours(api: PrefectApi, until: float) -> list[JsonMapping]:
    wanted = {"deployments": {"tags": {"all_": [TAG]}}}
    found: list[JsonMapping] = api.ask("POST", "/deployments/filter", wanted, until=until).json()
    return [each for each in found if (each["entrypoint"] or "").startswith("flows/")]
