"""Commands that ask the ledger: what was answered, whether it comes out again, and what another model would say."""

from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from releve.cli.output import AsJson, begin, print_json, read_settings
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
    from releve.reporting.messages.ledger import describe_reproduction, reproduction_as_json
    from tasks.audit import reproduce as reproduce_step

    with show_progress(at_once=False) as progress:
        found = list(reproduce_step.reproduce(read_settings(), requests, from_store=local, progress=progress))
    if json:
        print_json([reproduction_as_json(each) for each in found])
    else:
        print("\n".join(map(describe_reproduction, found)))
    if not all(each.is_same for each in found):
        raise typer.Exit(1)


def evidence(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="SCENARIO:VERSION, as `releve models` lists them.")],
    out: Annotated[Path, typer.Option(help="The pack to write: a file that ends in .zip.")],
    json: AsJson = False,
) -> None:
    """Pack all evidence of a model version as one file, and write its digest into the history."""
    from tasks.evidence import write_evidence

    pack = write_evidence(read_settings(), model, out.resolve())
    if json:
        print_json({"pack": str(pack.path), "sha256": pack.sha256, "event": pack.event, "missing": pack.missing})
        return
    print(f"{pack.path}\nsha256 {pack.sha256}, in event {pack.event} of {model.partition(':')[0]}")
    print("\n".join(f"MISSING: {each}" for each in pack.missing))


def decisions(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="SCENARIO:VERSION, as `releve models` lists them.")],
    since: Annotated[
        str, typer.Option(help="First moment, as 2026-05-31 or 2026-05-31T14:00:00Z; UTC without a zone.")
    ],
    until: Annotated[str | None, typer.Option(help="The moment before which to end; now if left out.")] = None,
    json: AsJson = False,
) -> None:
    """Send what was answered through any model version: which answers change?"""
    from releve.domain.prediction_log.decisions import DecisionCounts
    from releve.reporting.messages.ledger import describe_change, describe_decisions
    from tasks.audit import decisions as decisions_step

    settings, counts = begin(model.partition(":")[0]), DecisionCounts()
    with show_progress(at_once=False) as progress:
        for block in decisions_step.decisions(settings, model, since=since, until=until, progress=progress):
            counts.add(block)
            for change in block.changes:  # one by one: there may be millions
                print(dumps(asdict(change), ensure_ascii=False) if json else describe_change(change))
    if json:
        pairs = [{"old": old, "new": new, "answers": count} for (old, new), count in counts.pairs.most_common()]
        print(dumps({**asdict(counts), "pairs": pairs}, ensure_ascii=False))
    else:
        print("\n".join(describe_decisions(model, counts)))
