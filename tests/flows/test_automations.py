"""What Prefect's own engine does with our events."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from releve.core.settings import Settings
from releve.domain.scheduling.deployments import TAG
from releve.reporting.messages.alerts import AlertMessage
from tests.receivers import Receiver, receiving
from tests.tables import ROOT

pytestmark = [
    pytest.mark.whole,
    pytest.mark.usefixtures("prefect_server"),
    pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"),  # Prefect's clients leave some open
]

QUIET, BUSY = "quiet", "busy_one"
SECONDS = 90  # what a loaded server takes
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


@pytest.fixture(scope="module")
def ingest_deployment(prefect_server: None) -> Any:
    """The id of the deployment ingest, with the trigger that prefect.yaml gives it."""
    from prefect.deployments.runner import EntrypointType
    from prefect.events import DeploymentEventTrigger

    from flows.ingest import ingest

    (said,) = [each for each in FILE["deployments"] if each["name"] == "ingest"]
    deployment = ingest.to_deployment(
        said["name"],
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


def test_who_says_that_rows_are_there_has_them_ingested_for_that_scenario_by_the_one_deployment(
    ingest_deployment: Any,
) -> None:
    from prefect.events import emit_event

    from flows.shared.context import resource_of

    emit_event(event="releve.rows.arrived", resource={"prefect.resource.id": "somebody.else"})
    deadline = time.monotonic() + SECONDS
    while len(scenarios := {run.parameters["scenario"] for run in runs_of(ingest_deployment)}) < 2:
        assert time.monotonic() < deadline
        for scenario in (QUIET, BUSY):
            emit_event(event="releve.rows.arrived", resource=resource_of(scenario))
        time.sleep(1)

    assert scenarios == {QUIET, BUSY}
    started = runs_of(ingest_deployment)[0]
    assert (started.created_by.type, started.created_by.display_value) == ("AUTOMATION", "rows-arrived")


def notify_by(block: Any) -> None:
    """The automations of the example, with a notification block of one's own."""
    from prefect.client.orchestration import get_client
    from prefect.events.schemas.automations import AutomationCore

    with get_client(sync_client=True) as client:
        for earlier in client.read_automations():  # those of the test before notify nobody any more
            client.delete_automation(earlier.id)
        for said in EXAMPLE["automations"]:
            (action,) = said["actions"]
            own = {**said, "actions": [{**action, "block_document_id": str(block)}]}
            client.create_automation(AutomationCore.model_validate(own))


def test_the_automations_of_the_example_notify_people_of_an_alert() -> None:
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    from flows.shared.publish import emit

    with receiving(Receiver()) as receiver:
        said = {"title": "{{subject}}", "text": "{{body}}"}
        notify_by(CustomWebhookNotificationBlock(name="chat", url=receiver.url, json_data=said).save("chat"))
        deadline = time.monotonic() + SECONDS
        while not receiver.heard and time.monotonic() < deadline:
            emit(MESSAGE)
            time.sleep(1)

    assert receiver.heard[0][1] == {"title": "quiet: drift drift", "text": "quiet: the table drifted"}


def about_runs(receiver: Receiver) -> list[dict[str, str]]:
    """What it heard of runs; an alert of the test before may come late."""
    return [each for _, each in receiver.heard if each["title"].startswith("ingest")]


def test_the_automations_of_the_example_notify_people_of_a_run_that_failed_and_not_of_one_that_did_not() -> None:
    from prefect import flow, tags
    from prefect.blocks.notifications import CustomWebhookNotificationBlock

    @flow(name="fails", flow_run_name="ingest churn")
    def fails() -> None:
        raise ValueError("no such column")

    @flow(name="works", flow_run_name="ingest digits")
    def works() -> None:
        pass

    with receiving(Receiver()) as receiver:
        said = {"title": "{{subject}}", "text": "{{body}}"}
        notify_by(CustomWebhookNotificationBlock(name="mail", url=receiver.url, json_data=said).save("mail"))
        deadline = time.monotonic() + SECONDS
        while not (told := about_runs(receiver)) and time.monotonic() < deadline:
            with tags(TAG):
                works()
                fails(return_state=True)
            time.sleep(1)

    assert {each["title"] for each in told} == {"ingest churn: Failed"}
    assert "no such column" in told[0]["text"]


def test_alerts_that_cannot_be_made_are_told_and_fail_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefect import flow

    from flows.shared.publish import send_alerts

    done = flow(send_alerts)(Settings.from_environ({}, cwd=tmp_path), QUIET, return_state=True)

    assert done.is_completed()
    assert f"no alert was sent: {tmp_path} is no git checkout" in capsys.readouterr().out
