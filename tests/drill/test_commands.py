"""Each command, struck at moments drawn at random from its whole duration: the same command again completes it.

Complete is the state in which the command ends undisturbed: every row is a batch's or quarantined, the history holds,
and the models, Bentos and indexes are the same.
"""

import resource
import subprocess
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

import pytest

from tests.drill.commands import COMMANDS, Command, check_that_the_release_answers, state_of, usual_end
from tests.drill.conftest import MOMENTS, Struck, chance
from tests.failures.processes import descendants, kill
from tests.failures.whole import check_nothing_left_behind
from tests.projects import SCENARIO, Project, finish

REGISTRY_FILES = ("registry.db", "registry.db-wal", "registry.db-shm")


class Trouble(StrEnum):
    """What happens to a command."""

    KILLED = "killed"
    ALL_KILLED = "killed with its children"
    NO_ROOM = "no room on the disk from then on"
    REGISTRY = "registry moved away, and put back afterwards"
    TWICE = "the same command beside it"


def starve(project: Project, step: str, process: "subprocess.Popen[str]") -> None:
    """No file grows any more: what a full disk is to whoever writes, and needs no rights."""
    for each in (process.pid, *(child.pid for child in descendants(process))):
        with suppress(ProcessLookupError):
            resource.prlimit(each, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    finish(process)


def move_registry(project: Project, step: str, process: "subprocess.Popen[str]") -> None:
    home, aside = project.settings.home, project.root.parent / "aside"
    aside.mkdir()
    for name in REGISTRY_FILES:
        with suppress(FileNotFoundError):
            (home / name).rename(aside / name)
    finish(process)
    for name in REGISTRY_FILES:
        (home / name).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            (aside / name).rename(home / name)


def start_twice(project: Project, step: str, process: "subprocess.Popen[str]") -> None:
    second = project.start(step)
    ends = [finish(process), finish(second)]
    assert [code for code, _ in ends] == [0, 0], ends


STRIKES: dict[Trouble, Callable[[Project, str, "subprocess.Popen[str]"], None]] = {
    Trouble.KILLED: lambda project, step, process: kill(process, children_too=False),
    Trouble.ALL_KILLED: lambda project, step, process: kill(process, children_too=True),
    Trouble.NO_ROOM: starve,
    Trouble.REGISTRY: move_registry,
    Trouble.TWICE: start_twice,
}
CASES = [
    (command, trouble, part)
    for part in range(MOMENTS)
    for command in COMMANDS
    for trouble in Trouble
    if (command.step, trouble) != ("rollback", Trouble.TWICE)  # two of them end where they began
]


@pytest.mark.parametrize(("command", "trouble", "part"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_the_same_command_again_completes(
    command: Command, trouble: Trouble, part: int, work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    usual = usual_end(command, work_dir)
    project = command.project(work_dir, tmp_path)
    served = project.registry.current(SCENARIO)
    moment = usual.seconds * (part + chance(command.name, trouble, part).random()) / MOMENTS
    process = project.start(command.step)
    assert process.stdout
    process.stdout.readline()  # from here on it works
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=moment)
    struck(command.name, trouble.value, process.poll() is None)
    STRIKES[trouble](project, command.step, process)

    check_that_the_release_answers(project)
    if command.step != "rollback" or project.registry.current(SCENARIO) == served:  # else it would be undone
        project.run(command.step)

    assert state_of(project) == usual.state
    check_nothing_left_behind(project)
