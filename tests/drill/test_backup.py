"""Backups made while commands work, and killed; restores that are killed: an empty machine becomes the same project."""

import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.drill.commands import COMMANDS, Command, check_that_the_release_answers, state_of, usual_end
from tests.drill.conftest import MOMENTS, Struck, chance
from tests.failures.processes import kill
from tests.failures.whole import check_nothing_left_behind
from tests.projects import Project, finish, harvested_project

BACKED_UP = ("ingest", "retrain: refresh", "release: refresh", "index moves", "compaction", "harvest", "erase")
IMPORT_SECONDS = 1.0  # that Python needs before it works
BACKUP_SECONDS, RESTORE_SECONDS = 4.0, 6.0  # within which each is killed, its imports left out


def start(project: Project, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "releve", *map(str, arguments)],
        cwd=project.root,
        env=project.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(project: Project, *arguments: object) -> str:
    code, output = finish(start(project, *arguments))
    assert code == 0, output
    return output


def empty_machine(place: Path, parent: Path) -> Project:
    """All that is left is the place of the backups."""
    newest = max(place.glob("*.json")).with_suffix(".bundle")
    subprocess.run(["git", "clone", "--quiet", newest, parent / "restored" / "project"], check=True)
    return Project(parent / "restored" / "project")


@pytest.mark.parametrize("part", range(MOMENTS))
@pytest.mark.parametrize("command", [each for each in COMMANDS if each.name in BACKED_UP], ids=lambda each: each.name)
def test_a_backup_made_while_a_command_works_is_a_project_in_which_the_same_command_completes(
    command: Command, part: int, work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    usual = usual_end(command, work_dir)
    project, place = command.project(work_dir, tmp_path), tmp_path / "backups"
    moment = usual.seconds * (part + chance("backup", command.name, part).random()) / MOMENTS
    process = project.start(command.step)
    assert process.stdout
    process.stdout.readline()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=moment)
    struck(command.name, "backed up beside it, and restored", process.poll() is None)
    backing_up = start(project, "backup", "--to", place)
    ends = [finish(each) for each in (process, backing_up)]
    restored = empty_machine(place, tmp_path)

    run(restored, "restore", "--from", place)
    check_that_the_release_answers(restored)
    with suppress(FileNotFoundError):  # what an erasure of the drill reads is no state of Relève's
        shutil.copy2(project.settings.home / "to-erase", restored.settings.home)
    restored.run(command.step)

    assert [code for code, _ in ends] == [0, 0], ends
    assert state_of(restored) == state_of(project) == usual.state
    check_nothing_left_behind(restored)


@pytest.mark.parametrize("part", range(MOMENTS))
def test_a_backup_that_was_killed_is_no_backup_and_the_next_one_is_whole(
    part: int, work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    project, place = harvested_project(work_dir).copy(tmp_path), tmp_path / "backups"
    strike(start(project, "backup", "--to", place), chance("backup", part).uniform(0, BACKUP_SECONDS), "backup", struck)
    half = [*place.glob("*.json")]

    run(project, "backup", "--to", place)
    restored = empty_machine(place, tmp_path)
    run(restored, "restore", "--from", place)

    assert len(half) <= 1  # it may have ended before it was killed
    assert state_of(restored) == state_of(project)


@pytest.mark.parametrize("part", range(MOMENTS))
def test_a_restore_that_was_killed_serves_nothing_half_and_the_same_command_completes_it(
    part: int, work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    project, place = harvested_project(work_dir).copy(tmp_path), tmp_path / "backups"
    run(project, "backup", "--to", place)
    restored = empty_machine(place, tmp_path)
    moment = chance("restore", part).uniform(0, RESTORE_SECONDS)
    strike(start(restored, "restore", "--from", place), moment, "restore", struck)

    check_that_the_release_answers(restored)
    again, output = finish(start(restored, "restore", "--from", place))

    assert again == 0 or "a backup is restored where nothing is yet" in output, output  # it had ended before
    assert state_of(restored) == state_of(project)
    assert "nothing" in run(restored, "tidy", "digits")


def strike(process: "subprocess.Popen[str]", moment: float, what: str, struck: Struck) -> None:
    """Kill a command of the project, its children too, so long after it began to work."""
    time.sleep(IMPORT_SECONDS)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=moment)
    struck(what, "killed with its children", process.poll() is None)
    kill(process, children_too=True)
