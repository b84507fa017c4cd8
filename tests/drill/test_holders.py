"""What holds a scenario between machines, where the holder or Prefect's server is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from releve.adapters.local_stack import parts as stack_parts
from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.parts import PREFECT
from releve.core.settings import Settings
from tests.adapters.local_stack.small import clean_environ, free_settings, pid_of, wait_until
from tests.drill.conftest import Struck
from tests.flows.test_one_at_a_time import HOLD

FREED_SECONDS = 90
SCENARIO = "churn"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Settings]:
    """Prefect's server alone, as `make up` starts it."""
    settings = free_settings(tmp_path)
    local_stack.up(settings, only=(PREFECT,), environ=clean_environ())
    yield settings
    local_stack.down(settings)


def holder(server: Settings, home: Path) -> "subprocess.Popen[str]":
    """A run on a machine with a home of its own, which holds the scenario until its input ends."""
    environ = clean_environ() | stack_parts.prefect_env(server)
    command = [sys.executable, "-c", HOLD, str(home), SCENARIO]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)


def is_held(process: "subprocess.Popen[str]") -> bool:
    assert process.stdout
    return "held\n" in iter(process.stdout.readline, "")


def places(server: Settings) -> int:
    """How many are taken."""
    url = f"{stack_parts.prefect_api_url(server)}/v2/concurrency_limits/scenario-{SCENARIO}"
    return int(httpx.get(url, timeout=60, trust_env=False).json()["active_slots"])


def test_a_killed_holder_gives_way_to_another_machine_within_90_seconds(
    server: Settings, tmp_path: Path, struck: Struck
) -> None:
    with holder(server, tmp_path / "one") as first:
        assert is_held(first)
        with holder(server, tmp_path / "two") as second:
            assert second.stdout and "at work on another machine" in second.stdout.readline()
            struck("the holder of a scenario", "killed", places(server) == 1)
            os.kill(first.pid, signal.SIGKILL)
            killed = time.monotonic()

            took_over, seconds = is_held(second), time.monotonic() - killed
            print(f"freed after {seconds:.0f} s")
            second.communicate("")
    assert took_over
    assert seconds < FREED_SECONDS
    assert places(server) == 0


@pytest.mark.parametrize("away", [0, 70])
def test_a_server_that_was_killed_keeps_the_place_of_who_works_on_and_no_other(
    away: int, server: Settings, tmp_path: Path, struck: Struck
) -> None:
    """Also where it was away for longer than a lease lasts."""
    with holder(server, tmp_path / "one") as first:
        assert is_held(first)
        struck("Prefect's server", f"killed while a scenario is held, back after {away} s", places(server) == 1)
        os.kill(pid_of(server, PREFECT), signal.SIGKILL)
        wait_until(lambda: stack_process.running(server.home, PREFECT) is None)
        time.sleep(away)
        local_stack.up(server, only=(PREFECT,), environ=clean_environ())
        wait_until(lambda: places(server) == 1, seconds=60)
        time.sleep(30)
        kept = places(server)
        told, _ = first.communicate("")

    assert kept == 1
    assert told == "given back\n"
    assert places(server) == 0
