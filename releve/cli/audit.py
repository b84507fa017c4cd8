"""Commands that ask the ledger: what was answered, whether it comes out again, and what another model would say."""

from typing import Annotated

import typer

from releve.cli.output import AsJson, print_json, read_settings
from releve.core.progress import show_progress


def reproduce(
    requests: Annotated[
        list[str], typer.Argument(metavar="REQUEST...", help="Ids of requests or searches, as responses carry them.")
    ],
    local: Annotated[
        bool, typer.Option("--local", help="Take models from the store of this machine where they are there.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Give answers again, from the data remote alone: does the same come out?"""
    from releve.reporting.ledger import describe_reproduction, reproduction_as_json
    from tasks.release import reproduce as reproduce_step

    with show_progress(at_once=False) as progress:
        found = list(reproduce_step.reproduce(read_settings(), requests, from_store=local, progress=progress))
    if json:
        print_json([reproduction_as_json(each) for each in found])
    else:
        print("\n".join(map(describe_reproduction, found)))
    if not all(each.is_same for each in found):
        raise typer.Exit(1)
