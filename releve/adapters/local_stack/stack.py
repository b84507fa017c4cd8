"""The programs Relève works beside, run on this machine for a laptop, the demo and the tests.

Milvus Lite, the Prefect server, a Prefect worker and the service, each bound to 127.0.0.1. In production a service
manager and servers of your own take this file's place.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.local_stack import ports as stack_ports
from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack.deployments import delete_removed, write_deployments
from releve.core.errors import BadInput, Conflict, ReleveError, Unavailable, storage_refusal
from releve.core.formatting import counted
from releve.core.names import check_scenario_name
from releve.core.progress import ShowLine
from releve.core.settings import LOOPBACK, Settings, sqlite_url

MILVUS, PREFECT, WORKER, SERVICE = "milvus", "prefect", "worker", "service"
NAMES = (MILVUS, PREFECT, WORKER, SERVICE)  # in starting order; stopped in the opposite one
WORK_POOL = "local"
DEFAULT_SCENARIO = "digits"

START_SECONDS = 180.0  # a fresh Prefect database takes 15 s on a quiet machine and far longer on a busy one
DEPLOY_SECONDS = 180.0
POLL_SECONDS = 0.2


class StartFailed(Unavailable):
    """A part ended, or did not answer in time; the message ends with its last log lines."""

    code = "start_failed"


@dataclass(frozen=True)
class StackPart:
    """One program of the stack: how to start it and how to know that it answers."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]  # all of it, not only what is added
    port: int | None = None
    port_setting: str = ""  # the environment variable that moves the port
    health_path: str = ""  # HTTP path that answers 200; without one a TCP connection is enough
    ready_line: str = ""  # for a part without a port: what it prints once it is ready
    scenario: str = ""  # the one that it serves; "" for a part that serves all of them


@dataclass(frozen=True)
class PartStatus:
    """What a person wants to know of a part."""

    name: str
    state: str  # "answering", "not answering" (starting, or stuck), "stopped" or "elsewhere" (a server of your own)
    address: str
    pid: int | None
    log: Path
    scenario: str = ""  # that a running part was started for


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
    Conflict when the service runs for another scenario than the one that `environ` names.
    """
    environ = os.environ if environ is None else environ
    table, home = parts(settings, environ), settings.home
    wanted = [table[name] for name in _chosen(only) if name in table]
    with _one_caller_at_a_time(home, progress):
        found = {part.name: stack_process.running(home, part.name) for part in wanted}
        for part in wanted if environ.get("RELEVE_SCENARIO") else ():
            other = (process := found[part.name]) and process.scenario
            if other and other != part.scenario:
                raise Conflict(
                    f"the {part.name} runs for {other}, not for {part.scenario}, and one service serves one "
                    "scenario; `make down` first, or ask without RELEVE_SCENARIO"
                )
        missing = [part for part in wanted if found[part.name] is None]
        for part in missing:  # what a killed part left behind goes first: it may still hold the port
            stack_process.clear_remains(home, part.name)
        for part in missing:
            if part.port is not None:
                stack_ports.check_port_is_free(part.port, wanted_for=part.name, setting=part.port_setting)
        try:
            _start_all(settings, missing, table=table, time_limit=time_limit, progress=progress)
            _wait(home, wanted, time_limit, progress)
        except BaseException:
            _stop_all(home, [part.name for part in missing])
            raise
    return tuple(part.name for part in missing)


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
    """Keep `make up`, `make down` and other demos away. Raise Conflict where a demo is at work."""
    check_no_demo(settings)
    with _demo_lock(settings).open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


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
    """Say how each part is doing, in starting order. Asks the parts, changes nothing."""
    table, home, statuses = parts(settings, {}), settings.home, []
    for name in NAMES:
        log, part = stack_process.log_path(home, name), table.get(name)
        if part is None:
            statuses.append(PartStatus(name, "elsewhere", settings.milvus_uri, None, log))
            continue
        address = f"http://{LOOPBACK}:{part.port}" if part.port else f"work pool {WORK_POOL}"
        process = stack_process.running(home, name)
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


def prefect_env(settings: Settings) -> dict[str, str]:
    """The environment in which a Prefect client or flow reaches this stack's server."""
    return {
        "PREFECT_API_URL": f"http://{LOOPBACK}:{settings.prefect_port}/api",
        "PREFECT_HOME": str(settings.home / "prefect"),
        "PREFECT_API_DATABASE_CONNECTION_URL": sqlite_url(settings.home / "prefect" / "prefect.db", "sqlite+aiosqlite"),
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # With the default, memory, a server killed while somebody holds a lock never frees it.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "DO_NOT_TRACK": "1",
    }


