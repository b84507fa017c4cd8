"""Wait for people: a run that suspends with a form, and releases what they approve.

While it waits it is a row in Prefect's database, with no process, no lock and no slot. When a person has filled the
form in, it runs again from the top: everything that it does is there to be done again.
"""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Annotated, Any, Literal

from prefect import State, flow
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from flows.release import settle_approval
from flows.shared.asking import FLOW, describe_run, is_of_other_request
from flows.shared.context import Scenario, artifact_key, begin, helped, step
from flows.shared.publish import publish
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed, refused
from releve.core.errors import BadInput, Conflict, NotFound
from releve.core.settings import Settings
from releve.domain.approval.answers import ApprovalChoice
from releve.domain.approval.approval import Approval, ApprovalState
from releve.domain.approval.people import NotAnApprover
from tasks import approval as approval_step
from tasks.approval import by_code

MARGIN = timedelta(days=7)  # after a request expired, for the look that ends its run in words of ours
FOREVER = timedelta(days=3650)

run_answer = step(approval_step.answer, name="answer")


class ApprovalForm(RunInput):
    """What a person says to a release. The code tells who it is."""

    # neither has a default, so that nobody refuses for good by what was filled in before
    decision: Literal["approve", "refuse"] = Field(description="A refusal is final for this model.")
    code: str = Field(description="The one-time code that `releve approve SCENARIO --code` printed for you.")
    comment: str = Field("", description="Why; it stands in the history.")


@flow(name=FLOW, flow_run_name="approval {scenario}", log_prints=True)
@scenario_run(alone=False)
def approval(
    scenario: Scenario,
    request: Annotated[
        int | None, helped("Number of the event that asked, in the history; the newest one if empty.")
    ] = None,
) -> Any:
    """Ask people to approve the release that waits, and release it once they did.

    A wrong code changes nothing, and the run suspends again. Ends with the Approval, Refused where a person refused it,
    or it is out of date; with None where nothing was asked.
    """
    settings, problem = begin(scenario), ""
    for attempt in count(1):
        look = settle_approval(settings, scenario)
        asked = look.approval if look else None
        is_other = asked is not None and is_of_other_request(request, asked)
        if asked is None or is_other or asked.state is not ApprovalState.WAITING:
            publish(settings, scenario)
            return final_state(scenario, asked, is_other=is_other)
        said = suspend_flow_run(
            wait_for_input=ApprovalForm.with_initial_data(description=question(settings, scenario, problem)),
            timeout=seconds_to_answer(asked),
            key=f"{asked.number}-{attempt}",  # the forms that were filled in before come again, each once
        )
        problem = hear(settings, scenario, said)
    raise AssertionError("unreachable")


def hear(settings: Settings, scenario: str, said: ApprovalForm) -> str:
    """Write down what a person said; why it does not count, "" where it does."""
    try:
        run_answer(settings, scenario, ApprovalChoice(said.decision), by_code(said.code), comment=said.comment)
    except (BadInput, Conflict, NotAnApprover, NotFound) as error:
        print(f"an answer that does not count: {error}")
        return str(error)
    return ""


def question(settings: Settings, scenario: str, problem: str) -> str:
    """Write what people are asked, as Markdown."""
    from releve.reporting.approval_form import approval_page
    from releve.reporting.markdown import render_markdown

    asked = approval_step.question(settings, scenario)
    card = f"/artifacts/key/{artifact_key('card', scenario)}"
    return render_markdown(approval_page(asked.approval, asked.challenger, card=card, problem=problem))


def seconds_to_answer(asked: Approval) -> int:
    """For how long the run may stay suspended."""
    if not asked.request.expires_at:
        return int(FOREVER.total_seconds())
    left = datetime.fromisoformat(asked.request.expires_at) - datetime.now(UTC)
    return int((left + MARGIN).total_seconds())


def final_state(scenario: str, asked: Approval | None, *, is_other: bool) -> State[Any]:
    """Return the state that a run ends in, with a sentence."""
    if asked is None:
        return completed(f"nothing of {scenario} waits for approval", None)
    message = describe_run(asked, is_other=is_other)
    if is_other or asked.state is ApprovalState.RELEASED:
        return completed(message, asked)
    return refused(message, asked)
