"""The vectors of a release: built and checked before it serves, tidied up after."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_history import DataHistory
from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput, NotFound
from releve.core.names import ModelTag
from releve.core.params import LEAST_RECALL
from releve.core.settings import Settings
from releve.domain.erasure.erasure import erased_rows
from releve.domain.ingestion.row_versions import NewestRows
from releve.domain.neighbours.index_check import REBUILD, IndexMismatch
from releve.domain.neighbours.index_design import IndexCheck, IndexDesign
from releve.domain.neighbours.index_versions import IndexVersion
from releve.domain.neighbours.row_changes import RowKey, changes_to
from releve.domain.neighbours.vectors import Entries, fitting_text, row_ids
from releve.domain.registry.chain import ERASED
from releve.domain.registry.release import Release
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import BATCH, ROW
from tasks.monitoring.champion import read_reference
from tasks.pipeline.rows import rows_at

if TYPE_CHECKING:
    import pandas as pd

RECALL_SEED = 7
RECALL_SAMPLE = 50  # searches, of 10 neighbours each; every one more costs a Milvus Lite 4 ms of 10,000 rows


@dataclass(frozen=True, eq=False)
class IndexedRows:
    """The labelled rows of an index."""

    rows: "pd.DataFrame"
    corrections: list[str]  # of each row, see Entries; none where there are none

    @classmethod
    def of(cls, reference: "pd.DataFrame", newest: NewestRows) -> "IndexedRows":
        """Take the rows that a model learned, with the cells that count now, and all that came after them.

        Rows between them that it left out stay out, and rows that were taken away since are gone.
        """
        learned = set(zip(reference[BATCH], reference[ROW], strict=True))
        keys = zip(newest.rows[BATCH], newest.rows[ROW], strict=True)
        is_learned = np.array([key in learned for key in keys], dtype=bool)
        last = int(np.flatnonzero(is_learned).max(initial=-1))
        chosen = is_learned | (np.arange(len(is_learned)) > last)
        corrections = [newest.corrections[place] for place in np.flatnonzero(chosen)]
        return cls(newest.rows[chosen].reset_index(drop=True), corrections)

    @property
    def keys(self) -> list[RowKey]:
        """What names the cells of each row."""
        return list(zip(self.rows[BATCH], self.rows[ROW].tolist(), self.corrections, strict=True))


@dataclass(frozen=True)
class WrittenVersion:
    """What an index got as its next version."""

    version: IndexVersion
    new: int  # rows that the one in service does not see
    gone: int  # rows that it sees no more
    check: IndexCheck


def check_design(settings: Settings, design: IndexDesign) -> None:
    """Raises BadInput where Milvus does not hold what this type of index promises, IndexUnavailable."""
    with _index(settings) as index:
        index.check_design(design)


def build_index(settings: Settings, wanted: Release, model: Model, *, min_recall: float) -> IndexCheck:
    """Build the release's collection from the rows that travel with its model, and those that came in since where it
    has some, unless it is there; check it.

    Raises BadInput for a design that these rows, or Milvus, cannot hold, IndexMismatch, IndexUnavailable, and
    PipelineFailed where rows that came in since cannot be read.
    """
    indexed = rows_of(settings, wanted, model, read_reference(settings, wanted.model))
    if not len(indexed.rows):
        raise BadInput(f"every row that searches beside {wanted.model} would find was erased; retrain on newer rows")
    filters, version = wanted.index_design.filters, wanted.index_version
    ids = version.begin + np.arange(len(indexed.rows), dtype=np.int64)
    entries = as_entries(indexed.rows, model, filters=filters, corrections=indexed.corrections, ids=ids)
    with _index(settings) as index:
        if not index.build(
            wanted.index, entries, scenario=wanted.scenario, design=wanted.index_design, version=version
        ):
            stored = index.stored(wanted.index)
            found = stored.find(entries.keys, among=stored.seen_by(version))
            if missing := int((found < 0).sum()):
                raise IndexMismatch(f"{wanted.index_name} lacks {missing} of its {len(found)} rows; {REBUILD}")
            entries = replace(entries, ids=found)
        return index.check(
            wanted.index, entries, version=version, min_recall=min_recall, sample=RECALL_SAMPLE, seed=RECALL_SEED
        )


def update_index(
    settings: Settings,
    serving: Release,
    model: Model,
    rows: IndexedRows,
    *,
    number: int,
    others: Sequence[IndexVersion],
    min_recall: float,
) -> WrittenVersion | None:
    """Write what `rows` have that the collection of `serving` has not, as a version that nothing serves yet; check it.

    `number`: that of this version. `others`: the versions that are searched beside the one of `serving`. None where
    `rows` are those that it has. Raises BadInput, IndexMismatch, IndexUnavailable, and PipelineFailed where a
    collection was lost whose rows cannot be read.
    """
    with _index(settings) as index:
        is_there = index.complete(serving.index, serving.index_rows, version=serving.index_version)
    if not is_there:
        build_index(settings, serving, model, min_recall=LEAST_RECALL[serving.index_design.type.value])
    with _index(settings) as index:
        stored = index.stored(serving.index)
        changes = changes_to(rows.keys, stored, number=number, kept=(serving.index_version, *others))
        gone = serving.index_rows + changes.new - len(rows.rows)
        if not changes.new and not gone:
            return None
        copies = stored.find(rows.keys, among=stored.ids)
        vectors = np.empty((len(rows.rows), model.embedder.dimension), dtype=np.float32)
        for place in np.flatnonzero(copies >= 0).tolist():
            vectors[place] = stored.vectors[int(copies[place])]
        if (copies < 0).any():
            vectors[copies < 0] = _vectors_of(rows.rows[copies < 0], model)
        filters = serving.index_design.filters
        entries = as_entries(
            rows.rows, model, filters=filters, corrections=rows.corrections, ids=changes.ids, vectors=vectors
        )
        entries.check_metric(serving.index_design.metric)
        new = entries.of(changes.is_new) if changes.is_new.any() else None
        index.update(serving.index, new, unseen=changes.unseen)
        check = index.check(
            serving.index,
            entries,
            version=changes.version,
            min_recall=min_recall,
            sample=RECALL_SAMPLE,
            seed=RECALL_SEED,
        )
    return WrittenVersion(changes.version, changes.new, gone, check)


def as_searched_now(settings: Settings, release: Release) -> Release:
    """Return the release with as many rows as its collection has for it: fewer than then, where some were erased.

    Raises IndexMismatch where others are missing, IndexUnavailable, and what `rows_of` raises.
    """
    with _index(settings) as index:
        if index.complete(release.index, release.index_rows, version=release.index_version):
            return release
        model = ModelStore(settings.home).load(release.model, digest=release.model_digest)
        left = len(rows_of(settings, release, model, read_reference(settings, release.model)).rows)
        if not index.complete(release.index, left, version=release.index_version):
            raise IndexMismatch(f"{release.index_name} has lost some of its {left} rows; {REBUILD}")
    return release.model_copy(update={"index_rows": left})


def rows_of(settings: Settings, release: Release, model: Model, reference: "pd.DataFrame") -> IndexedRows:
    """Return the rows that a release searches. `reference`: those that travel with its model.

    Where newer ones came in, they are read. Raises NotFound where this repository does not have them, PipelineFailed,
    RemoteUnavailable.
    """
    if release.index_update is None:
        return IndexedRows(_without_erased(settings, release.scenario, reference), [])
    remote, revision = read_committed(settings, release.scenario).params.data, release.index_update.revision
    history = DataHistory(settings.project, release.scenario, remote=remote)
    version = history.behind(revision)
    if version is None:
        raise NotFound(
            f"this repository has no revision {revision[:12]}, whose rows {release.index_name} has; fetch the "
            f"scenario's branch: git fetch origin releve/{release.scenario}"
        )
    return IndexedRows.of(reference, rows_at(history, version, model.schema))


def searched_rows(settings: Settings, model: str) -> "pd.DataFrame":
    """Read the rows that travel with a model and that its index holds: those that were not erased since."""
    return _without_erased(settings, ModelTag.parse(model).scenario, read_reference(settings, model))


def _without_erased(settings: Settings, scenario: str, reference: "pd.DataFrame") -> "pd.DataFrame":
    erased = erased_rows(Registry(settings.registry_url).events(scenario, kinds=[ERASED]))
    is_kept = [place not in erased for place in zip(reference[BATCH], reference[ROW], strict=True)]
    return reference if all(is_kept) else reference[is_kept].reset_index(drop=True)


def check_index(settings: Settings, scenario: str) -> None:
    """Raises IndexUnavailable where nothing says which collections the scenario has."""
    with _index(settings) as index:
        index.collections(scenario)


def erase_from_indexes(settings: Settings, scenario: str, rows: Mapping[str, Sequence[int]]) -> int:
    """Delete rows (batch -> positions) from every collection of the scenario; returns how many. Raises
    IndexUnavailable."""
    with _index(settings) as index:
        return sum(index.erase(name, rows) for name in index.collections(scenario))


def tidy_indexes(settings: Settings, registry: Registry, scenario: str) -> None:
    """Point the alias at the index that serves; drop all but it, the previous release's and that of a challenger that
    live traffic tries. Any can be built again.

    The registry says what serves: a rollback waits for no release, and may have moved on meanwhile.
    """
    current, previous = registry.current(scenario), registry.previous(scenario)
    if current is None:
        return
    arms = registry.arms(scenario)
    others = [previous, arms.started.challenger if arms else None]
    kept = {current.release.index, *(release.index for release in others if release)}
    with _index(settings) as index:
        index.alias(scenario, current.release.index)
        for name in set(index.collections(scenario)) - kept:
            index.drop(name)


def as_entries(
    rows: "pd.DataFrame",
    model: Model,
    *,
    filters: Sequence[str] = (),
    corrections: Sequence[str] = (),
    ids: NDArray[np.int64] | None = None,
    vectors: NDArray[np.float32] | None = None,
) -> Entries:
    """The rows as they are searched; `filters`: the columns that are kept with them. `ids`: 0, 1 ... where left out."""
    return Entries(
        ids=np.arange(len(rows), dtype=np.int64) if ids is None else ids,
        vectors=_vectors_of(rows, model) if vectors is None else vectors,
        labels=[str(label) for label in rows[model.schema.target.name]],
        batches=rows[BATCH].tolist(),
        rows=rows[ROW].to_numpy(np.int64),
        row_ids=row_ids(rows, model.schema.id),
        kept={name: [fitting_text(category) for category in rows[name]] for name in filters},
        corrections=corrections,
    )


def _vectors_of(rows: "pd.DataFrame", model: Model) -> NDArray[np.float32]:
    images = [rows[name].tolist() for name in model.schema.images]
    return model.embedder.embed(arrays_of_frame(model.schema, rows), images)


@contextmanager
def _index(settings: Settings) -> Iterator[VectorIndex]:
    index = VectorIndex(settings.milvus_uri, settings.milvus_token)
    try:
        yield index
    finally:
        index.close()
