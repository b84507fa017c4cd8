"""The whole loop, once: monitor, and when a challenge is due retrain, judge and release."""

from dataclasses import dataclass
from typing import Any

from prefect import flow
from prefect.states import Completed

from flows.context import Scenario, read_settings
from flows.ingest import take_in
from flows.monitor import watch
from flows.release import put_into_service
from flows.retrain import challenge, concluded
from tasks.ingest import check_refusals
from tasks.monitor import Observation
from tasks.release import Released
from tasks.retrain import Challenger


@dataclass(frozen=True)
class Round:
    """One turn of the loop; what did not happen is None."""

    seen: Observation
    challenger: Challenger | None = None
    released: Released | None = None


@flow(name="lifecycle", flow_run_name="lifecycle-{scenario}", log_prints=True)
def lifecycle(scenario: Scenario = "digits") -> Any:
    """Evidence, decision, challenge, release: each only when the one before says so.

    Ends with the Round, in the state Refused where the gate refused the challenger. Fails, after all that, when one of
    the files that were waiting was refused.
    """
    settings = read_settings()
    seen = watch(settings, scenario)
    if not seen.decision.retrain:
        return Completed(message=f"{seen.model} serves on: {seen.decision.reasons[0]}", data=Round(seen))
    found = take_in(settings, scenario, harvested=True)
    challenger = challenge(settings, scenario, reason="; ".join(seen.decision.reasons))
    released = put_into_service(settings, scenario, model=challenger.model) if challenger.promote else None
    check_refusals(found)
    result = Round(seen, challenger, released)
    return concluded(scenario, challenger, released=released is not None, result=result)
