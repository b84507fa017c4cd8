"""What one look at all scenarios sees, of a real registry and real folders, and what it does not read again."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.git_dvc import scenario_branch
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.registry.chain import INGESTED, SILENT
from releve.domain.registry.events import ModelReleased
from releve.domain.scheduling.due import DueReason, ScenarioEvents
from releve.domain.trigger.monitoring_run import MonitoringRun
from tasks.fleet import FleetLook, look_at_all, memory_path, note_silence
from tasks.places import ScenarioState
from tests.adapters.local_stack.small import commit
from tests.events import make_any_release, make_ingested
from tests.factories import SCENARIO, make_project
from tests.page_histories import make_run

OTHER = "other"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two scenarios without any state."""
    project = make_project(tmp_path)
    shutil.copytree(project / "scenarios" / SCENARIO, project / "scenarios" / OTHER)
    commit(project)
    return Settings.from_environ({}, cwd=project)


@pytest.fixture
def registry(settings: Settings) -> Iterator[Registry]:
    with closing(Registry(settings.registry_url)) as registry:
        yield registry


def later(hours: float = 0.0) -> datetime:
    return datetime.now(UTC) + timedelta(hours=hours)


def look(settings: Settings, hours: float = 0.0) -> FleetLook:
    return look_at_all(settings, now=later(hours))


def due(settings: Settings, hours: float = 0.0) -> dict[str, tuple[str, DueReason]]:
    return {name: (each.flow, each.reason) for name, each in look(settings, hours).due.items()}


def release(registry: Registry, scenario: str = SCENARIO) -> None:
    released = ModelReleased(release=make_any_release(f"{scenario}:abc"))
    registry.move(scenario, released, expected=None, reason="", actor="a test")


def monitor(registry: Registry, scenario: str = SCENARIO) -> None:
    run = make_run(model=f"{scenario}:abc").model_copy(update={"scenario": scenario})
    registry.append(scenario, MonitoringRun.model_validate(run.model_dump()), reason="", actor="a test")


def edit(settings: Settings, text: str, scenario: str = SCENARIO) -> None:
    with (settings.project / "scenarios" / scenario / "params.yaml").open("a") as params:
        params.write(f"{text}\n")


def test_scenarios_without_anything_to_do_start_nothing(settings: Settings) -> None:
    seen = look(settings)

    assert (seen.due, seen.unreadable) == ({}, ())
    assert {*seen.facts} == {*seen.schedules} == {SCENARIO, OTHER}


def test_a_waiting_file_is_seen_again_only_once_it_has_changed(settings: Settings) -> None:
    incoming = ScenarioState(settings.home, SCENARIO).incoming
    incoming.mkdir(parents=True)
    (incoming / ".half.csv").touch()
    assert due(settings) == {}

    (incoming / "rows.csv").write_text("a")
    first, again = look(settings), look(settings)
    (incoming / "rows.csv").write_text("ab")
    changed = look(settings)

    assert {name: each.flow for name, each in first.due.items()} == {SCENARIO: "ingest"}
    assert first.facts[SCENARIO].waiting == again.facts[SCENARIO].waiting != changed.facts[SCENARIO].waiting


