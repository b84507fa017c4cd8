"""Back to the release before."""

from typing import Any

from prefect import flow
from prefect.states import Completed

from flows.context import Scenario, begin, step
from flows.publish import publish, send_alerts
from flows.release import announce
from releve.adapters.models.model_runtime import GoldenMismatch, ModelAltered
from releve.adapters.registry.rollback import NothingToRollBackTo
from releve.core.errors import NotFound
from releve.core.settings import Settings
from releve.domain.registry.events import ShownHarm
from releve.domain.registry.release import Release
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting import gate_messages
from releve.reporting.messages import describe_harm
from tasks.release import rollback as rollback_step
from tasks.release.index_refresh import roll_back_index
from tasks.release.release import ReleaseResult

run_rollback = step(rollback_step.rollback, name="rollback")


@flow(name="rollback", flow_run_name="rollback {scenario}", log_prints=True)
def rollback(scenario: Scenario = "digits", reason: str = "started by hand", index: bool = False) -> Any:
    """Move model and index back together; running it again returns to where it began. Ends with the ReleaseResult.

    `index`: the rows that are searched go back alone, beside the same model. Ends with the Release then.
    """
    settings = begin(scenario)
    if index:
        release: Release = step(roll_back_index)(settings, scenario, reason=reason)
        publish(settings, scenario)
        message = f"{release.model} serves on, and searches {release.index_name}: {release.index_rows:,} rows"
        return Completed(message=message, data=release)
    seen = rollback_step.serving_model(settings, scenario)
    done: ReleaseResult = run_rollback(settings, scenario, seen=seen, reason=reason)
    announce(scenario, done)
    publish(settings, scenario)
    message = gate_messages.rolled_back(scenario, done.release.model, done.left, at=done.answers_at, note=done.note)
    return Completed(message=message, data=done)


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
