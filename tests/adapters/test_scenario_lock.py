import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack

import pytest

from releve.adapters.scenario_lock import ScenarioBusy, scenario_lock, scenario_locks
from releve.core.errors import BadInput, Unavailable

HOLD = """
import sys
from pathlib import Path
from releve.adapters.scenario_lock import scenario_lock
with scenario_lock(Path(sys.argv[1]), "digits", holder="retrain"):
    print("held", flush=True)
    sys.stdin.read()
"""

# The parent gives the lock to a child that works on for some seconds, says the child's pid and waits to be killed.
PARENT_WITH_CHILD = """
import subprocess, sys
from pathlib import Path
from releve.adapters.scenario_lock import scenario_lock
with scenario_lock(Path(sys.argv[1]), "digits", holder="retrain") as lock:
    command = [sys.executable, "-c", "import time; time.sleep(float(" + sys.argv[2] + "))"]
    child = subprocess.Popen(command, pass_fds=[lock.fd], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path):
    """Start another Python process and return it with its first line; killed when the test ends."""
    with ExitStack() as stack:

        def run(code: str, *arguments: str) -> tuple[subprocess.Popen, str]:
            command = [sys.executable, "-c", code, str(tmp_path), *arguments]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.enter_context(process)
            stack.callback(process.kill)
            return process, process.stdout.readline().strip()

        yield run


def in_another_run(work) -> None:
    """Call `work` as an unrelated run of the same process would: in a thread without our context."""
    failures = []

    def call() -> None:
        try:
            contextvars.Context().run(work)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def take(home, **options) -> None:
    with scenario_lock(home, "digits", holder="monitor", **options):
        pass


def test_a_second_run_is_refused_and_told_who_is_at_work(tmp_path, start):
    process, _ = start(HOLD)

    with pytest.raises(ScenarioBusy, match=rf"retrain of digits \(pid {process.pid}, since 20.*\) is at work"):
        take(tmp_path)


def test_another_scenario_is_not_held_up(tmp_path, start):
    start(HOLD)

    with scenario_lock(tmp_path, "bike", holder="monitor") as lock:
        assert lock.scenario == "bike"


def test_two_runs_of_one_process_exclude_each_other(tmp_path):
    with scenario_lock(tmp_path, "digits", holder="retrain"), pytest.raises(ScenarioBusy, match="retrain of digits"):
        in_another_run(lambda: take(tmp_path))


def test_the_lock_is_free_after_the_run(tmp_path):
    take(tmp_path)

    in_another_run(lambda: take(tmp_path))


def test_the_lock_is_free_after_a_run_that_failed(tmp_path):
    with pytest.raises(RuntimeError), scenario_lock(tmp_path, "digits", holder="retrain"):
        raise RuntimeError

    in_another_run(lambda: take(tmp_path))


def test_a_run_that_holds_the_lock_may_take_it_again(tmp_path):
    with scenario_lock(tmp_path, "digits", holder="lifecycle") as outer:
        with scenario_lock(tmp_path, "digits", holder="retrain") as inner:
            assert inner is outer
        with pytest.raises(ScenarioBusy, match="lifecycle of digits"):
            in_another_run(lambda: take(tmp_path))


def test_a_thread_that_is_given_the_context_of_the_run_belongs_to_it(tmp_path):
    with scenario_lock(tmp_path, "digits", holder="lifecycle"):
        context = contextvars.copy_context()

        in_another_run(lambda: context.run(take, tmp_path))


def test_a_context_that_outlives_the_run_holds_nothing(tmp_path, start):
    with scenario_lock(tmp_path, "digits", holder="lifecycle"):
        context = contextvars.copy_context()
    start(HOLD)

    with pytest.raises(ScenarioBusy):
        context.run(take, tmp_path)


def test_a_waiting_run_says_once_for_whom_and_goes_on_when_it_is_free(tmp_path, start):
    process, _ = start(HOLD)
    messages = []
    threading.Timer(0.6, process.stdin.close).start()

    take(tmp_path, wait_seconds=20, on_wait=messages.append)

    assert len(messages) == 1
    assert f"retrain of digits (pid {process.pid}" in messages[0]


def test_a_long_wait_is_told_again(tmp_path, start, monkeypatch):
    process, _ = start(HOLD)
    monkeypatch.setattr("releve.core.progress.EVERY_SECONDS", 0.3)
    messages = []

    def hear(message):
        messages.append(message)
        if len(messages) == 2:
            process.stdin.close()

    take(tmp_path, wait_seconds=60, on_wait=hear)

    assert len(messages) >= 2
    assert messages[-1].endswith(" s so far")


def test_waiting_ends_after_the_time_given(tmp_path, start):
    start(HOLD)
    started = time.monotonic()

    with pytest.raises(ScenarioBusy, match=r"waited 0\.3 s"):
        take(tmp_path, wait_seconds=0.3)

    assert time.monotonic() - started >= 0.3


def test_nobody_is_told_to_wait_when_the_lock_is_free(tmp_path):
    messages = []

    take(tmp_path, wait_seconds=5, on_wait=messages.append)

    assert messages == []


def test_a_killed_run_frees_the_lock(tmp_path, start):
    process, _ = start(HOLD)
    process.send_signal(signal.SIGKILL)
    process.wait()

    take(tmp_path)


def test_an_orphaned_child_keeps_the_lock_until_it_ends(tmp_path, start):
    parent, child = start(PARENT_WITH_CHILD, "3")
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    os.kill(int(child), 0)  # it lives on

    with pytest.raises(ScenarioBusy, match=f"pid {parent.pid}"):
        take(tmp_path)
    take(tmp_path, wait_seconds=30)

    assert not is_working(int(child))


def is_working(pid: int) -> bool:
    """Whether the process runs; one that ended and was not collected yet does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_leaving_the_run_does_not_take_the_lock_from_a_child_that_still_works(tmp_path):
    with scenario_lock(tmp_path, "digits", holder="retrain") as lock:
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1, pass_fds=[lock.fd])

    with child, pytest.raises(ScenarioBusy):
        take(tmp_path)
    take(tmp_path, wait_seconds=10)


