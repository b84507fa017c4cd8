"""One run of a scenario at a time on this machine: an flock on a file that is never deleted.

The kernel frees the lock when its last holder ends, however it ends. A child that was given `fd` is a holder too:
when its parent is killed, nobody else starts until the child has ended.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from releve.core.errors import Conflict, Unavailable, explained_storage
from releve.core.names import check_scenario_name
from releve.core.progress import Reminder

POLL_SECONDS = 0.1
HOLDER_BYTES = 500  # of the text that says who holds the lock


class ScenarioBusy(Conflict):
    """Another run of the scenario is at work."""

    code = "scenario_busy"
    by = "another run"  # is at work

    @classmethod
    def held(cls, by: str, wait_seconds: float) -> "ScenarioBusy":
        """Say who holds a lock that did not become free."""
        error = cls(f"{by} is at work; waited {wait_seconds:g} s: try again when it, or a child it left, has ended")
        error.by = by
        return error


@dataclass
class ScenarioLock:
    """A held lock. `subprocess.run(..., pass_fds=[lock.fd])` lets the child hold it too."""

    scenario: str
    path: Path
    fd: int  # -1 once it is given back


# Follows the run into the threads that are given its context, and no other.
_held: ContextVar[tuple[ScenarioLock, ...]] = ContextVar("held_scenario_locks", default=())


@contextmanager
def scenario_lock(
    home: Path,
    scenario: str,
    *,
    holder: str,
    wait_seconds: float = 0.0,
    on_wait: Callable[[str], None] = lambda line: print(line, flush=True),
) -> Iterator[ScenarioLock]:
    """Hold the scenario; a run that holds it already may take it again and gets the same lock.

    `holder` is what this run is called in the messages of others ("retrain"). `on_wait` gets a
    sentence that names the holder, now and then again. Raises ScenarioBusy after `wait_seconds`, Unavailable when
    the lock file cannot be opened.
    """
    path = home.resolve() / "locks" / f"{check_scenario_name(scenario)}.lock"
    mine = next((lock for lock in _held.get() if lock.path == path and lock.fd >= 0), None)
    if mine:
        yield mine
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = ScenarioLock(scenario, path, os.open(path, os.O_RDWR | os.O_CREAT, 0o644))
    except OSError as error:
        raise Unavailable(f"cannot open the lock {path}: {error.strerror}; check RELEVE_HOME and its rights") from None
    try:
        _acquire(lock, wait_seconds, on_wait)
        with explained_storage(path):
            since = datetime.now(UTC).isoformat(timespec="seconds")
            text = f"{holder} of {scenario} (pid {os.getpid()}, since {since})"
            os.ftruncate(lock.fd, 0)
            os.pwrite(lock.fd, text.encode()[:HOLDER_BYTES], 0)
        token = _held.set((*_held.get(), lock))
        try:
            yield lock
        finally:
            _held.reset(token)
    finally:
        # Closed and not unlocked: an unlock would take the lock from a child that still works.
        descriptor, lock.fd = lock.fd, -1
        os.close(descriptor)


@contextmanager
def scenario_locks(
    home: Path,
    scenarios: Sequence[str],
    *,
    holder: str,
    wait_seconds: float,
    on_wait: Callable[[str], None],
) -> Iterator[None]:
    """Hold all of these scenarios, or none: whoever waits for one of them holds up no other.

    Raises ScenarioBusy after `wait_seconds`, Unavailable.
    """
    deadline, reminder = time.monotonic() + wait_seconds, Reminder(at_once=True)
    while True:
        with ExitStack() as held:
            try:
                for scenario in scenarios:
                    held.enter_context(scenario_lock(home, scenario, holder=holder))
            except ScenarioBusy as error:
                by = error.by
            else:
                yield
                return
        if time.monotonic() >= deadline:
            raise ScenarioBusy.held(by, wait_seconds)
        if reminder.is_due():
            on_wait(f"{by} is at work; waiting up to {wait_seconds:g} s, {reminder.elapsed:.0f} s so far")
        time.sleep(POLL_SECONDS)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the file `path` against every other thread and process, however long that takes."""
    with explained_storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _acquire(lock: ScenarioLock, wait_seconds: float, on_wait: Callable[[str], None]) -> None:
    deadline, reminder = time.monotonic() + wait_seconds, Reminder(at_once=True)
    while True:
        with suppress(BlockingIOError):
            return fcntl.flock(lock.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # empty for a moment between taking the lock and writing the name
        by = os.pread(lock.fd, HOLDER_BYTES, 0).decode(errors="replace") or "another run"
        if time.monotonic() >= deadline:
            raise ScenarioBusy.held(by, wait_seconds)
        if reminder.is_due():
            on_wait(f"{by} is at work; waiting up to {wait_seconds:g} s, {reminder.elapsed:.0f} s so far")
        time.sleep(min(POLL_SECONDS, max(0.0, deadline - time.monotonic())))
