"""Where calls run side by side: processes of this machine, or the workers of a Dask cluster, here or elsewhere.

What all calls share (a table) travels to each worker once. Every worker computes in one thread, because how many
threads share a sum changes its last digits: so a result does not depend on the machine, the number of workers or
their load. Results come in the order of the items.
"""

import os
import pickle
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Protocol

from releve.core.errors import Unavailable
from releve.core.params import LOCAL
from releve.core.settings import LOOPBACK

CONNECT_SECONDS = 10.0  # for a scheduler to answer, and for a first worker to be there
POLL_SECONDS = 2.0  # how often a waiting call checks whether any worker is left
NO_WORKER_SECONDS = 30.0  # how long a cluster may be without a worker before the run is given up
AHEAD = 2  # items of a stream that wait for each worker, and what they need in memory
TRAVELS_ALONG = 50_000  # bytes of what is shared that are sent with every item of a cluster
LIVES = 4  # workers of a cluster that an item may end before it is given up, as Dask counts too
INSIDE = "RELEVE_INSIDE_WORKER"  # set in a worker of a cluster, and in what it starts
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DIED = "the process that computed it died, as one does that is out of memory"
PACKAGES = ("numpy", "scikit-learn", "scipy")  # whose version decides a result

Function = Callable[[Any, Any], Any]  # of what is shared and of an item; importable by name


@dataclass(frozen=True)
class Outcome:
    """What a call returned, or the `problem` that kept it from returning."""

    value: Any = None
    problem: str = ""


class Workers(Protocol):
    """Workers that hold what is shared."""

    def run(self, items: Sequence[Any]) -> Iterator[Outcome]:
        """The outcome of every item, in order. An exception of the function is raised here."""

    def stream(self, items: Iterable[Any]) -> Iterator[tuple[Any, Outcome]]:
        """Every item with its outcome, in order, of items that are made as they are needed: AHEAD for each worker."""

    def call(self, item: Any) -> Outcome:
        """The outcome of one item. Safe to ask from several threads at once."""


@contextmanager
def open_workers(
    function: Function, shared: Any, *, address: str, workers: int, here: bool = False, sees: Iterable[Path] = ()
) -> Iterator[Workers]:
    """Workers for `function(shared, item)`, until the block ends.

    `address`: of a Dask scheduler, "tcp://host:8786"; "local" for a Dask cluster on this machine, "" for processes of
    it, `workers` of them, 0 for one per core; `here`: rather in this process, where others would take longer to start
    than they save; `sees`: folders that every worker has to see, at the same place. Raises Unavailable when the
    scheduler or its workers are away, see other folders, or compute with other versions.
    """
    with ExitStack() as stack:
        if os.environ.get(INSIDE) and not here:  # a worker is one core; on its own cluster it could wait for itself
            address, workers = "", 1
        if address:
            yield stack.enter_context(_cluster(function, shared, address, workers, sees))
        elif here:
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(limits=1))
            yield _Here(function, shared)
        else:
            yield _Processes(function, shared, workers or cores(), stack)


def capacity(*, address: str, workers: int) -> int:
    """How many calls such workers compute at the same time. Raises Unavailable when the scheduler is away."""
    if address in ("", LOCAL):
        return workers or cores()
    with _connected(address) as client:
        return max(1, sum(map(int, client.nthreads().values())))


def cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Here:
    """This process, one item after the other."""

    def __init__(self, function: Function, shared: Any):
        self._function, self._shared = function, shared

    def run(self, items: Sequence[Any]) -> Iterator[Outcome]:
        return (outcome for _, outcome in self.stream(items))

    def stream(self, items: Iterable[Any]) -> Iterator[tuple[Any, Outcome]]:
        return ((item, self.call(item)) for item in items)

    def call(self, item: Any) -> Outcome:
        return Outcome(self._function(self._shared, item))


