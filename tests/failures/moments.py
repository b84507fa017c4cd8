"""The worst moments to be killed at, each of which can be seen from outside."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from tests.failures.processes import descendants, kill, name_of
from tests.processes import command_line
from tests.projects import SCENARIO, Project, wait_for

Seen = Callable[[Project, "subprocess.Popen[str]"], bool]


@dataclass(frozen=True)
class Moment:
    """A state that can be seen from outside, and whom the kill hits: the run alone, or its children with it."""

    name: str
    seen: Seen
    children_too: bool = False


def runs(*words: str) -> Seen:
    """A child of the run has these words in its command, or is called so."""

    def seen(_project: Project, process: "subprocess.Popen[str]") -> bool:
        children = descendants(process)
        return any(set(words) <= set(known) for child in children for known in (command_line(child), name_of(child)))

    return seen


def holds(*parts: str) -> Seen:
    """There is such a file or folder in the project; a part may be a wildcard."""

    def seen(project: Project, _process: "subprocess.Popen[str]") -> bool:
        return any(project.root.glob("/".join(parts)))

    return seen


def branch_moved(project: Project, _process: "subprocess.Popen[str]") -> bool:
    ref = project.root / ".git" / "refs" / "heads" / "releve" / SCENARIO
    return ref.is_file() and ref.stat().st_mtime_ns > (project.state.home / "started").stat().st_mtime_ns


def registry_moved(project: Project, _process: "subprocess.Popen[str]") -> bool:
    return project.registry.current(SCENARIO) is not None


def by_name(*moments: Moment) -> dict[str, Moment]:
    return {moment.name: moment for moment in moments}


COLLECTIONS = ("var", "milvus.db", "collections")
WORKTREE = holds("var", "worktrees", SCENARIO, "scenarios")
INGEST = by_name(
    Moment("the worktree exists", WORKTREE),
    Moment("the cache has the rows", holds(".dvc", "cache", "files", "md5", "*", "*")),
    Moment("the rows are pushed, and the push is killed with it", runs("dvc", "push"), children_too=True),
    Moment("the rows are pushed", runs("dvc", "push")),
    Moment("the branch has moved", branch_moved, children_too=True),
    Moment("the first file was put away", holds("var", "ingested", SCENARIO, "*.parquet")),
)
RETRAIN = by_name(
    Moment("the worktree exists", WORKTREE),
    Moment("a stage runs", runs("train", SCENARIO)),
    Moment("a stage runs, and is killed with it", runs("train", SCENARIO), children_too=True),
    Moment("dvc ran the last stage", runs("package", SCENARIO)),
    Moment("the first file of the model is stored", holds("var", "bentoml", "models", SCENARIO, "*", "*")),
    Moment("the branch has moved", branch_moved),
)
RELEASE = by_name(
    Moment("the worktree exists", WORKTREE),
    Moment("the Bento is being built", runs("bentoml", "build"), children_too=True),
    Moment("the Bento is being built, and goes on", runs("bentoml", "build")),
    Moment("the first file of the Bento is there", holds("var", "bentoml", "bentos", "releve", "*", "*"), True),
    Moment("the index is being built", holds(*COLLECTIONS, "*")),
    Moment("the registry has moved", registry_moved),
)


def kill_at(project: Project, step: str, moment: Moment) -> None:
    (project.state.home / "started").touch()
    process = project.start(step)
    wait_for(lambda: moment.seen(project, process), during=process)
    kill(process, children_too=moment.children_too)
