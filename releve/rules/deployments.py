"""Which deployments Prefect gets: those of prefect.yaml, and the same for every other scenario that has a folder."""

from collections.abc import Collection, Mapping
from typing import Any


def deployments_for(file: Mapping[str, Any], scenarios: Collection[str]) -> dict[str, Any]:
    """prefect.yaml with deployments for exactly these `scenarios`.

    A scenario that the file names keeps what the file gives it. Any other gets what the file's first scenario has,
    schedules included, each under the name `<flow>-<scenario>`.
    """
    written = file["deployments"]
    named = list(dict.fromkeys(_scenario(each) for each in written))
    first = [each for each in written if _scenario(each) == named[0]]
    kept = [each for each in written if _scenario(each) in scenarios]
    added = [_for_scenario(each, scenario) for scenario in sorted(set(scenarios) - set(named)) for each in first]
    return {**file, "deployments": [*kept, *added]}


def _scenario(deployment: Mapping[str, Any]) -> str:
    return str(deployment["parameters"]["scenario"])


def _for_scenario(deployment: Mapping[str, Any], scenario: str) -> dict[str, Any]:
    parameters = {**deployment["parameters"], "scenario": scenario}
    return {**deployment, "name": f"{deployment['name']}-{scenario}", "parameters": parameters}
