"""The clients of examples/clients, each by its own toolchain, against a running service."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.factories import PROJECT, SCENARIO, make_row
from tests.serving.conftest import Running

CLIENTS = PROJECT / "examples" / "clients"
COMMANDS = {
    "client.py": (sys.executable,),
    "client.mjs": ("node",),
    "client.go": ("go", "run"),
    "Client.java": ("java",),
}
WITH_PACKAGES = [pytest.param(each, marks=pytest.mark.system) for each in COMMANDS if each != "client.py"]
MOST_LINES = 60


@pytest.fixture(scope="module")
def row_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clients") / "row.json"
    path.write_text(json.dumps({"rows": [make_row(length=9.5)]}))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("client", ["client.py", *WITH_PACKAGES])
def test_a_client_predicts_searches_gives_a_label_and_reads_an_error(client: str, running: Running, row_file: Path):
    command = COMMANDS[client]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    arguments = [*command, str(CLIENTS / client), str(running.client.base_url).rstrip("/"), SCENARIO, row_file, "2"]

    ended = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "GOCACHE": str(row_file.parent / "go"), "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"},
    )

    assert ended.returncode == 0, ended.stderr
    predicted, neighbours, accepted, refused = ended.stdout.splitlines()
    assert predicted == "predicted 2 by flowers:one"
    assert neighbours == "neighbours 3"
    assert accepted == "accepted 1"
    assert refused.startswith("refused 400 bad_input: 'rows' is empty")


@pytest.mark.parametrize("client", COMMANDS)
def test_a_client_is_short_enough_to_copy(client: str):
    assert len((CLIENTS / client).read_text().splitlines()) < MOST_LINES
