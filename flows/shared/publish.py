"""What follows every change of a model: people and Prefect hear of it, and the scenario's page shows it.

Both are imported when they are called: a flow loads what it is about.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prefect.events import emit_event

from flows.shared.context import resource_of, show, step
from releve.core.errors import ReleveError
from releve.core.settings import Settings

if TYPE_CHECKING:
    from releve.reporting.messages.alerts import AlertMessage

SHOWN_FOR = timedelta(hours=1)
START = "start"  # the key of the artifact that an operator opens first


def publish(settings: Settings, scenario: str) -> None:
    """Send alerts, then write the page."""
    send_alerts(settings, scenario)
    update_page(settings, scenario)


def send_alerts(settings: Settings, scenario: str) -> None:
    """Send what changed to Prefect and to the webhook. A message that cannot be sent is printed and fails nothing."""
    from tasks.monitoring.alert import AlertDelivery, alert

    try:
        done: AlertDelivery = step(alert, name="alert")(settings, scenario, emit=emit)
    except ReleveError as error:
        print(f"no alert was sent: {error}")
        return
    for message in done.made:
        print(f"alert: {message.text}")
    for each in done.given_up:
        print(f"not delivered, and given up: {each}")
    if done.waiting:
        print(f"{len(done.waiting)} alerts wait to be sent again: {done.away}")


def emit(message: "AlertMessage") -> None:
    """Emit `releve.alert.<subject>.<state>`, for automations to act on."""
    emit_event(
        event=f"releve.alert.{message.subject}.{message.state}",
        resource=resource_of(message.scenario),
        payload=message.model_dump(mode="json"),
    )


def update_start_page(settings: Settings) -> None:
    """Write the page over all scenarios, and show the same in Prefect: what changed at once, else once an hour.

    A page that cannot be written is reported and fails nothing.
    """
    from prefect.artifacts import Artifact, create_markdown_artifact

    from releve.reporting.markdown import render_markdown
    from releve.reporting.start_page import breakdown, headline
    from tasks.reporting.fleet_page import FleetPage, write_fleet_page

    try:
        done: FleetPage = step(write_fleet_page, name="start page")(settings)
    except ReleveError as error:
        print(f"the start page was not written: {error}")
        return
    told = f"{headline(done.standings)}: {breakdown(done.standings)}"
    print(f"{told} The page: {done.path}")
    earlier: Any = Artifact.get(START)
    if earlier and earlier.description == told and earlier.created and datetime.now(UTC) - earlier.created < SHOWN_FOR:
        return  # Prefect keeps each version, and the flow that calls this may run every few minutes
    create_markdown_artifact(render_markdown(done.page), key=START, description=told)


def update_page(settings: Settings, scenario: str) -> None:
    """Write the scenario's page and name its file. A page that cannot be written is reported and fails nothing."""
    from tasks.reporting.page import write_page

    try:
        path = step(write_page, name="page")(settings, scenario)
    except ReleveError as error:
        print(f"the page of {scenario} was not written: {error}")
        return
    summary = f"Quality, drift, decisions and costs in one file: {path}"
    show("page", scenario, f"{scenario}: the page", (), summary=summary, description=path.name)
    print(f"the page of {scenario}: {path}")
