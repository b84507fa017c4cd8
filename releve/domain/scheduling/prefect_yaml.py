"""Which deployments Prefect gets: those of prefect.yaml, and the same for every other scenario that has a folder."""

from collections.abc import Callable, Mapping
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
    made: dict[str, Callable[[Any], Any]] = {
        "name": lambda name: f"{name.removesuffix(f'-{original}')}-{scenario}",
        "description": lambda text: text.replace(original, scenario),
        "match": lambda labels: {label: _moved(value, original, scenario) for label, value in labels.items()},
    }
    return {key: made[key](value) if key in made else value for key, value in trigger.items()}


def _moved(value: Any, original: str, scenario: str) -> Any:
    """A label that ends with the original, or several; what names no scenario stays."""
    if isinstance(value, list):
        return [_moved(each, original, scenario) for each in value]
    return f"{value.removesuffix(original)}{scenario}" if value.endswith(original) else value


def _waiting(deployment: Mapping[str, Any], hours: float | None) -> dict[str, Any]:
    if "triggers" not in deployment or hours is None:
        return dict(deployment)
    kept = [
        {**each, "within": max(LEAST_WAIT, round(hours * HOUR))} if _waits(each) else each
        for each in deployment["triggers"]
        if hours or not _waits(each)
    ]
    return {**deployment, "triggers": kept}


def _waits(trigger: Mapping[str, Any]) -> bool:
    """Whether it is raised by what does not happen; without a posture, Prefect's are raised by what does."""
    return trigger.get("posture") == "Proactive"
