"""CPU of the server per request, beside other services: python -m benchmarks.serving_speed

All services run at once, each in a process of its own, and are asked in turn: in process (ASGI, no sockets), then over
a socket (one connection, one request at a time). The cheapest batch counts: what else runs on the machine only adds.
CPU is that of the service's process and of all that it has started, as Linux counts it.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import joblib
import numpy as np
import psutil

from benchmarks.serving_peers import PEERS
from benchmarks.serving_rivals import JOBLIB, MAKERS, ONNX, SCENARIO, SCHEMA, rows
from releve.adapters.models.description import ModelDescription
from releve.adapters.models.model_store import ModelStore
from releve.adapters.models.onnx_export import export
from releve.adapters.registry.registry import Registry
from releve.core.settings import LOOPBACK
from releve.domain.neighbours.embedding import Embedder
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.training.pipeline import build, model_frame
from tests.factories import PROJECT, make_project, make_release
from tests.serving.process import free_port, running_process, wait_until

RELEVE, BARE, QUIET = "Relève", "BentoML no-op, mounted", "BentoML no-op, mounted, no tracing"
EXPORTED, FRAMES = "BentoML + ONNX, mounted, no tracing", ("FastAPI + DataFrame", "BentoML + DataFrame, no tracing")
FOUR = (*FRAMES, *PEERS)
REQUESTS = {1: 60, 100: 8, 1000: 2}  # of a batch, by rows
BARS = [  # rows, over sockets, other service, most that Relève may take of its CPU
    (1, False, BARE, 0.8),
    (1, False, QUIET, 2.5),
    *((1, False, name, 1 / 40) for name in FRAMES),
    *((1, True, name, 1 / 20) for name in FOUR),
    (100, False, EXPORTED, 1.5),
    *((100, False, name, 1 / 5) for name in FRAMES),
    *((100, True, name, 1 / 5) for name in FOUR),
    (1000, False, EXPORTED, 1 / 0.7),
]


@dataclass(frozen=True)
class Service:
    """A running one."""

    name: str
    process: psutil.Process
    port: int
    path: str  # that is asked
    body: Callable[[list[dict[str, Any]]], Any]
    within: Callable[[int, int], float] | None = None  # CPU seconds of a request in process: rows, requests

    def over_socket(self, count: int, requests: int) -> float:
        """CPU seconds of a request that comes over a connection."""
        body, connection = json.dumps(self.body(rows(count))), http.client.HTTPConnection(LOOPBACK, self.port)
        before = self._cpu()
        for _ in range(requests):
            connection.request("POST", self.path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
        taken = (self._cpu() - before) / requests
        connection.close()
        return taken

    def _cpu(self) -> float:
        """In nanoseconds, where /proc counts in hundredths: the clock that clock_getcpuclockid(3) names."""
        tree = [self.process, *self.process.children(recursive=True)]
        return sum(time.clock_gettime((~each.pid << 3) | 2) for each in tree)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=25)
    parser.add_argument("--only", nargs="+", default=[*MAKERS, *PEERS], help="of the services")
    asked = parser.parse_args()
    found: dict[tuple[int, bool, str], float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        make_models(Path(folder))
        services = [stack.enter_context(running(name, Path(folder))) for name in asked.only]
        for _ in range(asked.batches):
            for count, requests in REQUESTS.items():
                for each in services:
                    if each.within is not None:
                        note(found, (count, False, each.name), each.within(count, requests))
                    note(found, (count, True, each.name), each.over_socket(count, requests))
    print("| µs of CPU a request | " + " | ".join(f"{count:,} row{'s' * (count > 1)} | sockets" for count in REQUESTS))
    print("|---" * (1 + 2 * len(REQUESTS)) + "|")
    for name in asked.only:
        keys = [(count, over, name) for count in REQUESTS for over in (False, True)]
        cells = (f"{found[key] * 1e6:,.0f}" if key in found else "" for key in keys)
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\n| rows | asked | beside | Relève's share of its CPU | bar |\n|---|---|---|---|---|")
    for count, over, name, most in BARS:
        if {name, RELEVE} <= set(asked.only):
            share = found[count, over, RELEVE] / found[count, over, name]
            where = "over sockets" if over else "in process"
            print(f"| {count} | {where} | {name} | {share:.3f} (1/{1 / share:.1f}) | {most:.3f} "
                  f"{'reached' if share <= most else 'NOT reached'} |")  # fmt: skip


def note(found: dict[tuple[int, bool, str], float], key: tuple[int, bool, str], seconds: float) -> None:
    """Keep the cheapest."""
    found[key] = min(found.get(key, seconds), seconds)


def make_models(folder: Path) -> None:
    """Fit one pipeline, and put it down as each service takes it: exported, pickled, released."""
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    learned = rows(4000, seed=1)
    labels = np.array(["yes" if row["number_0"] + (row["name_0"] > "value 3") > 0.5 else "no" for row in learned])
    arrays = arrays_of_rows(SCHEMA, learned)
    own = build(SCHEMA, recipe="hist_gradient_boosting", scale="none", options={}, seed=7)
    own.fit(model_frame(arrays, SCHEMA), labels)
    names = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    theirs = make_pipeline(
        ColumnTransformer([("numbers", "passthrough", SCHEMA.numbers), ("names", names, SCHEMA.categories)]),
        HistGradientBoostingClassifier(random_state=7),
    ).fit(pd.DataFrame(learned), labels)
    joblib.dump(theirs, folder / JOBLIB)
    (folder / ONNX).write_bytes(export(own, SCHEMA))
    description = {
        "scenario": SCENARIO,
        "runtime": "onnx",
        "classes": list(SCHEMA.target.classes),
        "schema": SCHEMA.as_dict(),
        "embedder": Embedder.fit(arrays).describe().model_dump(mode="json"),
    }
    made = folder / "made"
    made.mkdir()
    (made / ONNX).write_bytes((folder / ONNX).read_bytes())
    (made / "model.json").write_text(json.dumps(ModelDescription.model_validate(description).to_json()))
    make_project(folder, scenario=SCENARIO)
    stored = ModelStore(folder).save(made, scenario=SCENARIO, version="one", labels={})
    registry = Registry(f"sqlite:///{folder / 'registry.db'}")
    registry.move(
        SCENARIO, ModelReleased(release=make_release(stored)), expected=None, reason="measured", actor="benchmark"
    )
    registry.close()


@contextmanager
def running(name: str, folder: Path) -> Iterator[Service]:
    """A service from its first answer on."""
    with (beside if name in PEERS else told)(name, folder, free_port()) as service:
        yield service


@contextmanager
def told(name: str, folder: Path, port: int) -> Iterator[Service]:
    """One of MAKERS, which measures a request in process when it is told to."""
    command = [sys.executable, "-m", "benchmarks.serving_rivals", name, str(folder), str(port)]
    with subprocess.Popen(
        command, cwd=PROJECT, env=environ(name, folder), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdin, "both are pipes"
        said, tell = process.stdout, process.stdin
        assert any(line == "ready\n" for line in iter(said.readline, "")), f"{name} did not start"

        def within(count: int, requests: int) -> float:
            tell.write(json.dumps({"rows": count, "requests": requests}) + "\n")
            tell.flush()
            return float(said.readline())

        path = MAKERS[name][0]
        yield Service(name, psutil.Process(process.pid), port, path, lambda sent: {"rows": sent}, within)
        tell.close()
        process.wait(timeout=30)


@contextmanager
def beside(name: str, folder: Path, port: int) -> Iterator[Service]:
    """One of PEERS, in an environment of its own."""
    peer = PEERS[name]
    command, log = peer.command(folder, port), folder / f"{peer.name}.log"
    own = {"PATH": os.pathsep.join([str(Path(command[0]).parent), os.environ["PATH"]]), "OMP_NUM_THREADS": "1",
           "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}  # fmt: skip
    address = f"http://{LOOPBACK}:{port}{peer.path}"

    def answers() -> bool:
        with suppress(httpx.TransportError):
            return httpx.post(address, json=peer.body(rows(1)), timeout=30).status_code == 200
        return False

    with running_process(command, log, cwd=folder, environ=own) as pid:
        wait_until(answers, log)
        yield Service(name, psutil.Process(pid), port, peer.path, peer.body)


def environ(name: str, folder: Path) -> Mapping[str, str]:
    """Where a service of MAKERS finds everything."""
    return {
        **os.environ,
        "RELEVE_HOME": str(folder),
        "RELEVE_PROJECT": str(folder / "project"),
        "RELEVE_SCENARIO": "",
        "BENTOML_HOME": str(folder / ("bentoml" if name == RELEVE else f"bentoml of {name}")),
        "BENTOML_DO_NOT_TRACK": "True",
        "OMP_NUM_THREADS": "1",
    }


if __name__ == "__main__":
    main()
