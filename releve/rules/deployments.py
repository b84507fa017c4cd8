"""Which deployments Prefect gets: those of prefect.yaml, and the same for every other scenario that has a folder."""

from collections.abc import Mapping
from typing import Any

HOUR = 3600  # seconds
LEAST_WAIT = 10  # seconds; Prefect takes no shorter ones


def deployments_for(file: Mapping[str, Any], silence_hours: Mapping[str, float | None]) -> dict[str, Any]:
    """prefect.yaml with deployments for exactly the scenarios that `silence_hours` names.

    A scenario that the file names keeps what the file gives it. Any other gets what the file's first scenario has,
    schedules and triggers included, each under a name that ends with its own. Triggers that wait for silence wait as
    long as the scenario's params say (`alerts.silence_hours`; 0: they go, None: as long as the file says).
    """
    written = file["deployments"]
    named = list(dict.fromkeys(_scenario(each) for each in written))
    first = [each for each in written if _scenario(each) == named[0]]
    kept = [each for each in written if _scenario(each) in silence_hours]
    added = [_for_scenario(each, scenario) for scenario in sorted(set(silence_hours) - set(named)) for each in first]
    return {**file, "deployments": [_waiting(each, silence_hours[_scenario(each)]) for each in [*kept, *added]]}


def _scenario(deployment: Mapping[str, Any]) -> str:
    return str(deployment["parameters"]["scenario"])


def _for_scenario(deployment: Mapping[str, Any], scenario: str) -> dict[str, Any]:
    made = {
        **deployment,
        "name": f"{deployment['name']}-{scenario}",
        "parameters": {**deployment["parameters"], "scenario": scenario},
    }
    if "triggers" in deployment:
        made["triggers"] = [_watching(each, _scenario(deployment), scenario) for each in deployment["triggers"]]
    return made


def _watching(trigger: Mapping[str, Any], original: str, scenario: str) -> dict[str, Any]:
    """The same trigger for another scenario's events."""
    return {
        **trigger,
        "name": f"{trigger['name'].removesuffix(f'-{original}')}-{scenario}",
        "description": trigger["description"].replace(original, scenario),
        "match": {label: f"{value.removesuffix(original)}{scenario}" for label, value in trigger["match"].items()},
    }


def _waiting(deployment: Mapping[str, Any], hours: float | None) -> dict[str, Any]:
    if "triggers" not in deployment or hours is None:
        return dict(deployment)
    kept = [
        {**each, "within": max(LEAST_WAIT, round(hours * HOUR))} if each["posture"] == "Proactive" else each
        for each in deployment["triggers"]
        if hours or each["posture"] != "Proactive"
    ]
    return {**deployment, "triggers": kept}
