"""`python -m flows FLOW [SCENARIO]`: run a flow here and now, seen by the running Prefect server.

The last line says what happened. A challenger that the gate refused is no failure: the exit code is 0.
"""

import importlib
import os
import sys
from pathlib import Path

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.local_stack.ports import answers_http
from releve.adapters.local_stack.stack import prefect_env
from releve.core.door import run_command
from releve.core.errors import BadInput, Unavailable
from releve.core.settings import Settings

FLOWS = ("ingest", "monitor", "retrain", "release", "rollback", "lifecycle", "backtest")
DEFAULT_SCENARIO = "digits"


def main(arguments: list[str]) -> int:
    """Exit code 0, or that of the error whose message went to stderr; the run and its traceback are in the UI."""

    def run() -> None:
        name, scenario = _parse(arguments)
        settings = Settings.from_environ(os.environ, cwd=Path.cwd())
        read_committed(settings, scenario)  # before Prefect, which would refuse a bad name with a traceback
        _connect(settings)
        print(_run(name, scenario), flush=True)

    return run_command(run)


def _run(name: str, scenario: str) -> str:
    """What its final state says. Raises what the flow raised."""
    import httpx

    try:
        state = getattr(importlib.import_module(f"flows.{name}"), name)(scenario, return_state=True)
        state.result()
    except httpx.HTTPError as error:
        raise Unavailable(f"the Prefect server did not do what a run asks of it: {error}; its log says why") from error
    return state.message or f"{name} of {scenario}: {state.name}"


def _parse(arguments: list[str]) -> tuple[str, str]:
    if not 1 <= len(arguments) <= 2 or arguments[0] not in FLOWS:
        raise BadInput(f"expected one of {', '.join(FLOWS)}, then a scenario; found {' '.join(arguments) or 'nothing'}")
    return arguments[0], arguments[1] if len(arguments) == 2 else DEFAULT_SCENARIO


def _connect(settings: Settings) -> None:
    """Point Prefect at the server: the one of PREFECT_API_URL, or the local stack's."""
    if not os.environ.get("PREFECT_API_URL"):
        if not answers_http(settings.prefect_port, "/api/health"):
            raise Unavailable(f"no Prefect server answers on port {settings.prefect_port}; start it with `make up`")
        os.environ.update(prefect_env(settings))
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "INFO"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
