"""Python processes that are forked from one that has the libraries loaded already.

`python -m dvc` and each stage that it runs would import the same libraries again: most of the seconds of a small run.
A server process (`server`) imports them once and forks a child per command. The child is what a new process would
be: a process group, a folder, an environment and an output of its own, this project's code as that folder has it, an
exit code. The server ends when nobody can ask it any more; a child that is at work goes on, and may ask for further
ones, as any process would.
"""

import atexit
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from releve.adapters.forks.command import Command, ForkedProcess, start

SERVER = "releve.adapters.forks.server"
PROJECT = Path(__file__).parents[3]  # that SERVER is a module of


class ForkServer:
    """Starts the server at the first command. Safe to share between threads."""

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
                    return start(self._connected(), command, (writing, *kept_open), output)
                except OSError:  # somebody ended the server
                    self._close()
                    return start(self._connected(), command, (writing, *kept_open), output)
        finally:
            os.close(writing)

    def _connected(self) -> socket.socket:
        if self._connection is None or self._owner != os.getpid():
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
            self._connection, self._owner = ours, os.getpid()
            atexit.register(self._close)
        return self._connection

    def _close(self) -> None:
        """End the server, and wait for it: what it and its children cost is then what ours cost."""
        if self._connection and self._server and self._owner == os.getpid():
            self._connection.close()
            self._server.wait()
            self._connection = self._server = None
