"""MLflow's own client of its scoring server asks a served scenario."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.compatibility.environments import environment
from tests.serving.open_inference.served import NUMBERS, served

pytestmark = pytest.mark.compat

REQUIREMENTS = ("mlflow-skinny==3.17.2", "pandas", "scipy")  # its client looks for both


def test_mlflows_client_understands_every_answer(tmp_path: Path):
    python = environment("mlflow", *REQUIREMENTS)
    with served(tmp_path) as service:
        script = Path(__file__).with_name("ask_by_mlflow.py")
        command = [python, script, service.address, f"/scenarios/{NUMBERS}"]
        asked = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert asked.returncode == 0, asked.stderr[-3000:]
        rows = [{"a": 1.0, "b": 2.0, "c": 0.0}, {"a": 9.0, "b": None, "c": 0.05}]
        expected = service.client.post(f"/scenarios/{NUMBERS}/predict", json={"rows": rows}).json()["predictions"]

    found = json.loads(asked.stdout.splitlines()[-1])
    for form in ("frame", "list", "array", "text"):
        assert found[form] == [each["label"] for each in expected]
    assert found["version"] == "3.17.2"
    assert "error code 400" in found["error"] and '"error_code":"BAD_REQUEST"' in found["error"]
