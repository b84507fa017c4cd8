"""Commands that operate the local stack, and what a scenario keeps."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import typer

from releve.cli.output import ScenarioName, begin, for_history, read_settings, tell
from releve.cli.show import serving_model
from releve.core.errors import BadInput, ReleveError
from releve.core.formatting import counted
from releve.core.progress import break_silence, show_progress
from releve.core.settings import Settings

SHOWN = 10  # scenarios that `up` says something about


def up() -> None:
    """Start Milvus, Prefect, its worker and the service on this machine."""
    from releve.adapters.files import scenario_names
    from releve.adapters.local_stack import stack
    from releve.adapters.local_stack.parts import SERVICE

    settings = read_settings()
    stack.check_no_demo(settings)
    for line in wrong_settings(settings):
        tell(line)
    with show_progress() as progress:
        started = stack.up(settings, progress=progress)
    print(f"started {', '.join(started)}" if started else "everything runs already")
    statuses = stack.status(settings)
    print(stack.describe(statuses))
    service = next(each for each in statuses if each.name == SERVICE)
    names = service.scenario.split(",") if service.scenario else scenario_names(settings.project)
    for scenario in () if settings.model_pin else names[:SHOWN]:
        print(serving_model(scenario, settings))
    if len(names) > SHOWN:
        print(f"and {counted(len(names) - SHOWN, 'more scenario')}: {service.address}/ lists those that are served")


def wrong_settings(settings: Settings) -> Iterator[str]:
    """Say of each scenario whose committed params are wrong what is wrong with them."""
    from releve.adapters.files import scenario_names
    from releve.adapters.git_dvc.committed import NotCommitted, read_committed_settings

    try:
        for name, params in read_committed_settings(settings, scenario_names(settings.project)):
            if isinstance(params, ReleveError) and not isinstance(params, NotCommitted):
                yield f"nothing runs for {name}, alone, until this is mended and committed: {params}"
    except ReleveError as error:
        yield f"nothing runs for any scenario until this is mended and committed: {error}"


def down() -> None:
    """Stop what `up` started."""
    from releve.adapters.local_stack import stack

    settings = read_settings()
    stack.check_no_demo(settings)
    stopped = stack.down(settings)
    print(f"stopped {', '.join(stopped)}" if stopped else "nothing was running")


def status() -> None:
    """Show what runs, and where."""
    from releve.adapters.local_stack import stack

    print(stack.describe(stack.status(read_settings())))


def deploy() -> None:
    """Give the Prefect server of PREFECT_API_URL the work pool and what of prefect.yaml can be started."""
    from releve.adapters.local_stack import stack

    settings = read_settings()
    if not settings.prefect_api_url:
        raise BadInput("PREFECT_API_URL is not set; expected a server of yours: `make up` deploys to its own")
    stack.deploy(replace(settings, prefect_elsewhere=True))
    print(f"the deployments of {settings.project} are on the Prefect server")


def rebuild(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="SCENARIO:VERSION; of a SCENARIO alone the newest.")],
) -> None:
    """Build a model again from data, code and params: do the same bytes come out? They are put back if they left."""
    settings = begin(model.partition(":")[0])
    from releve.reporting.messages.gate import describe_rebuild
    from tasks.retraining import rebuild as rebuild_step

    with break_silence("rebuild", print) as progress:
        done = rebuild_step.rebuild(settings, model, progress=progress)
    if not done.record.failure:
        verdict = f"other than recorded: {', '.join(done.changed)}" if done.changed else "the same as recorded"
        print(f"{done.metrics}{done.revision[:12]} built again from its rows: the figures are {verdict}")
    print(describe_rebuild(done.record))
    if not done.record.same:
        raise typer.Exit(1)


def tidy(scenario: ScenarioName) -> None:
    """Compact the ledger's finished days, and remove files of old models, each once it was built again."""
    settings = begin(scenario)
    from releve.reporting.messages.gate import describe_tidying
    from releve.reporting.messages.monitoring import describe_ledger
    from tasks.ledger import tidy_ledger
    from tasks.release import tidy as tidy_step

    with break_silence("tidy", print) as progress:
        lines = describe_ledger(tidy_ledger(settings, scenario, progress=progress))
        done = tidy_step.tidy(settings, scenario, trials=None, progress=progress)
    lines += describe_tidying(done.left, done.bytes, done.differing, done.untried)
    print("\n".join(lines or [f"nothing of {scenario} is old enough to leave"]))


def erase(
    scenario: ScenarioName,
    ids: Annotated[
        list[str], typer.Argument(metavar="ID...", help="What the table's id column calls rows, or ids of answers.")
    ],
    reason: Annotated[
        str, typer.Option(help="Why, for the history; without the id.", callback=for_history)
    ] = "asked for",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, and touch nothing.")] = False,
) -> None:
    """Erase rows from batches, ledger and index, and say what is out of reach."""
    settings = begin(scenario)
    from releve.reporting.messages.erasure import describe_erasure
    from tasks import erasure as erasure_step

    with break_silence("erase", print) as progress:
        done = erasure_step.erase(settings, scenario, ids, reason=reason, dry_run=dry_run, progress=progress)
    print("\n".join(describe_erasure(done)))
    if done.open_segments:
        raise typer.Exit(1)


def backup(
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="A folder, or a URL such as s3://bucket/backups.")],
) -> None:
    """Back up registry, rows, models, ledger and branches, while everything runs on."""
    from releve.reporting.messages.backup import describe_backup
    from tasks.backup import backup as backup_step

    with break_silence("backup", tell) as progress:
        done = backup_step.backup(read_settings(), to, progress=progress)
    lines = describe_backup(done.name, done.manifest, new_bytes=done.new_bytes, held_seconds=done.held_seconds)
    print("\n".join(lines))


def restore(
    source: Annotated[str, typer.Option("--from", metavar="PLACE", help="Where `releve backup --to` wrote.")],
    name: Annotated[str, typer.Option("--backup", help="Which one, as 20260131T020000Z; the newest if left out.")] = "",
    home: Annotated[str, typer.Option("--home", help="Where to, in the place of RELEVE_HOME.")] = "",
) -> None:
    """Restore a backup in a fresh clone, into an empty home and an empty registry."""
    from releve.reporting.messages.backup import describe_restore
    from tasks.backup import restore as restore_step

    with break_silence("restore", tell) as progress:
        done = restore_step.restore(read_settings(home=home), source, name=name, progress=progress)
    lines = describe_restore(
        done.name,
        done.manifest,
        indexes=done.indexes,
        left_out=done.left_out,
        behind=done.behind,
        seconds=done.seconds,
    )
    print("\n".join(lines))


def archive(scenario: ScenarioName) -> None:
    """Start a scenario over, or archive one whose folder is gone: its state is kept aside."""
    from tasks.archive import archive_scenario, report

    settings = read_settings()
    print(report(archive_scenario(settings, scenario, reason="started over by hand"), settings, scenario))
