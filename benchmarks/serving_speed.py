"""CPU of the server per request, beside other services: python -m benchmarks.serving_speed

All services run at once, each in a process of its own, and are asked in turn: in process (ASGI, no sockets), then over
a socket (one connection, one request at a time). The cheapest batch counts: what else runs on the machine only adds.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np

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
from tests.serving.process import free_port

RELEVE, BARE, QUIET = "Relève", "BentoML no-op, mounted", "BentoML no-op, mounted, no tracing"
EXPORTED, FRAMES = "BentoML + ONNX, mounted, no tracing", ("FastAPI + DataFrame", "BentoML + DataFrame, no tracing")
REQUESTS = {1: 60, 100: 8, 1000: 2}  # of a batch, by rows
BARS = [  # rows, over sockets, other service, most that Relève may take of its CPU
    (1, False, BARE, 0.8),
    (1, False, QUIET, 2.5),
    *((1, False, name, 1 / 40) for name in FRAMES),
    *((1, True, name, 1 / 20) for name in FRAMES),
    (100, False, EXPORTED, 1.5),
    *((100, over, name, 1 / 5) for name in FRAMES for over in (False, True)),
    (1000, False, EXPORTED, 1 / 0.7),
]


@dataclass(frozen=True)
class Service:
    """A running one."""

    name: str
    process: subprocess.Popen[str]
    port: int

    def tell(self, what: Any) -> float:
        """What it answers to a line on its standard input."""
        assert self.process.stdin and self.process.stdout, "both are pipes"
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def over_socket(self, count: int, requests: int) -> float:
        """CPU seconds of a request that comes over a connection."""
        body, connection = json.dumps({"rows": rows(count)}), http.client.HTTPConnection(LOOPBACK, self.port)
        before = self.tell(None)
        for _ in range(requests):
            connection.request("POST", MAKERS[self.name][0], body, {"content-type": "application/json"})
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
        taken = (self.tell(None) - before) / requests
        connection.close()
        return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=25)
    parser.add_argument("--only", nargs="+", default=list(MAKERS), help="of the services")
    asked = parser.parse_args()
    found: dict[tuple[int, bool, str], float] = {}
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        make_models(Path(folder))
        services = [stack.enter_context(running(name, Path(folder), at)) for at, name in enumerate(asked.only)]
        for _ in range(asked.batches):
            for count, requests in REQUESTS.items():
                for each in services:
                    for over in (False, True):
                        seconds = (
                            each.over_socket(count, requests)
                            if over
                            else each.tell({"rows": count, "requests": requests})
                        )
                        key = count, over, each.name
                        found[key] = min(found.get(key, seconds), seconds)
    print("| µs of CPU a request | " + " | ".join(f"{count:,} row{'s' * (count > 1)} | sockets" for count in REQUESTS))
    print("|---" * (1 + 2 * len(REQUESTS)) + "|")
    for name in asked.only:
        cells = (f"{found[count, over, name] * 1e6:,.0f}" for count in REQUESTS for over in (False, True))
        print(f"| {name} | " + " | ".join(cells) + " |")
    print("\n| rows | asked | beside | Relève's share of its CPU | bar |\n|---|---|---|---|---|")
    for count, over, name, most in BARS:
        if {name, RELEVE} <= set(asked.only):
            share = found[count, over, RELEVE] / found[count, over, name]
            where = "over sockets" if over else "in process"
            print(f"| {count} | {where} | {name} | {share:.3f} (1/{1 / share:.1f}) | {most:.3f} "
                  f"{'reached' if share <= most else 'NOT reached'} |")  # fmt: skip


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
def running(name: str, folder: Path, place: int) -> Iterator[Service]:
    """A service from its first answer on."""
    environ = {
        **os.environ,
        "RELEVE_HOME": str(folder),
        "RELEVE_PROJECT": str(folder / "project"),
        "RELEVE_SCENARIO": "",
        "BENTOML_HOME": str(folder / ("bentoml" if name == RELEVE else f"bentoml-{place}")),
        "BENTOML_DO_NOT_TRACK": "True",
        "OMP_NUM_THREADS": "1",
    }
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving_rivals", name, str(folder), str(port)]
    with subprocess.Popen(
        command, cwd=PROJECT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdin, "both are pipes"
        assert any(line == "ready\n" for line in iter(process.stdout.readline, "")), f"{name} did not start"
        yield Service(name, process, port)
        process.stdin.close()
        process.wait(timeout=30)


if __name__ == "__main__":
    main()
