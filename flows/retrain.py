"""Make a challenger, let the gate judge it, and release it when it is accepted."""

from dataclasses import replace
from typing import Annotated, Any

from prefect import flow

from flows.compare import try_aside
from flows.ingest import follow_index, ingest_files, refused_files
from flows.release import ReleaseOutcome, release_or_ask
from flows.shared.context import Reason, Scenario, begin, helped, show, show_page, step
from flows.shared.publish import publish
from flows.shared.scenario_run import scenario_run
from flows.shared.states import completed, ending, refused
from flows.shared.tidy import tidy_up
from releve.adapters.brought.folder import TriedFile
from releve.adapters.git_dvc.committed import read_committed
from releve.core.formatting import counted
from releve.core.settings import Settings
from releve.domain.registry.events import Challenger
from releve.reporting.messages import gate as gate_messages
from tasks.ingestion import harvest as harvest_step
from tasks.ingestion.ingest import Ingestion
from tasks.retraining import retrain as retrain_step

BY_HAND = "by hand"  # what opened a search
harvest = step(harvest_step.harvest)
run_retrain = step(retrain_step.retrain, name="retrain")


@flow(name="retrain", flow_run_name="retrain {scenario}", log_prints=True)
@scenario_run()
def retrain(
    scenario: Scenario,
    reason: Reason = "started by hand",
    release_accepted: Annotated[
        bool, helped("Release at once what the gate accepts; else `make release` does.")
    ] = True,
    search: Annotated[
        bool, helped("Try other recipes, too, within search.trials and search.seconds of params.yaml.")
    ] = False,
    reweigh: Annotated[bool, helped("Fit nothing: weigh the newest members of the ensemble anew.")] = False,
) -> Any:
    """Build a challenger from all labelled rows, judge it at the gate, and release it when it is accepted.

    Ends with the Challenger: Refused where the gate refused it, and Needs attention where a person has to look, such
    as at a refused file, or to approve the release (params.yaml: release.approval).
    """
    settings = begin(scenario)
    ingestion = harvest_and_ingest(settings, scenario)
    challenger = challenge(settings, scenario, reason=reason, search=BY_HAND if search else "", reweigh=reweigh)
    outcome = follow_verdict(settings, scenario, challenger, release_accepted=release_accepted)
    state = final_state(scenario, challenger, outcome, result=challenger)
    return ending(settings, scenario, refused_files(ingestion), state)


def harvest_and_ingest(settings: Settings, scenario: str) -> Ingestion:
    """Put newly labelled answers into the incoming folder, then ingest the folder."""
    print(f"{harvest(settings, scenario)} labelled answers wait to be ingested")
    rules = read_committed(settings, scenario).params.ledger
    if hidden := (*rules.hash, *rules.drop):
        print(f"answers bring no {', '.join(hidden)}: the ledger does not hold it in clear (ledger.hash, ledger.drop)")
    return ingest_files(settings, scenario)


def challenge(
    settings: Settings,
    scenario: str,
    *,
    reason: str,
    search: str = "",
    without: tuple[str, ...] = (),
    reweigh: bool = False,
    brought: TriedFile | None = None,
) -> Challenger:
    """Build a challenger from all labelled rows and judge it. What may be asked for: see tasks.retraining.retrain."""
    asked = {"search": search, "without": without, "reweigh": reweigh, "brought": brought}
    challenger: Challenger = run_retrain(settings, scenario, reason=reason, **asked, progress=print)
    show_challenge(scenario, challenger)
    show_card(settings, scenario, challenger.model)
    for reason in challenger.reasons:
        print(f"{gate_messages.outcome(challenger)}: {reason}")
    for note in challenger.notes:
        print(f"note: {note}")
    return challenger


def follow_verdict(
    settings: Settings, scenario: str, challenger: Challenger, *, release_accepted: bool = True
) -> ReleaseOutcome:
    """Do what the gate's verdict asks for, and what follows every challenger: rows to search, alerts, page, tidying."""
    outcome = ReleaseOutcome()
    if challenger.promote and release_accepted:
        outcome = release_or_ask(settings, scenario, model=challenger.model)
    if outcome.released is None or challenger.is_reweighting:  # else it learned the newest rows
        follow_index(settings, scenario)
    try_aside(settings, scenario, challenger)
    publish(settings, scenario)
    tidy_up(settings, scenario)
    return outcome


def final_state(scenario: str, challenger: Challenger, outcome: ReleaseOutcome, *, result: Any) -> Any:
    """Return the state that a run ends in: its name and message say whether the challenger serves, and where."""
    if outcome.refusal:
        return refused(outcome.refusal, result)
    message = gate_messages.conclusion(
        scenario, challenger, at=outcome.answers_at, for_people=outcome.waiting is not None
    )
    return completed(message, result) if challenger.promote else refused(message, result)


def show_challenge(scenario: str, challenger: Challenger) -> None:
    """Show what the gate decided, with its figures."""
    from releve.reporting.blocks import FactList, TextBlock
    from releve.reporting.comparison import comparison_table, describe_score

    verdict, evaluation = gate_messages.outcome(challenger), challenger.evaluation
    blocks = (
        FactList(((f"challenger {challenger.model}", describe_score(evaluation)),)),
        comparison_table(evaluation),
        TextBlock(challenger.sentences, points=True),
    )
    summary = gate_messages.describe_judged_rows(evaluation)
    show("gate", scenario, f"{scenario}: {verdict}", blocks, summary=summary, description=verdict)


def show_card(settings: Settings, scenario: str, model: str) -> None:
    """Write the model card, show it, and name the file of its page."""
    from releve.reporting.blocks import ReportSection, TextBlock
    from tasks.reporting.model_card import card_of, write_card

    card = card_of(settings, model)
    html = write_card(settings, model, card)[-1]
    where = ReportSection("", (TextBlock((f"As a page, with charts: {html}",)),))
    page = replace(card, sections=(*card.sections, where))
    show_page("card", scenario, page, description=f"{model}: {counted(card.missing, 'thing')} missing")
