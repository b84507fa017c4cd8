"""Put an accepted challenger into service."""

from typing import Annotated, Any

from prefect import flow
from prefect.events import emit_event

from flows.context import Scenario, begin, helped, resource_of, show, step
from flows.publish import publish
from flows.scenario_run import scenario_run
from flows.states import completed
from flows.tidy import tidy_up
from releve.core.settings import Settings
from releve.reporting import gate_messages
from tasks.release import release as release_step
from tasks.release.release import ReleaseResult

run_release = step(release_step.release, name="release")


@flow(name="release", flow_run_name="release {scenario}", log_prints=True)
@scenario_run()
def release(
    scenario: Scenario,
    model: Annotated[
        str | None, helped("Such as churn:1a2b3c4d5e6f; the challenger that was judged last if empty.")
    ] = None,
) -> Any:
    """Release the challenger that was judged last, or `model`; refused unless the gate accepted it.

    Ends with the ReleaseResult.
    """
    settings = begin(scenario)
    done = put_into_service(settings, scenario, model=model)
    publish(settings, scenario)
    tidy_up(settings, scenario)
    message = gate_messages.served(scenario, done.release.model, at=done.answers_at, note=done.note)
    return completed(message, done)


def put_into_service(settings: Settings, scenario: str, *, model: str | None = None) -> ReleaseResult:
    """Prepare model, Bento and index, then move the pointer once; the running service follows."""
    done: ReleaseResult = run_release(settings, scenario, model=model)
    announce(scenario, done)
    return done


def announce(scenario: str, done: ReleaseResult) -> None:
    """Show what serves now, and tell the rest of Prefect."""
    from releve.reporting.blocks import FactList
    from releve.reporting.index_messages import describe_index

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
