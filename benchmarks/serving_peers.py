"""Model servers that cannot live beside our packages: benchmarks.serving_speed asks them over sockets.

Each has an environment of its own below var/compat, and serves the pipeline that the others serve.
"""

import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.serving_rivals import JOBLIB, SCENARIO
from releve.core.settings import LOOPBACK
from tests.compatibility import test_mlserver
from tests.compatibility.environments import environment
from tests.serving.process import free_port

PIPELINE = tuple(f"{name}=={version(name)}" for name in ("scikit-learn", "joblib"))  # as the file was written
SAVE_FOR_MLFLOW = (
    "import sys, joblib, mlflow; pipeline, folder = sys.argv[1:];"
    "mlflow.sklearn.save_model(joblib.load(pipeline), folder, pyfunc_predict_fn='predict_proba',"
    "serialization_format='cloudpickle', pip_requirements=[])"
)
Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Peer:
    """A model server as its guide has it, with one process that predicts."""

    name: str
    requirements: tuple[str, ...]
    path: str  # that is asked
    body: Callable[[Rows], Any]
    prepare: Callable[[Path, Path, int], list[str]]  # Python, folder of the pipeline, port: the command that serves

    def command(self, folder: Path, port: int) -> list[str]:
        """How it is started, once its environment and its model are made."""
        python = environment(self.name, *self.requirements)
        return self.prepare(python, folder, port)


def _mlflow(python: Path, folder: Path, port: int) -> list[str]:
    model = folder / "mlflow"
    subprocess.run([python, "-c", SAVE_FOR_MLFLOW, folder / JOBLIB, model], check=True, timeout=300)
    address = ["--host", LOOPBACK, "--port", str(port)]
    return [str(python), "-m", "mlflow", "models", "serve", "-m", str(model), "--env-manager", "local", *address]


def _split(rows: Rows) -> dict[str, Any]:
    """As MLflow's own client sends a DataFrame."""
    return {"dataframe_split": {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}}


def _mlserver(python: Path, folder: Path, port: int) -> list[str]:
    served = folder / "mlserver"
    served.mkdir()
    model = {
        "name": SCENARIO,
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(folder / JOBLIB)},
    }
    settings = {
        "host": LOOPBACK,
        "http_port": port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,  # it predicts in the process that answers, which takes less than handing it on
        "debug": False,
    }
    (served / "model-settings.json").write_text(json.dumps(model))
    (served / "settings.json").write_text(json.dumps(settings))
    return [str(python.with_name("mlserver")), "start", str(served)]


def _tensors(rows: Rows) -> dict[str, Any]:
    """A tensor per column, which becomes a DataFrame."""

    def tensor(name: str, values: list[Any]) -> dict[str, Any]:
        of_text = isinstance(values[0], str)
        kind = {"datatype": "BYTES", "parameters": {"content_type": "str"}} if of_text else {"datatype": "FP64"}
        return {"name": name, "shape": [len(values), 1], "data": values, **kind}

    return {
        "parameters": {"content_type": "pd"},
        "inputs": [tensor(name, [row[name] for row in rows]) for name in rows[0]],
        "outputs": [{"name": "predict_proba"}],
    }


MLFLOW = Peer("mlflow-server", ("mlflow==3.17.2", *PIPELINE), "/invocations", _split, _mlflow)
MLSERVER = Peer(
    "mlserver-speed", (*test_mlserver.REQUIREMENTS, *PIPELINE), f"/v2/models/{SCENARIO}/infer", _tensors, _mlserver
)
PEERS = {"mlflow models serve": MLFLOW, "MLServer": MLSERVER}
