"""A real Milvus Lite server for the tests of this folder, started once and stopped by its own process handle."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from releve.core.settings import LOOPBACK
from tests.serving.process import free_port, listens

START_SECONDS = 60.0


@dataclass
class MilvusServer:
    """One Milvus Lite server on a free loopback port; `stop` kills it, `start` brings it back on the same data."""

    data: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "milvus_lite", "server", "--data-dir", str(self.data)]
        command += ["--host", LOOPBACK, "--port", str(self.port)]
        with (self.data.parent / "milvus.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def hang(self) -> None:
        """Returns when the kernel has stopped it: until then it might still answer."""
        assert self.process
        self.process.send_signal(signal.SIGSTOP)
        threads = Path(f"/proc/{self.process.pid}/task")
        while any((each / "stat").read_text().rpartition(")")[2].split()[0] != "T" for each in threads.iterdir()):
            time.sleep(0.01)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not listens(self.port):
            assert self.process and self.process.poll() is None, (self.data.parent / "milvus.log").read_text()
            assert time.monotonic() < deadline, f"Milvus Lite did not start within {START_SECONDS} s"
            time.sleep(0.1)


@pytest.fixture(scope="session")
def milvus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    """A running server that all tests of the session share; each test uses collections of its own."""
    server = MilvusServer(tmp_path_factory.mktemp("milvus") / "data")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_milvus_server(tmp_path: Path) -> Iterator[MilvusServer]:
    """A running server for one test, which may kill it."""
    server = MilvusServer(tmp_path / "data")
    server.start()
    yield server
    server.stop()