class _Processes:
    """Fresh processes: forking one that has computed can hang in its thread pools."""

    def __init__(self, function: Function, shared: Any, count: int, stack: ExitStack):
        self._work = pickle.dumps((function, shared))
        self._count, self._stack = count, stack
        self._pool = self._start(count)

    def run(self, items: Sequence[Any]) -> Iterator[Outcome]:
        futures = [self._pool.submit(_call, item) for item in items]
        for number, future in enumerate(futures):
            try:
                yield Outcome(future.result())
            except BrokenProcessPool:
                yield from map(self._alone, items[number:])
                self._pool = self._start(self._count)
                return

    def stream(self, items: Iterable[Any]) -> Iterator[tuple[Any, Outcome]]:
        waiting: deque[tuple[Any, Future[Any] | None]] = deque()

        def submit(item: Any) -> tuple[Any, "Future[Any] | None"]:
            try:
                return item, self._pool.submit(_call, item)
            except BrokenProcessPool:  # the item that waits longest will notice, too
                return item, None

        def first() -> tuple[Any, Outcome]:
            item, future = waiting.popleft()
            try:
                if future is not None:
                    return item, Outcome(future.result())
            except BrokenProcessPool:
                pass
            outcome, self._pool = self._alone(item), self._start(self._count)
            again = [submit(each) for each, _ in waiting]
            waiting.clear()
            waiting.extend(again)
            return item, outcome

        for item in items:
            waiting.append(submit(item))
            if len(waiting) > AHEAD * self._count:
                yield first()
        while waiting:
            yield first()

    def call(self, item: Any) -> Outcome:
        try:
            return Outcome(self._pool.submit(_call, item).result())
        except BrokenProcessPool:
            return self._alone(item)

    def _alone(self, item: Any) -> Outcome:
        """One process for one item: when a pool breaks, nobody knows whose fault it was."""
        pool = self._start(1)
        try:
            return Outcome(pool.submit(_call, item).result())
        except BrokenProcessPool:
            return Outcome(problem=DIED)
        finally:
            pool.shutdown()

    def _start(self, count: int) -> Executor:
        pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin, initargs=(self._work,))
        self._stack.callback(pool.shutdown, cancel_futures=True)
        return pool


_worker: dict[str, Any] = {}  # in a worker process: the function, and what is shared


def _begin(work: bytes) -> None:
    def end_with_parent() -> None:
        """A worker whose parent was killed would wait for work for ever."""
        if parent := parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
    single_thread()
    _worker["function"], _worker["shared"] = pickle.loads(work)


def _call(item: Any) -> Any:
    single_thread()  # again: libraries that the function imported since then have thread pools of their own
    return _worker["function"](_worker["shared"], item)


def single_thread() -> None:
    """Bound this process to one thread per computation, for libraries loaded already and for those to come."""
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    threadpool_limits(limits=1)


@contextmanager
def _cluster(function: Function, shared: Any, address: str, workers: int, sees: Iterable[Path]) -> Iterator[Workers]:
    with ExitStack() as stack:
        if address == LOCAL:
            import distributed

            start: Any = distributed.LocalCluster  # typed in part only
            count = workers or cores()
            local = start(n_workers=count, threads_per_worker=1, host=LOOPBACK, dashboard_address=f"{LOOPBACK}:0")
            address = stack.enter_context(local).scheduler_address
        client = stack.enter_context(_connected(address))
        _check_workers(client, address, function)
        _check_folders(client, sees)
        yield _Cluster(client, function, shared, address)


