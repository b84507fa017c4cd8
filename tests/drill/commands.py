"""What is struck: each command in the state that gives it something to do, and the state that it ends in."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from releve import data
from releve.adapters.models.model_runtime import check_golden
from releve.adapters.models.model_store import ModelStore
from releve.adapters.vectors.vector_index import VectorIndex
from tasks.pipeline.seed import windows
from tests.once import made_once
from tests.projects import (
    BEGUN,
    NEW_WINDOW,
    SCENARIO,
    Project,
    aged_project,
    challenged_project,
    finish,
    fresh_project,
    ingested_project,
    newer_project,
    refreshed_project,
    rivalled_project,
)

INVALID_ROWS = 5


@dataclass(frozen=True)
class Command:
    """A step, the project that it works in, and what arrives there before."""

    name: str
    step: str
    prepared: Callable[[Path], Project]
    arrives: Callable[[Project], None] = lambda project: None

    def project(self, work_dir: Path, place: Path) -> Project:
        project = self.prepared(work_dir).copy(place)
        self.arrives(project)
        return project


def files_with_invalid_rows(project: Project) -> None:
    project.receive(1, 2)
    rows = [*windows()][NEW_WINDOW].astype({"pixel_0_0": object})
    rows.iloc[:INVALID_ROWS, rows.columns.get_loc("pixel_0_0")] = "many"
    (project.state.incoming / "window-with-invalid-rows.csv").write_text(rows.to_csv(index=False))


COMMANDS = (
    Command("ingest", "ingest", fresh_project, files_with_invalid_rows),
    Command("retrain: first model", "retrain", ingested_project),
    Command("release: first model", "release", challenged_project),
    Command("retrain: refresh", "retrain", newer_project),
    Command("retrain: new weights", "reweigh", newer_project),
    Command("release: refresh", "release", rivalled_project),
    Command("rollback", "rollback", refreshed_project),
    Command("tidy", "tidy", aged_project),
)


@dataclass(frozen=True)
class State:
    """What a project holds that its owner would miss."""

    events: list[str]
    batches: list[tuple[str, int, int]]  # file, rows, rejected rows
    rows: int  # that a reader of the newest data version gets
    quarantined: int
    waiting: list[str]
    serves: str
    before: str  # what a rollback returns to
    models: list[str]  # in the store, with the digest of their files
    bentos: list[str]
    indexes: list[str]


@dataclass(frozen=True)
class Usual:
    """How the command ends where nothing happens to it."""

    seconds: float
    state: State


def state_of(project: Project) -> State:
    registry, store = project.registry, ModelStore(project.settings.home)
    events, current, previous = registry.events(SCENARIO), registry.current(SCENARIO), registry.previous(SCENARIO)
    assert registry.verify(SCENARIO) == len(events)
    batches = project.batches
    builds = project.settings.home / "bentoml" / "bentos" / "releve"
    index = VectorIndex(project.settings.milvus_uri)
    try:
        indexes = index.collections(SCENARIO)
        assert current is None or index.complete(current.release.index, current.release.index_rows)
    finally:
        index.close()
    return State(
        events=[event.kind for event in events],
        batches=[(batch.source, batch.rows, batch.rejected) for batch in batches],
        rows=len(data.read_version(SCENARIO, project=project.root)) if batches else 0,
        quarantined=sum(len(pd.read_parquet(path)) for path in project.state.quarantine.glob("*.parquet")),
        waiting=sorted(path.name for path in project.state.incoming.glob("*")),
        serves=f"{current.release.model} {current.release.index}" if current else "",
        before=previous.model if previous else "",
        models=sorted(f"{tag} {store.get(tag).digest}" for tag in store.tags(SCENARIO)),
        bentos=sorted(path.parent.name for path in builds.glob("*/bento.yaml")),
        indexes=indexes,
    )


def usual_end(command: Command, work_dir: Path) -> Usual:
    """Run the command once, undisturbed, in a copy; the first test that asks does."""

    def make(place: Path) -> None:
        project = command.project(work_dir, place)
        process = project.start(command.step)
        assert process.stdout
        line = process.stdout.readline()
        began = time.monotonic()
        code, output = finish(process)
        assert (line.strip(), code) == (BEGUN, 0), line + output
        seen = Usual(time.monotonic() - began, state_of(project))
        (place / "usual.json").write_text(json.dumps(asdict(seen)))

    name = command.name.replace(" ", "-").replace(":", "")
    made: dict[str, Any] = json.loads((made_once(work_dir / f"usual-{name}", make) / "usual.json").read_text())
    batches = [tuple(batch) for batch in made["state"]["batches"]]
    return Usual(made["seconds"], State(**made["state"] | {"batches": batches}))


def check_that_the_release_answers(project: Project) -> None:
    """Load what the registry says serves, as a service that is started now would, and ask it its golden rows."""
    if current := project.registry.current(SCENARIO):
        release = current.release
        check_golden(ModelStore(project.settings.home).load(release.model, digest=release.model_digest))
