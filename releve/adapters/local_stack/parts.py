"""What the local stack consists of: each program, how it is started, and what shows that it answers."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from releve.adapters.forks.door import READY
from releve.core.environments import with_environment
from releve.core.settings import LOOPBACK, PREFECT_DATABASE, Settings, read_scenario_names

MILVUS, PREFECT, FORKS, WORKER, SERVICE, SHADOW = "milvus", "prefect", "forks", "worker", "service", "shadow"
NAMES = (MILVUS, PREFECT, FORKS, WORKER, SERVICE, SHADOW)  # in starting order; stopped in the opposite one
WORK_POOL = "local"
SERVER_MODULE = "releve.adapters.local_stack.prefect_server"
# How often Prefect's worker and server look whether there is something to do; by default most do every 5 seconds, which
# is what an idle stack costs. Whoever sets one of these variables has it: docs/prefect.md says what each one delays.
WORKER_LOOPS = {"PREFECT_WORKER_QUERY_SECONDS": "10", "PREFECT_WORKER_HEARTBEAT_SECONDS": "60"}
SERVER_LOOPS = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_CLEANUP_RECONCILER_LOOP_SECONDS": "60",
    "PREFECT_SERVER_SERVICES_FOREMAN_LOOP_SECONDS": "60",
    "PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY": "PT30S",
}
SHADOW_READY = "the shadow follows the registry"  # what it prints once it does


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
    address: str = ""  # of a part without a port: where its work comes from
    scenario: str = ""  # those that it serves, with commas; "" for a part that serves all of them


def parts(settings: Settings, environ: Mapping[str, str]) -> dict[str, StackPart]:
    """Return every part that belongs on this machine, by name; no Milvus when the settings name one elsewhere."""
    shared = shared_environ(settings, environ)
    scenario = ",".join(read_scenario_names(shared, "RELEVE_SCENARIO"))
    with_prefect = {**shared, **prefect_env(settings)}
    milvus_address = ("--host", LOOPBACK, "--port", str(settings.milvus_port))  # no password, and else everywhere
    service_address = ("--host", LOOPBACK, "--port", str(settings.service_port))
    milvus = StackPart(
        name=MILVUS,
        command=python_module("milvus_lite", "server", "--data-dir", str(settings.home / "milvus"), *milvus_address),
        environ=shared,
        port=settings.milvus_port,
        port_setting="RELEVE_MILVUS_PORT",
    )
    server = StackPart(
        name=PREFECT,
        command=python_module(
            SERVER_MODULE, "server", "start", "--host", LOOPBACK, "--port", str(settings.prefect_port)
        ),
        environ=_unless_set(SERVER_LOOPS, with_prefect),
        port=settings.prefect_port,
        port_setting="RELEVE_PREFECT_PORT",
        health_path="/api/health",
    )
    forks = StackPart(
        name=FORKS,
        command=python_module("releve.adapters.forks.server", str(forks_folder(settings))),
        environ=with_prefect,
        ready_line=READY,
        address=str(forks_folder(settings)),
    )
    worker = StackPart(
        name=WORKER,
        command=python_module("prefect", "--no-prompt", "worker", "start", "--pool", WORK_POOL, "--type", "process"),
        environ=_unless_set(WORKER_LOOPS, with_prefect),
        ready_line="started!",
        address=f"work pool {WORK_POOL}",
    )
    service = StackPart(
        name=SERVICE,
        command=python_module("bentoml", "serve", "service:Releve", *service_address),
        environ={
            **shared,
            "BENTOML_HOME": str(settings.home / "bentoml"),
            "BENTOML_DO_NOT_TRACK": "True",
            "RELEVE_SCENARIO": scenario,
            "PREFECT_API_URL": prefect_api_url(settings),  # where its operators start runs
            "OMP_NUM_THREADS": "1",  # a worker is one core; on one row, more threads only wait for each other
        },
        port=settings.service_port,
        port_setting="RELEVE_SERVICE_PORT",
        health_path="/livez",
        scenario=scenario,
    )
    shadow = StackPart(
        name=SHADOW,
        command=python_module("releve.serving.shadow"),
        environ={**shared, "OMP_NUM_THREADS": "1"},
        ready_line=SHADOW_READY,
        address=str(settings.home / "ledger"),
    )
    is_here = settings.milvus_uri == f"http://{LOOPBACK}:{settings.milvus_port}"
    every = (milvus, server, forks, worker, service, shadow)
    return {part.name: part for part in every if part is not milvus or is_here}


def _unless_set(defaults: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` with the defaults of what it does not set; an empty variable counts as not set."""
    return {**environ, **{name: environ.get(name) or value for name, value in defaults.items()}}


def shared_environ(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The caller's environment, in which a part reads the same settings and finds this Python's programs first."""
    return {
        **with_environment(environ, project=settings.project),
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


def python_module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def forks_folder(settings: Settings) -> Path:
    """Where the fork server of flows is asked."""
    return settings.home / "run" / "forks"


def flow_command(settings: Settings) -> str:
    """What the worker runs for a flow run, in place of `python -m prefect.engine`."""
    return shlex.join(python_module("releve.adapters.forks.launcher", str(forks_folder(settings)), "prefect.engine"))


def prefect_api_url(settings: Settings) -> str:
    """Where this stack's Prefect server is asked by programs."""
    if settings.prefect_elsewhere:
        return settings.prefect_api_url
    return f"http://{LOOPBACK}:{settings.prefect_port}/api"


def prefect_env(settings: Settings) -> dict[str, str]:
    """The environment in which a Prefect client or flow reaches this stack's server."""
    if settings.prefect_elsewhere:  # its home, database and password are what the caller's environment says
        return {"PREFECT_API_URL": settings.prefect_api_url, "DO_NOT_TRACK": "1"}
    return {
        "PREFECT_API_URL": prefect_api_url(settings),
        "PREFECT_HOME": str(settings.home / "prefect"),
        PREFECT_DATABASE: settings.prefect_database_url,
        # A database that is away for a moment is a 500, by which a run would die, and be shown as running for ever.
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
        "PREFECT_LOGGING_LEVEL": "INFO",
        "PREFECT_LOGGING_COLORS": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # With the default, memory, a server killed while somebody holds a lock never frees it.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "DO_NOT_TRACK": "1",
    }
