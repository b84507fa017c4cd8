"""Make a challenger, let the gate judge it, and release it when it is accepted."""

from dataclasses import asdict
from typing import Any

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed

from flows.alerts import tell
from flows.artifacts import key_of, plain
from flows.context import Scenario, begin, step
from flows.ingest import take_in
from flows.pages import publish
from flows.release import put_into_service
from releve.core.formatting import format_score
from releve.core.settings import Settings
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import format_interval
from releve.domain.gate import verdicts
from tasks.ingestion import harvest as harvest_step
from tasks.ingestion.ingest import Ingestion, check_refusals
from tasks.release import retrain as retrain_step
from tasks.release.retrain import Challenger

REFUSED = "Refused"  # the name of the state that a run ends in when the gate refused its challenger
harvest = step(harvest_step.harvest)
make_challenger = step(retrain_step.retrain, name="retrain")


@flow(name="retrain", flow_run_name="retrain-{scenario}", log_prints=True)
def retrain(scenario: Scenario = "digits", reason: str = "started by hand", release_accepted: bool = True) -> Any:
    """`dvc repro` in a throw-away worktree, then the gate; an accepted challenger is released unless told otherwise.

    Ends with the Challenger, in the state Refused where the gate refused it. Fails, after all that, when one of the
    files that were waiting was refused.
    """
    settings = begin(scenario)
    found = take_in_with_answers(settings, scenario)
    challenger = challenge(settings, scenario, reason=reason)
    released = challenger.promote and release_accepted
    if released:
        put_into_service(settings, scenario, model=challenger.model)
    tell(settings, scenario)
    publish(settings, scenario)
    check_refusals(found)
    return concluded(scenario, challenger, released=released, result=challenger)


def take_in_with_answers(settings: Settings, scenario: str) -> Ingestion:
    """Put newly labelled answers into the incoming folder, then ingest it."""
    print(f"{harvest(settings, scenario)} labelled answers wait to be ingested")
    return take_in(settings, scenario)


def challenge(settings: Settings, scenario: str, *, reason: str) -> Challenger:
    """Build a challenger from all labelled rows and judge it."""
    challenger: Challenger = make_challenger(settings, scenario, reason=reason, progress=print)
    show_challenge(scenario, challenger)
    show_card(settings, scenario, challenger.model)
    verdict = verdicts.verdict(asdict(challenger))
    for sentence in challenger.reasons:
        print(sentence if verdicts.is_note(sentence) else f"{verdict}: {sentence}")
    return challenger


def concluded(scenario: str, challenger: Challenger, *, released: bool, result: Any) -> Any:
    """The state that a run ends in: its name and message say what became of the challenger."""
    message = verdicts.conclusion(scenario, asdict(challenger), released=released)
    return Completed(name=None if challenger.promote else REFUSED, message=message, data=result)


def show_challenge(scenario: str, challenger: Challenger) -> None:
    """What the gate decided, with its figures."""
    verdict = verdicts.verdict(asdict(challenger))
    found = Evaluation.model_validate(challenger.evaluation)
    lines = [f"| **challenger** `{challenger.model}` | {format_score(found.score.value)} | |"]
    for name, other in found.against.items():
        lines.append(f"| {name} | {format_score(other.score)} | {format_interval(other.gain)} |")
    table = "\n".join([f"| model | {found.metric} | gain over it |", "|---|---|---|", *lines])
    reasons = "\n".join(f"- {plain(reason)}" for reason in challenger.reasons)
    create_markdown_artifact(
        f"# {scenario}: {verdict}\n\n{found.holdout_rows} rows of holdout\n\n{table}\n\n{reasons}",
        key=key_of("gate", scenario),
        description=verdict,
    )


def show_card(settings: Settings, scenario: str, model: str) -> None:
    """Write the model card, show it, and name the file of its page."""
    from releve.reporting.markdown import render_markdown
    from tasks.reporting.cards import card_of, write_card

    card, html = card_of(settings, model), write_card(settings, model)[-1]
    create_markdown_artifact(
        f"{render_markdown(card)}\n\nAs a page, with pictures: `{html}`",
        key=key_of("card", scenario),
        description=f"{model}: {card.missing} things missing",
    )
