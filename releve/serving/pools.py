"""Where handlers wait: a bounded pool per kind of waiting, so that what hangs delays nothing elsewhere."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from releve.serving.faults import Overloaded, TimedOut
from releve.serving.routes import Runs

R = TypeVar("R")


class CallPool:
    """At most `threads` calls at once and `waiting` more behind them; each has `seconds`, its waiting included."""

    def __init__(self, what: str, *, threads: int, waiting: int, seconds: float) -> None:
        """`what`: what its calls wait for, as an error names it. Threads start when they are needed."""
        self._what = what
        self._seconds = seconds
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"releve {what}")
        self._places = threading.Semaphore(threads + waiting)

    async def run(self, function: Callable[..., R], *arguments: Any, seconds: float | None = None) -> R:
        """Call `function` in a thread. Raises Overloaded at once where no place is left, TimedOut.

        A call that is late goes on and keeps its place until it ends; one that had not begun never does.
        """
        future = self._submit(function, *arguments)
        most = self._seconds if seconds is None else seconds
        try:
            async with asyncio.timeout(most) as deadline:
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise TimedOut(self._what, most) from None

    async def run_here(self, function: Callable[..., Awaitable[R]], *arguments: Any, **named: Any) -> R:
        """Await on the event loop what waits for the same by itself: it takes a place, and no thread.

        It needs a deadline of its own. Raises Overloaded at once where no place is left.
        """
        if not self._places.acquire(blocking=False):
            raise Overloaded(self._what)
        try:
            return await function(*arguments, **named)
        finally:
            self._places.release()

    def _submit(self, function: Callable[..., R], *arguments: Any) -> "Future[R]":
        if not self._places.acquire(blocking=False):
            raise Overloaded(self._what)
        try:
            future = self._executor.submit(function, *arguments)
        except RuntimeError:  # it is closed
            self._places.release()
            raise Overloaded(self._what) from None
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self) -> None:
        """Take nothing more; what runs ends by itself."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def make_pools() -> Mapping[Runs, CallPool]:
    """The pools of one worker process, which is one core: more threads only wait for each other."""
    return {
        Runs.COMPUTE: CallPool("the model", threads=2, waiting=128, seconds=10.0),
        Runs.INDEX: CallPool("Milvus", threads=4, waiting=64, seconds=6.0),  # Milvus itself gets 5 seconds
        Runs.DISK: CallPool("the ledger's disk", threads=2, waiting=64, seconds=10.0),
        Runs.REGISTRY: CallPool("the registry", threads=2, waiting=16, seconds=3.0),
        Runs.ROLLBACK: CallPool("the rollback", threads=1, waiting=4, seconds=7.0),
        Runs.PREFECT: CallPool("Prefect", threads=2, waiting=8, seconds=6.0),  # Prefect itself gets 5 seconds
        Runs.EXPLAIN: CallPool("the explanation", threads=1, waiting=2, seconds=9.5),  # one itself gets 8 seconds
    }
