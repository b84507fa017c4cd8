"""Look at the champion: drift, realised quality, and whether a challenge is due."""

from prefect import flow
from prefect.events import emit_event

from flows.alerts import resource_of, tell
from flows.artifacts import show_observation
from flows.context import Scenario, begin, step
from flows.pages import publish
from releve.core.settings import Settings
from releve.domain.drift import drift
from tasks.monitoring import monitor as monitor_step
from tasks.monitoring.monitor import Observation

look = step(monitor_step.monitor, name="monitor")


@flow(name="monitor", flow_run_name="monitor-{scenario}", log_prints=True)
def monitor(scenario: Scenario = "digits") -> Observation:
    """Write the drift report, join the labels, decide; changes nothing."""
    settings = begin(scenario)
    seen = watch(settings, scenario)
    publish(settings, scenario)
    return seen


def watch(settings: Settings, scenario: str) -> Observation:
    """Look once, show what was seen, and tell people and the rest of Prefect what changed."""
    seen: Observation = look(settings, scenario)
    show_observation(seen)
    for reason in seen.decision.reasons:
        print(f"{'retrain' if seen.decision.retrain else 'wait'}: {reason}")
    # Prefect misses this event where no look ends any more, and starts one: prefect.yaml, triggers
    emit_event(event="releve.monitor.looked", resource=resource_of(scenario), payload={"at": seen.at})
    tell(settings, scenario)
    if seen.drift.state == drift.DRIFT:
        emit_event(
            event="releve.drift.detected",
            resource=resource_of(scenario),
            payload={
                "scenario": scenario,
                "model": seen.model,
                "columns": [column.name for column in seen.drift.drifted],
                "retrain": seen.decision.retrain,
            },
        )
    return seen
