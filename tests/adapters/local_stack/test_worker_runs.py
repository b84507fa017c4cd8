"""A flow run of the worker that `make up` starts: forked, and for Prefect and its flow what any run is."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.parts import FORKS, PREFECT, WORKER
from releve.core.settings import Settings
from tests.adapters.local_stack.small import ask, clean_environ, pid_of, wait_until
from tests.processes import command_line, is_at_work

pytestmark = pytest.mark.whole

COMPARE = """
import json, os
from pathlib import Path

from prefect import flow
from prefect.settings import get_current_settings


@flow
def compare(scenario: str) -> None:
    found = [{word!r}, os.getppid(), get_current_settings().results.default_serializer, os.environ.get("RELEVE_WORD")]
    Path("seen").write_text(json.dumps(found))
"""
# Its own child is a group of its own with its own output, as DVC is; the flow ends it.
BACKTEST = """
import os, subprocess
from pathlib import Path

from prefect import flow


@flow
def backtest(scenario: str) -> None:
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=nowhere, stderr=nowhere) as process:
        try:
            Path("writing").write_text(f"{os.getpid()} {process.pid}")
            Path("writing").rename("pids")
            process.wait()
        finally:
            process.kill()
"""


@pytest.fixture(scope="module", autouse=True)
def flows_to_look_at(started: Settings) -> None:
    """They take the place of two that nobody else starts."""
    (started.project / "flows" / "compare.py").write_text(COMPARE.format(word="before"))
    (started.project / "flows" / "backtest.py").write_text(BACKTEST)


def start(settings: Settings, flow: str, **body: object) -> str:
    """The id of a new run."""
    body = {"parameters": {"scenario": "digits"}, **body}
    return str(prefect(settings, "POST", f"/deployments/{deployment(settings, flow)}/create_flow_run", body)["id"])


def deployment(settings: Settings, flow: str) -> str:
    return str(prefect(settings, "GET", f"/deployments/name/{flow}/{flow}")["id"])


def prefect(settings: Settings, method: str, path: str, body: object = None) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def succeeded() -> bool:  # a server on SQLite says now and then that its database is locked
        answer = ask(settings.prefect_port, method, f"/api{path}", body)
        if isinstance(answer, dict) and "exception_message" not in answer:
            found.append(answer)
        return bool(found)

    wait_until(succeeded)
    return found[0]


def wait_for_end(settings: Settings, run: str, state: str) -> None:
    def has_ended() -> bool:
        return prefect(settings, "GET", f"/flow_runs/{run}")["state_type"] in (
            "COMPLETED",
            "FAILED",
            "CRASHED",
            "CANCELLED",
        )

    wait_until(has_ended)
    assert prefect(settings, "GET", f"/flow_runs/{run}")["state_type"] == state


def compare(settings: Settings, **body: object) -> list[Any]:
    """What a run of the flow saw."""
    (settings.project / "seen").unlink(missing_ok=True)
    wait_for_end(settings, start(settings, "compare", **body), "COMPLETED")
    seen: list[Any] = json.loads((settings.project / "seen").read_text())
    return seen


@pytest.fixture
def waiting_run(stack: Settings) -> Iterator[tuple[str, int, int]]:
    """The id of a run that waits, its process and that one's own child."""
    pids = stack.project / "pids"
    run = start(stack, "backtest")
    wait_until(pids.exists)
    process, child = map(int, pids.read_text().split())
    yield run, process, child
    pids.unlink()
    for pid in (process, child):
        if is_at_work(pid):
            os.kill(pid, signal.SIGKILL)


def test_each_run_is_forked_with_the_code_and_the_settings_of_its_own_time(stack: Settings) -> None:
    first = compare(stack)
    (stack.project / "flows" / "compare.py").write_text(COMPARE.format(word="after an edit"))
    own = {"PREFECT_RESULTS_DEFAULT_SERIALIZER": "json", "RELEVE_WORD": "its own"}
    second = compare(stack, job_variables={"env": own})

    assert first == ["before", pid_of(stack, FORKS), "pickle", None]
    assert second == ["after an edit", pid_of(stack, FORKS), "json", "its own"]
    assert "Beginning flow run" in stack_process.log_path(stack.home, WORKER).read_text()


def test_a_run_that_is_cancelled_in_the_ui_ends_with_its_children(
    stack: Settings, waiting_run: tuple[str, int, int]
) -> None:
    run, process, child = waiting_run

    prefect(stack, "POST", f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    wait_for_end(stack, run, "CANCELLED")
    wait_until(lambda: not is_at_work(process) and not is_at_work(child))


@pytest.mark.parametrize("killed", ["the run", "its launcher"])
def test_a_run_that_is_killed_has_crashed(stack: Settings, waiting_run: tuple[str, int, int], killed: str) -> None:
    run, process, _ = waiting_run
    [launcher] = [each for each in psutil.Process(pid_of(stack, WORKER)).children(recursive=True) if is_launcher(each)]

    os.kill(process if killed == "the run" else launcher.pid, signal.SIGKILL)

    wait_for_end(stack, run, "CRASHED")
    wait_until(lambda: not is_at_work(process) and not is_at_work(launcher.pid))


def is_launcher(process: psutil.Process) -> bool:
    return "releve.adapters.forks.launcher" in command_line(process)


def test_a_run_whose_fork_server_was_killed_goes_on_and_the_next_one_needs_none_until_it_is_up_again(
    stack: Settings, waiting_run: tuple[str, int, int]
) -> None:
    run, process, child = waiting_run
    killed = pid_of(stack, FORKS)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: stack_process.running(stack.home, FORKS) is None)

    without = compare(stack)
    os.kill(child, signal.SIGKILL)  # what it waits for
    wait_for_end(stack, run, "COMPLETED")
    wait_until(lambda: not is_at_work(process))
    started = local_stack.up(stack, only=(PREFECT, FORKS, WORKER), environ=clean_environ())

    assert without[1] not in (killed, 1)
    assert started == (FORKS,)
    assert compare(stack)[1] == pid_of(stack, FORKS) != killed


# The last of this folder: another one would have to start the stack again.
def test_down_ends_a_run_that_is_at_work(stack: Settings, waiting_run: tuple[str, int, int]) -> None:
    _, process, child = waiting_run

    local_stack.down(stack)

    assert not is_at_work(process)
    assert not is_at_work(child)
    assert subprocess.run(["pgrep", "-f", str(stack.home)], capture_output=True).returncode == 1
