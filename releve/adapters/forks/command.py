"""A command that a fork server runs, and how it is asked for: messages over a socket.

A message is its length, then JSON; descriptors travel with the length.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import IO, Any

LENGTH_BYTES = 8
MOST_DESCRIPTORS = 16
# "PID:DESCRIPTOR": process PID, a child of a server, may ask that one for more. No RELEVE_ variable: a Bento has those.
CONNECTION = "FORK_SERVER_OF_PROCESS"


@dataclass(frozen=True)
class Command:
    """`python -m <module> <arguments>` in `folder`; the server imports `libraries` before it forks."""

    module: str
    arguments: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    libraries: Sequence[str] = ()
    group: int = 0  # the process group to join; 0 begins one
    dies_with_asker: bool = False  # killed when whoever asked for it is gone; else it goes on
    python: str = sys.executable


class ForkedProcess:
    """A command at work, used as `subprocess.Popen` is. Until somebody waits for it, its number names it and its group,
    even if it ended."""

    def __init__(self, pid: int, status: socket.socket, stdout: IO[str] | None):
        self.pid, self.stdout = pid, stdout
        self.returncode: int | None = None
        self.cpu_seconds = 0.0  # its own and those of the processes that it waited for, once it ended by itself
        self._status = status

    def wait(self) -> int:
        """Wait for its end; returns its exit code, negative for the signal that ended it."""
        if self.returncode is None:
            last_word = -signal.SIGKILL  # should the server be gone: what the child said, or that it said nothing
            with self._status as status:
                while self.returncode is None:
                    told = receive(status)[0] or {"code": last_word}
                    self.cpu_seconds = told.get("cpu_seconds", self.cpu_seconds)
                    last_word = told.get("ends_with", last_word)
                    self.returncode = told.get("code")
        return self.returncode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def __enter__(self) -> "ForkedProcess":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.stdout:
            self.stdout.close()
        self.wait()


def start(
    connection: socket.socket, command: Command, descriptors: Sequence[int], output: IO[str] | None = None
) -> ForkedProcess:
    """Ask the server for a child whose outputs are the first two of `descriptors`; it has the others open, too.

    Raises OSError when the server is gone, or says why it does not fork.
    """
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            send(connection, asdict(command), [theirs.fileno(), *descriptors])
        begun = receive(ours)[0] or {}
        if "pid" not in begun:
            raise ConnectionError(begun.get("refused", "the fork server ended, or could not fork"))
    except BaseException:
        ours.close()
        raise
    return ForkedProcess(begun["pid"], ours, output)


def send(connection: socket.socket, message: object, descriptors: Sequence[int] = ()) -> None:
    text = json.dumps(message).encode()
    socket.send_fds(connection, [len(text).to_bytes(LENGTH_BYTES, "big")], list(descriptors))
    connection.sendall(text)


def receive(connection: socket.socket) -> tuple[Any, list[int]]:
    """Receive a message, None at the end of the connection, and the descriptors that came with it."""
    head, descriptors, *_ = socket.recv_fds(connection, LENGTH_BYTES, MOST_DESCRIPTORS)
    text, length = b"", int.from_bytes(head, "big")
    while len(text) < length and (part := connection.recv(length - len(text))):
        text += part
    return (json.loads(text) if text else None), descriptors
