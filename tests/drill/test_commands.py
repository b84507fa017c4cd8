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
from signal import SIGKILL

import psutil
import pytest

from tests.drill.boundaries import dying_before
from tests.drill.commands import COMMANDS, Command, check_that_the_release_answers, state_of, usual_end
from tests.drill.conftest import LONGEST, MOMENTS, Struck, chance
from tests.failures.processes import descendants, kill
from tests.failures.whole import check_nothing_left_behind
from tests.projects import SCENARIO, Project, finish

REGISTRY_FILES = ("registry.db", "registry.db-wal", "registry.db-shm")


class Trouble(StrEnum):
    """What happens to a command."""

    KILLED = "killed"
    ALL_KILLED = "killed with its children"
    BOUNDARY = "killed before it moves a file, or starts a program"
    CHILDREN = "its children killed"
    NO_ROOM = "no room on the disk from then on"
    REGISTRY = "registry moved away, and put back afterwards"
    REMOTE = "data remote lost, and put back afterwards"
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


def kill_children(project: Project, step: str, process: "subprocess.Popen[str]") -> None:
    """DVC, git or a stage is gone, and the command has to make something of it."""
    for child in descendants(process):
        with suppress(psutil.NoSuchProcess):
            child.kill()
    finish(process)


def lose_remote(project: Project, step: str, process: "subprocess.Popen[str]") -> None:
    """A file stands in its place, so that nobody begins a new one there."""
    remote, aside = project.settings.home / "dvc-remote", project.root.parent / "aside"
    with suppress(FileNotFoundError):
        remote.rename(aside)
    with suppress(OSError):
        remote.touch()
    finish(process)
    if remote.is_file():
        remote.unlink()
    if aside.exists():
        aside.rename(remote)


def start_twice(project: Project, step: str, process: "subprocess.Popen[str]") -> None:
    second = project.start(step)
    ends = [finish(process), finish(second)]
    assert [code for code, _ in ends] == [0, 0], ends


STRIKES: dict[Trouble, Callable[[Project, str, "subprocess.Popen[str]"], None]] = {
    Trouble.KILLED: lambda project, step, process: kill(process, children_too=False),
    Trouble.ALL_KILLED: lambda project, step, process: kill(process, children_too=True),
    Trouble.BOUNDARY: lambda project, step, process: kill(process, children_too=False),
    Trouble.CHILDREN: kill_children,
    Trouble.NO_ROOM: starve,
    Trouble.REGISTRY: move_registry,
    Trouble.REMOTE: lose_remote,
    Trouble.TWICE: start_twice,
}
CASES = [
    (command, trouble, part)
    for part in range(MOMENTS)
    for command in COMMANDS
    for trouble in Trouble
    if not (command.undoes_itself and trouble is Trouble.TWICE)  # two of them end where they began
]


@pytest.mark.parametrize(("command", "trouble", "part"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_the_same_command_again_completes(
    command: Command, trouble: Trouble, part: int, work_dir: Path, tmp_path: Path, struck: Struck
) -> None:
    usual = usual_end(command, work_dir)
    project = command.project(work_dir, tmp_path)
    served = project.registry.current(SCENARIO)
    share = (part + chance(command.name, trouble, part).random()) / MOMENTS
    number, moment = 1 + int(usual.boundaries * share), usual.seconds * share
    if at_boundary := trouble is Trouble.BOUNDARY:
        moment = LONGEST
    process = project.start(command.step, before=dying_before(number, project.root) if at_boundary else "")
    assert process.stdout
    process.stdout.readline()  # from here on it works
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=moment)
    ended = process.poll()
    struck(command.name, trouble.value, ended == -SIGKILL if at_boundary else ended is None)
    STRIKES[trouble](project, command.step, process)

    check_that_the_release_answers(project)
    if not command.undoes_itself or project.registry.current(SCENARIO) == served:  # else it would be undone
        project.run(command.step)

    assert state_of(project) == usual.state
    check_nothing_left_behind(project)
