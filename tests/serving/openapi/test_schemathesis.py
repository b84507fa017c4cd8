"""Schemathesis asks what the document allows and what it does not: no 5xx, no undocumented status, no other shape."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.conftest import Running

pytestmark = pytest.mark.whole

CONFIG = Path(__file__).with_name("schemathesis.toml")
# Valid rows may be refused: JSON Schema has no words for limits of dates, nor for two labels of one id.
DECLARED = ("--exclude-checks", "positive_data_acceptance")
OF_ROWS = "(predict|search|feedback|explain|invocations|infer)$"  # the others are the same for every table
EXAMPLES = 15  # of each operation, beside those that follow from the document's limits, more than a thousand


def test_every_answer_is_one_that_the_document_declares(running: Running, tmp_path: Path):
    asked = ask(running, tmp_path, *DECLARED)

    assert asked.returncode == 0, asked.stdout[-6000:] + asked.stderr[-2000:]


@pytest.mark.parametrize("served", ["messages", "rentals"])
def test_every_answer_about_rows_of_another_table_is_one_that_its_document_declares(
    served: str, request: pytest.FixtureRequest, tmp_path: Path
):
    asked = ask(request.getfixturevalue(served), tmp_path, *DECLARED, "--include-path-regex", OF_ROWS)

    assert asked.returncode == 0, asked.stdout[-6000:] + asked.stderr[-2000:]


def test_every_row_that_the_document_allows_is_answered(running: Running, tmp_path: Path):
    only = ["--include-path", "/predict", "--mode", "positive"]
    asked = ask(running, tmp_path, "--checks", "positive_data_acceptance,not_a_server_error", *only)

    assert asked.returncode == 0, asked.stdout[-6000:] + asked.stderr[-2000:]


def ask(running: Running, folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    address = str(running.client.base_url)
    bounded = ["--seed", "7", "-n", str(EXAMPLES), "--phases", "examples,coverage,fuzzing", "--no-color"]
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    return subprocess.run(
        [*command, f"{address}/openapi.json", *bounded, *options],
        cwd=folder,  # it leaves a database of examples
        capture_output=True,
        text=True,
        timeout=400,
    )
