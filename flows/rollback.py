"""Back to the release before."""

from typing import Any

from prefect import flow
from prefect.states import Completed

from flows.context import Scenario, begin, step
from flows.publish import publish
from flows.release import announce
from releve.reporting import gate_messages
from tasks.release import rollback as rollback_step
from tasks.release.release import ReleaseResult

run_rollback = step(rollback_step.rollback, name="rollback")


@flow(name="rollback", flow_run_name="rollback {scenario}", log_prints=True)
def rollback(scenario: Scenario = "digits", reason: str = "started by hand") -> Any:
    """Move model and index back together; running it again returns to where it began. Ends with the ReleaseResult."""
    settings = begin(scenario)
    done: ReleaseResult = run_rollback(settings, scenario, reason=reason)
    announce(scenario, done)
    publish(settings, scenario)
    message = gate_messages.rolled_back(scenario, done.release.model, done.left, note=done.note)
    return Completed(message=message, data=done)
