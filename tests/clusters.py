"""A real Dask cluster on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from releve.core.settings import LOOPBACK
from tests.serving.process import START_SECONDS, free_port, listens, wait_until
from tests.tables import ROOT


class Cluster:
    """A scheduler and its workers, each a process of this machine."""

    def __init__(self) -> None:
        port = free_port()
        self.address = f"tcp://{LOOPBACK}:{port}"
        self.scheduler = self._start("scheduler", "--host", LOOPBACK, "--port", str(port), "--no-dashboard")
        self.workers: list[subprocess.Popen[bytes]] = []
        wait_until(lambda: listens(port))

    def add_worker(self, *, nanny: bool = False, environ: dict[str, str] | None = None) -> None:
        """A worker; its nanny would start another one in its place when it dies."""
        who = "--nanny" if nanny else "--no-nanny"
        arguments = ("--nthreads", "1", who, "--no-dashboard", "--death-timeout", "60")
        self.workers.append(self._start("worker", self.address, *arguments, environ=environ))

    def wait(self) -> None:
        """Until every worker has found the scheduler, however long that takes on a busy machine."""
        from distributed import Client

        connect: Any = Client  # typed in part only
        with connect(self.address, set_as_default=False) as client:
            client.wait_for_workers(len(self.workers), timeout=START_SECONDS)

    def end(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()

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
