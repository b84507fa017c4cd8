"""How people hear in Prefect that a release waits for them: a run of the flow `approval` that suspends with a form."""

from collections.abc import Sequence
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Completed

from releve.domain.approval.approval import Approval, ApprovalState
from releve.domain.scheduling.deployments import reason_tag, scenario_tag
from releve.reporting.messages.approval import describe_approval

FLOW = "approval"


def ask_in_prefect(approval: Approval) -> None:
    """Start the run that waits for people, once per request. Without it they answer by command."""
    scenario = approval.scenario
    try:
        run: Any = run_deployment(
            f"{FLOW}/{FLOW}",
            parameters={"scenario": scenario, "request": approval.number},
            tags=[scenario_tag(scenario), reason_tag("release")],
            idempotency_key=f"{scenario}/{approval.number}",
            flow_run_name=f"{FLOW} {scenario}",
            timeout=0,
            as_subflow=False,  # it lives on when this run has ended
        )
    except (ObjectNotFound, PrefectHTTPStatusError) as error:
        print(f"no form in Prefect asks for the approval, as there is no deployment {FLOW} for {scenario} ({error})")
    else:
        print(f"the run {run.name} ({run.id}) waits for people in Prefect")
    print(f"{describe_approval(approval)}: `releve approve {scenario}` shows what they are asked")
    close_runs(approval)


def close_runs(approval: Approval) -> None:
    """End the suspended runs that take no answer any more, those of earlier requests and of one that is over: no
    process is needed to do so. `approval`: the newest request."""
    with get_client(sync_client=True) as client:
        for run in waiting_runs(approval.scenario):
            is_other = is_of_other_request(run.parameters.get("request"), approval)
            if not is_other and approval.state is ApprovalState.WAITING:
                continue
            message = describe_run(approval, is_other=is_other)
            client.set_flow_run_state(run.id, Completed(message=message), force=True)
            print(f"the suspended run {run.name} ({run.id}) has ended: {message}")


def is_of_other_request(request: int | None, approval: Approval) -> bool:
    """Whether a run that was started for `request` (None: for the newest) is about an earlier one than `approval`."""
    return request not in (None, approval.number)


def describe_run(approval: Approval, *, is_other: bool) -> str:
    """Say how the request of a run ended; `approval`: the newest one, where that is another, too."""
    return ("this request is over; the newest one: " if is_other else "") + describe_approval(approval)


def waiting_runs(scenario: str) -> Sequence[FlowRun]:
    """The runs that wait for people to answer for a scenario."""
    paused = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED]))
    ours = FlowRunFilter(state=paused, tags=FlowRunFilterTags(all_=[scenario_tag(scenario)]))
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])), flow_run_filter=ours, limit=200
        )
