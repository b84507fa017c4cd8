"""How a DVC stage starts a step: `python -m tasks.pipeline.<step> <scenario>`."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import read_params, read_schema
from releve.core.errors import ReleveError, run_command
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.schema.schema import Schema
from tasks.places import ScenarioFiles


@dataclass(frozen=True)
class Stage:
    """What every step of the pipeline is given."""

    settings: Settings
    params: Params
    schema: Schema
    files: ScenarioFiles


def run(step: Callable[[Stage], None]) -> None:
    """Run `step` for the scenario named on the command line; an error a person can fix ends it without a traceback."""

    def run_step() -> None:
        settings = Settings.from_environ(os.environ, cwd=Path.cwd())
        if len(sys.argv) != 2:
            raise ReleveError("expected one argument, the scenario's name")
        project, scenario = settings.project, sys.argv[1]
        params, schema = read_params(project, scenario), read_schema(project, scenario)
        step(Stage(settings, params, schema, ScenarioFiles(project, scenario)))

    if code := run_command(run_step):
        sys.exit(code)


def say(line: str) -> None:
    """Print a line of progress at once: DVC passes it on."""
    print(line, flush=True)
