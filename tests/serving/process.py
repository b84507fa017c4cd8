"""The real service, and a real Milvus, as processes of their own on free ports of this machine."""

import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import httpx

from releve.adapters.http.clients import client_of
from releve.core.settings import LOOPBACK
from tests.factories import PROJECT, SCENARIO

START_SECONDS = 120.0
PORTS = range(20_000, 32_000)
GIVEN = Path(tempfile.gettempdir()) / f"releve-test-ports-{os.getuid()}"  # its byte n is locked by whom n was given to
_given: set[int] = set()
_claims: list[IO[bytes]] = []


def free_port() -> int:
    """Below the ports that the kernel hands out by itself, so that no part of a server takes it before we do.

    No other test of this machine is given it while this process lives, whatever run it belongs to.
    """
    if not _claims:
        _claims.append(GIVEN.open("ab"))
    while True:
        port = random.choice(PORTS)
        with suppress(OSError), socket.socket() as probe:
            if port not in _given:
                fcntl.lockf(_claims[0], fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
                _given.add(port)
                if probe.connect_ex((LOOPBACK, port)) != 0:
                    return port


@contextmanager
def serving(
    home: Path, project: Path, *, milvus: int | None = None, target: str = "service:Releve", **environ: str
) -> Iterator[str]:
    """`bentoml serve`, from its first answer on; yields the address."""
    port = free_port()
    ours = {
        "BENTOML_HOME": str(home / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "RELEVE_HOME": str(home),
        "RELEVE_PROJECT": str(project),
        "RELEVE_SCENARIO": SCENARIO,
        "RELEVE_MILVUS_PORT": str(milvus or free_port()),
        **environ,
    }
    command = [sys.executable, "-m", "bentoml", "serve", target, "--port", str(port), "--host", LOOPBACK]
    with running_process(command, home / f"service-{port}.log", cwd=PROJECT, environ=ours):
        address = f"http://{LOOPBACK}:{port}"
        wait_until(lambda: _answers(f"{address}/livez"), home / f"service-{port}.log")
        yield address


@contextmanager
def milvus_serving(data: Path, port: int) -> Iterator[int]:
    """Milvus Lite as a server, over the folder `data`; yields its pid."""
    command = [str(Path(sys.executable).with_name("milvus-lite")), "server", "--host", LOOPBACK, "--port", str(port)]
    log = data.with_suffix(f".{time.monotonic_ns()}.log")
    with running_process([*command, "--data-dir", str(data)], log, cwd=data.parent, environ={}) as pid:
        wait_until(lambda: listens(port), log)
        yield pid


def wait_until(happened: Callable[[], bool], log: Path | None = None, *, seconds: float = START_SECONDS) -> None:
    """Returns when it happened. Raises TimeoutError with the end of the log."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(log.read_text()[-3000:] if log else f"it did not happen within {seconds} seconds")
        time.sleep(0.05)


@contextmanager
def running_process(command: list[str], log: Path, *, cwd: Path, environ: dict[str, str]) -> Iterator[int]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env={**os.environ, **environ}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its session is its own: nothing else is in the group
            process.wait()


def _answers(url: str) -> bool:
    try:
        with client_of(url, seconds=2) as client:  # to load certificates, as httpx.get does, takes longer than to ask
            return client.get(url).status_code == 200
    except httpx.TransportError:
        return False


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0
