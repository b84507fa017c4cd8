"""Try a challenger on live traffic."""

from typing import Annotated, Any, Literal

from prefect import flow
from prefect.events import emit_event

from flows.shared.context import Reason, Scenario, begin, helped, resource_of, show, step
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed
from releve.domain.arms.arms import ArmMode
from releve.reporting.messages.arms import describe_arms
from tasks.arms import arms as arms_step

run_start = step(arms_step.start_arms)
run_stop = step(arms_step.stop_arms)


@flow(name="arms", flow_run_name="arms {scenario}", log_prints=True)
@scenario_run()
def arms(
    scenario: Scenario,
    mode: Annotated[
        Literal["shadow", "canary", "ab", "stop"],
        helped("shadow answers aside, canary and ab a share of the requests."),
    ] = "shadow",
    share: Annotated[
        float | None, helped("Of the keys, above 0 and below 1; a tenth if empty. A shadow has none.", gt=0, lt=1)
    ] = None,
    model: Annotated[
        str | None, helped("The challenger that takes part; the one that was judged last if empty.")
    ] = None,
    reason: Reason = "",
) -> Any:
    """Have the challenger that was judged last, or `model`, take part; `stop` ends that. Ends with the RunningArms."""
    from releve.reporting.blocks import FactList

    settings = begin(scenario)
    if mode == "stop":
        running = run_stop(settings, scenario, reason=reason or "stopped by hand")
        message = f"{running.started.challenger.model} takes part no more"
    else:
        running = run_start(settings, scenario, mode=ArmMode(mode), share=share, model=model, reason=reason)
        message = describe_arms(running.started)
    facts = {**running.started.model_dump(mode="json", exclude={"format", "challenger"}), "since": running.since}
    lines = tuple(
        (name, str(value)) for name, value in {"challenger": running.started.challenger.model, **facts}.items()
    )
    show("arms", scenario, f"{scenario}: {message}", (FactList(lines),), description=running.started.challenger.model)
    emit_event(event="releve.arms.changed", resource=resource_of(scenario), payload={"scenario": scenario, **facts})
    return completed(message, running)
