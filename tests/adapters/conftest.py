"""Milvus servers for the tests of this folder, started once and stopped by their own process handles.

Milvus Lite always; a whole Milvus, with users and roles, for `make test-milvus`.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from releve.core.settings import LOOPBACK
from tests.compatibility.environments import environment
from tests.serving.process import free_port, listens

START_SECONDS = 60.0


@dataclass
class MilvusServer:
    """One Milvus Lite server on a free loopback port; `stop` kills it, `start` brings it back on the same data."""

    data: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    token = ""  # it has no users

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


@dataclass(frozen=True)
class WholeMilvus:
    """A Milvus that asks who is there."""

    uri: str
    token: str = "root:Milvus"  # as every Milvus begins


@contextmanager
def whole_milvus_in(folder: Path) -> Iterator[WholeMilvus]:
    """A server from the package `milvus`, which brings Milvus itself; installed at its first use."""
    python = environment("milvus", "milvus==2.3.5", "setuptools<81")
    ports = [free_port() for _ in range(10)]
    script = Path(__file__).with_name("start_milvus.py")
    command = [str(python), "-P", str(script), str(folder), *map(str, ports)]  # -P: beside it lies a folder `http`
    with (folder / "start.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    with process:  # its end closes the standard input, which ends the server
        assert process.stdout
        assert process.stdout.readline() == b"started\n", (folder / "start.log").read_text()
        yield WholeMilvus(f"http://{LOOPBACK}:{ports[1]}")


@pytest.fixture(scope="session")
def whole_milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeMilvus]:
    """A Milvus that all tests of the session share."""
    with whole_milvus_in(tmp_path_factory.mktemp("whole-milvus")) as server:
        yield server
