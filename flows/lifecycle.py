"""The whole loop, once: ingest, monitor, and when a refresh is due retrain, judge and release."""

from dataclasses import dataclass
from typing import Any

from prefect import flow

from flows.compare import compare_arms
from flows.ingest import follow_index, ingest_files, refused_files
from flows.monitor import monitor_champion
from flows.release import settle_approval
from flows.retrain import challenge, final_state, follow_verdict, harvest_and_ingest
from flows.rollback import roll_back_harm
from flows.shared.context import Scenario, begin
from flows.shared.publish import update_page
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed, ending, kept_champion
from flows.shared.tidy import keep_ledger
from releve.core.errors import ReleveError
from releve.domain.registry.events import Challenger
from releve.domain.trigger.monitoring_run import MonitoringRun
from releve.reporting.messages import gate as gate_messages
from releve.reporting.messages.monitoring import describe_cause, describe_decision
from tasks.release.release import ReleaseResult


@dataclass(frozen=True)
class Round:
    """One turn of the loop; what did not happen is None."""

    seen: MonitoringRun
    challenger: Challenger | None = None
    released: ReleaseResult | None = None
    rolled_back: ReleaseResult | None = None


@flow(name="lifecycle", flow_run_name="lifecycle {scenario}", log_prints=True)
@scenario_run()
def lifecycle(scenario: Scenario) -> Any:
    """Ingest, compare arms, monitor, roll back what is shown to be worse, and retrain and release where that is due.

    Ends with the Round: Completed with a release, Kept champion where nothing was due, Refused where the gate refused
    the challenger, and Needs attention where a person has to look, such as at a refused file, or to
    approve the release.
    """
    settings = begin(scenario)
    keep_ledger(settings, scenario)
    waiting = ingest_files(settings, scenario)
    try:
        settle_approval(settings, scenario)
        compare_arms(settings, scenario)
    except ReleveError as error:  # whatever is wrong with a challenger, the champion is watched and refreshed
        print(f"the challenger stays as it is for now: {error}")
    seen = monitor_champion(settings, scenario)
    rolled_back = roll_back_harm(settings, scenario, seen)
    if rolled_back and not seen.decision.refresh:  # members of what was taken back are not weighed anew
        follow_index(settings, scenario)
        update_page(settings, scenario)
        message = gate_messages.rolled_back(
            scenario, rolled_back.release.model, rolled_back.left, at=rolled_back.answers_at, note=rolled_back.note
        )
        state = completed(message, Round(seen, rolled_back=rolled_back))
        return ending(settings, scenario, refused_files(waiting), state)
    if not (seen.decision.refresh or seen.decision.reweigh):
        if waiting.batches:
            follow_index(settings, scenario)
        update_page(settings, scenario)
        state = kept_champion(f"{seen.model} serves on: {describe_cause(seen.decision.causes[0])}", Round(seen))
        return ending(settings, scenario, refused_files(waiting), state)
    harvested = harvest_and_ingest(settings, scenario)
    challenger = challenge(
        settings,
        scenario,
        reason="; ".join(describe_decision(seen)),
        search=seen.decision.search_reason,
        without=seen.decision.without,
        reweigh=seen.decision.reweigh,
    )
    outcome = follow_verdict(settings, scenario, challenger)
    result = Round(seen, challenger, outcome.released, rolled_back)
    state = final_state(scenario, challenger, outcome, result=result)
    return ending(settings, scenario, refused_files(waiting, harvested), state)
