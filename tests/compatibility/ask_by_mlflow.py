"""Run by an environment that has mlflow-skinny: asks a scenario, and prints what its client made of it."""

import json
import sys

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

host, port_and_path = sys.argv[1].removeprefix("http://").split(":")
client = ScoringServerClient(host, f"{port_and_path}{sys.argv[2]}")
client.wait_server_ready(timeout=60)
rows = [{"a": 1.0, "b": 2.0, "c": 0.0}, {"a": 9.0, "b": float("nan"), "c": 0.05}]
forms = {
    "frame": pd.DataFrame(rows),
    "list": rows,
    "array": np.array([list(row.values()) for row in rows]),
    "text": json.dumps({"dataframe_records": rows}),
}
found: dict[str, object] = {name: client.invoke(data).get_predictions()[0].tolist() for name, data in forms.items()}
found["version"] = client.get_version()
try:
    client.invoke(pd.DataFrame([{"a": 1.0}]))
except Exception as error:
    found["error"] = str(error)
print(json.dumps(found))
