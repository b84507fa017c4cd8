"""Run by an environment that has MLServer: writes a model and its settings into a folder."""

import json
import sys
from pathlib import Path

import joblib
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

folder = Path(sys.argv[1])
values, labels = load_iris(return_X_y=True)
joblib.dump(LogisticRegression(max_iter=500).fit(values, labels), folder / "model.joblib")
tensors = {
    "inputs": [{"name": "features", "datatype": "FP64", "shape": [-1, 4], "parameters": {"content_type": "np"}}],
    "outputs": [{"name": "predict", "datatype": "INT64", "shape": [-1, 1]}],
}
model = {
    "name": "iris",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "platform": "sklearn_joblib",
    "parameters": {"uri": "./model.joblib", "version": "v1"},
}
(folder / "model-settings.json").write_text(json.dumps(model | tensors))
ports = dict(zip(("http_port", "grpc_port", "metrics_port"), map(int, sys.argv[2:]), strict=True))
server = {"host": "127.0.0.1", "parallel_workers": 0, **ports}  # workers of 1.7.1 die with uvloop 0.22
(folder / "settings.json").write_text(json.dumps(server))
