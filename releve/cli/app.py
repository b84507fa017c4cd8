"""The table of commands, and how each of them ends: an error is one line on stderr and an exit code."""

import functools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer
from typer.exceptions import Abort, TyperException

from releve.cli import approve, audit, deliver, experiment, labels, note, onboard, operate, run, show
from releve.core.errors import run_command

COMMANDS: dict[str, tuple[Callable[..., None], ...]] = {
    "Bring a table": (onboard.scenario, onboard.guide, run.ingest, onboard.resubmit),
    "Run": (run.monitor, run.retrain, run.bring, run.release, run.rollback, run.lifecycle, run.backtest, run.score),
    "Experiment": (experiment.experiment, experiment.experiments, experiment.challenge),
    "Approve": (approve.approve, approve.refuse, approve.approver),
    "Share": (note.note,),
    "Compare on live traffic": (run.arms, run.compare, labels.label_queue, labels.labels),
    "Inspect": (
        *(show.page, show.card, show.current, show.at, show.history, show.models, show.verify),
        *(audit.reproduce, audit.decisions, audit.evidence),
    ),
    "Operate": (
        operate.up,
        operate.down,
        operate.status,
        operate.deploy,
        operate.rebuild,
        operate.tidy,
        operate.erase,
        operate.backup,
        operate.restore,
        operate.archive,
    ),
    "Deliver": (
        deliver.promote,
        deliver.changes,
        deliver.pack,
        deliver.golden,
        deliver.export_kubeflow,
        deliver.run_stage,
    ),
}  # by the panel of `releve --help` that lists them

STOPPED = "stopped: what was finished is kept, and nothing is half done; the same command again goes on from there"
INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Without `arguments` they are those of the process."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by the caller, as `>&-` does
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - until the process ends
    try:
        return application()(args=arguments, prog_name="releve", standalone_mode=False) or 0
    except SystemExit as error:  # Rich's, where the reader of a pipe is gone: `releve --help | head -1` is no error
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        return 0
    except Abort:
        return 1
    except TyperException as error:  # Typer's own words, in the form of every other error
        message = error.format_message().rstrip(".")
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "releve"
        print(f"error: {message[:1].lower()}{message[1:]}; see `{command} --help`", file=sys.stderr)
        return 2


def application() -> typer.Typer:
    """Build the Typer application. Its tracebacks are Python's own: Rich's would print locals, which hold secrets."""

    def ending_in_one_line(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def wrapped(*arguments: object, **options: object) -> None:
            try:
                code = run_command(lambda: command(*arguments, **options))
            except KeyboardInterrupt:
                print(STOPPED, file=sys.stderr)
                code = INTERRUPTED
            if code:
                raise typer.Exit(code)

        return wrapped

    app = typer.Typer(
        help="Train, judge, release and watch models, and ask what happened.",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)
    for panel, commands in COMMANDS.items():
        for command in commands:
            app.command(rich_help_panel=panel)(ending_in_one_line(command))
    return app