def _connected(address: str) -> Any:
    """A client. Raises Unavailable."""
    try:
        import distributed
    except ImportError:
        raise Unavailable(
            'compute.address needs Dask: install releve[dask], or set it to "" for processes of this machine'
        ) from None
    connect: Any = distributed.Client  # typed in part only
    try:
        return connect(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise Unavailable(
            f"no Dask scheduler answers at {address}: {str(error).strip() or type(error).__name__}. "
            'Start it (`dask scheduler`), correct compute.address in params.yaml, or set it to "" for this machine'
        ) from None


def _check_workers(client: Any, address: str, function: Function) -> None:
    """Raises Unavailable unless workers are there that would compute the same as this process."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise Unavailable(
            f"the Dask scheduler at {address} has no worker; start some: `dask worker {address}` in this environment"
        ) from None

    def written(packages: dict[str, str]) -> str:
        return ", ".join(f"{name} {version}" for name, version in packages.items())

    mine = versions()
    try:
        of_workers = client.run(versions, function)
    except Exception as error:  # Dask raises another one where the worker's own was an ImportError
        if not isinstance(error, ImportError) and "ModuleNotFoundError" not in repr(error):
            raise
        raise Unavailable(
            f"a Dask worker of {address} cannot import what it needs ({error}); start it in this environment and in "
            "the project's folder"
        ) from None
    for worker, theirs in of_workers.items():
        if theirs != mine:
            raise Unavailable(
                f"the Dask worker {worker} has {written(theirs)}, this process has {written(mine)}, and scores would "
                "differ; install the same requirements.lock there"
            )


def _check_folders(client: Any, folders: Iterable[Path]) -> None:
    """Raises Unavailable where a worker does not see them: by a file made for the moment, where one may be made."""
    with ExitStack() as stack:
        seen = []
        for folder in folders:
            try:
                seen.append(stack.enter_context(tempfile.NamedTemporaryFile(dir=folder, prefix=".seen-")).name)
            except OSError:
                seen.append(str(folder))
        for worker, missed in client.run(_missed, seen).items():
            if missed:
                folder = next(each for each, name in zip(folders, seen, strict=True) if name == missed[0])
                raise Unavailable(
                    f"the Dask worker {worker} does not see {folder} of this machine, which it has to work in; "
                    'mount it at the same place there, or set compute.address to "" for this machine'
                )


def _missed(paths: Sequence[str]) -> list[str]:
    return [each for each in paths if not os.path.exists(each)]


def versions(needed: Function | None = None) -> dict[str, str]:
    """Of Python and of the packages that decide a result, where it is called; `needed` is imported on the way there."""
    import platform
    from importlib.metadata import version

    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


class _Cluster:
    """The workers of a Dask cluster; one call per thread that a worker offers."""

    def __init__(self, client: Any, function: Function, shared: Any, address: str):
        self._client, self._function, self._shared, self._address = client, function, shared, address
        self._there: Any = None  # what is shared, or Dask's name for it
        self._share()

    def run(self, items: Sequence[Any]) -> Iterator[Outcome]:
        left = list(items)
        while left:
            futures = [self._submit(item) for item in left]
            for future in futures:
                outcome = self._outcome(future)
                if outcome is None:
                    break
                del left[0]
                yield outcome
            if left:
                yield self._again(left.pop(0))

    def stream(self, items: Iterable[Any]) -> Iterator[tuple[Any, Outcome]]:
        waiting: deque[tuple[Any, Any]] = deque()
        threads = sum(self._client.nthreads().values())

        def first() -> tuple[Any, Outcome]:
            item, future = waiting.popleft()
            outcome = self._outcome(future)
            if outcome is None:
                outcome = self._again(item)
                again = [(each, self._submit(each)) for each, _ in waiting]
                waiting.clear()
                waiting.extend(again)
            return item, outcome

        for item in items:
            waiting.append((item, self._submit(item)))
            if len(waiting) > AHEAD * threads:
                yield first()
        while waiting:
            yield first()

    def call(self, item: Any) -> Outcome:
        return self._outcome(self._submit(item)) or self._again(item)

    def _share(self) -> None:
        """Little travels with every item: Dask then calls again by itself what a worker died of. Much is scattered, of
        which Dask soon keeps one copy and copies that where it is needed; the copy can die with a worker."""
        if len(pickle.dumps(self._shared)) <= TRAVELS_ALONG:
            self._there = self._shared
        else:  # in a list: Dask would take one apart
            (self._there,) = self._client.scatter([self._shared], broadcast=True, hash=False)

    def _submit(self, item: Any) -> Any:
        return self._client.submit(_call_on_cluster, self._function, self._there, item, pure=False)

    def _again(self, item: Any) -> Outcome:
        """An item by itself: what is shared died with the workers that held it, and nobody knows whose fault it was."""
        for _ in range(LIVES):
            self._wait_for_worker()
            self._share()
            if outcome := self._outcome(self._submit(item)):
                return outcome
        return Outcome(problem=DIED)

    def _outcome(self, future: Any) -> Outcome | None:
        """None when what is shared was lost. Raises Unavailable when the cluster was."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        while True:
            try:
                return Outcome(future.result(timeout=POLL_SECONDS))
            except KilledWorker:
                return Outcome(problem=DIED)
            except (OSError, CancelledError) as error:
                if future.status == "error":  # of the function itself
                    raise
                if isinstance(error, OSError) and not isinstance(error, TimeoutError):
                    raise self._away() from None
                self._wait_for_worker()
                if isinstance(error, CancelledError):
                    return None

    def _wait_for_worker(self) -> None:
        """A worker that died may have a nanny, which starts another one."""
        deadline = time.monotonic() + NO_WORKER_SECONDS
        while not (self._client.status == "running" and self._client.scheduler_info(n_workers=1)["workers"]):
            if time.monotonic() > deadline:
                raise self._away()
            time.sleep(POLL_SECONDS / 10)

    def _away(self) -> Unavailable:
        return Unavailable(
            f"the Dask cluster at {self._address} went away during the run; start it and run the same command again, "
            'or set compute.address to "" for this machine'
        )


def _call_on_cluster(function: Function, shared: Any, item: Any) -> Any:
    single_thread()
    os.environ[INSIDE] = "1"
    return function(shared, item)
