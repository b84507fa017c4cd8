"""Turns of many scenarios in one run: a failed one stops no other, and what is done is not done again."""

import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from examples import fleet
from releve.adapters.registry.registry import Registry
from releve.core.settings import Settings
from releve.domain.registry.chain import CHALLENGED, MONITORED
from tasks.history import events_of
from tasks.places import start_page
from tasks.turn import take_turn
from tests import projects
from tests.clusters import running_cluster
from tests.repositories import commit
from tests.serving.process import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def three(work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Settings]:
    """A fleet of three; the first file of the second has no target, and the third has one file alone."""
    folder = tmp_path / "3"
    fleet.make_fleet(projects.fresh_project(work_dir).root, folder, 3, lambda line: None)
    settings = fleet.settings_of(folder)
    monkeypatch.setenv("RELEVE_PROJECT", str(settings.project))
    monkeypatch.setenv("RELEVE_HOME", str(settings.home))
    monkeypatch.setenv("RELEVE_MILVUS_URI", settings.milvus_uri)
    deliveries = fleet.deliveries_of(folder)
    (deliveries / "diabetes_002" / "2.csv").unlink()
    (deliveries / "diabetes_002" / "1.csv").rename(tmp_path / "good.csv")
    (deliveries / "diabetes_002" / "1.csv").write_text("age,sex\n1,2\n")
    (deliveries / "digits_003" / "2.csv").unlink()
    return folder, settings


@pytest.mark.usefixtures("prefect_server")
def test_a_scenario_that_fails_stops_no_other_and_is_named_and_the_next_run_does_what_is_left(
    three: tuple[Path, Settings], tmp_path: Path
) -> None:
    from flows.turns import run_turns

    folder, settings = three
    names, deliveries = fleet.fleet_names(settings), fleet.deliveries_of(folder)
    registry = Registry(settings.registry_url)

    first = run_turns(names, deliveries, at_once=2)

    assert first.name == "Needs attention"
    assert "diabetes_002: " in first.message
    assert "1.csv" in first.message
    assert "3 scenarios: 2 with a new release, 0 without, 1 failed" in first.message
    assert not registry.current("diabetes_002")
    assert registry.current("digits_003")
    assert len(events_of(registry, "tumours_001", MONITORED)) == 1  # between its two files
    assert len(events_of(registry, "tumours_001", CHALLENGED)) == 2
    assert "diabetes_002" in start_page(settings.home).read_text()

    os.replace(tmp_path / "good.csv", deliveries / "diabetes_002" / "1.csv")
    second = run_turns(names, deliveries, at_once=2)

    assert second.is_completed()
    assert "1 with a new release, 0 without, 0 failed, 2 done before" in second.message
    assert registry.current("diabetes_002")
    assert len(events_of(registry, "tumours_001", CHALLENGED)) == 2


@pytest.mark.usefixtures("prefect_server")
def test_workers_of_dask_take_turns_and_what_one_died_of_is_taken_again_by_another(
    three: tuple[Path, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same models as this process makes; a scenario that fails is named, and one worker is killed at its work."""
    from flows.turns import run_turns

    folder, settings = three
    names, deliveries = fleet.fleet_names(settings), fleet.deliveries_of(folder)
    registry = Registry(settings.registry_url)
    with running_cluster(workers=2) as cluster:
        params = settings.project / "params.yaml"
        params.write_text(params.read_text().replace('address: ""', f"address: {cluster.address}"))
        commit(settings.project, "on Dask")
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(run_turns, names, deliveries)
            lock = settings.home / "locks" / "digits_003.lock"
            wait_until(lambda: lock.exists() and "turn of" in lock.read_text())
            os.kill(int(re.findall(r"pid (\d+)", lock.read_text())[0]), signal.SIGKILL)
            done = running.result()
        ended = [worker.poll() is not None for worker in cluster.workers]

    assert sum(ended) == 1
    assert done.name == "Needs attention"
    assert "diabetes_002: " in done.message
    assert "3 scenarios: 2 with a new release, 0 without, 1 failed" in done.message
    assert registry.current("digits_003")
    assert len(events_of(registry, "tumours_001", CHALLENGED)) == 2


def test_a_turn_that_was_killed_before_its_release_is_ended_by_the_next_one(work_dir: Path, tmp_path: Path) -> None:
    project = projects.rivalled_project(work_dir).copy(tmp_path)
    judged = len(events_of(project.registry, "digits", CHALLENGED))

    turn = take_turn(project.settings, "digits")

    assert turn.serves == turn.challenger != ""
    assert len(events_of(project.registry, "digits", CHALLENGED)) == judged
