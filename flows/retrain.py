"""Make a challenger, let the gate judge it, and release it when it is accepted."""

from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.states import Completed

from flows.alerts import tell
from flows.artifacts import show_card, show_challenge
from flows.context import Scenario, begin, step
from flows.ingest import take_in
from flows.pages import publish
from flows.release import put_into_service
from releve.core.settings import Settings
from releve.domain.gate import verdicts
from tasks.ingestion.ingest import check_refusals
from tasks.release import retrain as retrain_step
from tasks.release.retrain import Challenger
from tasks.reporting.cards import card_of, write_card

REFUSED = "Refused"  # the name of the state that a run ends in when the gate refused its challenger
make_challenger = step(retrain_step.retrain, name="retrain")


@flow(name="retrain", flow_run_name="retrain-{scenario}", log_prints=True)
def retrain(scenario: Scenario = "digits", reason: str = "started by hand", release_accepted: bool = True) -> Any:
    """`dvc repro` in a throw-away worktree, then the gate; an accepted challenger is released unless told otherwise.

    Ends with the Challenger, in the state Refused where the gate refused it. Fails, after all that, when one of the
    files that were waiting was refused.
    """
    settings = begin(scenario)
    found = take_in(settings, scenario, harvested=True)
    challenger = challenge(settings, scenario, reason=reason)
    released = challenger.promote and release_accepted
    if released:
        put_into_service(settings, scenario, model=challenger.model)
    tell(settings, scenario)
    publish(settings, scenario)
    check_refusals(found)
    return concluded(scenario, challenger, released=released, result=challenger)


def challenge(settings: Settings, scenario: str, *, reason: str) -> Challenger:
    """Build a challenger from all labelled rows and judge it."""
    challenger: Challenger = make_challenger(settings, scenario, reason=reason, progress=print)
    show_challenge(scenario, challenger)
    show_card(
        scenario, challenger.model, card_of(settings, challenger.model), write_card(settings, challenger.model)[-1]
    )
    verdict = verdicts.verdict(asdict(challenger))
    for sentence in challenger.reasons:
        print(sentence if verdicts.is_note(sentence) else f"{verdict}: {sentence}")
    return challenger


def concluded(scenario: str, challenger: Challenger, *, released: bool, result: Any) -> Any:
    """The state that a run ends in: its name and message say what became of the challenger."""
    message = verdicts.conclusion(scenario, asdict(challenger), released=released)
    return Completed(name=None if challenger.promote else REFUSED, message=message, data=result)
