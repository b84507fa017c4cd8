"""What every flow shares: its settings, the type of its parameter, and which failures are worth a retry."""

import logging
import os
from pathlib import Path
from typing import Annotated, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from pydantic import Field

from releve.errors import ReleveError, Unavailable
from releve.rules.names import SCENARIO_NAME
from releve.settings import Settings

Scenario = Annotated[
    str,
    Field(
        pattern=f"^{SCENARIO_NAME.pattern}$",
        # Not `description`: Prefect replaces that one by what a Google-style docstring says of the parameter.
        json_schema_extra={"description": "A folder of scenarios/: which table this run is about."},
    ),
]
RETRY_SECONDS = [5, 20]


def read_settings() -> Settings:
    """Where this run works: a worker starts it in the project's folder."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_without_traceback)  # the same function is added once
    return Settings.from_environ(os.environ, cwd=Path.cwd())


def _without_traceback(record: logging.LogRecord) -> bool:
    """An error that a person can fix is told in its words alone; any other keeps its traceback."""
    if record.exc_info and isinstance(record.exc_info[1], ReleveError):
        record.exc_info = None
    return True


def may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Retry when an outside system was away; bad input stays bad."""
    return isinstance(state.result(raise_on_failure=False), Unavailable)


def step(function: Any, *, name: str | None = None) -> Any:
    """A step of `tasks/` as a Prefect task: visible, never cached, tried again when an outside system was away."""
    return task(
        function,
        name=name or function.__name__,
        cache_policy=NO_CACHE,
        retries=len(RETRY_SECONDS),
        retry_delay_seconds=RETRY_SECONDS,
        retry_condition_fn=may_pass,
    )