def deploy(settings: Settings, *, environ: Mapping[str, str] | None = None, time_limit: float = DEPLOY_SECONDS) -> None:
    """Give the running Prefect server the work pool, and the deployments of prefect.yaml for every scenario.

    May be repeated: a pool that is there already keeps its limits, and the deployments of a scenario whose folder is
    gone go. Raises StartFailed with what Prefect printed.
    """
    variables = _shared_environ(settings, os.environ if environ is None else environ) | prefect_env(settings)
    if not stack_ports.answers_http(settings.prefect_port, f"/api/work_pools/{WORK_POOL}"):
        _prefect(settings, variables, time_limit, "work-pool", "create", WORK_POOL, "--type", "process")
    _prefect(settings, variables, time_limit, "deploy", "--all", "--prefect-file", str(write_deployments(settings)))
    delete_removed(settings)


def parts(settings: Settings, environ: Mapping[str, str]) -> dict[str, StackPart]:
    """Return every part that belongs on this machine, by name; no Milvus when the settings name one elsewhere."""
    shared = _shared_environ(settings, environ)
    scenario = check_scenario_name(shared.get("RELEVE_SCENARIO") or DEFAULT_SCENARIO)
    with_prefect = {**shared, **prefect_env(settings)}
    milvus_address = ("--host", LOOPBACK, "--port", str(settings.milvus_port))  # no password, and else everywhere
    service_address = ("--host", LOOPBACK, "--port", str(settings.service_port))
    milvus = StackPart(
        name=MILVUS,
        command=_module("milvus_lite", "server", "--data-dir", str(settings.home / "milvus"), *milvus_address),
        environ=shared,
        port=settings.milvus_port,
        port_setting="RELEVE_MILVUS_PORT",
    )
    server = StackPart(
        name=PREFECT,
        command=_module("prefect", "server", "start", "--host", LOOPBACK, "--port", str(settings.prefect_port)),
        environ=with_prefect,
        port=settings.prefect_port,
        port_setting="RELEVE_PREFECT_PORT",
        health_path="/api/health",
    )
    worker = StackPart(
        name=WORKER,
        command=_module("prefect", "--no-prompt", "worker", "start", "--pool", WORK_POOL, "--type", "process"),
        environ={**with_prefect, "PREFECT_WORKER_QUERY_SECONDS": "2"},
        ready_line="started!",
    )
    service = StackPart(
        name=SERVICE,
        command=_module("bentoml", "serve", "service:Releve", *service_address),
        environ={
            **shared,
            "BENTOML_HOME": str(settings.home / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
            "RELEVE_SCENARIO": scenario,
            "OMP_NUM_THREADS": "1",  # a worker is one core; on one row, more threads only wait for each other
        },
        port=settings.service_port,
        port_setting="RELEVE_SERVICE_PORT",
        health_path="/livez",
        scenario=scenario,
    )
    is_here = settings.milvus_uri == f"http://{LOOPBACK}:{settings.milvus_port}"
    return {part.name: part for part in (milvus, server, worker, service) if part is not milvus or is_here}


def _shared_environ(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, in which a part reads the same settings and finds this Python's programs first."""
    return {
        **environ,
        "RELEVE_PROJECT": str(settings.project),
        "RELEVE_HOME": str(settings.home),
        "RELEVE_REGISTRY_URL": settings.registry_url,
        "RELEVE_MILVUS_URI": settings.milvus_uri,
        "RELEVE_MILVUS_PORT": str(settings.milvus_port),
        "RELEVE_PREFECT_PORT": str(settings.prefect_port),
        "RELEVE_SERVICE_PORT": str(settings.service_port),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH") or os.defpath]),
        "PYTHONUNBUFFERED": "1",
    }


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


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
        stack_process.start(home, part.name, part.command, cwd=cwd, environ=part.environ, scenario=part.scenario)

    if missing:
        progress(f"starting {', '.join(part.name for part in missing)}")
    for part in missing:
        if part.name != WORKER:
            start(part)
    if WORKER in (part.name for part in missing):
        if stack_process.running(settings.home, PREFECT) is None:
            raise BadInput(f"the worker needs the Prefect server: start {PREFECT} too")
        _wait(settings.home, [table[PREFECT]], time_limit)
        scenarios = sum(1 for _ in settings.project.glob("scenarios/*/params.yaml"))
        progress(f"registering the deployments of {counted(scenarios, 'scenario')}")
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
    command = _module("prefect", "--no-prompt", *arguments)
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
