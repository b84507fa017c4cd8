"""What is struck: each command in the state that gives it something to do, and the state that it ends in."""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from releve import api
from releve.adapters.models.model_runtime import check_golden
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.registry.chain import ERASED
from tasks.pipeline.seed import windows
from tasks.release.index import as_searched_now
from tests.drill.boundaries import COUNTED, counting
from tests.once import made_once
from tests.projects import (
    BEGUN,
    NEW_WINDOW,
    SCENARIO,
    Project,
    aged_project,
    answered_project,
    challenged_project,
    finish,
    fresh_project,
    harvested_project,
    ingested_project,
    moved_project,
    newer_project,
    refreshed_project,
    rivalled_project,
    shadowed_project,
    staged_project,
)

INVALID_ROWS = 5


@dataclass(frozen=True)
class Command:
    """A step, the project that it works in, and what arrives there before."""

    name: str
    step: str
    prepared: Callable[[Path], Project]
    arrives: Callable[[Project], None] = lambda project: None
    undoes_itself: bool = False  # given again after it has moved, it goes back

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
    Command("promote", "promote", staged_project),
    Command("rollback", "rollback", refreshed_project, undoes_itself=True),
    Command("tidy", "tidy", aged_project),
    Command("index moves", "index", newer_project),
    Command("index rollback", "index back", moved_project, undoes_itself=True),
    Command("arms: shadow", "shadow", rivalled_project),
    Command("compare: promotes", "compare", shadowed_project),
    Command("compaction", "compact", answered_project),
    Command("harvest", "harvest", answered_project),
    Command("erase", "erase", harvested_project),
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
    found: int  # rows that searches find
    before: str  # what a rollback returns to
    arms: str  # the challenger that live traffic tries
    answers: list[str]  # in the ledger: each request once, with its rows
    labels: int
    models: list[str]  # in the store, with the digest of their files
    bentos: list[str]
    indexes: list[str]


@dataclass(frozen=True)
class Usual:
    """How the command ends where nothing happens to it."""

    seconds: float
    boundaries: int  # see tests.drill.boundaries
    state: State


def state_of(project: Project, registry: Registry | None = None) -> State:
    registry, store = registry or project.registry, ModelStore(project.settings.home)
    events, current, previous = registry.events(SCENARIO), registry.current(SCENARIO), registry.previous(SCENARIO)
    assert registry.verify(SCENARIO) == len(events)
    arms, ledger = registry.arms(SCENARIO), LedgerReader(project.state.ledger)
    requests = list(ledger.requests(since="2000-01-01"))
    rows = {line.id: f"{line.id} {line.model} {len(line.rows)} {sorted(line.erased)}" for line in requests}
    assert len(rows) == len(requests)  # none is there twice
    batches = project.batches
    builds = project.settings.home / "bentoml" / "bentos" / "releve"
    index = VectorIndex(project.settings.milvus_uri)
    try:
        indexes = index.collections(SCENARIO)
    finally:
        index.close()
    found = (
        as_searched_now(project.settings, current.release).index_rows if current else 0
    )  # raises where rows are lost
    return State(
        # An erasure that was killed had told what it began, and tells it again.
        events=[kind for kind, group in groupby(event.kind for event in events) for _ in once_if_erased(kind, group)],
        batches=[(batch.source, batch.rows, batch.rejected) for batch in batches],
        rows=len(api.read_version(SCENARIO, project=project.root)) if batches else 0,
        quarantined=sum(len(pd.read_parquet(path)) for path in project.state.quarantine.glob("*.parquet")),
        waiting=sorted(path.name for path in project.state.incoming.glob("*")),
        serves=f"{current.release.model} {current.release.index_name}" if current else "",
        found=found,
        before=previous.model if previous else "",
        arms=arms.started.challenger.model if arms else "",
        answers=sorted(rows.values()),
        labels=len(ledger.labels()),
        models=sorted(f"{tag} {store.get(tag).digest}" for tag in store.tags(SCENARIO)),
        bentos=sorted(path.parent.name for path in builds.glob("*/bento.yaml")),
        indexes=indexes,
    )


def once_if_erased(kind: str, group: Iterable[str]) -> Iterable[str]:
    return [kind] if kind == ERASED else group


def usual_end(command: Command, work_dir: Path) -> Usual:
    """Run the command once, undisturbed, in a copy; the first test that asks does."""

    def make(place: Path) -> None:
        project = command.project(work_dir, place)
        process = project.start(command.step, before=counting(project.root, project.settings.home))
        assert process.stdout
        line = process.stdout.readline()
        began = time.monotonic()
        code, output = finish(process)
        assert (line.strip(), code) == (BEGUN, 0), line + output
        boundaries = int((project.settings.home / COUNTED).read_text())
        seen = Usual(time.monotonic() - began, boundaries, state_of(project))
        (place / "usual.json").write_text(json.dumps(asdict(seen)))

    name = command.name.replace(" ", "-").replace(":", "")
    made: dict[str, Any] = json.loads((made_once(work_dir / f"usual-{name}", make) / "usual.json").read_text())
    batches = [tuple(batch) for batch in made["state"]["batches"]]
    return Usual(made["seconds"], made["boundaries"], State(**made["state"] | {"batches": batches}))


def check_that_the_release_answers(project: Project) -> None:
    """Load what the registry says serves, as a service that is started now would, and ask it its golden rows."""
    if current := project.registry.current(SCENARIO):
        release = current.release
        check_golden(ModelStore(project.settings.home).load(release.model, digest=release.model_digest))
