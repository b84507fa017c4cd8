"""What every flow shares: settings, the type of its parameter, retries, events and artifacts."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from releve.adapters import telemetry
from releve.adapters.git_dvc.committed import begin_run, read_committed
from releve.core.errors import ReleveError, Unavailable, explained_storage, storage_error
from releve.core.names import SCENARIO_NAME
from releve.core.progress import break_silence
from releve.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from releve.reporting.blocks import Block, ReportPage

RETRY_SECONDS = [5.0, 20.0]
steps_at_work: list[str] = []  # names of steps of this process whose function has not returned yet
ENGINE_ENDED = "Engine execution exited with unexpected exception"  # Prefect's, after each run that is not green

# Prefect begins the span of a run before the run's first line, so that here is the last place to begin.
telemetry.begin("releve-flows", parent=os.environ.get(telemetry.TRACEPARENT, ""))


def helped(text: str, **limits: Any) -> Any:
    """What the form in Prefect's UI says below a parameter, and which values it takes.

    Not `description`: Prefect replaces that one by what a Google-style docstring says of the parameter.
    """
    return Field(json_schema_extra={"description": text}, **limits)


# A deployment's form offers the scenarios there are: releve/adapters/prefect/deployments.py makes a choice of it.
Scenario = Annotated[
    str, helped("A folder of scenarios/: the table that this run is about.", pattern=f"^{SCENARIO_NAME.pattern}$")
]
Reason = Annotated[str, helped("Why, for the history of the scenario.")]


def begin(scenario: str) -> Settings:
    """Read the settings of a run, and print the commit that it follows to its end.

    A worker starts the run in the project's folder.
    """
    with explained_storage():
        return begin_run(read_settings(), scenario, tell=print)


def check_scenario(scenario: str) -> Settings:
    """Read the settings, and raise what is wrong with the scenario before anything is done for it."""
    settings = read_settings()
    with explained_storage():
        read_committed(settings, scenario)
    return settings


def read_settings() -> Settings:
    """Read the settings, and have errors that a person can fix logged in a line."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_without_traceback)  # the same function is added once
    return Settings.from_environ(os.environ, cwd=Path.cwd())


def _without_traceback(record: logging.LogRecord) -> bool:
    """Log an error that a person can fix by its message alone; any other keeps its traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if error and (isinstance(error, ReleveError) or storage_error(error)):
        record.exc_info = None
        return not record.getMessage().startswith(ENGINE_ENDED)  # the line before is the state, with its sentence
    return True


def may_succeed(_task: Any, _run: Any, state: Any) -> bool:
    """Retry where an outside system was unavailable; bad input stays bad."""
    return isinstance(state.result(raise_on_failure=False), Unavailable)


def step(function: Any, *, name: str | None = None) -> Any:
    """Make a Prefect task of a step of `tasks/`: never cached, retried when an outside system was unavailable."""
    name = name or function.__name__

    @wraps(function)
    def explained(*arguments: Any, **named: Any) -> Any:
        progress = named.get("progress", lambda line: None)
        telemetry.annotate(step=name, scenario=next((each for each in arguments[1:2] if isinstance(each, str)), ""))
        with _at_work(name), explained_storage(), break_silence(name, progress) as named_progress:
            return function(*arguments, **named | ({"progress": named_progress} if "progress" in named else {}))

    made = task(
        name=name,
        cache_policy=NO_CACHE,
        retries=len(RETRY_SECONDS),
        retry_delay_seconds=RETRY_SECONDS,
        retry_condition_fn=may_succeed,
    )
    return made(explained)


@contextmanager
def _at_work(name: str) -> Iterator[None]:
    steps_at_work.append(name)
    try:
        yield
    finally:
        steps_at_work.remove(name)


def show(
    kind: str, scenario: str, title: str, blocks: "Sequence[Block]", *, summary: str = "", description: str = ""
) -> None:
    """Show blocks under a title in the Prefect UI."""
    from releve.reporting.blocks import ReportPage, ReportSection

    page = ReportPage(title, summary, (ReportSection("", tuple(blocks)),) if blocks else ())
    show_page(kind, scenario, page, description=description)


def show_page(kind: str, scenario: str, page: "ReportPage", *, description: str = "") -> None:
    """Show a report page in the Prefect UI; pages of the same kind and scenario are one history there."""
    from prefect.artifacts import create_markdown_artifact

    from releve.reporting.markdown import render_markdown

    create_markdown_artifact(render_markdown(page), key=artifact_key(kind, scenario), description=description)


def artifact_key(kind: str, scenario: str) -> str:
    """Name an artifact with the characters that Prefect allows in a key."""
    return f"{kind}-{scenario.replace('_', '-').strip('-')}"


def resource_of(scenario: str) -> dict[str, str]:
    """Name what our events are about, as Prefect's events do."""
    return {"prefect.resource.id": f"releve.scenario.{scenario}", "prefect.resource.name": scenario}
