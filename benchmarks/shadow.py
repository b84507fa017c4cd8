"""What does a shadow cost the answers that people wait for, and does it keep up? python -m benchmarks.shadow

The service in process (ASGI, no sockets), the shadow as a process of its own, as `make up` starts it. Arms start and
end in turn, and batches are asked with and without them: the ratios are of one run.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.serving import environ_of, make_scenarios, started
from releve.adapters.local_stack.parts import SHADOW_READY
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.registry.registry import Registry
from releve.domain.arms.arms import ArmMode, ArmsEnded, ArmsOutcome, ArmsStarted
from releve.domain.registry.release import Release
from releve.serving.shadow.shadow import BEHIND_SECONDS
from tests.factories import PROJECT, SCENARIO, make_model_folder, make_release, make_row

CHAMPION = f"{SCENARIO}:one"
REQUESTS, AT_ONCE = 200, 10  # of a batch; that come at once, so that there is a queue
FOLLOW_SECONDS = 2.0  # until the service and the shadow know what the registry says
IDLE_SECONDS = 20.0
BODY = json.dumps({"rows": [make_row()]}).encode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_scenarios(home, 1)
        stored = ModelStore(home).save(
            make_model_folder(home / "made", name="two", seed=8), scenario=SCENARIO, version="two", labels={}
        )
        os.environ |= environ_of(home)
        registry = Registry(f"sqlite:///{home / 'registry.db'}")
        with shadow_process(home) as shadow:
            asyncio.run(measure(home, registry, shadow, make_release(stored), rounds))
        registry.close()


@contextmanager
def shadow_process(home: Path) -> Iterator[psutil.Process]:
    """Start what asks shadows, and end it."""
    with (home / "shadow.log").open("w") as log:
        command = [sys.executable, "-m", "releve.serving.shadow"]
        process = subprocess.Popen(command, cwd=PROJECT, env=environ_of(home), stdout=log, stderr=log)
        while SHADOW_READY not in (home / "shadow.log").read_text():
            time.sleep(0.05)
        yield psutil.Process(process.pid)
        process.terminate()
        process.wait(timeout=20)
    print((home / "shadow.log").read_text().splitlines()[-1])


async def measure(home: Path, registry: Registry, shadow: psutil.Process, challenger: Release, rounds: int) -> None:
    """Print a line per figure."""
    import service

    before = cpu_of(shadow)
    await asyncio.sleep(IDLE_SECONDS)
    print(f"the shadow's CPU where no arms run: {(cpu_of(shadow) - before) / IDLE_SECONDS:.3%}")
    async with started(service.Releve.to_asgi(is_main=True)) as app:
        await asyncio.sleep(FOLLOW_SECONDS)
        for _ in range(3):  # the model is loaded, and warm
            await batch(app)
        cpu: dict[bool, list[float]] = {True: [], False: []}
        waits: dict[bool, list[float]] = {True: [], False: []}
        before = cpu_of(shadow)
        for number in range(2 * rounds):
            with_shadow = number % 4 in (1, 2)  # off, on, on, off: a drift of the machine falls on both
            set_arms(registry, challenger, on=with_shadow)
            await asyncio.sleep(FOLLOW_SECONDS)
            seconds, wait = await batch(app)
            cpu[with_shadow].append(seconds)
            waits[with_shadow].append(wait)
            await asyncio.sleep(FOLLOW_SECONDS if with_shadow else 0)  # the shadow ends what waits for it
        asked = REQUESTS * rounds
        lines = LedgerReader(home / "ledger" / SCENARIO).shadows()
        for what, found, best in (("CPU of an answer", cpu, min), ("time in the queue", waits, statistics.median)):
            on, off = (best(found[each]) * 1e6 for each in (True, False))
            print(f"{what}: {off:.1f} µs without, {on:.1f} µs with a shadow, {on / off:.3f} times")
        print(f"the shadow answered {len({line.of for line in lines})} of {asked}, "
              f"{(cpu_of(shadow) - before) / asked * 1e6:.0f} µs of its CPU each")  # fmt: skip
        set_arms(registry, challenger, on=True)
        await asyncio.sleep(FOLLOW_SECONDS)
        os.kill(shadow.pid, signal.SIGSTOP)
        await batch(app)
        await asyncio.sleep(BEHIND_SECONDS + 1)
        os.kill(shadow.pid, signal.SIGCONT)
        await batch(app)
        await asyncio.sleep(FOLLOW_SECONDS)
        later = LedgerReader(home / "ledger" / SCENARIO).shadows()[len(lines) :]
        print(
            f"stopped for {BEHIND_SECONDS + 1:g} s, {REQUESTS} requests then and as many later: {len(later)} answered"
        )
        set_arms(registry, challenger, on=False)
        await asyncio.sleep(FOLLOW_SECONDS)


async def batch(app: Any) -> tuple[float, float]:
    """CPU seconds of a request, and the median of the seconds that one waits in the queue."""
    waits = list[float]()
    before = time.process_time()
    for _ in range(REQUESTS // AT_ONCE):
        came = time.perf_counter()
        await asyncio.gather(*(ask(app, came, waits) for _ in range(AT_ONCE)))
    return (time.process_time() - before) / REQUESTS, statistics.median(waits)


async def ask(app: Any, came: float, waits: list[float]) -> None:
    async def receive() -> dict[str, Any]:
        waits.append(time.perf_counter() - came)
        return {"type": "http.request", "body": BODY, "more_body": False}

    async def send(message: Any) -> None:
        assert message.get("status", 200) == 200, message

    path = f"/scenarios/{SCENARIO}/predict"
    headers = [(b"host", b"[::1]"), (b"content-type", b"application/json")]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path,
             "raw_path": path.encode(), "root_path": "", "query_string": b"", "scheme": "http", "headers": headers,
             "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 3000)}  # fmt: skip
    await app(scope, receive, send)


def set_arms(registry: Registry, challenger: Release, *, on: bool) -> None:
    """Start or end the shadow, unless it is so."""
    running = registry.arms(SCENARIO)
    why = {"reason": "measured", "actor": "benchmark"}
    if on and running is None:
        started = ArmsStarted(mode=ArmMode.SHADOW, challenger=challenger, champion=CHAMPION, share=0)
        registry.start_arms(SCENARIO, started, expected=None, **why)
    elif running is not None and not on:
        ended = ArmsEnded(outcome=ArmsOutcome.STOPPED, champion=CHAMPION, challenger=challenger.model)
        registry.end_arms(SCENARIO, ended, expected=running.number, **why)


def cpu_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
