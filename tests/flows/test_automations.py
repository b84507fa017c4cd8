"""What Prefect's own engine does with our events, and where they do not come."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from releve.core.settings import Settings
from releve.domain.scheduling.prefect_yaml import deployments_for
from releve.reporting.alert_messages import AlertMessage
from tests.receivers import Receiver, receiving
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
EXAMPLE = yaml.safe_load((ROOT / "examples" / "automation.yaml").read_text())
MESSAGE = AlertMessage(
    id="quiet/7/drift",
    scenario=QUIET,
    subject="drift",
    state="drift",
    kind="raised",
    about="",
    at="2026-01-05T09:00:00+00:00",
    since="2026-01-05T09:00:00+00:00",
    text="quiet: the table drifted",
    reasons=(),
)


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

    from flows.context import resource_of

    quiet, busy = deploy_monitor(QUIET), deploy_monitor(BUSY)
    deadline = time.monotonic() + SECONDS
    while not runs_of(quiet) and time.monotonic() < deadline:
        emit_event(event="releve.monitor.completed", resource=resource_of(BUSY))
        time.sleep(1)

    (started,) = runs_of(quiet)
    assert started.parameters == {"scenario": QUIET}
    assert (started.created_by.type, started.created_by.display_value) == ("AUTOMATION", f"silence-{QUIET}")
    assert runs_of(busy) == []


def notify_by(block: Any) -> None:
    """The automations of the example, with a notification block of one's own."""
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.automations import AutomationCore

    with get_client(sync_client=True) as client:
        for said in EXAMPLE["automations"]:
            (action,) = said["actions"]
            own = {**said, "actions": [{**action, "block_document_id": str(block)}]}
            client.create_automation(AutomationCore.model_validate(own))


def test_the_automations_of_the_example_notify_people_of_an_alert() -> None:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    from flows.publish import emit

    with receiving(Receiver()) as receiver:
        said = {"title": "{{subject}}", "text": "{{body}}"}
        notify_by(CustomWebhookNotificationBlock(name="chat", url=receiver.url, json_data=said).save("chat"))
        deadline = time.monotonic() + SECONDS
        while not receiver.heard and time.monotonic() < deadline:
            emit(MESSAGE)
            time.sleep(1)

    assert receiver.heard[0][1] == {"title": "quiet: drift drift", "text": "quiet: the table drifted"}


def test_alerts_that_cannot_be_made_are_told_and_fail_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefect import flow

    from flows.publish import send_alerts

    done = flow(send_alerts)(Settings.from_environ({}, cwd=tmp_path), QUIET, return_state=True)

    assert done.is_completed()
    assert f"no alert was sent: {tmp_path} is no git checkout" in capsys.readouterr().out
