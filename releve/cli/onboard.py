"""Commands that bring a table: describe it as a scenario, and get rejected rows back to fix them."""

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from releve.cli.output import ScenarioName, begin, read_settings
from releve.core.errors import BadInput
from releve.core.progress import show_progress

USAGE = (
    "make scenario NAME=churn DATA=churn.csv TARGET=churned, or releve scenario churn --data churn.csv --target churned"
)


Data = Annotated[str, typer.Option(help="Required: a file with labelled rows, oldest first.", show_default=False)]
Target = Annotated[str, typer.Option(help="Required: the column to predict.", show_default=False)]
Time = Annotated[str, typer.Option(help="The column that orders the rows: dates or numbers.", show_default=False)]
Id = Annotated[str, typer.Option(help="The column that names a row.", show_default=False)]
Task = Annotated[str, typer.Option(help="binary, multiclass or regression; inferred if left out.", show_default=False)]
Set = Annotated[list[str] | None, typer.Option(help="section.key=value of params.yaml; several with spaces between.")]


def scenario(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Required: lower-case letters, digits, '_' and '-'.")
    ] = "",
    data: Data = "",
    target: Target = "",
    time: Time = "",
    id: Id = "",
    task: Task = "",
    set: Set = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Only give every scenario today's pipeline; needs nothing else.")
    ] = False,
) -> None:
    """Profile a file, and write the scenario that describes it, for you to correct."""
    given = {"NAME": name, "DATA": data, "TARGET": target}
    if refresh and any((*given.values(), time, id, task, set)):
        raise typer.BadParameter("--refresh goes with no name and no other option: it is for every scenario")
    if not refresh and (missing := [key for key, value in given.items() if not value]):
        raise BadInput(f"{', '.join(missing)} missing; expected: {USAGE}")
    from releve.domain.onboarding.params_file import read_override
    from releve.domain.onboarding.table import Roles
    from tasks import onboarding

    settings = read_settings()
    if refresh:
        changed = ", ".join(onboarding.refresh(settings))
        print(f"wrote dvc.yaml anew for: {changed}" if changed else "every scenario has this pipeline already")
        return
    overrides = tuple(read_override(text) for several in set or [] for text in split_settings(several))
    file = Path(data).expanduser()
    with show_progress(at_once=False) as tell:
        tell(f"reading {file.name}")
        roles = Roles(target, time or None, id or None, task or None, overrides)
        made = onboarding.scaffold(settings, name, data=file, roles=roles)
    print(onboarding.report(made, project=settings.project))


def split_settings(text: str) -> list[str]:
    """Split "section.key=value section.key=value"; a value may hold spaces, as only a known section begins the next."""
    from releve.core.params import Params

    sections = "|".join(Params.model_fields)
    return re.split(rf"\s+(?=(?:{sections})\.\w+=)", text.strip()) if text.strip() else []


def resubmit(
    scenario: ScenarioName,
    batch: Annotated[str, typer.Argument(metavar="BATCH", help="As batches.csv lists it.")],
) -> None:
    """Write the rejected rows of a batch to a file, to fix them and send them again."""
    settings = begin(scenario)
    from tasks.ingestion import resubmit as resubmit_step
    from tasks.places import ScenarioState

    path = resubmit_step.resubmit(settings, scenario, batch)
    command = shlex.join(["mv", str(path), f"{ScenarioState(settings.home, scenario).incoming}/"])
    print(f"fix {path}, then send it: {command}")


def guide() -> None:
    """Open pages on this machine that lead from a file to a model that answers, one question at a time."""
    import secrets
    from dataclasses import replace

    import uvicorn

    from releve.adapters.local_stack import stack
    from releve.adapters.local_stack.parts import prefect_api_url
    from releve.adapters.local_stack.ports import check_port_is_free
    from releve.adapters.prefect.api import PrefectRuns
    from releve.core.settings import LOOPBACK
    from releve.guide.app import Guide

    settings = read_settings()
    stack.check_no_demo(settings)
    check_port_is_free(settings.guide_port, wanted_for="guide", setting="RELEVE_GUIDE_PORT")
    with show_progress() as progress:
        stack.up(settings, progress=progress)
    runs = PrefectRuns.of(replace(settings, prefect_api_url=prefect_api_url(settings)))
    assert runs is not None  # an address is named just above
    key = settings.token_operate or secrets.token_urlsafe(16)
    said = "with the key in RELEVE_TOKEN_OPERATE" if settings.token_operate else f"?key={key}"
    address = f"http://{LOOPBACK}:{settings.guide_port}/sign-in"
    print(
        f"Open {address}{' ' if settings.token_operate else ''}{said}\nCtrl-C ends these pages; the rest goes on",
        flush=True,
    )
    pages = Guide(settings, key, runs, lambda: stack.deploy(settings)).app()
    uvicorn.run(pages, host=LOOPBACK, port=settings.guide_port, log_level="warning")
