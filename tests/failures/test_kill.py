"""Runs that are killed at the worst moments. The same command again completes: nothing is lost, nothing is twice."""

import random
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest

from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_store import ModelStore
from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.registry.chain import CHALLENGED, INGESTED, MOVES, RELEASED
from tasks.release.retrain import last_challenger
from tests.projects import SCENARIO, Project, challenged_project, fresh_project, ingested_project, wait_for

pytestmark = pytest.mark.slow

WINDOWS = (1, 2, 3)
ROWS = 269
RANDOM_KILLS = 5
LATEST_KILL = {"ingest": 4.0, "retrain": 12.0, "release": 4.0}  # seconds after the start

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
        return any(set(words) <= set(known) for child in children for known in (command_of(child), name_of(child)))

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


COLLECTIONS = ("var", "milvus.db", "collections")
WORKTREE = holds("var", "worktrees", SCENARIO, "scenarios")
INGEST = (
    Moment("the worktree exists", WORKTREE),
    Moment("dvc adds the rows", runs("dvc", "add")),
    Moment("dvc adds the rows, and is killed with it", runs("dvc", "add"), children_too=True),
    Moment("the rows are pushed", runs("dvc", "push")),
    Moment("the branch has moved", branch_moved, children_too=True),
    Moment("the first file was put away", holds("var", "ingested", SCENARIO, "*.parquet")),
)
RETRAIN = (
    Moment("the worktree exists", WORKTREE),
    Moment("a stage runs", runs("train", SCENARIO)),
    Moment("a stage runs, and is killed with it", runs("train", SCENARIO), children_too=True),
    Moment("dvc ran the last stage", runs("package", SCENARIO)),
    Moment("the first file of the model is stored", holds("var", "bentoml", "models", SCENARIO, "*", "*")),
    Moment("the branch has moved", branch_moved),
)
RELEASE = (
    Moment("the worktree exists", WORKTREE),
    Moment("the Bento is being built", runs("bentoml", "build"), children_too=True),
    Moment("the Bento is being built, and goes on", runs("bentoml", "build")),
    Moment("the first file of the Bento is there", holds("var", "bentoml", "bentos", "releve", "*", "*"), True),
    Moment("the index is being built", holds(*COLLECTIONS, "*")),
    Moment("the registry has moved", registry_moved),
)


