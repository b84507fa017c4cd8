"""The process that has the libraries loaded, and forks a child per command: `client` and `launcher` ask it.

    python -m releve.adapters.forks.server DESCRIPTOR   for the process that started it, and its children
    python -m releve.adapters.forks.server FOLDER       beside a worker, for every flow run that asks at FOLDER

It computes nothing and has one thread, so that its forks are safe. A child has this project's code as the folder has
it that it works in (`own_code`).
"""

import atexit
import ctypes
import gc
import logging
import os
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from releve.adapters.forks import door
from releve.adapters.forks.children import BEGINNINGS, stage_seconds
from releve.adapters.forks.command import Command, receive, send
from releve.adapters.forks.libraries import DVC, FLOWS, STAGES, import_libraries
from releve.adapters.forks.loaded import Loaded
from releve.adapters.forks.own_code import OwnCode, is_ours

PR_SET_NAME = 15  # linux/prctl.h; the kernel keeps 15 bytes


class ForkingServer:
    """Forks for whoever is connected, and for their children.

    That is the process that started it, or each run that comes in at `listening`. `loaded` says whom it may serve.
    """

    def __init__(
        self, *connections: socket.socket, listening: socket.socket | None = None, loaded: Loaded | None = None
    ):
        self._connections = set(connections)
        self._listening, self._loaded, self._code = listening, loaded, OwnCode()
        self._watched: dict[socket.socket, int] = {}  # status -> child, until somebody has waited for it
        self._ended: set[int] = set()  # of the watched, not reaped: their numbers are theirs
        self._dying: set[int] = set()  # of the watched, killed where nobody waits for them any more
        self._unwatched: set[int] = set()  # children at work whose parent is gone
        self._woken, self._wakes = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for one in (*connections, *([listening] if listening else []), self._woken):
            self._selector.register(one, selectors.EVENT_READ)
        for end in (self._woken, self._wakes):
            end.setblocking(False)
        self._code.note()  # before somebody edits what is imported by now
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        """Fork until the last connection is closed; where it listens, until its libraries are outdated, too."""
        while self._connections or self._watched or (self._loaded and not self._loaded.is_outdated):
            for key, _ in self._selector.select():
                if key.fileobj is self._listening:
                    self._let_in(key.fileobj)
                elif key.fileobj is self._woken:
                    self._report_ends()
                elif key.fileobj in self._watched:
                    self._forget(key.fileobj)
                else:
                    self._answer(key.fileobj)

    def _let_in(self, listening: Any) -> None:
        connection, _ = listening.accept()
        if door.is_of_same_user(connection):
            self._connections.add(connection)
            self._selector.register(connection, selectors.EVENT_READ)
        else:
            connection.close()

    def _answer(self, connection: Any) -> None:
        try:
            asked, descriptors = receive(connection)
        except OSError:
            asked = None
        if asked is None:
            self._connections.remove(connection)
            self._selector.unregister(connection)
            connection.close()
            return
        command, status = Command(**asked), socket.socket(fileno=descriptors[0])
        if refusal := self._loaded and self._loaded.difference(command.python, command.environ):
            with suppress(OSError), status:
                send(status, {"refused": refusal})
        else:
            self._fork(command, status, descriptors[1:])
        for descriptor in descriptors[1:]:
            os.close(descriptor)

    def _fork(self, command: Command, status: socket.socket, descriptors: Sequence[int]) -> None:
        with suppress(Exception):  # the child imports it again, and says what is wrong
            import_libraries([*command.libraries, *([command.module] if is_ours(command.module) else [])])
        self._code.note()
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            watched = [key.fileobj for key in self._selector.get_map().values()]
            for one in (*watched, self._selector, self._wakes, ours):
                one.close()  # type: ignore[union-attr]
            _become(command, status, outputs=descriptors[:2], server=theirs, own=self._code)
        with suppress(OSError):  # it did so itself, or has ended
            os.setpgid(pid, command.group or pid)
        theirs.close()
        self._connections.add(ours)
        self._watched[status] = pid
        if command.dies_with_asker:
            self._dying.add(pid)
        for one in (ours, status):
            self._selector.register(one, selectors.EVENT_READ)

    def _report_ends(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)
        for status, pid in self._watched.items():
            if pid not in self._ended and (end := os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)):
                self._ended.add(pid)
                with suppress(OSError):
                    send(status, {"code": end.si_status if end.si_code == os.CLD_EXITED else -end.si_status})
        self._unwatched -= {pid for pid in self._unwatched if os.waitpid(pid, os.WNOHANG)[0]}

    def _forget(self, status: Any) -> None:
        """Reap a child whose parent has waited for it, or is gone."""
        pid = self._watched.pop(status)
        self._selector.unregister(status)
        status.close()
        if pid in self._ended:
            self._ended.remove(pid)
            os.waitpid(pid, 0)
        else:
            self._unwatched.add(pid)
            if pid in self._dying:
                os.killpg(pid, signal.SIGKILL)
        self._dying.discard(pid)


def _become(
    command: Command, status: socket.socket, *, outputs: Sequence[int], server: socket.socket, own: OwnCode
) -> NoReturn:
    """Be the process of `command`, in a child of the server."""
    code = 1
    try:
        os.setpgid(0, command.group)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, output in zip((1, 2), outputs, strict=True):
            os.dup2(output, number)
            os.close(output)
        os.environ.clear()
        os.environ.update(command.environ)
        os.chdir(command.folder)
        sys.path[0] = os.getcwd()  # as `python -m` has it
        sys.argv = [command.module, *command.arguments]
        _name_process(command)
        gc.set_threshold(50_000, 20, 20)  # as flows do: most of what a command allocates stays to its end
        own.move_to(sys.path[0], main=command.module)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()  # siblings would draw the same numbers
        send(status, {"pid": os.getpid()})
        if command.module in BEGINNINGS:
            BEGINNINGS[command.module](server)
        runpy.run_module(command.module, run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        _end(code, status)


def _name_process(command: Command) -> None:
    """Let `top` and `ps -o comm` say what it does; the command that they show is the server's."""
    words = [command.module, *(word for word in command.arguments if not word.startswith("-"))]
    with suppress(AttributeError):  # prctl is Linux's
        ctypes.CDLL(None).prctl(PR_SET_NAME, " ".join(words[:2]).removeprefix("tasks.pipeline.").encode())


def _end(code: int, status: socket.socket) -> NoReturn:
    """End as the interpreter does, without taking its modules apart one by one."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # joins what works in the background
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        spent = sum(os.times()[:4]) + sum(stage_seconds)
        send(status, {"cpu_seconds": spent, "ends_with": code & 0xFF})
    finally:
        os._exit(code & 0xFF)


def main(where: str) -> NoReturn:
    if where.isdigit():
        ForkingServer(socket.socket(fileno=int(where))).serve()
        atexit._run_exitfuncs()
        os._exit(0)  # to take 3,000 modules apart costs a quarter of a second
    environ, loaded = dict(os.environ), Loaded()
    for libraries in (STAGES, DVC, FLOWS):
        import_libraries(libraries)
    logging.root.handlers.clear()  # Prefect's, which a flow gets anew: DVC and stages would print each line twice
    logging.root.setLevel(logging.WARNING)
    server = ForkingServer(listening=door.listen(Path(where)), loaded=loaded)
    print(door.READY, flush=True)
    server.serve()
    print("packages were installed or removed: starting again", flush=True)
    os.execve(sys.executable, [sys.executable, "-m", __spec__.name, where], environ)


if __name__ == "__main__":
    main(sys.argv[1])
