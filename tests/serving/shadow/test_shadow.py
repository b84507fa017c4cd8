"""Shadows: a challenger is asked aside what its champion was asked, by a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
import yaml

from releve.adapters.local_stack.parts import SHADOW_READY
from releve.adapters.models.model_runtime import load
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.core.settings import Settings
from releve.domain.arms.arms import ArmMode, ArmsEnded, ArmsStarted, GuardKind
from releve.domain.arms.guards import MIN_FAILURES
from releve.domain.prediction_log.hidden import HiddenCells
from releve.domain.registry.chain import ARMS_ENDED
from releve.domain.registry.events import ModelReleased
from releve.serving.shadow.process import ShadowProcess
from releve.serving.shadow.shadow import BEHIND_SECONDS
from tests.factories import PROJECT, SCENARIO, make_project, make_release, make_row, make_stored_model
from tests.serving.arms.worker import CHALLENGER, CHAMPION, Worker
from tests.serving.conftest import registry_of, release_first
from tests.serving.process import running_process, serving, wait_until

MakeProcess = Callable[[], ShadowProcess]


class Clock:
    """The time of day, moved."""

    moved = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.moved


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(worker: Worker, clock: Clock) -> Iterator[MakeProcess]:
    """Starts a process that knows what the registry says."""
    started = []

    def of() -> ShadowProcess:
        settings = Settings.from_environ({"RELEVE_HOME": str(worker.home)}, cwd=worker.home / "project")
        started.append(ShadowProcess(settings, registry_of(worker.home), clock=clock))
        started[-1].follow()
        return started[-1]

    yield of
    for each in started:
        each.close()


def ask(worker: Worker, *lengths: float) -> None:
    for length in lengths:
        assert worker.ask("/predict", {"rows": [make_row(length=length)]}).status == 200


def ledger(home: Path) -> LedgerReader:
    return LedgerReader(home / "ledger" / SCENARIO)


def requests_of(home: Path) -> list[str]:
    """The requests that were answered, in time order."""
    return [row_id.rpartition(".")[0] for row_id in ledger(home).answers().ids]


def asked_aside(home: Path) -> list[str]:
    return [line.of for line in ledger(home).shadows()]


def test_the_challenger_is_asked_what_the_champion_was_asked(worker, start):
    ask(worker, 1.0)  # before there was a challenger
    worker.start_arms(ArmMode.SHADOW)
    process = start()

    ask(worker, 1.0, 5.0, 9.0)
    assert process.answer()

    lines = ledger(worker.home).shadows()
    assert [line.of for line in lines] == requests_of(worker.home)[1:]
    assert {(line.model, line.index, line.error) for line in lines} == {(CHALLENGER, "releve_flowers_two", "")}
    assert [line.labels for line in lines] == [[0], [1], [2]]
    assert all(abs(sum(line.probabilities[0]) - 1) < 1e-5 and line.latency_ms > 0 for line in lines)
    assert set(ledger(worker.home).answers().models) == {CHAMPION}


def test_another_process_goes_on_where_one_was_killed(worker, start):
    worker.start_arms(ArmMode.SHADOW)
    first = start()
    ask(worker, 1.0, 2.0)
    first.answer()  # it is never closed before the next one starts
    ask(worker, 3.0)

    second = start()
    second.answer()
    ask(worker, 4.0)
    second.answer()

    assert asked_aside(worker.home) == requests_of(worker.home)


def test_what_is_too_old_is_left_out_and_counted(worker, start, clock):
    worker.start_arms(ArmMode.SHADOW)
    process = start()
    ask(worker, 1.0, 2.0)
    clock.moved = timedelta(seconds=BEHIND_SECONDS + 1)

    process.answer()

    assert asked_aside(worker.home) == []
    assert process.shadows[SCENARIO].dropped == 2


def test_it_follows_the_registry(worker, start):
    process = start()
    assert process.shadows == {}

    number = worker.start_arms(ArmMode.SHADOW)
    process.follow()
    assert process.shadows[SCENARIO].running.number == number

    worker.start_arms(ArmMode.CANARY, 0.1)
    process.follow()
    assert process.shadows == {}

    worker.start_arms(ArmMode.SHADOW)
    release_first(worker.home, worker.challenger)
    process.follow()
    assert process.shadows == {}


def test_a_challenger_that_cannot_be_loaded_is_ended_by_the_guard(worker, start):
    worker.start_arms(ArmMode.SHADOW, model_digest="0" * 64)
    process = start()

    ask(worker, *range(1, MIN_FAILURES + 1))
    process.answer()
    process.follow()

    assert worker.registry.arms(SCENARIO) is None
    (event,) = worker.registry.events(SCENARIO, kinds=[ARMS_ENDED])
    assert event.read(ArmsEnded).guard.kind is GuardKind.ERROR_RATE
    lines = ledger(worker.home).shadows()
    assert [line.labels for line in lines] == [[]] * MIN_FAILURES
    assert all("flowers:two" in line.error for line in lines)


def test_an_answer_after_the_deadline_is_none(worker, start):
    described = worker.home / "project" / "scenarios" / SCENARIO / "params.yaml"
    values = yaml.safe_load(described.read_text()) | {"arms": {"deadline_ms": 0.0001}}
    described.write_text(yaml.safe_dump(values))
    worker.start_arms(ArmMode.SHADOW)
    process = start()

    ask(worker, 1.0)
    process.answer()

    (line,) = ledger(worker.home).shadows()
    assert line.labels == [] and "more than 0.0001 (params.yaml: arms.deadline_ms)" in line.error


def test_a_challenger_is_never_asked_a_hash_in_the_place_of_a_cell(worker, start):
    served = worker.scenarios.get(SCENARIO)
    length = next(column for column in served.served.schema.features if column.name == "length")
    worker.start_arms(ArmMode.SHADOW)
    process = start()
    served.ledger.hidden = HiddenCells(b"key", {"length": length}, frozenset())

    ask(worker, 1.0)
    process.answer()

    (line,) = ledger(worker.home).shadows()
    assert line.labels == [] and "length" in line.error and "missing" in line.error


def test_what_is_wrong_with_one_scenario_stops_no_other(worker, start):
    other = "a_flower"  # before flowers, in whatever order
    release = make_release(worker.challenger, scenario=other, model=f"{other}:one")
    served = ModelReleased(release=release)
    worker.registry.move(other, served, expected=None, reason="a test", actor="tests")
    started = ArmsStarted(
        mode=ArmMode.SHADOW,
        challenger=release.model_copy(update={"model": f"{other}:two"}),
        champion=release.model,
        share=0,
    )
    worker.registry.start_arms(other, started, expected=None, reason="a test", actor="tests")
    settings = worker.home / "project" / "scenarios" / other / "params.yaml"
    settings.parent.mkdir()
    settings.write_text("arms: {mode: nonsense}")
    worker.start_arms(ArmMode.SHADOW)

    process = start()
    ask(worker, 1.0)
    process.answer()

    assert asked_aside(worker.home) == requests_of(worker.home)


def test_a_second_process_for_the_same_state_is_refused(worker, tmp_path: Path):
    command = [sys.executable, "-m", "releve.serving.shadow"]
    environ = {"RELEVE_HOME": str(worker.home), "RELEVE_PROJECT": str(worker.home / "project")}
    log = tmp_path / "shadow.log"
    with running_process(command, log, cwd=PROJECT, environ=environ):
        wait_until(lambda: SHADOW_READY in log.read_text(), log)

        second = subprocess.run(
            command, cwd=PROJECT, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60
        )

    assert second.returncode == 1
    assert second.stderr.strip() == f"another process asks the challengers of {worker.home} already"


@pytest.mark.slow
def test_beside_a_real_service_each_answer_is_asked_once_though_it_is_killed(tmp_path: Path):
    project, stored = make_project(tmp_path), make_stored_model(tmp_path, "two", seed=8)
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    started = ArmsStarted(mode=ArmMode.SHADOW, challenger=make_release(stored), champion=CHAMPION, share=0)
    registry = registry_of(tmp_path)
    registry.start_arms(SCENARIO, started, expected=None, reason="a test", actor="tests")
    registry.close()
    command = [sys.executable, "-m", "releve.serving.shadow"]
    environ = {"RELEVE_HOME": str(tmp_path), "RELEVE_PROJECT": str(project)}
    logs = [tmp_path / "first.log", tmp_path / "second.log"]

    with serving(tmp_path, project) as address, httpx.Client(base_url=address, timeout=30) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        with running_process(command, logs[0], cwd=PROJECT, environ=environ) as pid:
            wait_until(lambda: SHADOW_READY in logs[0].read_text(), logs[0])
            for number in range(200):
                assert client.post("/predict", json={"rows": [make_row(length=number % 10)]}).is_success
                if number == 100:
                    wait_until(lambda: asked_aside(tmp_path) != [], seconds=30)
                    os.kill(pid, signal.SIGKILL)
        with running_process(command, logs[1], cwd=PROJECT, environ=environ):
            wait_until(lambda: len(asked_aside(tmp_path)) >= 200, logs[1], seconds=30)

    lines = ledger(tmp_path).shadows()
    assert sorted(line.of for line in lines) == sorted(requests_of(tmp_path))
    assert {(line.model, line.error) for line in lines} == {(CHALLENGER, "")}
    challenger = load(stored.path, tag=stored.tag)
    assert {line.model for line in lines} == {challenger.tag}
