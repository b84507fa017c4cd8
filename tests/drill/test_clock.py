"""A clock that was set back: all that is on record happened tomorrow, and the loop works on."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.registry.registry import Registry
from releve.domain.registry.chain import GENESIS, Event, event_hash
from tests.drill.commands import COMMANDS, Command, check_that_the_release_answers, state_of, usual_end
from tests.drill.conftest import Struck
from tests.failures.whole import check_nothing_left_behind
from tests.projects import NEW_WINDOW, SCENARIO, Project, harvested_project

AHEAD = timedelta(days=1)
WORKS = ("ingest", "retrain: refresh", "release: refresh", "rollback", "index moves", "arms: shadow", "erase", "tidy")


def set_clock_back(project: Project) -> None:
    """The same history, each event a day later, hashed as the registry would have then."""
    later, previous = list[Event](), GENESIS
    for event in project.registry.events(SCENARIO):
        at = (datetime.fromisoformat(event.at) + AHEAD).isoformat(timespec="microseconds")
        moved = replace(event, at=at, previous_hash=previous)
        moved = replace(moved, hash=event_hash(moved.as_dict()))
        later.append(moved)
        previous = moved.hash
    for name in ("registry.db", "registry.db-wal", "registry.db-shm"):
        (project.settings.home / name).unlink(missing_ok=True)
    with closing(Registry(project.settings.registry_url)) as registry:
        registry.restore({SCENARIO: later})


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.name in WORKS], ids=lambda each: each.name)
def test_a_command_ends_as_ever_after_the_clock_was_set_back(
    command: Command, work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    usual = usual_end(command, work_dir)
    project = command.project(work_dir, tmp_path)
    set_clock_back(project)
    struck(command.name, "clock set back by a day", True)

    project.run(command.step)

    check_that_the_release_answers(project)
    assert state_of(project) == usual.state
    check_nothing_left_behind(project)


def test_answers_of_tomorrow_are_read_and_stay_until_their_day_is_over(
    work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    project = harvested_project(work_dir).copy(tmp_path)
    project.answer(NEW_WINDOW, slice(60, 80), at=datetime.now(UTC) + AHEAD, labelled=20)
    before = LedgerReader(project.state.ledger).answers().ids
    struck("compaction", "clock set back by a day", True)

    project.run("compact")
    project.answer(NEW_WINDOW, slice(80, 85), at=datetime.now(UTC), labelled=5)
    project.run("harvest")

    after = LedgerReader(project.state.ledger).answers().ids
    assert {*before} < {*after} and len(after) == len(before) + 5
    assert project.batches[-1].rows == 25
    assert [path.suffix for path in project.state.ledger.glob("answers-*")].count(".jsonl") == 2


def test_the_history_says_what_served_by_the_clocks_of_then(work_dir: Path, tmp_path: Path, struck: Struck) -> None:
    command = next(each for each in COMMANDS if each.name == "rollback")
    project = command.project(work_dir, tmp_path)
    set_clock_back(project)
    before = project.registry.current(SCENARIO)
    project.run(command.step)
    struck("history", "clock set back by a day", True)
    registry = project.registry

    now, later = (registry.at(SCENARIO, datetime.now(UTC) + ahead) for ahead in (timedelta(minutes=5), 2 * AHEAD))

    assert before is not None and now is not None
    assert registry.current(SCENARIO) == now == later
    assert now.release.model != before.release.model
    assert json.dumps([event.number for event in registry.events(SCENARIO)]) == json.dumps(
        list(range(1, len(registry.events(SCENARIO)) + 1))
    )
