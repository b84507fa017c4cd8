"""Real processes throughout: small Python programs that sleep, refuse to end, or leave children behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from releve.adapters.local_stack import process as stack_process
from tests.processes import is_at_work

NAME = "sleeper"
SLEEP = "import time; print('ready', flush=True); time.sleep(120)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(120)"
)
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEP!r}], start_new_session={{own_session}})
print("child", child.pid, flush=True)
time.sleep(120)
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stack_process.stop(tmp_path, NAME)


def start(home: Path, code: str = SLEEP) -> stack_process.Running:
    started = stack_process.start(home, NAME, (sys.executable, "-c", code), cwd=home, environ=os.environ)
    wait_until(lambda: stack_process.first_words(home, started).endswith("\n"))
    return started


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def record(home: Path) -> Path:
    return home / "run" / f"{NAME}.json"


def test_what_was_started_is_found_again_by_pid_and_creation_time(home: Path) -> None:
    started = start(home)

    found = stack_process.running(home, NAME)

    assert found == started
    assert psutil.Process(started.pid).create_time() == started.create_time


@pytest.mark.parametrize(("remembered", "found"), [({"scenario": "bike"}, "bike"), ({}, "")])
def test_the_scenario_it_was_started_for_is_remembered_and_may_be_missing(
    home: Path, remembered: dict[str, str], found: str
) -> None:
    started = start(home)
    told = json.loads(record(home).read_text())
    record(home).write_text(json.dumps({key: told[key] for key in told if key != "scenario"} | remembered))

    running = stack_process.running(home, NAME)

    assert running is not None
    assert (running.pid, running.scenario) == (started.pid, found)


def test_it_leads_a_session_of_its_own_so_that_it_outlives_the_terminal(home: Path) -> None:
    started = start(home)

    assert os.getsid(started.pid) == started.pid != os.getsid(0)


def test_its_output_is_in_its_log(home: Path) -> None:
    start(home)

    assert stack_process.log_path(home, NAME).read_text() == "ready\n"


def test_first_words_are_those_of_the_latest_start(home: Path) -> None:
    start(home, "print('old', flush=True)")
    wait_until(lambda: stack_process.running(home, NAME) is None)

    started = start(home)

    assert stack_process.first_words(home, started) == "ready\n"


def test_first_words_of_a_lost_log_are_empty(home: Path) -> None:
    started = start(home)
    stack_process.log_path(home, NAME).unlink()

    assert stack_process.first_words(home, started) == ""


def test_stop_ends_it_and_forgets_it(home: Path) -> None:
    started = start(home)

    stopped = stack_process.stop(home, NAME)

    assert stopped
    assert not is_at_work(started.pid)
    assert not record(home).exists()


def test_stopping_what_does_not_run_says_so(home: Path) -> None:
    assert not stack_process.stop(home, NAME)


def test_one_that_ignores_sigterm_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack_process, "STOP_SECONDS", 0.5)
    started = start(home, STUBBORN)

    stack_process.stop(home, NAME)

    assert not is_at_work(started.pid)


@pytest.mark.parametrize("own_session", [False, True])
def test_stop_ends_its_children_too(home: Path, own_session: bool) -> None:
    started = start(home, PARENT.format(own_session=own_session))
    child = int(stack_process.first_words(home, started).split()[1])

    stack_process.stop(home, NAME)

    assert not is_at_work(child)


@pytest.mark.parametrize("own_session", [False, True])
def test_children_of_a_leader_that_was_killed_are_ended(home: Path, own_session: bool) -> None:
    started = start(home, PARENT.format(own_session=own_session))
    child = int(stack_process.first_words(home, started).split()[1])
    os.kill(started.pid, signal.SIGKILL)
    wait_until(lambda: stack_process.running(home, NAME) is None)

    stopped = stack_process.stop(home, NAME)

    assert not stopped
    assert not is_at_work(child)


@pytest.mark.parametrize(("shift", "ours"), [(0.0, True), (1.9, True), (-2.1, False), (2.1, False)])
def test_a_process_with_another_creation_time_is_somebody_elses(home: Path, shift: float, ours: bool) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", SLEEP], start_new_session=True, stdout=subprocess.DEVNULL)
    created = psutil.Process(stranger.pid).create_time()
    record(home).parent.mkdir()
    record(home).write_text(
        json.dumps({"name": NAME, "pid": stranger.pid, "create_time": created + shift, "log_start": 0})
    )

    stopped = stack_process.stop(home, NAME)

    assert stopped == ours
    assert is_at_work(stranger.pid) != ours
    stranger.kill()
    stranger.wait()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": 1}', "null"])
def test_a_damaged_record_counts_as_not_running(home: Path, text: str) -> None:
    record(home).parent.mkdir()
    record(home).write_text(text)

    assert stack_process.running(home, NAME) is None


def test_last_words_are_the_end_of_the_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))

    words = stack_process.last_words(log).splitlines()

    assert words[0] == f"The end of {log}:"
    assert words[1:] == [f"  line {number}" for number in range(85, 100)]


def test_last_words_of_a_log_that_was_never_written_are_no_error(tmp_path: Path) -> None:
    assert stack_process.last_words(tmp_path / "none.log") == f"The end of {tmp_path / 'none.log'}:"
