import os
import subprocess
import sys

import pytest

from tasks.pipeline.stage import run
from tests.factories import make_project
from tests.tables import ROOT


def started(monkeypatch, *arguments, **environ):
    """What `python -m tasks.<step> <arguments>` gives a step."""
    seen = []
    monkeypatch.setattr(sys, "argv", ["step", *arguments])
    for name, value in environ.items():
        monkeypatch.setenv(name, str(value))
    run(seen.append)
    return seen[0]


def test_a_step_is_given_the_scenarios_params_schema_and_places(tmp_path, monkeypatch):
    project = make_project(tmp_path, max_rows=5)

    stage = started(monkeypatch, "flowers", RELEVE_PROJECT=project, RELEVE_HOME=tmp_path / "home")

    assert stage.params.service.max_rows == 5
    assert stage.schema.target.name == "kind"
    assert stage.files.folder == project / "scenarios" / "flowers"
    assert stage.settings.home == tmp_path / "home"


def test_without_a_variable_the_project_is_where_it_is_started(tmp_path, monkeypatch):
    project = make_project(tmp_path)
    monkeypatch.chdir(project)
    monkeypatch.delenv("RELEVE_PROJECT", raising=False)

    assert started(monkeypatch, "flowers").files.project == project


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "error: expected one argument, the scenario's name"),
        (["flowers", "more"], "error: expected one argument, the scenario's name"),
        (["weeds"], "error: there is no scenario 'weeds'"),
        (["../flowers"], "error: the scenario name '../flowers' is not allowed"),
    ],
)
def test_a_mistake_ends_the_step_with_a_sentence_and_an_exit_code(arguments, said, tmp_path, monkeypatch, capsys):
    project = make_project(tmp_path)

    with pytest.raises(SystemExit) as ended:
        started(monkeypatch, *arguments, RELEVE_PROJECT=project)

    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith(said)


def test_a_step_that_fails_shows_no_traceback_in_its_own_process(tmp_path):
    project = make_project(tmp_path)

    done = subprocess.run(
        [sys.executable, "-m", "tasks.pipeline.train", "flowers"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RELEVE_PROJECT": str(project)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "inputs.yaml is missing" in done.stderr


def test_an_error_that_no_person_can_fix_keeps_its_traceback(tmp_path, monkeypatch):
    monkeypatch.setenv("RELEVE_PROJECT", str(make_project(tmp_path)))
    monkeypatch.setattr(sys, "argv", ["step", "flowers"])

    with pytest.raises(ZeroDivisionError):
        run(lambda stage: 1 // 0)
