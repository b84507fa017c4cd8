"""The process that has the libraries loaded, and forks a child per command: `client` asks it.

It computes nothing and has one thread, so that its forks are safe. A child imports this project's code anew, from the
folder that it works in.
"""

import atexit
import ctypes
import os
import re
import runpy
import selectors
import signal
import socket
import sys
import threading
import traceback
from contextlib import suppress
from typing import Any, NoReturn

from releve.adapters.forks.command import Command, receive, send, start
from releve.adapters.forks.libraries import CODE, STAGES, import_libraries

PR_SET_NAME = 15  # linux/prctl.h; the kernel keeps 15 bytes
CODE_STAGE = "tasks.pipeline.code"
STAGE_COMMAND = re.compile(r"python -m (tasks\.[\w.]+)((?: [\w./-]+)*)")  # nothing that a shell would read differently


class Server:
    """Forks for whoever is connected: the process that started it, and each child for its own children."""

    def __init__(self, connection: socket.socket):
        self._connections = {connection}
        self._watched: dict[socket.socket, int] = {}  # status -> child, until somebody has waited for it
        self._ended: set[int] = set()  # of the watched, not reaped: their numbers are theirs
        self._unwatched: set[int] = set()  # children at work whose parent is gone
        self._woken, self._wakes = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        for one in (connection, self._woken):
            self._selector.register(one, selectors.EVENT_READ)
        for end in (self._woken, self._wakes):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)

    def serve(self) -> None:
        """Fork until the last connection is closed."""
        while self._connections:
            for key, _ in self._selector.select():
                if key.fileobj is self._woken:
                    self._report_ends()
                elif key.fileobj in self._watched:
                    self._forget(key.fileobj)
                else:
                    self._answer(key.fileobj)

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
        with suppress(Exception):  # the child imports it again, and says what is wrong
            import_libraries(command.libraries)
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            for one in (*self._connections, *self._watched, self._woken, self._wakes, ours):
                one.close()
            _become(command, status, output=descriptors[1], server=theirs)
        with suppress(OSError):  # it did so itself, or has ended
            os.setpgid(pid, command.group or pid)
        theirs.close()
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        self._connections.add(ours)
        self._watched[status] = pid
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


def _become(command: Command, status: socket.socket, *, output: int, server: socket.socket) -> NoReturn:
    """Be the process of `command`, in a child of the server."""
    code = 1
    try:
        os.setpgid(0, command.group)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        os.environ.clear()
        os.environ.update(command.environ)
        os.chdir(command.folder)
        sys.path[0] = os.getcwd()  # as `python -m` has it
        sys.argv = [command.module, *command.arguments]
        _name_process(command)
        for name in [name for name in sys.modules if name.partition(".")[0] == __package__.partition(".")[0]]:
            del sys.modules[name]
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()  # siblings would draw the same numbers
        send(status, {"pid": os.getpid()})
        if command.module == "dvc":
            _fork_stages(server)
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
        spent = sum(os.times()[:4]) + sum(_stage_seconds)
        send(status, {"cpu_seconds": spent})
    finally:
        os._exit(code & 0xFF)


_stage_seconds: list[float] = []  # of the stages that this process had run, which are children of the server


def _fork_stages(server: socket.socket) -> None:
    """Let DVC have its stages forked by the server. A command that is not one of ours runs as DVC runs it."""
    from dvc.stage import run
    from dvc.stage.exceptions import StageCmdFailedError

    by_shell = run._run

    def run_command(executable: str, command: str, **options: Any) -> None:
        ours = STAGE_COMMAND.fullmatch(command)
        if not ours:
            by_shell(executable, command, **options)
            return
        module, arguments = ours[1], ours[2].split()
        libraries = CODE if module == CODE_STAGE else STAGES
        wanted = Command(module, arguments, str(options["cwd"]), options["env"], libraries, group=os.getpgrp())
        sys.stdout.flush()
        process = start(server, wanted, [1])
        code = process.wait()
        _stage_seconds.append(process.cpu_seconds)
        if code:
            raise StageCmdFailedError(command, code)

    run._run = run_command


if __name__ == "__main__":
    Server(socket.socket(fileno=int(sys.argv[1]))).serve()
    atexit._run_exitfuncs()
    os._exit(0)  # to take 3,000 modules apart costs a quarter of a second
