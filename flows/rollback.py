"""Back to the release before."""

from typing import Annotated, Any

from prefect import flow

from flows.release import announce
from flows.shared.context import Reason, Scenario, begin, helped, step
from flows.shared.publish import publish, send_alerts
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed
from releve.adapters.models.model_runtime import GoldenMismatch, ModelAltered
from releve.adapters.registry.rollback import NothingToRollBackTo
from releve.core.errors import NotFound
from releve.core.settings import Settings
from releve.domain.registry.events import ShownHarm
from releve.domain.registry.release import Release
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.messages import gate as gate_messages
from releve.reporting.messages.monitoring import describe_harm
from tasks.release import rollback as rollback_step
from tasks.release.index_refresh import roll_back_index
from tasks.release.release import ReleaseResult

run_rollback = step(rollback_step.rollback, name="rollback")


@flow(name="rollback", flow_run_name="rollback {scenario}", log_prints=True)
@scenario_run()
def rollback(
    scenario: Scenario,
    reason: Reason = "started by hand",
    index: Annotated[bool, helped("The rows that are searched go back alone; the same model serves on.")] = False,
) -> Any:
    """Move model and index back together; running it again returns to where it began.

    Ends with the ReleaseResult, of the index alone with the Release.
    """
    settings = begin(scenario)
    if index:
        release: Release = step(roll_back_index)(settings, scenario, reason=reason)
        publish(settings, scenario)
        message = f"{release.model} serves on, and searches {release.index_name}: {release.index_rows:,} rows"
        return completed(message, release)
    seen = rollback_step.serving_model(settings, scenario)
    done: ReleaseResult = run_rollback(settings, scenario, seen=seen, reason=reason)
    announce(scenario, done)
    publish(settings, scenario)
    message = gate_messages.rolled_back(scenario, done.release.model, done.left, at=done.answers_at, note=done.note)
    return completed(message, done)


def roll_back_harm(settings: Settings, scenario: str, seen: MonitoringRun) -> ReleaseResult | None:
    """Bring the release before back where a monitoring run has shown harm.

    None where it has not, and where no release can come back: then the alarm of the run lasts, and the loop goes on.
    """
    evidence = seen.rollback.evidence
    if not seen.rollback.roll_back or not evidence:
        return None
    harm = ShownHarm(
        model=seen.model,
        gain=evidence.gain,
        answers=evidence.rows,
        promotions=seen.rollback.promotions,
    )
    try:
        done: ReleaseResult = run_rollback(
            settings, scenario, seen=seen.model, reason=describe_harm(harm), actor="monitor", harm=harm
        )
    except (NothingToRollBackTo, NotFound, ModelAltered, GoldenMismatch) as error:
        print(f"{seen.model} serves on, though it was shown to be worse than the release before it: {error}")
        return None
    announce(scenario, done)
    send_alerts(settings, scenario)  # now: what follows may fail
    return done
