"""A real Dask cluster on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from releve.core.settings import LOOPBACK
from tests.serving.process import START_SECONDS, free_port, listens, wait_until
from tests.tables import ROOT

ALLOWED_FAILURES = 1  # workers that an item may end, and one more: three are Dask's default, and dear to start


class Cluster:
    """A scheduler and its workers, each a process of this machine."""

    def __init__(self) -> None:
        port = free_port()
        arguments = ("--host", LOOPBACK, "--port", str(port), "--no-dashboard")
        environ = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(ALLOWED_FAILURES)}
        self.address = f"tcp://{LOOPBACK}:{port}"
        self.scheduler = self._start("scheduler", *arguments, environ=environ)
        self.workers: list[subprocess.Popen[bytes]] = []
        wait_until(lambda: listens(port))

    def add_worker(self, *, nanny: bool = False, environ: dict[str, str] | None = None) -> None:
        """A worker, which may compute in two threads; its nanny would start another one in its place when it dies."""
        who = "--nanny" if nanny else "--no-nanny"
        arguments = ("--nthreads", "1", who, "--no-dashboard", "--death-timeout", "60")
        environ = {"OMP_NUM_THREADS": "2"} | (environ or {})
        self.workers.append(self._start("worker", self.address, *arguments, environ=environ))

    def wait(self) -> None:
        """Until every worker has found the scheduler, however long that takes on a busy machine."""
        from distributed import Client

        connect: Any = Client  # typed in part only
        with connect(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=START_SECONDS)

    def end_workers(self) -> None:
        for worker in self.workers:
            if worker.poll() is None:
                for process in [*psutil.Process(worker.pid).children(recursive=True), worker]:  # a nanny's, too
                    process.kill()
            worker.wait()
        self.workers.clear()

    def end(self) -> None:
        self.end_workers()
        self.scheduler.kill()
        self.scheduler.wait()

    def _start(self, kind: str, *arguments: str, environ: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "dask", kind, *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | (environ or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@contextmanager
def running_cluster(*, workers: int = 0) -> Iterator[Cluster]:
    """A scheduler with so many workers, until the block ends."""
    cluster = Cluster()
    try:
        for _ in range(workers):
            cluster.add_worker()
        if workers:
            cluster.wait()
        yield cluster
    finally:
        cluster.end()
