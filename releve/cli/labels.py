"""Commands that ask for labels and take them in."""

from pathlib import Path
from typing import Annotated

import typer

from releve.cli.output import ScenarioName, begin


def label_queue(
    scenario: ScenarioName,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of one in var/label-queue.")] = None,
    show_answers: Annotated[
        bool, typer.Option("--show-answers", help="Write what both models answered, too; who labels is led by it.")
    ] = False,
    most: Annotated[int | None, typer.Option(min=1, help="Rows at most, the oldest; all if left out.")] = None,
) -> None:
    """Write the answers whose label decides between champion and challenger to a file, to fill in."""
    from releve.reporting.messages.ledger import describe_queue
    from tasks.arms import label_queue as queue_step

    path = out.resolve() if out else None
    queue = queue_step.write_queue(begin(scenario), scenario, path=path, with_answers=show_answers, most=most)
    print("\n".join(describe_queue(scenario, queue)))


def labels(
    scenario: ScenarioName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `releve label-queue` wrote it, filled in.")],
) -> None:
    """Take in a label queue that was filled in."""
    from releve.reporting.messages.ledger import describe_returned
    from tasks.arms import returned_labels as returned_step

    returned = returned_step.read_labels(begin(scenario), scenario, file)
    print("\n".join(describe_returned(file.name, returned)))
    if returned.rejected:
        raise typer.Exit(1)