def descendants(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def command_of(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def name_of(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.name().split()
    return []


def kill(process: "subprocess.Popen[str]", *, children_too: bool) -> None:
    """SIGKILL, which nobody can prepare for."""
    killed = descendants(process) if children_too else []
    process.kill()
    for child in killed:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    if process.stdout:
        process.stdout.close()
    process.wait()


def kill_at(project: Project, step: str, moment: Moment) -> None:
    (project.state.home / "started").touch()
    process = project.start(step)
    wait_for(lambda: moment.seen(project, process), during=process)
    kill(process, children_too=moment.children_too)


def kill_after(project: Project, step: str, *, seconds: float, children_too: bool) -> None:
    """Kill a run some time after its start; when it was faster, it was not killed."""
    process = project.start(step)
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=seconds)
    kill(process, children_too=children_too)


@pytest.mark.parametrize("moment", INGEST, ids=lambda moment: moment.name)
def test_an_ingestion_that_was_killed_is_completed_by_the_next(fresh: Project, moment: Moment) -> None:
    fresh.receive(*WINDOWS)
    kill_at(fresh, "ingest", moment)

    fresh.run("ingest")

    check_ingested(fresh)
    check_nothing_left_behind(fresh)


def test_a_retraining_that_was_killed_again_and_again_is_completed_by_the_next(ingested: Project) -> None:
    for moment in RETRAIN:
        kill_at(ingested, "retrain", moment)

    ingested.run("retrain")

    check_challenged(ingested)
    check_nothing_left_behind(ingested)


@pytest.mark.parametrize("moment", RELEASE, ids=lambda moment: moment.name)
def test_a_release_that_was_killed_is_completed_by_the_next(challenged: Project, moment: Moment) -> None:
    kill_at(challenged, "release", moment)

    challenged.run("release")

    check_released(challenged)
    check_nothing_left_behind(challenged)


@pytest.mark.parametrize("seed", range(RANDOM_KILLS))
def test_a_run_that_was_killed_at_any_moment_is_completed_by_the_next(
    seed: int, work_dir: Path, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    step = STEPS[seed % len(STEPS)]
    project = PREPARED[step](work_dir).copy(tmp_path)
    project.receive(*(WINDOWS if step == "ingest" else ()))
    kill_after(project, step, seconds=chance.uniform(0, LATEST_KILL[step]), children_too=chance.random() < 0.5)

    project.run(step)

    CHECKS[step](project)
    check_nothing_left_behind(project)


def check_ingested(project: Project) -> None:
    """Every row of every file is in exactly one batch, in the data, in the list and in the history."""
    batches = project.batches
    assert [batch.source for batch in batches] == [f"window-{number:02d}.parquet" for number in WINDOWS]
    assert sum(batch.rows + batch.rejected for batch in batches) == ROWS
    assert rows_in_data(project) == {batch.batch: batch.rows for batch in batches}
    events = project.registry.events(SCENARIO, kinds=[INGESTED])
    assert [event.payload for event in events] == [batch.model_dump(mode="json") for batch in batches]
    assert names_in(project.state.incoming) == []
    assert names_in(project.state.ingested) == [batch.source for batch in batches]


def rows_in_data(project: Project) -> dict[str, int]:
    """By batch, as a checkout of the branch with nothing but the remote sees them."""
    shutil.rmtree(project.root / ".dvc" / "cache")
    with project.branch.worktree(project.state.worktrees) as tree:
        data = DataVersions(tree.path, project=project.root, home=project.settings.home)
        data.checkout(f"scenarios/{SCENARIO}/batches.dvc")
        return {path.stem: len(pd.read_parquet(path)) for path in (tree.folder / "batches").iterdir()}


def check_challenged(project: Project) -> None:
    """One challenge, whose model is whole and whose revision is the branch's."""
    check_ingested(project)
    told = project.registry.events(SCENARIO, kinds=[CHALLENGED])
    assert len(told) == 1
    challenger = last_challenger(project.registry, SCENARIO)
    assert challenger.promote
    assert challenger.revision == project.branch.tip()
    models = project.state.home / "bentoml" / "models" / SCENARIO
    assert [path.name for path in models.iterdir() if path.is_dir()] == [version_of(challenger.model)]
    loaded = ModelStore(project.settings.home).load(challenger.model, digest=challenger.model_digest)
    assert loaded.description.evaluation == challenger.evaluation


def check_released(project: Project) -> None:
    """One move, to a model, a Bento and an index that are all whole."""
    moves = project.registry.events(SCENARIO, kinds=MOVES)
    assert [move.kind for move in moves] == [RELEASED]
    current = project.registry.current(SCENARIO)
    assert current is not None
    assert current.release.model == last_challenger(project.registry, SCENARIO).model
    bento = project.state.home / "bentoml" / "bentos" / "releve" / version_of(current.release.model)
    assert {"bento.yaml", "src", "env"} <= {*names_in(bento)}
    assert (bento / "src" / "service.py").is_file()
    index = VectorIndex(project.settings.milvus_uri)
    assert index.collections(SCENARIO) == [current.release.index]
    assert index.complete(current.release.index, ROWS)
    index.close()


def check_nothing_left_behind(project: Project) -> None:
    """The history holds; no worktree, no process, and the owner's files are as they were."""
    assert project.registry.verify(SCENARIO) == len(project.registry.events(SCENARIO))
    assert len(git(project.root, "worktree", "list").splitlines()) == 1
    assert names_in(project.state.worktrees) == []
    assert git(project.root, "status", "--porcelain") == ""
    assert git(project.root, "log", "--format=%s", "main") == "the project"
    assert processes_in(project) == []


def version_of(tag: str) -> str:
    return tag.partition(":")[2]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def processes_in(project: Project) -> list[list[str]]:
    """Commands of the processes that still work in the project."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if Path(process.cwd()).is_relative_to(project.root):
                found.append(process.cmdline())
    return found


STEPS = ("ingest", "retrain", "release")
PREPARED = {"ingest": fresh_project, "retrain": ingested_project, "release": challenged_project}
CHECKS = {"ingest": check_ingested, "retrain": check_challenged, "release": check_released}