def test_a_child_that_was_not_given_the_lock_does_not_hold_it(tmp_path):
    with scenario_lock(tmp_path, "digits", holder="retrain"):
        child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)

    with child:
        take(tmp_path)


def test_a_bad_scenario_name_never_becomes_a_path(tmp_path):
    with pytest.raises(BadInput, match="scenario name"), scenario_lock(tmp_path, "../up", holder="retrain"):
        pass

    assert list(tmp_path.iterdir()) == []


def test_a_home_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "locks").write_text("")

    with pytest.raises(Unavailable, match="check RELEVE_HOME"):
        take(tmp_path)


def test_who_waits_for_one_of_many_scenarios_holds_up_no_other(tmp_path, start):
    holder, _ = start(HOLD)
    told = []

    def birds_are_free(line):
        told.append(line)
        in_another_run(lambda: scenario_lock(tmp_path, "birds", holder="ingest").__enter__())

    with (
        pytest.raises(ScenarioBusy, match=rf"retrain of digits \(pid {holder.pid}, since .* is at work; waited 0\.3 s"),
        scenario_locks(tmp_path, ["birds", "digits"], holder="backup", wait_seconds=0.3, on_wait=birds_are_free),
    ):
        pytest.fail("digits is held by another process")

    assert len(told) == 1
    assert "is at work; waiting up to 0.3 s, 0 s so far" in told[0]


def test_all_of_many_scenarios_are_held_once_they_are_free(tmp_path, start):
    holder, _ = start(HOLD)

    def end(_line):
        holder.stdin.close()
        holder.wait()

    with scenario_locks(tmp_path, ["birds", "digits"], holder="backup", wait_seconds=20, on_wait=end):
        for scenario in ("birds", "digits"):
            with pytest.raises(ScenarioBusy, match=f"backup of {scenario}"):
                in_another_run(lambda: scenario_lock(tmp_path, scenario, holder="ingest").__enter__())  # noqa: B023


def test_what_is_busy_within_the_held_scenarios_is_no_reason_to_try_again(tmp_path):
    with (
        pytest.raises(ScenarioBusy, match="of its own"),
        scenario_locks(tmp_path, ["digits"], holder="backup", wait_seconds=20, on_wait=print),
    ):
        raise ScenarioBusy("of its own")
