"""The programs Relève works beside, run on this machine for a laptop, the demo and the tests.

Milvus Lite, the Prefect server, a Prefect worker with the fork server of its runs, the service, and what asks
challengers aside, each bound to 127.0.0.1. In production a service manager and servers of your own take this file's
place.
"""

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from releve.adapters.local_stack import ports as stack_ports
from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack.deployments import settle_deployments, write_deployments
from releve.adapters.local_stack.parts import (
    NAMES,
    PREFECT,
    WORK_POOL,
    WORKER,
    StackPart,
    parts,
    prefect_api_url,
    prefect_env,
    python_module,
    shared_environ,
)
from releve.adapters.local_stack.prefect_database import check_database
from releve.adapters.prefect.api import PrefectApi, authorization_of
from releve.core.errors import BadInput, Conflict, ReleveError, Unavailable, storage_refusal
from releve.core.progress import ShowLine
from releve.core.settings import LOOPBACK, Settings

START_SECONDS = 180.0  # a fresh Prefect database takes 15 s on a quiet machine and far longer on a busy one
DEPLOY_SECONDS = 180.0
POLL_SECONDS = 0.2


class StartFailed(Unavailable):
    """A part ended, or did not answer in time; the message ends with its last log lines."""

    code = "start_failed"


@dataclass(frozen=True)
class PartStatus:
    """What a person wants to know of a part."""

    name: str
    state: str  # "answering", "not answering" (starting, or stuck), "stopped" or "elsewhere" (a server of your own)
    address: str
    pid: int | None
    log: Path
    scenario: str = ""  # those that a running part was started for, with commas; "" for all


def up(
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    environ: Mapping[str, str] | None = None,
    time_limit: float = START_SECONDS,
    progress: ShowLine = lambda what: None,
) -> tuple[str, ...]:
    """Start what does not run yet, wait until all of it answers, and return the names of what was started.

    `only`: some of NAMES; `environ`: passed on to the parts, else this process's; `time_limit`: seconds for each part;
    `progress` gets, again and again, which parts are starting.
    Either everything missing comes up or none of it stays. Raises PortTaken, StartFailed, BadInput for an unknown name,
    Conflict when a part runs on another port, or the service was narrowed to other scenarios than `environ` names.
    """
    environ = os.environ if environ is None else environ
    table, home = parts(settings, environ), settings.home
    wanted = [table[name] for name in _chosen(only) if name in table]
    with _one_caller_at_a_time(home, progress):
        while True:
            missing = _missing(settings, wanted)
            try:
                _start_all(settings, missing, table=table, time_limit=time_limit, progress=progress)
                _wait(home, wanted, time_limit, progress)
            except BaseException as error:
                _stop_all(home, [part.name for part in missing])
                found = [part for part in wanted if part not in missing]
                if isinstance(error, StartFailed) and _has_ended(home, found):
                    continue  # it was killed just before it was looked at, and is missing now
                raise
            return tuple(part.name for part in missing)


def _missing(settings: Settings, wanted: Collection[StackPart]) -> list[StackPart]:
    """Return the parts that do not run, once they could be started. Raises as `up` does."""
    home, missing = settings.home, list[StackPart]()
    for part in wanted:
        if running := stack_process.running(home, part.name):
            _check_is_wanted(running, part)
        else:
            missing.append(part)
    for part in missing:  # what a killed part left behind goes first: it may still hold the port
        stack_process.clear_remains(home, part.name)
    for part in missing:
        if part.port is not None:
            stack_ports.check_port_is_free(part.port, wanted_for=part.name, setting=part.port_setting)
    if any(part.name == PREFECT for part in missing):
        check_database(settings)
    return missing


def _has_ended(home: Path, parts: Collection[StackPart]) -> bool:
    return any(stack_process.running(home, part.name) is None for part in parts)


