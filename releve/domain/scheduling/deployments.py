"""What Prefect's deployments, one for each flow, know of the scenarios: a choice of a form, and rows of a schedule."""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from releve.core.errors import ReleveError
from releve.core.params import Params, Schedule

TAG = "releve"  # that every deployment of prefect.yaml carries
SCHEDULED_FLOW = "lifecycle"  # the flow that a scenario's own schedule starts
SCENARIO = "scenario"  # the parameter that names it
ROW = "scenario-"  # begins the slug of every row that is made here

ALONE = "alone"  # the tag of a run that holds its scenario, or waits until it does

JsonMapping = dict[str, Any]  # a part of prefect.yaml, or of what Prefect's server says


@dataclass(frozen=True)
class DeploymentChange:
    """What a deployment lacks, and the rows that have to go; one that says nothing changes nothing."""

    patch: JsonMapping  # body of PATCH /deployments/{id}
    gone: tuple[str, ...] = ()  # ids of schedules


def scenario_tag(scenario: str) -> str:
    """The tag of every run of a scenario."""
    return f"scenario:{scenario}"


def reason_tag(reason: str) -> str:
    """The tag that says in a word why a run was started."""
    return f"reason:{reason}"


def limit_name(scenario: str) -> str:
    """The global concurrency limit of a scenario, as Prefect's page Concurrency lists it."""
    return f"scenario-{scenario}"


def schedules_of(scenarios: Iterable[str], params: Mapping[str, Params | ReleveError]) -> dict[str, Schedule | None]:
    """Each scenario's own schedule; None where its params are wrong, or not committed."""
    read = {name: each.schedule for name, each in params.items() if isinstance(each, Params)}
    return {name: read.get(name) for name in scenarios}


def with_command(file: JsonMapping, command: str) -> JsonMapping:
    """Let the worker run `command` for each run of each deployment that names no other, in place of Prefect's own."""
    made = []
    for deployment in file["deployments"]:
        pool = deployment["work_pool"]
        variables = {"command": command, **pool.get("job_variables", {})}
        made.append({**deployment, "work_pool": {**pool, "job_variables": variables}})
    return {**file, "deployments": made}


def is_removed(deployment: JsonMapping, names: Iterable[str]) -> bool:
    """Whether a deployment that is ours is none of prefect.yaml, whose `names` are of the form `flow/deployment`."""
    flow = deployment["entrypoint"].rpartition(":")[2]
    return f"{flow}/{deployment['name']}" not in {*names}


def change_for(deployment: JsonMapping, scenarios: Mapping[str, Schedule | None]) -> DeploymentChange | None:
    """What makes a deployment offer these scenarios, and have a row for each that has a schedule of its own.

    None where it does. `scenarios`: None as a schedule leaves the row of that scenario as it is.
    """
    schema = deployment["parameter_openapi_schema"]
    if SCENARIO not in schema.get("properties", {}):
        return None
    names, patch = sorted(scenarios), JsonMapping()
    if schema["properties"][SCENARIO].get("enum") != names:
        patch["parameter_openapi_schema"] = with_choices(schema, names)
    rows = deployment["schedules"]
    gone = [row for row in rows if row.get("parameters", {}).get(SCENARIO, names[0] if names else "") not in scenarios]
    if deployment["name"] == SCHEDULED_FLOW:
        slugs = {f"{ROW}{name}" for name, schedule in scenarios.items() if schedule and not schedule.cron}
        gone += [row for row in rows if row["slug"] in slugs]
        there = {row["slug"]: row["schedule"] for row in rows}
        wanted = [row_for(name, schedule) for name, schedule in sorted(scenarios.items()) if schedule and schedule.cron]
        new = [row for row in wanted if not row["schedule"].items() <= there.get(row["slug"], {}).items()]
        if new:
            patch["schedules"] = new
    return DeploymentChange(patch, tuple(row["id"] for row in gone)) if patch or gone else None


def with_choices(schema: JsonMapping, names: list[str]) -> JsonMapping:
    """The schema of a flow's parameters, whose scenario is one of `names`: Prefect refuses any other before a run."""
    made = deepcopy(schema)
    made["properties"][SCENARIO]["enum"] = names
    return made


def row_for(scenario: str, schedule: Schedule) -> JsonMapping:
    """A row of the schedule, with the parameters of its runs."""
    return {
        "slug": f"{ROW}{scenario}",
        "schedule": {"cron": schedule.cron, "timezone": schedule.timezone},
        "parameters": {SCENARIO: scenario},
        "active": True,
    }
