"""What commands share: the settings of this process, tables for people, JSON for machines."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from releve.core.formatting import printable
from releve.core.settings import Settings

WIDTH_WITHOUT_TERMINAL = 120  # columns, in a log or a pipe
WIDTH_OF_FIGURES = 1000  # at most: a table is as wide as its cells

ScenarioName = Annotated[str, typer.Argument(metavar="SCENARIO", help="A folder of scenarios/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def for_history(text: str) -> str:
    """Return what a person says, as it is; for an option's `callback`. Raises BadParameter for bytes that are no text:
    the history cannot hold them, which else shows when the work is done."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise typer.BadParameter("it is not UTF-8 text, which the history needs") from None
    return text


def read_settings(*, home: str = "", environment: str = "") -> Settings:
    """Read the environment of this process; `home` takes the place of RELEVE_HOME, `environment` of RELEVE_ENV."""
    instead = {"RELEVE_HOME": home, "RELEVE_ENV": environment}
    return Settings.from_environ(
        {**os.environ, **{key: value for key, value in instead.items() if value}}, cwd=Path.cwd()
    )


def tell(line: str) -> None:
    """Say on stderr what goes on."""
    print(line, file=sys.stderr, flush=True)


def begin(scenario: str) -> Settings:
    """Read the settings, and fix the commit whose params and schema this command uses; stderr names it."""
    from releve.adapters.git_dvc.committed import begin_run

    return begin_run(read_settings(), scenario, tell=tell)


def print_json(value: object) -> None:
    """Print a value that JSON can hold."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, figures: bool = False) -> None:
    """Print rows below `heads`. Long text is wrapped, never cut, and never read as markup or terminal control.

    `figures`: a table whose lines stay whole in a log or a pipe, however wide they are.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads)
    for column in table.columns:
        column.overflow = "fold"
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    width = WIDTH_OF_FIGURES if figures else WIDTH_WITHOUT_TERMINAL
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else width).print(table)