def _check_is_wanted(running: stack_process.Running, part: StackPart) -> None:
    """Raise Conflict where the part that runs is not what was asked for."""
    if running.port and running.port != part.port:
        raise Conflict(
            f"{part.name} runs on port {running.port}, not on {part.port}: set {part.port_setting}={running.port}, "
            "or `make down` first"
        )
    if running.scenario and not set(part.scenario.split(",")) <= {"", *running.scenario.split(",")}:
        raise Conflict(
            f"the {part.name} runs for {running.scenario} alone, not for {part.scenario}; `make down` first, "
            "or ask without RELEVE_SCENARIO"
        )


def down(
    settings: Settings, *, only: Collection[str] | None = None, pids: Collection[int] | None = None
) -> tuple[str, ...]:
    """Stop what `up` started, with everything that started in turn, and return the names of the parts that ran.

    `pids`: of the processes that may be stopped; all where left out.
    """
    with _one_caller_at_a_time(settings.home):
        running = {name: stack_process.running(settings.home, name) for name in _chosen(only)}
        mine = [name for name, part in running.items() if pids is None or (part is not None and part.pid in pids)]
        return _stop_all(settings.home, mine)


@contextmanager
def used_by_demo(settings: Settings) -> Iterator[None]:
    """Keep `make up`, `make down` and other demos away. Raise Conflict where a demo is at work.

    SIGTERM is Ctrl-C until the block ends: who is asked to end stops what it started. For the main thread alone.
    """
    check_no_demo(settings)
    with _demo_lock(settings).open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        before = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)


def check_no_demo(settings: Settings) -> None:
    """Raise Conflict while a demo uses the parts of this state folder, and stops them when it ends."""
    with _demo_lock(settings).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Conflict(
                f"a demo is at work in {settings.home} (pid {lock.read() or 'unknown'}): wait for its end, or give "
                "another folder and other ports (RELEVE_HOME: docs/operate.md)"
            ) from None


def _demo_lock(settings: Settings) -> Path:
    (settings.home / "run").mkdir(parents=True, exist_ok=True)
    return settings.home / "run" / "demo.lock"


def status(settings: Settings) -> tuple[PartStatus, ...]:
    """Say how each part is doing, in starting order. Asks the parts where they run, changes nothing."""
    table, home, statuses = parts(settings, {}), settings.home, []
    for name in NAMES:
        log, part = stack_process.log_path(home, name), table.get(name)
        if part is None:
            statuses.append(PartStatus(name, "elsewhere", settings.milvus_uri, None, log))
            continue
        process = stack_process.running(home, name)
        if process and process.port:
            part = replace(part, port=process.port)
        address = f"http://{LOOPBACK}:{part.port}" if part.port else part.address
        if process is None:
            statuses.append(PartStatus(name, "stopped", address, None, log))
        else:
            state = "answering" if _answers(home, part) else "not answering"
            statuses.append(PartStatus(name, state, address, process.pid, log, process.scenario))
    return tuple(statuses)


def describe(statuses: Collection[PartStatus]) -> str:
    """Write states and addresses for a person, one line for each part."""
    lines = []
    for each in statuses:
        process = f"pid {each.pid}, log {each.log}" if each.pid else ""
        scenario = f"scenario {each.scenario}, " if each.scenario else ""
        lines.append(f"{each.name:<8} {each.state:<14} {each.address:<24} {scenario}{process}".rstrip())
    return "\n".join(lines)


def deploy(settings: Settings, *, environ: Mapping[str, str] | None = None, time_limit: float = DEPLOY_SECONDS) -> None:
    """Give the running Prefect server the work pool, and the deployments of prefect.yaml with the scenarios there are.

    May be repeated: a pool that is there already keeps its limits, and what prefect.yaml or scenarios/ have no more
    goes. Raises StartFailed with what Prefect printed.
    """
    variables = shared_environ(settings, os.environ if environ is None else environ) | prefect_env(settings)
    api = PrefectApi(prefect_api_url(settings), headers=authorization_of(settings))
    pools = {"work_pools": {"name": {"any_": [WORK_POOL]}}}
    if not api.ask("POST", "/work_pools/filter", pools, until=time.monotonic() + time_limit).json():
        _prefect(settings, variables, time_limit, "work-pool", "create", WORK_POOL, "--type", "process")
    _prefect(settings, variables, time_limit, "deploy", "--all", "--prefect-file", str(write_deployments(settings)))
    settle_deployments(settings)


