"""The vectors of a release: built and checked before it serves, tidied up after."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from releve.adapters.model_runtime import Model
from releve.adapters.registry import Registry
from releve.adapters.vector_index import VectorIndex
from releve.rules.own_columns import BATCH, ROW
from releve.rules.params import Index
from releve.rules.release import Release
from releve.rules.vectors import Entries, IndexCheck
from releve.settings import Settings
from tasks.champion import read_reference

if TYPE_CHECKING:
    import pandas as pd

RECALL_SEED = 7


def build_index(settings: Settings, params: Index, wanted: Release, model: Model) -> IndexCheck:
    """Build the release's collection from the rows that travel with its model, unless it is there; check it.

    Raises IndexMismatch, IndexUnavailable.
    """
    entries = as_entries(read_reference(settings, wanted.model), model)
    with _index(settings) as index:
        index.build(wanted.index, entries, scenario=wanted.scenario)
        return index.check(
            wanted.index, entries, min_recall=params.min_recall, sample=params.sample_rows, seed=RECALL_SEED
        )


def tidy_indexes(settings: Settings, registry: Registry, current: Release) -> None:
    """Point the alias at the current index; drop all but it and the previous release's. Any can be built again."""
    previous = registry.previous(current.scenario)
    kept = {current.index, previous.index if previous else current.index}
    with _index(settings) as index:
        index.alias(current.scenario, current.index)
        for name in set(index.collections(current.scenario)) - kept:
            index.drop(name)


def as_entries(reference: "pd.DataFrame", model: Model) -> Entries:
    """The rows a model learned from as they are searched."""
    target = model.schema.target.name
    return Entries(
        ids=np.arange(len(reference), dtype=np.int64),
        vectors=model.embedder.embed(model.schema.frame_input(reference)),
        labels=[str(label) for label in reference[target]],
        batches=reference[BATCH].tolist(),
        rows=reference[ROW].to_numpy(np.int64),
    )


@contextmanager
def _index(settings: Settings) -> Iterator[VectorIndex]:
    index = VectorIndex(settings.milvus_uri, settings.milvus_token)
    try:
        yield index
    finally:
        index.close()
