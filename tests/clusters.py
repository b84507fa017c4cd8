"""A real Dask cluster on this machine."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.serving.process import free_port
from tests.tables import ROOT


class Cluster:
    """A scheduler and its workers, each a process of this machine."""

    def __init__(self) -> None:
        self.address = f"tcp://127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_worker(self, *, nanny: bool = False, environ: dict[str, str] | None = None) -> None:
        """A worker; its nanny would start another one in its place when it dies."""
        who = "--nanny" if nanny else "--no-nanny"
        arguments = ("--nthreads", "1", who, "--no-dashboard", "--death-timeout", "60")
        self.workers.append(self._start("worker", self.address, *arguments, environ=environ))

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
        yield cluster
    finally:
        cluster.end()
