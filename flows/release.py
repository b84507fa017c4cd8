"""Put an accepted challenger into service."""

from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event
from prefect.states import Completed

from flows.alerts import tell
from flows.artifacts import key_of, plain
from flows.context import Scenario, begin, step
from flows.pages import publish
from releve.core.settings import Settings
from releve.domain.gate import verdicts
from releve.domain.registry.release import Release
from tasks.release import release as release_step
from tasks.release.release import Released

move = step(release_step.release, name="release")


@flow(name="release", flow_run_name="release-{scenario}", log_prints=True)
def release(scenario: Scenario = "digits", model: str | None = None) -> Any:
    """Release the challenger that was judged last, or `model`; refused unless the gate accepted it.

    Ends with the Released.
    """
    settings = begin(scenario)
    done = put_into_service(settings, scenario, model=model)
    tell(settings, scenario)
    publish(settings, scenario)
    return Completed(message=verdicts.served(scenario, done.release.model, note=done.note), data=done)


def put_into_service(settings: Settings, scenario: str, *, model: str | None = None) -> Released:
    """Model, Bento and index first, then one move of the pointer; the running service follows."""
    done: Released = move(settings, scenario, model=model)
    announce(scenario, done)
    return done


def announce(scenario: str, done: Released) -> None:
    """Show what serves now, and tell the rest of Prefect."""
    show_release(scenario, done)
    print(f"{done.release.model} with {done.release.index} is the release of {scenario}")
    emit_event(
        event="releve.release.moved",
        resource={"prefect.resource.id": f"releve.scenario.{scenario}", "prefect.resource.name": scenario},
        payload={"scenario": scenario, "model": done.release.model, "index": done.release.index},
    )


def show_release(scenario: str, done: Released) -> None:
    """What serves now."""
    create_markdown_artifact(
        f"# {scenario}: {done.release.model} serves\n\n{_release_table(done.release)}\n\n{_checks(done)}",
        key=key_of("release", scenario),
        description=done.release.model,
    )


def _release_table(release: Release) -> str:
    rows = "\n".join(f"| {name.replace('_', ' ')} | `{value}` |" for name, value in release.as_dict().items())
    return f"| | |\n|---|---|\n{rows}"


def _checks(done: Released) -> str:
    index = f"index: {done.index.rows} rows, recall@10 {done.index.recall:.3f}. " if done.index else ""
    bento = f"Bento: `{done.bento}`. " if done.bento else ""
    swapped = (
        "The running service answers with it." if done.swapped else "No service of this scenario was running here."
    )
    return index + bento + swapped + (f" {plain(done.note)}" if done.note else "")
