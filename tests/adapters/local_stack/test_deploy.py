"""Deployments on a Prefect server that `make up` did not start, and that asks for a password."""

from pathlib import Path

import pytest

from releve.cli.app import main
from tests.adapters.local_stack.small import write_project
from tests.prefect_server import prefect_serving


def test_without_a_server_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(["deploy"]) != 0
    assert "PREFECT_API_URL is not set" in capsys.readouterr().err


@pytest.mark.whole
def test_a_server_elsewhere_gets_pool_and_deployments_with_the_fork_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, home = tmp_path / "project", tmp_path / "home"
    project.mkdir()
    write_project(project)
    monkeypatch.chdir(project)
    monkeypatch.setenv("RELEVE_HOME", str(home))
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "client"))
    with prefect_serving(tmp_path / "server") as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)

        found = deployed(server, main(["deploy"]))

        assert [each["name"] for each in server.post("/work_pools/filter", {})] == ["local"]

    assert "retrain" in {name for name, _ in found}
    assert all(command.endswith(f"launcher {home}/run/forks prefect.engine") for _, command in found)


def deployed(server: object, code: int) -> set[tuple[str, str]]:
    assert code == 0
    found = server.post("/deployments/filter", {})  # type: ignore[attr-defined]
    return {(each["name"], each["job_variables"]["command"]) for each in found}
