"""Python processes that are forked from one that has the libraries loaded already.

`python -m dvc` and each stage that it runs would import the same libraries again: most of the seconds of a small run.
A server process (`server`) imports them once and forks a child per command. The child is what a new process would
be: a process group, a folder, an environment and an output of its own, this project's code as that folder has it, an
exit code. The server ends when nobody can ask it any more; a child that is at work goes on, and may ask for further
ones, as any process would.

`make up` keeps one server beside the worker, which has what flows need, too: each of the worker's runs is a child of it
(`launcher`), and asks it for its commands. Any other process starts a server of its own.
"""

import atexit
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from releve.adapters.forks.command import CONNECTION, Command, ForkedProcess, start
from releve.adapters.forks.loaded import PROJECT

SERVER = "releve.adapters.forks.server"


class ForkServer:
    """Connects to its own server, or starts one, at the first command. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0  # the process that started the server: its own forks have one of their own
        self._connection: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None

    def start(self, command: Command, *, kept_open: Sequence[int] = ()) -> ForkedProcess:
        """Fork a child that runs `command`, both its outputs in one pipe; it has the descriptors `kept_open` too."""
        reading, writing = os.pipe()
        output = os.fdopen(reading, encoding="utf-8", errors="replace")
        try:
            with self._lock:
                try:
                    return start(self._connected(), command, (writing, writing, *kept_open), output)
                except OSError:  # somebody ended the server, or it may not serve this process
                    self._close()
                    return start(self._connected(), command, (writing, writing, *kept_open), output)
        finally:
            os.close(writing)

    def _connected(self) -> socket.socket:
        if self._connection is None or self._owner != os.getpid():
            self._connection, self._owner = _inherited() or self._begun(), os.getpid()
            atexit.register(self._close)
        return self._connection

    def _begun(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            self._server = subprocess.Popen(
                [sys.executable, "-m", SERVER, str(theirs.fileno())],
                cwd=PROJECT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        return ours

    def _close(self) -> None:
        """End the server, and wait for it: what it and its children cost is then what ours cost."""
        if self._connection and self._owner == os.getpid():
            self._connection.close()
            if self._server:
                self._server.wait()
            self._connection = self._server = None


def _inherited() -> socket.socket | None:
    """The connection that this process has from its own server, where it is a child of one; once."""
    pid, _, descriptor = os.environ.pop(CONNECTION, "").partition(":")
    return socket.socket(fileno=int(descriptor)) if pid == str(os.getpid()) else None
