"""`releve up`, as far as nothing has to start for it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from releve.cli.app import main
from tests.factories import make_project
from tests.repositories import commit
from tests.serving.process import free_port


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project of three scenarios, whose parts cannot be started, since a port is taken."""
    project = make_project(tmp_path)
    own = (project / "scenarios" / "flowers" / "params.yaml").read_text()
    for name in ("herbs", "trees"):
        (project / "scenarios" / name).mkdir()
        (project / "scenarios" / name / "params.yaml").write_text(own)
    commit(project, "three scenarios")
    monkeypatch.setenv("RELEVE_PROJECT", str(project))
    monkeypatch.setenv("RELEVE_HOME", str(tmp_path / "var"))
    for name in ("RELEVE_PREFECT_PORT", "RELEVE_SERVICE_PORT"):
        monkeypatch.setenv(name, str(free_port()))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("RELEVE_MILVUS_PORT", str(taken.getsockname()[1]))
        yield project


def test_up_begins_with_a_line_for_each_scenario_whose_committed_params_are_wrong(project: Path, capsys) -> None:
    for name, line in (("herbs", "trigger: {min_new_rows: many}\n"), ("trees", "gate: {no_such_key: 1}\n")):
        with (project / "scenarios" / name / "params.yaml").open("a") as file:
            file.write(line)
    commit(project, "two mistakes")

    main(["up"])

    first, second, third = capsys.readouterr().err.splitlines()[:3]
    assert first.startswith("nothing runs for herbs, alone, until this is mended and committed")
    assert "min_new_rows" in first
    assert second.startswith("nothing runs for trees, alone, until this is mended and committed")
    assert "no_such_key" in second
    assert third.startswith("error: port")


def test_up_says_nothing_of_params_that_are_right_or_not_committed(project: Path, capsys) -> None:
    (project / "scenarios" / "herbs" / "params.yaml").write_text("gate: {no_such_key: 1}\n")

    main(["up"])

    assert capsys.readouterr().err.startswith("error: port")


def test_up_says_it_where_the_params_of_all_scenarios_are_wrong(project: Path, capsys) -> None:
    with (project / "params.yaml").open("a") as file:
        file.write("no_such_key: 1\n")
    commit(project, "a mistake")

    main(["up"])

    [first, *_] = capsys.readouterr().err.splitlines()
    assert first.startswith("nothing runs for any scenario until this is mended and committed: ")
    assert "no_such_key" in first
