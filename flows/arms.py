"""Try a challenger on live traffic."""

from typing import Any, Literal

from prefect import flow
from prefect.events import emit_event
from prefect.states import Completed

from flows.context import Scenario, begin, resource_of, show, step
from releve.domain.experiment.arms import ArmMode
from releve.reporting.arms_messages import describe_arms
from tasks.experiment import arms as arms_step

run_start = step(arms_step.start_arms)
run_stop = step(arms_step.stop_arms)


@flow(name="arms", flow_run_name="arms {scenario}", log_prints=True)
def arms(
    scenario: Scenario = "digits",
    mode: Literal["shadow", "canary", "ab", "stop"] | None = None,
    share: float | None = None,
    model: str | None = None,
    reason: str = "",
) -> Any:
    """Have the challenger that was judged last, or `model`, take part; `stop` ends that. Ends with the RunningArms.

    Mode and share are those of the scenario's settings where left out.
    """
    from releve.reporting.blocks import FactList

    settings = begin(scenario)
    if mode == "stop":
        running = run_stop(settings, scenario, reason=reason or "stopped by hand")
        message = f"{running.started.challenger.model} takes part no more"
    else:
        wanted = ArmMode(mode) if mode else None
        running = run_start(settings, scenario, mode=wanted, share=share, model=model, reason=reason)
        message = describe_arms(running.started)
    facts = {**running.started.model_dump(mode="json", exclude={"format", "challenger"}), "since": running.since}
    lines = tuple(
        (name, str(value)) for name, value in {"challenger": running.started.challenger.model, **facts}.items()
    )
    show("arms", scenario, f"{scenario}: {message}", (FactList(lines),), description=running.started.challenger.model)
    emit_event(event="releve.arms.changed", resource=resource_of(scenario), payload={"scenario": scenario, **facts})
    return Completed(message=message, data=running)
