"""One run of a scenario at a time: on a machine by its lock, between machines by a lease in Prefect."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.scenario_lock import ScenarioBusy
from releve.core.settings import Settings
from tests.projects import Project

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("prefect_server")]
HOLD = """
import sys, time
from pathlib import Path
from flows.shared.scenario_run import hold
from releve.core.settings import Settings
with hold(Settings.from_environ({"RELEVE_HOME": sys.argv[1]}, cwd=Path.cwd()), sys.argv[2], holder="retrain"):
    print("held", flush=True)
    sys.stdin.read()
print("given back", flush=True)
"""


def machine(folder: Path, *, wait_seconds: int = 0) -> Settings:
    """Settings of a machine with a home of its own."""
    return Settings.from_environ({"RELEVE_HOME": str(folder), "RELEVE_WAIT_SECONDS": str(wait_seconds)}, cwd=folder)


@contextmanager
def holding(settings: Settings, scenario: str) -> Iterator["subprocess.Popen[str]"]:
    """A run in a process of its own that holds the scenario until its input ends."""
    from prefect.settings import PREFECT_API_URL

    environ = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()}
    command = [sys.executable, "-c", HOLD, str(settings.home), scenario]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def hold(settings: Settings, scenario: str) -> None:
    from flows.shared import scenario_run

    with scenario_run.hold(settings, scenario, holder="monitor"):
        pass


def places(scenario: str) -> int:
    """How many are taken."""
    from prefect.client.orchestration import get_client

    from flows.shared.scenario_run import limit_name

    with get_client(sync_client=True) as client:
        return client.read_global_concurrency_limit_by_name(limit_name(scenario)).active_slots


def test_a_run_on_another_machine_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    with holding(machine(tmp_path / "one"), "waits") as process:
        with pytest.raises(ScenarioBusy, match=r"another run of waits is at work on another machine, or was killed"):
            hold(machine(tmp_path / "two"), "waits")
        assert process.communicate("")[0] == "given back\n"

    hold(machine(tmp_path / "two"), "waits")
    assert places("waits") == 0
    assert list((tmp_path / "one" / "locks").iterdir()) == [tmp_path / "one" / "locks" / "waits.lock"]


def test_runs_of_two_scenarios_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with holding(machine(tmp_path / "one"), "first"):
        hold(machine(tmp_path / "two"), "second")
        hold(machine(tmp_path / "one"), "third")


def test_a_run_on_the_same_machine_is_told_who_holds_it(tmp_path: Path) -> None:
    with (
        holding(machine(tmp_path), "told") as process,
        pytest.raises(ScenarioBusy, match=rf"retrain of told \(pid {process.pid}, "),
    ):
        hold(machine(tmp_path), "told")


def test_a_holder_that_was_killed_holds_up_nobody_who_shares_its_home(tmp_path: Path) -> None:
    with holding(machine(tmp_path), "killed") as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert places("killed") == 1

        hold(machine(tmp_path), "killed")

    assert places("killed") == 0


def test_the_steps_of_a_run_take_the_lock_that_it_holds(fresh: Project, work_in: Any) -> None:
    work_in(fresh)
    fresh.receive(1)

    from flows.ingest import ingest

    assert ingest("digits", return_state=True).is_completed()
    assert places("digits") == 0


def test_a_run_has_the_tags_by_which_it_is_found(fresh: Project, work_in: Any) -> None:
    from prefect.client.orchestration import get_client

    from flows.ingest import ingest

    work_in(fresh)
    state = ingest("digits", return_state=True)

    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    assert {*run.tags} == {"scenario:digits", "reason:by-hand", "alone"}
