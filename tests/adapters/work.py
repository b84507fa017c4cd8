"""Functions that workers are asked to call; a worker imports them by name."""

import os
import signal
import time
from pathlib import Path
from typing import Any

from releve.adapters.compute import open_workers, single_thread


class Counted:
    """Something shared that notes every time it arrives at a worker."""

    def __init__(self, folder: Path, value: int) -> None:
        self.folder, self.value = folder, value

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()


def add(shared: Any, item: Any) -> Any:
    """The sum; "die" ends the process as a lack of memory would."""
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return shared + item


def add_to_first(shared: list[int], item: Any) -> Any:
    """The same, of much that is shared."""
    return add(shared[0], item)


def add_counted(shared: Counted, item: int) -> tuple[int, int]:
    """The sum, and who computed it."""
    return shared.value + item, os.getpid()


def later_first(shared: int, item: int) -> int:
    """The earlier an item, the later it is done."""
    time.sleep((shared - item) / 20)
    return item


def threads(shared: None, item: int) -> list[int]:
    """How many threads each thread pool of this process may use, with all that a recipe computes with loaded."""
    import sklearn.ensemble  # noqa: F401  (loads OpenMP and two BLAS)
    from threadpoolctl import threadpool_info

    single_thread() if item else None
    return [pool["num_threads"] for pool in threadpool_info()]


def fail(shared: None, item: str) -> None:
    """A fault of the function's own."""
    raise ZeroDivisionError(item)


def parent(shared: None, item: int) -> int:
    """Who started this process."""
    return os.getppid()


def ask_within(shared: str, item: int) -> tuple[int, int]:
    """This process, and who started the one that a call within this call reaches at the shared address."""
    with open_workers(parent, None, address=shared, workers=2) as workers:
        return os.getpid(), workers.call(item).value


def fail_as(shared: type[Exception], item: str) -> None:
    """A fault of the shared type."""
    raise shared(item)


def sleep(shared: None, seconds: float) -> int:
    """Take so long; returns the process id."""
    time.sleep(seconds)
    return os.getpid()
