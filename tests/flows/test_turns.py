"""Turns of many scenarios in one run: a failed one stops no other, and what is done is not done again."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prefect import State

from examples import fleet
from releve.adapters.local_stack import process as stack_process
from releve.adapters.local_stack.parts import PREFECT
from releve.adapters.registry.registry import Registry
from releve.core.settings import Settings
from releve.domain.registry.chain import CHALLENGED, MONITORED
from tasks.history import events_of
from tasks.places import start_page
from tasks.turn import take_turn
from tests import projects
from tests.processes import is_at_work
from tests.serving.process import wait_until

pytestmark = pytest.mark.whole


def three(project: Path, folder: Path) -> Settings:
    """A fleet of three; the first file of the second has no target, and the third has one file alone."""
    fleet.make_fleet(project, folder, 3, lambda line: None)
    deliveries = fleet.deliveries_of(folder)
    (deliveries / "diabetes_002" / "2.csv").unlink()
    (deliveries / "diabetes_002" / "1.csv").rename(folder / "good.csv")
    (deliveries / "diabetes_002" / "1.csv").write_text("age,sex\n1,2\n")
    (deliveries / "digits_003" / "2.csv").unlink()
    return fleet.settings_of(folder)


def run(settings: Settings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> State[Any]:
    from flows.turns import run_turns

    monkeypatch.setenv("RELEVE_PROJECT", str(settings.project))
    monkeypatch.setenv("RELEVE_HOME", str(settings.home))
    monkeypatch.setenv("RELEVE_MILVUS_URI", settings.milvus_uri)
    state: State[Any] = run_turns(fleet.fleet_names(settings), fleet.deliveries_of(folder))
    return state


def served(settings: Settings) -> dict[str, str]:
    """The digest of the model that serves each scenario."""
    registry = Registry(settings.registry_url)
    found = {name: registry.current(name) for name in fleet.fleet_names(settings)}
    return {name: current.release.model_digest for name, current in found.items() if current}


@pytest.mark.usefixtures("prefect_server")
def test_a_scenario_that_fails_stops_no_other_and_is_named_and_the_next_run_does_what_is_left(
    work_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "fleet"
    settings = three(projects.fresh_project(work_dir).root, folder)
    registry = Registry(settings.registry_url)

    first = run(settings, folder, monkeypatch)

    assert first.name == "Needs attention"
    assert "diabetes_002: " in first.message
    assert "1.csv" in first.message
    assert "3 scenarios: 2 with a new release, 0 without, 1 failed" in first.message
    assert served(settings).keys() == {"tumours_001", "digits_003"}
    assert len(events_of(registry, "tumours_001", MONITORED)) == 1  # between its two files
    assert len(events_of(registry, "tumours_001", CHALLENGED)) == 2
    assert "diabetes_002" in start_page(settings.home).read_text()

    os.replace(folder / "good.csv", fleet.deliveries_of(folder) / "diabetes_002" / "1.csv")
    second = run(settings, folder, monkeypatch)

    assert second.is_completed()
    assert "1 with a new release, 0 without, 0 failed, 2 done before" in second.message
    assert registry.current("diabetes_002")
    assert len(events_of(registry, "tumours_001", CHALLENGED)) == 2


def test_a_fleet_that_is_asked_to_end_stops_its_server_too_and_says_how_to_go_on(
    work_dir: Path, tmp_path: Path
) -> None:
    project = projects.fresh_project(work_dir)
    environ = project.environ | {"RELEVE_HOME": str(tmp_path / "home")}
    settings = fleet.settings_of(tmp_path / "home" / "fleet" / "1")
    lock = settings.home / "locks" / "tumours_001.lock"
    command = [sys.executable, "-m", "examples.fleet", "1"]

    with subprocess.Popen(command, cwd=projects.PROJECT, env=environ, stderr=subprocess.PIPE, text=True) as process:
        wait_until(lambda: lock.exists() and "turn of" in lock.read_text())
        server = stack_process.running(settings.home, PREFECT)
        process.terminate()
        _, told = process.communicate(timeout=120)

    assert process.returncode == 130
    assert "stopped; what is done is kept: make fleet N=1 goes on" in told
    assert server and not is_at_work(server.pid)


def test_a_turn_that_was_killed_before_its_release_is_ended_by_the_next_one(work_dir: Path, tmp_path: Path) -> None:
    project = projects.rivalled_project(work_dir).copy(tmp_path)
    judged = len(events_of(project.registry, "digits", CHALLENGED))

    turn = take_turn(project.settings, "digits")

    assert turn.serves == turn.challenger != ""
    assert len(events_of(project.registry, "digits", CHALLENGED)) == judged
