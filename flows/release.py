"""Put an accepted challenger into service."""

from dataclasses import dataclass
from typing import Annotated, Any

from prefect import flow
from prefect.events import emit_event

from flows.shared.asking import ask_in_prefect, follow_in_prefect
from flows.shared.context import Scenario, begin, helped, resource_of, show, step
from flows.shared.publish import publish
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed, ending, refused
from flows.shared.tidy import tidy_up
from releve.adapters.git_dvc.committed import read_committed
from releve.core.settings import Settings
from releve.domain.approval.approval import Approval
from releve.reporting.messages import gate as gate_messages
from tasks import approval as approval_step
from tasks.approval import ApprovalLook
from tasks.release import acceptance
from tasks.release import release as release_step
from tasks.release.acceptance import NotApproved
from tasks.release.release import ReleaseResult

run_release = step(release_step.release, name="release")
run_ask = step(acceptance.ask_people, name="ask people")
run_look = step(approval_step.look, name="look at the approval")


@flow(name="release", flow_run_name="release {scenario}", log_prints=True)
@scenario_run()
def release(
    scenario: Scenario,
    model: Annotated[
        str | None, helped("Such as churn:1a2b3c4d5e6f; the challenger that was judged last if empty.")
    ] = None,
) -> Any:
    """Release the challenger that was judged last, or `model`; refused unless the gate accepted it.

    Ends with the ReleaseResult, or, where people have to approve it first, with the ReleaseOutcome: Needs attention
    while it waits for them, Refused where one of them refused it.
    """
    settings = begin(scenario)
    look = settle_approval(settings, scenario)
    if look and look.released and model in (None, look.released.release.model):
        outcome = ReleaseOutcome(released=look.released)
    else:
        outcome = release_or_ask(settings, scenario, model=model)
    publish(settings, scenario)
    if outcome.refusal:
        return refused(outcome.refusal, outcome)
    if not (done := outcome.released):
        return ending(settings, scenario, (), completed(f"the release of {scenario} was put before people", outcome))
    tidy_up(settings, scenario)
    message = gate_messages.served(scenario, done.release.model, at=done.answers_at, note=done.note)
    return completed(message, done)


@dataclass(frozen=True)
class ReleaseOutcome:
    """What became of an accepted challenger: it was released, or it waits for people, or a person has refused it."""

    released: ReleaseResult | None = None
    waiting: Approval | None = None
    refusal: str = ""

    @property
    def answers_at(self) -> str | None:
        """Where a running service answers with it, "" where none does; None where it was not released."""
        return self.released.answers_at if self.released else None


def release_or_ask(settings: Settings, scenario: str, *, model: str | None = None) -> ReleaseOutcome:
    """Put an accepted challenger into service, or before the people who have to approve it."""
    if read_committed(settings, scenario).params.release.people:
        try:
            waiting: Approval | None = run_ask(settings, scenario, model=model)
        except NotApproved as error:
            print(f"not released: {error}")
            return ReleaseOutcome(refusal=str(error))
        if waiting:
            ask_in_prefect(waiting)
            return ReleaseOutcome(waiting=waiting)
    return ReleaseOutcome(released=put_into_service(settings, scenario, model=model))


def settle_approval(settings: Settings, scenario: str) -> ApprovalLook | None:
    """Look at the newest request for approval: release what was approved meanwhile, and end what is out of date.

    None where nobody was ever asked.
    """
    if not approval_step.was_asked(settings, scenario):
        return None
    look: ApprovalLook = run_look(settings, scenario)
    if look.released:
        announce(scenario, look.released)
    if look.approval:
        follow_in_prefect(look.approval)
    return look


def put_into_service(settings: Settings, scenario: str, *, model: str | None = None) -> ReleaseResult:
    """Prepare model, Bento and index, then move the pointer once; the running service follows."""
    done: ReleaseResult = run_release(settings, scenario, model=model)
    announce(scenario, done)
    return done


def announce(scenario: str, done: ReleaseResult) -> None:
    """Show what serves now, and tell the rest of Prefect."""
    from releve.reporting.blocks import FactList
    from releve.reporting.messages.index import describe_index

    answers = f"answers with it at {done.answers_at}" if done.answers_at else gate_messages.NOT_SERVED
    told = done.release.model_dump(mode="json", exclude={"index_rows", "index_update", "index_design", "index_check"})
    lines = [(name.replace("_", " "), str(value)) for name, value in told.items()]
    lines += [("neighbours", describe_index(done.release))]
    lines += [("Bento", done.bento)] if done.bento else []
    lines += [("running service", answers), *([("note", done.note)] if done.note else [])]
    title = f"{scenario}: {done.release.model} {'serves' if done.answers_at else 'is released'}"
    show("release", scenario, title, (FactList(tuple(lines)),), description=done.release.model)
    print(f"{done.release.model} with {done.release.index} is the release of {scenario}")
    emit_event(
        event="releve.release.moved",
        resource=resource_of(scenario),
        payload={"scenario": scenario, "model": done.release.model, "index": done.release.index},
    )
