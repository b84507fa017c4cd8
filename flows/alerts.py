"""People are told what changed: after every look, and after whatever judged or moved a model, by hand or not."""

from prefect.events import emit_event

from flows.context import step
from releve.core.errors import ReleveError
from releve.core.settings import Settings
from releve.domain.alerting.alerts import Message
from tasks.monitoring import alert as alert_step

send = step(alert_step.alert, name="alert")


def tell(settings: Settings, scenario: str) -> None:
    """Send what changed, to Prefect and to the webhook. What cannot be sent is told here, and fails nothing else."""
    try:
        done: alert_step.Told = send(settings, scenario, emit=emit)
    except ReleveError as error:
        print(f"nobody was told what changed: {error}")
        return
    for message in done.made:
        print(f"alert: {message.text}")
    for each in done.given_up:
        print(f"not delivered, and given up: {each}")
    if done.waiting:
        print(f"{len(done.waiting)} messages wait for the next time: {done.away}")


def emit(message: Message) -> None:
    """`releve.alert.<subject>.<state>`, for automations to act on."""
    emit_event(
        event=f"releve.alert.{message.subject}.{message.state}",
        resource=resource_of(message.scenario),
        payload=alert_step.as_json(message),
    )


def resource_of(scenario: str) -> dict[str, str]:
    """What our events are about, in Prefect's words."""
    return {"prefect.resource.id": f"releve.scenario.{scenario}", "prefect.resource.name": scenario}
