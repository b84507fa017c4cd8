"""Look at the champion: drift, realised quality, and whether a challenge is due."""

from prefect import flow
from prefect.events import emit_event

from flows.artifacts import show_observation
from flows.context import Scenario, read_settings, step
from flows.pages import publish
from releve.rules import drift
from releve.settings import Settings
from tasks import monitor as monitor_step
from tasks.monitor import Observation

look = step(monitor_step.monitor, name="monitor")


@flow(name="monitor", flow_run_name="monitor-{scenario}", log_prints=True)
def monitor(scenario: Scenario = "digits") -> Observation:
    """Write the drift report, join the labels, decide; changes nothing."""
    settings = read_settings()
    seen = watch(settings, scenario)
    publish(settings, scenario)
    return seen


def watch(settings: Settings, scenario: str) -> Observation:
    """Look once, show what was seen, and tell the rest of Prefect when the table drifted."""
    seen: Observation = look(settings, scenario)
    show_observation(seen)
    for reason in seen.decision.reasons:
        print(f"{'retrain' if seen.decision.retrain else 'wait'}: {reason}")
    if seen.drift.state == drift.DRIFT:
        emit_event(
            event="releve.drift.detected",
            resource={"prefect.resource.id": f"releve.scenario.{scenario}", "prefect.resource.name": scenario},
            payload={
                "scenario": scenario,
                "model": seen.model,
                "columns": [column.name for column in seen.drift.drifted],
                "retrain": seen.decision.retrain,
            },
        )
    return seen
