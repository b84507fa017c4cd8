"""What holds of a project once a run is complete, whatever happened to it before."""

import shutil
from pathlib import Path

import pandas as pd

from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_store import ModelStore
from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.registry.chain import CHALLENGED, INGESTED, MOVES, RELEASED
from tasks.history import last_challenger
from tests.failures.processes import processes_in
from tests.projects import SCENARIO, Project
from tests.serving.process import wait_until

WINDOWS = (1, 2, 3)
ROWS = 269
OWNERS_COMMITS = {"the project", "change params.yaml"}


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
    assert {*git(project.root, "log", "--format=%s", "main").splitlines()} <= OWNERS_COMMITS
    wait_until(lambda: processes_in(project) == [])  # a child of a killed run ends a moment after its lock is free


def version_of(tag: str) -> str:
    return tag.partition(":")[2]


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
