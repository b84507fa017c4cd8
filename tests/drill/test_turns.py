"""Turns of a fleet taken by workers of Dask, of which one is killed at its work."""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import projects
from tests.clusters import running_cluster
from tests.drill.conftest import Struck
from tests.flows.conftest import prefect_server  # noqa: F401 - a fixture
from tests.flows.test_turns import run, served, three
from tests.repositories import commit
from tests.serving.process import wait_until


@pytest.mark.usefixtures("prefect_server")
def test_another_worker_takes_the_turn_of_one_that_was_killed_and_the_models_are_those_of_this_machine(
    work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, struck: Struck
) -> None:
    project = projects.fresh_project(work_dir).root
    here, there = tmp_path / "here", tmp_path / "there"
    settings, elsewhere = three(project, here), three(project, there)
    on_this_machine = run(settings, here, monkeypatch)
    with running_cluster(workers=2) as cluster:
        params = elsewhere.project / "params.yaml"
        params.write_text(params.read_text().replace('address: ""', f"address: {cluster.address}"))
        commit(elsewhere.project, "on Dask")
        lock = elsewhere.home / "locks" / "digits_003.lock"

        def kill_who_is_at_work() -> None:
            wait_until(lambda: lock.exists() and "turn of" in lock.read_text())
            os.kill(int(re.findall(r"pid (\d+)", lock.read_text())[0]), signal.SIGKILL)

        with ThreadPoolExecutor(1) as killing:
            killed = killing.submit(kill_who_is_at_work)
            on_dask = run(elsewhere, there, monkeypatch)
            killed.result()
        alive = [worker.poll() is None for worker in cluster.workers]

    struck("a worker of Dask", "killed at the turn of a scenario", sorted(alive) == [False, True])
    assert sorted(alive) == [False, True]
    for state in (on_this_machine, on_dask):
        assert state.name == "Needs attention"
        assert "diabetes_002: " in state.message
        assert "3 scenarios: 2 with a new release, 0 without, 1 failed" in state.message
    assert served(elsewhere) == served(settings) != {}
