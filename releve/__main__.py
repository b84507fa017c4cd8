"""`python -m releve COMMAND`: the door for people and scripts."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from releve.cli.commands import COMMANDS
from releve.core.door import run_command
from releve.core.settings import Settings


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one command and return the exit code: 0, or the one of the error whose message went to stderr.

    Left out, the arguments and the environment are this process's own.
    """
    arguments = parser().parse_args(argv)

    def run() -> None:
        settings = Settings.from_environ(os.environ if environ is None else environ, cwd=Path.cwd())
        COMMANDS[arguments.command].run(arguments, settings)

    return run_command(run, name="releve")


def parser() -> argparse.ArgumentParser:
    """One sub-parser per line of COMMANDS."""
    top = argparse.ArgumentParser(prog="releve", description="Ask and steer the models that are on guard.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in COMMANDS.items():
        command.declare(commands.add_parser(name, help=command.help, description=command.help))
    return top


if __name__ == "__main__":
    sys.exit(main())
