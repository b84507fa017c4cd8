"""Commands of delivery: what a change changes, and what other engines run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from releve.cli.output import ScenarioName, begin, for_history, read_settings, tell
from releve.core.errors import BadInput
from releve.core.progress import break_silence


def changes(
    base: Annotated[str, typer.Argument(metavar="COMMIT", help="To compare with: origin/main, HEAD~1, ...")],
    out: Annotated[Path | None, typer.Option(help="A file to write as well.", show_default=False)] = None,
) -> None:
    """Say in Markdown what the commits since COMMIT change about every scenario's model."""
    from releve.adapters.files import write_bytes
    from releve.reporting.markdown import render_markdown
    from releve.reporting.revisions import build_changes
    from tasks.delivery.revisions import compare_with

    with break_silence("changes", lambda line: print(line, file=sys.stderr, flush=True)) as progress:
        found = tuple(compare_with(read_settings(), base, progress=progress))
    text = render_markdown(build_changes(found))
    print(text, end="")
    if out:
        write_bytes(out, text.encode())
    if any(each.is_broken for each in found):
        raise typer.Exit(1)


def pack(
    scenario: ScenarioName,
    golden: Annotated[Path, typer.Option(help="The file to write golden requests to.")] = Path("golden.json"),
) -> None:
    """Build a Bento of the model that this commit makes, and write the requests that prove a service of it right."""
    settings = begin(scenario)
    from releve.adapters.files import write_document
    from tasks.delivery.bento import pack as pack_it

    with break_silence("pack", lambda line: print(line, file=sys.stderr, flush=True)) as progress:
        packed = pack_it(settings, scenario, progress=progress)
    write_document(golden, packed.golden)
    print(packed.bento.tag)


def golden(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Of a service: http://127.0.0.1:3000.")],
    requests: Annotated[Path, typer.Argument(metavar="FILE", help="What `releve pack` wrote.")] = Path("golden.json"),
) -> None:
    """Ask a running service golden requests: does it answer with that model, and as the model was packed?"""
    from releve.adapters.files import read_document
    from releve.adapters.models.description import GoldenRequests
    from releve.core.formatting import counted
    from tasks.delivery.bento import check_service

    if not requests.is_file():
        raise BadInput(f"there is no file {requests}; `releve pack` writes it")
    asked = read_document(requests, GoldenRequests, remedy="write it anew by `releve pack`")
    rows = check_service(read_settings(), address, asked)
    print(f"{address} answers {counted(rows, 'golden row')} of {asked.model} as it was packed")


def promote(
    scenario: ScenarioName,
    source: Annotated[str, typer.Option("--from", metavar="ENVIRONMENT", help="Where it serves: staging.")],
    target: Annotated[str, typer.Option("--to", metavar="ENVIRONMENT", help="Where it is to serve: prod.")],
    reason: Annotated[
        str,
        typer.Option(
            help="Why, where no gate can compare it with what serves there.", show_default=False, callback=for_history
        ),
    ] = "",
) -> None:
    """Move what serves in one environment to another: the same files, checked there, and nothing fitted."""
    from releve.adapters.git_dvc.committed import begin_run

    settings = begin_run(read_settings(environment=target), scenario, tell=tell)
    from releve.domain.approval.approval import Approval
    from releve.reporting.messages.approval import describe_approval
    from releve.reporting.messages.gate import served
    from tasks.release.promote import promote as promote_it

    with break_silence("promote", tell) as progress:
        done = promote_it(
            settings,
            scenario,
            source=read_settings(environment=source),
            environments=(source, target),
            reason=reason,
            progress=progress,
        )
    if isinstance(done, Approval):
        print(f"{target}: {describe_approval(done)}")
        return
    print(f"{target}: {served(scenario, done.release.model, at=done.answers_at, note=done.note, environment=target)}")


def export_kubeflow(
    scenario: ScenarioName,
    image: Annotated[str, typer.Option(help="The worker's image, as the cluster pulls it.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("pipeline.yaml"),
) -> None:
    """Write the scenario's pipeline for Kubeflow, a step for each stage of its dvc.yaml."""
    settings = begin(scenario)
    from releve.adapters.files import write_bytes
    from tasks.delivery.kubeflow import export_pipeline

    write_bytes(out, export_pipeline(settings, scenario, image=image).encode())
    print(f"written: {out}; upload it to Kubeflow Pipelines, or `kfp run create -f {out}`")


def run_stage(
    scenario: ScenarioName,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="A stage of the scenario's dvc.yaml.")],
) -> None:
    """Run one stage of a pipeline here, the others elsewhere: they exchange by the data remote."""
    settings = begin(scenario)
    from tasks.delivery.kubeflow import run_stage as run_one

    with break_silence("run-stage", lambda line: print(line, flush=True)) as progress:
        made = run_one(settings, scenario, stage, progress=progress)
    print("\n".join(f"{md5}  {path}" for path, md5 in sorted(made.items())))
