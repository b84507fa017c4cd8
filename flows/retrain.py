"""Make a challenger, let the gate judge it, and release it when it is accepted."""

from prefect import flow

from flows.artifacts import show_card, show_challenge
from flows.context import Scenario, read_settings, step
from flows.ingest import take_in
from flows.pages import publish
from flows.release import put_into_service
from releve.cards import card_of, write_card
from releve.settings import Settings
from tasks import retrain as retrain_step
from tasks.ingest import check_refusals
from tasks.retrain import Challenger

make_challenger = step(retrain_step.retrain, name="retrain")


@flow(name="retrain", flow_run_name="retrain-{scenario}", log_prints=True)
def retrain(
    scenario: Scenario = "digits", reason: str = "started by hand", release_accepted: bool = True
) -> Challenger:
    """`dvc repro` in a throw-away worktree, then the gate; an accepted challenger is released unless told otherwise.

    Fails, after all that, when one of the files that were waiting was refused.
    """
    settings = read_settings()
    found = take_in(settings, scenario, harvested=True)
    challenger = challenge(settings, scenario, reason=reason)
    if challenger.promote and release_accepted:
        put_into_service(settings, scenario, model=challenger.model)
    publish(settings, scenario)
    check_refusals(found)
    return challenger


def challenge(settings: Settings, scenario: str, *, reason: str) -> Challenger:
    """Build a challenger from all labelled rows and judge it."""
    challenger: Challenger = make_challenger(settings, scenario, reason=reason, progress=print)
    show_challenge(scenario, challenger)
    show_card(
        scenario, challenger.model, card_of(settings, challenger.model), write_card(settings, challenger.model)[-1]
    )
    kept = "keep the champion" if challenger.champion else "refused, so nothing serves yet"
    for sentence in challenger.reasons:
        print(f"{'promote' if challenger.promote else kept}: {sentence}")
    return challenger
