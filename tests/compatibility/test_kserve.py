"""KServe's own client asks a served scenario."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.compatibility.environments import environment
from tests.serving.open_inference.served import NUMBERS, served

pytestmark = pytest.mark.compat

REQUIREMENTS = ("kserve==0.21.0",)


def test_kserves_client_understands_every_answer(tmp_path: Path):
    python = environment("kserve", *REQUIREMENTS)
    with served(tmp_path) as service:
        script = Path(__file__).with_name("ask_by_kserve.py")
        asked = subprocess.run([python, script, service.address], capture_output=True, text=True, timeout=300)
        assert asked.returncode == 0, asked.stderr[-3000:]
        rows = [{"a": 1.0, "b": 2.0, "c": 0.0}, {"a": 9.0, "b": 0.0, "c": 0.05}]
        expected = service.client.post(f"/scenarios/{NUMBERS}/predict", json={"rows": rows}).json()["predictions"]

    found = json.loads(asked.stdout.splitlines()[-1])
    assert (found["live"], found["ready"], found["model_ready"], found["unknown_ready"]) == (True, True, True, False)
    for form in ("json", "binary"):
        assert (found[form]["id"], found[form]["model"]) == ("k-1", NUMBERS)
        assert found[form]["label"] == [each["label"] for each in expected]
        for row, each in zip(found[form]["probabilities"], expected, strict=True):
            assert row == pytest.approx(list(each["probabilities"].values()), abs=1e-4)
    assert "expected [n, 3]: a, b, c" in found["error"] and "400" in found["error"]