def test_events_are_read_when_there_are_new_ones_and_kept_when_there_are_none(
    settings: Settings, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(registry)
    release(registry, OTHER)
    monitor(registry)
    look(settings)
    read: list[str] = []
    newest = Registry.newest

    def reading(self: Registry, scenario: str, **options: Any) -> Any:
        read.append(scenario)
        return newest(self, scenario, **options)

    monkeypatch.setattr(Registry, "newest", reading)

    look(settings)
    registry.append(SCENARIO, make_ingested(rows=90), reason="", actor="a test")
    seen = look(settings)

    assert read == [SCENARIO]
    assert {name: (each.flow, each.reason) for name, each in seen.due.items()} == {
        SCENARIO: ("lifecycle", DueReason.REFRESH)
    }
    assert seen.facts[OTHER].events.serves_since is not None


def test_params_are_read_once_for_each_commit_by_one_git(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    run = scenario_branch._run

    def counting(command: list[str], *arguments: Any, **options: Any) -> Any:
        called.append(next(each for each in command[1:] if each in ("cat-file", "rev-parse")))
        return run(command, *arguments, **options)

    monkeypatch.setattr(scenario_branch, "_run", counting)

    look(settings)
    look(settings)
    edit(settings, "schedule: {cron: '30 2 * * *'}")
    uncommitted = look(settings)
    commit(settings.project)
    committed = look(settings)

    assert called == ["rev-parse", "cat-file", "rev-parse", "rev-parse", "rev-parse", "cat-file"]
    assert not uncommitted.facts[SCENARIO].plan.has_cron
    assert committed.facts[SCENARIO].plan.has_cron
    assert committed.schedules[SCENARIO] != uncommitted.schedules[SCENARIO]


def test_a_folder_is_offered_before_it_is_committed_and_gone_with_it(settings: Settings) -> None:
    look(settings)
    folder = settings.project / "scenarios" / "new"
    shutil.copytree(settings.project / "scenarios" / SCENARIO, folder)
    new = look(settings)
    commit(settings.project)
    committed = look(settings)
    shutil.rmtree(folder)

    assert new.schedules["new"] is None
    assert "new" not in new.facts
    assert new.unreadable == ()
    assert committed.schedules["new"] is not None
    assert "new" not in look(settings).schedules


def test_a_scenario_whose_params_are_wrong_is_named_once_as_news_and_spoils_no_other(settings: Settings) -> None:
    edit(settings, "schedule: {cron: '99 * * * *'}")
    commit(settings.project)

    first, again = look(settings), look(settings)

    assert first.unreadable == again.unreadable == (SCENARIO,)
    assert (first.unreadable_is_news, again.unreadable_is_news) == (True, False)
    assert {*first.facts} == {OTHER}


@pytest.mark.parametrize("payload", ["[", "{}"])
def test_a_scenario_whose_history_was_changed_is_named_once_as_news_and_spoils_no_other(
    settings: Settings, registry: Registry, payload: str
) -> None:
    for scenario in (SCENARIO, OTHER):
        release(registry, scenario)
        registry.append(scenario, make_ingested(), reason="", actor="a test")
    with closing(sqlite3.connect(settings.home / "registry.db")) as database, database:
        changed = "UPDATE events SET payload = ? WHERE scenario = ? AND kind = ?"
        database.execute(changed, (payload, SCENARIO, INGESTED))

    first, again = look(settings, 48), look(settings, 48)

    assert first.unreadable == again.unreadable == (SCENARIO,)
    assert (first.unreadable_is_news, again.unreadable_is_news) == (True, False)
    assert {*first.due} == {OTHER}


@pytest.mark.parametrize("name", ["churn copy", "Churn", ".ipynb_checkpoints", "$(ls)"])
def test_a_folder_whose_name_is_not_allowed_is_no_scenario_and_stops_no_look(settings: Settings, name: str) -> None:
    shutil.copytree(settings.project / "scenarios" / SCENARIO, settings.project / "scenarios" / name)
    commit(settings.project)

    seen = look(settings)

    assert {*seen.facts} == {*seen.schedules} == {SCENARIO, OTHER}


def test_a_link_to_nothing_waits_like_a_file(settings: Settings) -> None:
    incoming = ScenarioState(settings.home, SCENARIO).incoming
    incoming.mkdir(parents=True)
    (incoming / "rows.csv").symlink_to("gone.csv")

    assert due(settings) == {SCENARIO: ("ingest", DueReason.FILES)}


def test_a_day_after_a_monitoring_run_the_whole_loop_is_due(settings: Settings, registry: Registry) -> None:
    release(registry)
    monitor(registry)

    assert due(settings, hours=21.9) == {}
    assert due(settings, hours=22.1) == {SCENARIO: ("lifecycle", DueReason.MONITORING)}


def test_a_silence_is_written_down_once_a_day_until_a_run_ends_it(settings: Settings, registry: Registry) -> None:
    with closing(Registry(settings.registry_url, clock=lambda: later(-25.1))) as of_yesterday:
        release(of_yesterday)

    def note(hours: float) -> bool:
        return note_silence(settings, SCENARIO, look(settings, hours).facts[SCENARIO], now=later(hours))

    assert [note(-0.2), note(0), note(0.2), note(23.1)] == [False, True, False, True]
    assert [event.payload["hours"] for event in registry.events(SCENARIO, kinds=[SILENT])] == [
        pytest.approx(25.1, abs=0.1),
        pytest.approx(48.2, abs=0.1),
    ]
    monitor(registry)
    assert look(settings).facts[SCENARIO].events.silent_at is None


def test_a_damaged_memory_is_made_anew(settings: Settings) -> None:
    look(settings)
    memory_path(settings.home).write_text("{")

    assert {*look(settings).facts} == {SCENARIO, OTHER}
    assert memory_path(settings.home).read_text() != "{"


def test_the_age_of_the_memory_is_the_age_of_the_last_look(settings: Settings) -> None:
    look(settings)
    os.utime(memory_path(settings.home), (0, 0))

    look(settings)

    assert memory_path(settings.home).stat().st_mtime > 0


def test_where_nothing_is_committed_it_is_said_how(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()

    with pytest.raises(BadInput, match="git init"):
        look(Settings.from_environ({}, cwd=tmp_path))


def test_a_scenario_without_events_serves_nothing(settings: Settings) -> None:
    assert look(settings).facts[SCENARIO].events == ScenarioEvents()
