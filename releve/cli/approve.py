"""Commands by which people let a release in, or keep it out. None of them needs Prefect."""

from typing import Annotated

import typer

from releve.cli.output import ScenarioName, begin, for_history, read_settings
from releve.core.errors import BadInput, Unavailable

Model = Annotated[
    str,
    typer.Option(help="Answer for this one alone, such as churn:1a2b3c4d5e6f.", show_default=False, metavar="MODEL"),
]


def approve(
    scenario: ScenarioName,
    yes: Annotated[bool, typer.Option("--yes", help="Approve it, as the holder of RELEVE_APPROVER_TOKEN.")] = False,
    code: Annotated[bool, typer.Option("--code", help="Print a one-time code for the form in Prefect.")] = False,
    comment: Annotated[str, typer.Option(help="Why, for the history.", show_default=False, callback=for_history)] = "",
    model: Model = "",
) -> None:
    """Show the release that waits for people, approve it, or get a code for the form in Prefect."""
    if yes and code:
        raise BadInput("--yes approves here, and --code is for the form in Prefect: name one")
    if yes and not model:  # a newer one may have taken the place of the one that was read about
        raise BadInput(f"--yes needs --model, the one that you were shown: `releve approve {scenario}` writes the line")
    settings = begin(scenario)
    from releve.domain.approval.answers import ApprovalChoice
    from releve.reporting.approval_form import approval_page
    from releve.reporting.markdown import render_markdown
    from releve.reporting.messages.approval import describe_approval, describe_code
    from tasks import approval as approval_step

    if code:
        print(describe_code(*approval_step.give_code(settings, scenario)))
        return
    if not yes:
        asked = approval_step.question(settings, scenario)
        print(render_markdown(approval_page(asked.approval, asked.challenger)))
        if asked.approval.is_open:
            model = asked.approval.request.subject.model
            print(f"To approve it: releve approve {scenario} --yes --model {model}")
            print(f"To refuse it:  releve refuse {scenario} --model {model} --reason '...'")
            print(f"To do so in Prefect's form: releve approve {scenario} --code")
        return
    identify = approval_step.by_token(settings.approver_token)
    said = approval_step.answer(settings, scenario, ApprovalChoice.APPROVE, identify, comment=comment, model=model)
    print(describe_approval(said))
    if said.missing or _told(scenario, said.number):
        return
    look = approval_step.look(settings, scenario)
    if look.released:
        from releve.reporting.messages.gate import served

        print(served(scenario, look.released.release.model, at=look.released.answers_at, note=look.released.note))


def refuse(
    scenario: ScenarioName,
    reason: Annotated[str, typer.Option(help="Why, for the history.", show_default=False, callback=for_history)],
    model: Model = "",
) -> None:
    """Refuse the release that waits, for good, as the holder of RELEVE_APPROVER_TOKEN."""
    if not reason.strip():
        raise BadInput("--reason is empty; say why, for whoever reads the history")
    settings = begin(scenario)
    from releve.domain.approval.answers import ApprovalChoice
    from releve.reporting.messages.approval import describe_approval
    from tasks import approval as approval_step

    identify = approval_step.by_token(settings.approver_token)
    said = approval_step.answer(settings, scenario, ApprovalChoice.REFUSE, identify, comment=reason, model=model)
    print(describe_approval(said))
    _told(scenario, said.number)


def _told(scenario: str, request: int) -> bool:
    """Have a run here and now finish what people decided, close the form in Prefect and alert others; whether it did.

    Without a Prefect server the next run of the scenario does.
    """
    from releve.cli.run import run_flow

    try:
        run_flow("approval", scenario, request=request)
    except Unavailable as error:
        print(f"alerts wait for the next run of {scenario}: {error}")
        return False
    return True


def approver(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the history calls this person, such as anna.")],
) -> None:
    """Make a personal token for somebody who may approve releases, and the line of params.yaml that knows it."""
    read_settings()
    from releve.core.params import PERSON_NAME
    from releve.reporting.messages.approval import describe_token
    from tasks.approval import make_token

    if not PERSON_NAME.fullmatch(name):
        raise BadInput(f"{name!r} is no name for the history: use 1 to 63 letters, digits and . _ @ -")
    made = make_token()
    print(describe_token(name, made.token, made.hashed))