def _chosen(only: Collection[str] | None) -> tuple[str, ...]:
    unknown = set(only or ()) - set(NAMES)
    if unknown:
        raise BadInput(f"no part of the stack is called {', '.join(sorted(unknown))}: there are {', '.join(NAMES)}")
    return tuple(name for name in NAMES if only is None or name in only)


def _start_all(
    settings: Settings,
    missing: Collection[StackPart],
    *,
    table: Mapping[str, StackPart],
    time_limit: float,
    progress: ShowLine,
) -> None:
    """Start everything at once, except the worker: its pool and deployments need a server that answers."""

    def start(part: StackPart) -> None:
        home, cwd = settings.home, settings.project
        stack_process.start(
            home, part.name, part.command, cwd=cwd, environ=part.environ, scenario=part.scenario, port=part.port
        )

    if missing:
        progress(f"starting {', '.join(part.name for part in missing)}")
    for part in missing:
        if part.name != WORKER:
            start(part)
    if WORKER in (part.name for part in missing):
        if stack_process.running(settings.home, PREFECT) is None:
            raise BadInput(f"the worker needs the Prefect server: start {PREFECT} too")
        _wait(settings.home, [table[PREFECT]], time_limit, progress)
        progress("registering the deployments of prefect.yaml")
        deploy(settings, environ=table[WORKER].environ)
        start(table[WORKER])


def _wait(
    home: Path, starting: Collection[StackPart], time_limit: float, progress: ShowLine = lambda what: None
) -> None:
    """Return when all answer. Raises StartFailed when a process has ended or `time_limit` seconds are over."""
    deadline = time.monotonic() + time_limit
    while starting := [part for part in starting if not _answers(home, part)]:
        progress(f"waiting for {', '.join(part.name for part in starting)}")
        late = time.monotonic() > deadline
        for part in starting:
            ended = stack_process.running(home, part.name) is None
            if ended or late:
                problem = "ended while starting" if ended else f"did not answer in {time_limit:g} s"
                raise _start_failed(f"{part.name} {problem}", stack_process.log_path(home, part.name))
        time.sleep(POLL_SECONDS)


def _start_failed(what: str, log: Path) -> ReleveError:
    """What the log ends with; a sentence alone where a disk refused."""
    words = stack_process.last_words(log)
    if refused := storage_refusal(words):
        return type(refused)(f"{what}: {refused} (log: {log})")
    return StartFailed(f"{what}. {words}")


def _answers(home: Path, part: StackPart) -> bool:
    if part.port is None:
        found = stack_process.running(home, part.name)
        return found is not None and part.ready_line in stack_process.first_words(home, found)
    return (
        stack_ports.answers_http(part.port, part.health_path)
        if part.health_path
        else stack_ports.answers_tcp(part.port)
    )


def _prefect(settings: Settings, environ: Mapping[str, str], time_limit: float, *arguments: str) -> None:
    """Run one Prefect command in the project folder; what it prints goes to deploy.log."""
    log = stack_process.log_path(settings.home, "deploy")
    log.parent.mkdir(parents=True, exist_ok=True)
    command = python_module("prefect", "--no-prompt", *arguments)
    with log.open("wb") as output:
        try:
            subprocess.run(
                command,
                cwd=settings.project,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=time_limit,
                check=True,
            )
        except subprocess.SubprocessError as error:
            raise _start_failed(f"'prefect {' '.join(arguments)}' failed", log) from error


def _stop_all(home: Path, names: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in reversed(NAMES) if name in names and stack_process.stop(home, name))


@contextmanager
def _one_caller_at_a_time(home: Path, progress: ShowLine = lambda what: None) -> Iterator[None]:
    """One `up` or `down` at a time, the next one waits. The kernel frees the lock of a caller that is killed."""
    (home / "run").mkdir(parents=True, exist_ok=True)
    with (home / "run" / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another `make up` or `make down`")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
