"""How people hear in Prefect that a release waits for them: a run of the flow `approval` that suspends with a form."""

from collections.abc import Sequence
from datetime import UTC, datetime
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
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Completed

from releve.adapters.prefect.open_runs import LEASE_ENDS
from releve.domain.approval.approval import Approval, ApprovalState
from releve.domain.scheduling.deployments import reason_tag, scenario_tag
from releve.reporting.messages.approval import describe_approval

FLOW = "approval"


def ask_in_prefect(approval: Approval) -> None:
    """Have a run wait for people, and say how else they may answer."""
    follow_in_prefect(approval)
    print(f"{describe_approval(approval)}: `releve approve {approval.scenario}` shows what they are asked")


def follow_in_prefect(approval: Approval) -> None:
    """Have one run wait as long as people are waited for, and close the others; `approval`: the newest request."""
    if approval.state is ApprovalState.WAITING:
        _keep_form(approval)
    close_runs(approval)


def _keep_form(approval: Approval) -> None:
    """Start the run that waits for people, unless there is one that did not crash before it could."""
    scenario, now = approval.scenario, datetime.now(UTC)
    asked = [run for run in _runs(scenario) if run.deployment_id and run.parameters.get("request") == approval.number]
    if any(_waits(run, now) for run in asked):
        return
    try:
        run: Any = run_deployment(
            f"{FLOW}/{FLOW}",
            parameters={"scenario": scenario, "request": approval.number},
            tags=[scenario_tag(scenario), reason_tag("release")],
            idempotency_key=f"{scenario}/{approval.number}/{len(asked)}",
            flow_run_name=f"{FLOW} {scenario}",
            timeout=0,
            as_subflow=False,  # it lives on when this run has ended
        )
    except (ObjectNotFound, PrefectHTTPStatusError) as error:
        print(f"no form in Prefect asks for the approval, as there is no deployment {FLOW} for {scenario} ({error})")
    else:
        print(f"the run {run.name} ({run.id}) waits for people in Prefect")


def _waits(run: FlowRun, now: datetime) -> bool:
    """Whether people can answer a run, or soon can: one that is at work for minutes lost its process."""
    if run.state is None or run.state.is_final():
        return False
    return run.state.is_paused() or run.state.is_scheduled() or now - run.state.timestamp < LEASE_ENDS


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
    return _runs(scenario, state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.PAUSED])))


def _runs(scenario: str, *, state: FlowRunFilterState | None = None) -> Sequence[FlowRun]:
    """The runs of the flow for a scenario, newest first."""
    ours = FlowRunFilter(state=state, tags=FlowRunFilterTags(all_=[scenario_tag(scenario)]))
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[FLOW])),
            flow_run_filter=ours,
            sort=FlowRunSort.EXPECTED_START_TIME_DESC,
            limit=200,
        )
