"""Commands that run a flow, up to where Prefect would come in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from releve.cli.app import main
from tests.factories import PROJECT, make_project
from tests.serving.process import free_port


def run(project: Path, *arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """`releve` for that project, where no Prefect server runs."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT_", "RELEVE_"))}
    ours = {"RELEVE_PROJECT": str(project), "RELEVE_PREFECT_PORT": str(free_port())}
    return subprocess.run(
        [sys.executable, *python, "-m", "releve", *arguments],
        cwd=PROJECT,
        env=inherited | ours,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    "command", ["ingest", "monitor", "retrain", "release", "rollback", "arms", "lifecycle", "backtest"]
)
def test_a_scenario_that_does_not_exist_is_refused_with_those_that_do(
    tmp_path: Path, monkeypatch, capsys, command: str
):
    monkeypatch.setenv("RELEVE_PROJECT", str(make_project(tmp_path)))

    assert main([command, "flower"]) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "error: there is no scenario 'flower' (no scenarios/flower/params.yaml); there are: flowers\n"
    )


def test_a_model_of_a_scenario_that_does_not_exist_is_not_looked_at(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_PROJECT", str(make_project(tmp_path)))

    assert main(["bring", "flower", "model.onnx", "--learned", "100"]) == 1

    assert capsys.readouterr().err.startswith("error: there is no scenario 'flower'")


@pytest.mark.parametrize("name", ["Bad Name", "../flowers", ""])
def test_a_name_that_no_scenario_may_have_is_refused_before_prefect_is_imported(tmp_path: Path, name: str):
    done = run(make_project(tmp_path), "retrain", name, python=("-X", "importtime"))

    printed = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert done.returncode == 1
    assert printed == [
        f"error: the scenario name {name!r} is not allowed: use 1 to 63 lower-case letters, digits, '_' or '-', "
        "starting with a letter or a digit"
    ]
    assert "| prefect" not in done.stderr


def test_a_scenario_that_exists_goes_on_to_the_prefect_server(tmp_path: Path):
    done = run(make_project(tmp_path), "retrain", "flowers")

    assert done.returncode == 2
    assert "start it with `make up`" in done.stderr


def test_a_prefect_server_that_is_away_is_named_without_the_password_of_its_url(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_PROJECT", str(make_project(tmp_path)))
    monkeypatch.setenv("PREFECT_API_URL", f"http://ana:sesame@127.0.0.1:{free_port()}/api")

    assert main(["retrain", "flowers"]) == 2

    printed = capsys.readouterr().err
    assert printed.startswith("error: no Prefect server answers at 127.0.0.1:")
    assert "sesame" not in printed
