"""The vectors of a release: built and checked before it serves, tidied up after."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from releve.adapters.models.model_runtime import Model
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import Settings
from releve.domain.neighbours.index_design import IndexCheck, IndexDesign
from releve.domain.neighbours.vectors import Entries, fitting_text
from releve.domain.registry.release import Release
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.cells import is_missing, names_of
from releve.domain.schema.schema import BATCH, ROW
from tasks.monitoring.champion import read_reference

if TYPE_CHECKING:
    import pandas as pd

RECALL_SEED = 7
RECALL_SAMPLE = 50  # searches, of 10 neighbours each; every one more costs a Milvus Lite 4 ms of 10,000 rows


def check_design(settings: Settings, design: IndexDesign) -> None:
    """Raises BadInput where Milvus does not hold what this type of index promises, IndexUnavailable."""
    with _index(settings) as index:
        index.check_design(design)


def build_index(settings: Settings, wanted: Release, model: Model, *, min_recall: float) -> IndexCheck:
    """Build the release's collection from the rows that travel with its model, unless it is there; check it.

    Raises BadInput for a design that these rows, or Milvus, cannot hold, IndexMismatch, IndexUnavailable.
    """
    entries = as_entries(read_reference(settings, wanted.model), model, filters=wanted.index_design.filters)
    with _index(settings) as index:
        index.build(wanted.index, entries, scenario=wanted.scenario, design=wanted.index_design)
        return index.check(wanted.index, entries, min_recall=min_recall, sample=RECALL_SAMPLE, seed=RECALL_SEED)


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


def as_entries(reference: "pd.DataFrame", model: Model, *, filters: Sequence[str] = ()) -> Entries:
    """The rows a model learned from as they are searched; `filters`: the columns that are kept with them."""
    target = model.schema.target.name
    return Entries(
        ids=np.arange(len(reference), dtype=np.int64),
        vectors=model.embedder.embed(arrays_of_frame(model.schema, reference)),
        labels=[str(label) for label in reference[target]],
        batches=reference[BATCH].tolist(),
        rows=reference[ROW].to_numpy(np.int64),
        row_ids=row_ids(reference, model.schema.id),
        kept={name: [fitting_text(category) for category in reference[name]] for name in filters},
    )


def row_ids(reference: "pd.DataFrame", name: str | None) -> list[str]:
    """What the table calls each row, "" where it does not or where no index could hold it."""
    if name is None or name not in reference:
        return []
    cells = reference[name].tolist()
    return ["" if is_missing(cell) else fitting_text((*names_of(cell), str(cell))[0]) for cell in cells]


@contextmanager
def _index(settings: Settings) -> Iterator[VectorIndex]:
    index = VectorIndex(settings.milvus_uri, settings.milvus_token)
    try:
        yield index
    finally:
        index.close()
