"""What the service costs, in CPU of the server: python -m benchmarks.serving --scenarios 1 20 200

Each number of scenarios is measured in a process of its own, in process (ASGI, no sockets): made models of
`tests/factories`, all released, of which one is asked first and all of them afterwards.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil

from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.domain.registry.events import ModelReleased
from tests.factories import PROJECT, SCENARIO, make_model_folder, make_project, make_release, make_row

BATCHES, REQUESTS = 20, 100  # the cheapest batch counts: what else runs on the machine only ever adds
IDLE_SECONDS = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenarios", type=int, nargs="+", default=[1, 20, 200])
    parser.add_argument("--child", type=Path, help="measure the scenarios of this home, here")
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(asyncio.run(measure_scenarios(asked.scenarios[0]))))
        return
    print("| scenarios | start, CPU s | memory, MB | idle, CPU ms/s | first request, ms | a request, µs "
          "| all loaded: MB | a load, CPU ms | a request, µs |")  # fmt: skip
    print("|---" * 9 + "|")
    for count in asked.scenarios:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            make_scenarios(home, count)
            command = [sys.executable, "-m", "benchmarks.serving", "--child", str(home), "--scenarios", str(count)]
            run = subprocess.run(
                command, cwd=PROJECT, env=environ_of(home), stdout=subprocess.PIPE, check=True, text=True
            )
        found = json.loads(run.stdout.splitlines()[-1])
        print(f"| {count} | " + " | ".join(f"{value:.1f}" for value in found.values()) + " |", flush=True)


def make_scenarios(home: Path, count: int) -> None:
    """Put `count` released scenarios below `home`, flowers, flowers-1, ..., all with one model's bytes."""
    project, folder = make_project(home), make_model_folder(home / "made")
    described = (project / "scenarios" / SCENARIO / "params.yaml").read_bytes()
    registry, store = Registry(f"sqlite:///{home / 'registry.db'}"), ModelStore(home)
    for name in names(count):
        (project / "scenarios" / name).mkdir(exist_ok=True)
        (project / "scenarios" / name / "params.yaml").write_bytes(described)
        stored = store.save(folder, scenario=name, version="one", labels={})
        registry.move(
            name, ModelReleased(release=make_release(stored)), expected=None, reason="measured", actor="benchmark"
        )
    registry.close()


def names(count: int) -> list[str]:
    """The scenarios that `make_scenarios` makes."""
    return [SCENARIO, *(f"{SCENARIO}-{number}" for number in range(1, count))]


async def measure_scenarios(count: int) -> dict[str, float]:
    """Start the service in this process and ask it."""
    import service

    async with started(service.Releve.to_asgi(is_main=True)) as app:
        path = f"/scenarios/{SCENARIO}/predict"
        await until(lambda: _listed(app), count)
        found = {"start": time.process_time(), "memory": _megabytes()}
        before = time.process_time()
        await asyncio.sleep(IDLE_SECONDS)
        found["idle"] = (time.process_time() - before) / IDLE_SECONDS * 1e3
        found["first"] = await _cpu(app, [path]) * 1e3
        found["request"] = await cheapest(app, path) * 1e6
        others = [f"/scenarios/{name}/predict" for name in names(count)]
        load = await _cpu(app, others)
        found |= {"all_memory": _megabytes(), "load": load / count * 1e3}
        found["all_request"] = await cheapest(app, path) * 1e6
    return found


async def cheapest(app: Any, path: str) -> float:
    """CPU seconds of one request of one row, in the cheapest batch."""
    return min([await _cpu(app, [path] * REQUESTS) / REQUESTS for _ in range(BATCHES)])


async def _cpu(app: Any, paths: list[str]) -> float:
    body = json.dumps({"rows": [make_row()]}).encode()
    before = time.process_time()
    for path in paths:
        status, answer = await ask(app, "POST", path, body)
        assert status == 200, answer
    return time.process_time() - before


async def _listed(app: Any) -> int:
    return len(json.loads((await ask(app, "GET", "/"))[1])["scenarios"])


async def ask(app: Any, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Ask an ASGI application; return status and body."""
    parts: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        parts.append(message)

    headers = [
        (b"host", b"[::1]"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
             "raw_path": path.encode(), "root_path": "", "query_string": b"", "scheme": "http", "headers": headers,
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 3000)}  # fmt: skip
    await app(scope, receive, send)
    return parts[0]["status"], b"".join(part.get("body", b"") for part in parts[1:])


@asynccontextmanager
async def started(app: Any) -> Any:
    """Run an ASGI application's lifespan around what is done within."""
    came: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    running = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, came.get, said.put))
    await came.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    yield app
    await came.put({"type": "lifespan.shutdown"})
    await running


async def until(count: Callable[[], Awaitable[int]], wanted: int) -> None:
    while await count() < wanted:
        await asyncio.sleep(0.05)


def _megabytes() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20


def environ_of(home: Path) -> dict[str, str]:
    return {**os.environ, "RELEVE_HOME": str(home), "RELEVE_PROJECT": str(home / "project"), "RELEVE_SCENARIO": "",
            "BENTOML_HOME": str(home / "bentoml"), "BENTOML_DO_NOT_TRACK": "True", "OMP_NUM_THREADS": "1"}  # fmt: skip


if __name__ == "__main__":
    main()
