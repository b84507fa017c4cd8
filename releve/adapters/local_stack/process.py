"""A program in the background: started as the leader of its own session, found again, stopped with its family.

`<home>/run/<name>.json` says which process it is, `<home>/logs/<name>.log` holds what it prints.
"""

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from releve.adapters.files import write_bytes

STOP_SECONDS = 15.0  # for the leader to end after SIGTERM; its family gets a third of it; then SIGKILL
POLL_SECONDS = 0.05
# Setting the clock moves the creation times that the system reports; a pid used again is further away than this.
SAME_PROCESS_SECONDS = 2.0
LOG_LINES_IN_ERRORS = 15
FIRST_WORDS = 65536  # bytes
# Environment variable that tells whose family a process is of; no RELEVE_ one, or each `make up` would want new Bentos.
MARK = "PART_OF_LOCAL_STACK"


@dataclass(frozen=True)
class Running:
    """A process started here. Its pid alone may be somebody else's by now; with its creation time it cannot."""

    name: str
    pid: int
    create_time: float  # seconds since 1970
    log_start: int  # bytes that its log already had
    scenario: str = ""  # those that it was started for, with commas; "" for a program that serves all of them
    mark: str = ""  # in the environment of its whole family, whatever sessions they lead
    port: int | None = None  # that it was told to listen on


def start(
    home: Path,
    name: str,
    command: Collection[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    scenario: str = "",
    port: int | None = None,
) -> Running:
    """Start `command` so that it outlives its terminal, and write down which process it is."""
    log, record = log_path(home, name), _record_path(home, name)
    for folder in (log.parent, record.parent):
        folder.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(8)
    with log.open("ab") as output:
        log_start = output.tell()
        process = subprocess.Popen(
            list(command),
            cwd=cwd,
            env={**environ, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    process.returncode = 0  # it outlives this object on purpose, which Popen would otherwise warn about
    started = Running(name, process.pid, psutil.Process(process.pid).create_time(), log_start, scenario, mark, port)
    try:
        write_bytes(record, json.dumps(asdict(started)).encode())
    except BaseException:  # nobody would find it again
        _end([psutil.Process(process.pid)], STOP_SECONDS / 3)
        raise
    return started


def running(home: Path, name: str) -> Running | None:
    """The process that was started as `name`, if it still lives."""
    remembered = _remembered(home, name)
    return remembered if remembered and _lives(_process(remembered)) else None


def stop(home: Path, name: str) -> bool:
    """Ask the leader to end, then what is left of its family, then insist. Returns whether the leader ran.

    Touches nothing whose pid or creation time differs from what was written down.
    """
    record = running(home, name)
    leader = _process(record)
    family = leader.children(recursive=True) if leader and record else []
    if leader and record:
        _end([leader], STOP_SECONDS)
    clear_remains(home, name, also=family)
    return record is not None


def clear_remains(home: Path, name: str, *, also: Collection[psutil.Process] = ()) -> None:
    """End the processes that a leader left behind, its family and those in `also`, and delete its record."""
    remembered = _remembered(home, name)
    if remembered is not None:
        _end([*also, *_family(remembered)], STOP_SECONDS / 3)
        with suppress(ChildProcessError):  # unless this very process started it, that is the init process's business
            os.waitpid(remembered.pid, os.WNOHANG)
    _record_path(home, name).unlink(missing_ok=True)


def log_path(home: Path, name: str) -> Path:
    """Where what `name` prints goes."""
    return home / "logs" / f"{name}.log"


def first_words(home: Path, record: Running) -> str:
    """The first of what it printed since it was started, FIRST_WORDS bytes at most; empty when its log is gone."""
    try:
        with log_path(home, record.name).open("rb") as log:
            log.seek(record.log_start)
            return log.read(FIRST_WORDS).decode(errors="replace")
    except FileNotFoundError:
        return ""


def last_words(log: Path) -> str:
    """The end of `log`, for an error message."""
    lines = log.read_text(errors="replace").splitlines()[-LOG_LINES_IN_ERRORS:] if log.exists() else []
    return "\n".join([f"The end of {log}:", *(f"  {line}" for line in lines)])


def _end(processes: list[psutil.Process], seconds: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        deadline = time.monotonic() + seconds  # a zombie, which psutil would wait for, has ended
        while (processes := [each for each in processes if _lives(each)]) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def _lives(process: psutil.Process | None) -> bool:
    if process is None:
        return False
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _process(record: Running | None) -> psutil.Process | None:
    """The process with the pid AND the creation time that were written down."""
    if record is None:
        return None
    try:
        process = psutil.Process(record.pid)
        same = abs(process.create_time() - record.create_time) < SAME_PROCESS_SECONDS
    except psutil.NoSuchProcess:
        return None
    return process if same else None


def _family(record: Running) -> list[psutil.Process]:
    """Members of the session that `record` leads or led, and whoever carries its mark into a session of their own.

    The number of a session may belong to somebody else by now; then only the mark counts.
    """
    is_ours = not psutil.pid_exists(record.pid) or _process(record) is not None
    members = []
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if process.pid != os.getpid() and (
                (is_ours and os.getsid(process.pid) == record.pid) or _carries(process, record.mark)
            ):
                members.append(process)
    return members


def _carries(process: psutil.Process, mark: str) -> bool:
    return bool(mark) and process.environ().get(MARK) == mark


def _remembered(home: Path, name: str) -> Running | None:
    """What the record says; a record that cannot be read is as good as none."""
    try:
        return Running(**json.loads(_record_path(home, name).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _record_path(home: Path, name: str) -> Path:
    return home / "run" / f"{name}.json"
