"""Back to the release before."""

from typing import Any

from prefect import flow
from prefect.states import Completed

from flows.alerts import tell
from flows.context import Scenario, begin, step
from flows.pages import publish
from flows.release import announce
from releve.domain.gate import verdicts
from tasks.release import rollback as rollback_step
from tasks.release.release import Released

go_back = step(rollback_step.rollback, name="rollback")


@flow(name="rollback", flow_run_name="rollback-{scenario}", log_prints=True)
def rollback(scenario: Scenario = "digits", reason: str = "started by hand") -> Any:
    """Move model and index back together; running it again returns to where it began. Ends with the Released."""
    settings = begin(scenario)
    done: Released = go_back(settings, scenario, reason=reason)
    announce(scenario, done)
    tell(settings, scenario)
    publish(settings, scenario)
    message = verdicts.rolled_back(scenario, done.release.model, done.left, note=done.note)
    return Completed(message=message, data=done)
