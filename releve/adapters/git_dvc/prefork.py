"""Python processes that are forked from one that has the libraries loaded already.

`python -m dvc` and each stage that it runs would import the same libraries again: most of the seconds of a small run.
A server process imports them once and forks a child per command. The child is what a new process would be: a process
group, a folder, an environment and an output of its own, this project's code as that folder has it, an exit code. The
server imports no file of this project, computes nothing and has one thread, so that its forks are safe. It ends when
nobody can ask it any more; a child that is at work goes on, and may ask for further ones, as any process would.

The server runs this file as a script: it may import the standard library alone.
"""

import atexit
import ctypes
import gc
import json
import os
import re
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn

PR_SET_NAME = 15  # linux/prctl.h; the kernel keeps 15 bytes
LENGTH_BYTES = 8  # a message is its length, then JSON
MOST_DESCRIPTORS = 16
DVC = (
    "dvc.cli.parser",
    "dvc.cachemgr",
    "dvc.data_cloud",
    "dvc.lock",
    "dvc.repo.artifacts",
    "dvc.repo.datasets",
    "dvc.repo.graph",
    "dvc.repo.index",
    "dvc.repo.metrics",
    "dvc.repo.params",
    "dvc.repo.plots",
    "dvc.repo.reproduce",
    "dvc.repo.stage",
    "dvc.repo.trie",
    "dvc.rwlock",
    "dvc.scm",
    "dvc.stage.run",
    "dvc_data.hashfile.db.local",
    "dvc_data.index.checkout",
    "networkx",
    "psutil",
    "rich.console",
    "ruamel.yaml",
)
# What the stages import of others. The first stage, `code`, runs each time and needs little.
CODE_STAGE = "tasks.pipeline.code"
CODE_LIBRARIES = ("numpy", "pydantic.dataclasses", "pydantic.json_schema", "ruamel.yaml", "statistics", "yaml")
STAGE_LIBRARIES = (
    *CODE_LIBRARIES,
    "onnxruntime",
    "pandas",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "pyarrow.parquet",
    "skl2onnx",
    "skops.io",
)
# skops lists all estimators: scikit-learn then imports these two where they are installed, which nothing here asks for.
NOT_FOR_SKOPS = ("dask", "pytest")
STAGE_COMMAND = re.compile(r"python -m (tasks\.[\w.]+)((?: [\w./-]+)*)")  # nothing that a shell would read differently


@dataclass(frozen=True)
class Command:
    """`python -m <module> <arguments>` in `folder`; the server imports `libraries` before it forks."""

    module: str
    arguments: Sequence[str]
    folder: str
    environ: Mapping[str, str]
    libraries: Sequence[str] = ()
    group: int = 0  # the process group to join; 0 begins one


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
            with self._status as status:
                while self.returncode is None:
                    told = _receive(status)[0] or {"code": -signal.SIGKILL}  # the server ended, and so did the child
                    self.cpu_seconds = told.get("cpu_seconds", self.cpu_seconds)
                    self.returncode = told.get("code")
        return self.returncode

    def __enter__(self) -> "ForkedProcess":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.stdout:
            self.stdout.close()
        self.wait()


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
                    return _start(self._connected(), command, (writing, *kept_open), output)
                except OSError:  # somebody ended the server
                    self._close()
                    return _start(self._connected(), command, (writing, *kept_open), output)
        finally:
            os.close(writing)

    def _connected(self) -> socket.socket:
        if self._connection is None or self._owner != os.getpid():
            ours, theirs = socket.socketpair()
            with theirs:
                self._server = subprocess.Popen(
                    [sys.executable, str(Path(__file__).resolve()), str(theirs.fileno())],
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


def _start(
    connection: socket.socket, command: Command, descriptors: Sequence[int], output: IO[str] | None = None
) -> ForkedProcess:
    """Ask the server for a child that writes to the first of `descriptors`. Raises OSError when the server is gone."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            _send(connection, asdict(command), [theirs.fileno(), *descriptors])
        begun = _receive(ours)[0] or {}
        if "pid" not in begun:
            raise ConnectionError("the fork server ended, or could not fork")
    except BaseException:
        ours.close()
        raise
    return ForkedProcess(begun["pid"], ours, output)


def _send(connection: socket.socket, message: object, descriptors: Sequence[int] = ()) -> None:
    text = json.dumps(message).encode()
    socket.send_fds(connection, [len(text).to_bytes(LENGTH_BYTES, "big")], list(descriptors))
    connection.sendall(text)


def _receive(connection: socket.socket) -> tuple[Any, list[int]]:
    """Receive a message, None at the end of the connection, and the descriptors that came with it."""
    head, descriptors, *_ = socket.recv_fds(connection, LENGTH_BYTES, MOST_DESCRIPTORS)
    text, length = b"", int.from_bytes(head, "big")
    while len(text) < length and (part := connection.recv(length - len(text))):
        text += part
    return (json.loads(text) if text else None), descriptors


class _Server:
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
            asked, descriptors = _receive(connection)
        except OSError:
            asked = None
        if asked is None:
            self._connections.remove(connection)
            self._selector.unregister(connection)
            connection.close()
            return
        command, status = Command(**asked), socket.socket(fileno=descriptors[0])
        with suppress(Exception):  # the child imports it again, and says what is wrong
            _import_libraries(command.libraries)
        gc.collect()
        gc.freeze()  # so that no child copies what the server has
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
                    _send(status, {"code": end.si_status if end.si_code == os.CLD_EXITED else -end.si_status})
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


def _import_libraries(names: Sequence[str]) -> None:
    """Import what the stages need. A child may still import what was hidden from skops."""
    if unknown := [name for name in names if name not in sys.modules]:
        hidden = [name for name in NOT_FOR_SKOPS if name not in sys.modules]
        sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: an import of it fails
        gc.disable()  # else it goes through all that is loaded again and again
        try:
            for name in unknown:
                import_module(name)
        finally:
            gc.enable()
            for name in hidden:
                del sys.modules[name]


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
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()  # siblings would draw the same numbers
        _send(status, {"pid": os.getpid()})
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
        _send(status, {"cpu_seconds": spent})
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
        libraries = CODE_LIBRARIES if module == CODE_STAGE else STAGE_LIBRARIES
        wanted = Command(module, arguments, str(options["cwd"]), options["env"], libraries, group=os.getpgrp())
        sys.stdout.flush()
        process = _start(server, wanted, [1])
        code = process.wait()
        _stage_seconds.append(process.cpu_seconds)
        if code:
            raise StageCmdFailedError(command, code)

    run._run = run_command


if __name__ == "__main__":
    del sys.path[0]  # the folder of this file
    sys.path.insert(0, "")  # replaced in each child
    _Server(socket.socket(fileno=int(sys.argv[1]))).serve()
