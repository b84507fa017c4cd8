"""Which deployments Prefect gets: those of prefect.yaml, and the same for every other scenario that has a folder."""

from collections.abc import Mapping
from typing import Any

HOUR = 3600  # seconds
LEAST_WAIT = 10  # seconds; Prefect takes no shorter ones

YamlMapping = dict[str, Any]  # a part of prefect.yaml


def deployments_for(file: YamlMapping, silence_hours: Mapping[str, float | None]) -> YamlMapping:
    """Return prefect.yaml with deployments for exactly the scenarios that `silence_hours` names.

    A scenario that the file names keeps what the file gives it. Any other gets what the file's first scenario has,
    schedules and triggers included, each under a name that ends with its own. Triggers that wait for silence wait as
    long as the scenario's params say (`alerts.silence_hours`; 0: they go, None: as long as the file says).
    """
    written = file["deployments"]
    named = list(dict.fromkeys(_scenario(each) for each in written))
    first = [each for each in written if _scenario(each) == named[0]]
    kept = [each for each in written if _scenario(each) in silence_hours]
    added = [_for_scenario(each, scenario) for scenario in sorted(set(silence_hours) - set(named)) for each in first]
    return {**file, "deployments": [_with_silence(each, silence_hours[_scenario(each)]) for each in [*kept, *added]]}


def with_command(file: YamlMapping, command: str) -> YamlMapping:
    """Let the worker run `command` for each run of each deployment that names no other, in place of Prefect's own."""
    made = []
    for deployment in file["deployments"]:
        pool = deployment["work_pool"]
        variables = {"command": command, **pool.get("job_variables", {})}
        made.append({**deployment, "work_pool": {**pool, "job_variables": variables}})
    return {**file, "deployments": made}


def name_for(deployment: str, scenario: str) -> str:
    """Name a deployment of a scenario that prefect.yaml does not name."""
    return f"{deployment}-{scenario}"


def _scenario(deployment: YamlMapping) -> str:
    return str(deployment["parameters"]["scenario"])


def _for_scenario(deployment: YamlMapping, scenario: str) -> YamlMapping:
    """The same deployment of another scenario, its triggers for that one's events."""
    original = _scenario(deployment)

    def renamed(label: Any) -> Any:
        """A label that ends with the original, or several; what names no scenario stays."""
        if isinstance(label, list):
            return [renamed(each) for each in label]
        return f"{label.removesuffix(original)}{scenario}" if label.endswith(original) else label

    parameters = {**deployment["parameters"], "scenario": scenario}
    made = {**deployment, "name": name_for(deployment["name"], scenario), "parameters": parameters}
    if "description" in deployment:
        made["description"] = deployment["description"].replace(original, scenario)
    if "triggers" in deployment:
        made["triggers"] = [dict(trigger) for trigger in deployment["triggers"]]
    for trigger in made.get("triggers", ()):
        if "name" in trigger:
            trigger["name"] = f"{trigger['name'].removesuffix(f'-{original}')}-{scenario}"
        if "description" in trigger:
            trigger["description"] = trigger["description"].replace(original, scenario)
        if "match" in trigger:
            trigger["match"] = {name: renamed(label) for name, label in trigger["match"].items()}
    return made


def _with_silence(deployment: YamlMapping, hours: float | None) -> YamlMapping:
    """Let triggers that are raised by what does not happen wait so long."""
    if "triggers" not in deployment or hours is None:
        return dict(deployment)
    kept = []
    for trigger in deployment["triggers"]:
        if trigger.get("posture") != "Proactive":  # raised by what happens, as Prefect's are unless they say so
            kept.append(trigger)
        elif hours:
            kept.append({**trigger, "within": max(LEAST_WAIT, round(hours * HOUR))})
    return {**deployment, "triggers": kept}
