"""Prefect's own engine raises the silence of a scenario: nothing of ours has to run for it."""

import time
from typing import Any

import pytest
import yaml

from releve.rules.deployments import deployments_for
from tests.tables import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),  # Prefect's clients leave some open
]

QUIET, BUSY = "quiet", "busy"
HOURS = 12 / 3600
SECONDS = 90  # a window of 12, and what a loaded server takes
FILE = yaml.safe_load((ROOT / "prefect.yaml").read_text())


def deploy_monitor(scenario: str) -> Any:
    """With the trigger that `make up` gives it; the deployment's id."""
    from prefect.deployments.runner import EntrypointType
    from prefect.events import DeploymentEventTrigger

    from flows.monitor import monitor

    made = deployments_for(FILE, {scenario: HOURS})["deployments"]
    (said,) = [each for each in made if each["name"] == f"monitor-{scenario}"]
    deployment = monitor.to_deployment(
        said["name"],
        parameters=said["parameters"],
        triggers=[DeploymentEventTrigger(**each) for each in said["triggers"]],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
    return deployment.apply()


def runs_of(deployment: Any) -> list[Any]:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterId

    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])))
    return list(found)


def test_a_look_is_started_where_none_ended_in_time_and_only_there() -> None:
    from prefect.events import emit_event

    from flows.alerts import resource_of

    quiet, busy = deploy_monitor(QUIET), deploy_monitor(BUSY)
    deadline = time.monotonic() + SECONDS
    while not runs_of(quiet) and time.monotonic() < deadline:
        emit_event(event="releve.monitor.looked", resource=resource_of(BUSY))
        time.sleep(1)

    (started,) = runs_of(quiet)
    assert started.parameters == {"scenario": QUIET}
    assert (started.created_by.type, started.created_by.display_value) == ("AUTOMATION", f"silence-{QUIET}")
    assert runs_of(busy) == []
