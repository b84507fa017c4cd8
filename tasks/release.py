"""Put an accepted challenger into service: model, Bento and index first, then one move of the pointer."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from releve.adapters import bento_builds
from releve.adapters.files import read_params
from releve.adapters.model_runtime import Model
from releve.adapters.model_store import ModelStore
from releve.adapters.registry import Registry
from releve.adapters.scenario_branch import ScenarioBranch
from releve.adapters.scenario_lock import scenario_lock
from releve.adapters.service_client import wait_until_serving
from releve.adapters.vector_index import VectorIndex
from releve.errors import Conflict
from releve.rules.chain import RELEASED
from releve.rules.index_names import collection_name
from releve.rules.params import Params
from releve.rules.release import CHALLENGER, CHAMPION, REFUSED, Release, can_become
from releve.rules.vectors import Entries, IndexCheck
from releve.settings import Settings
from tasks.monitor import read_reference
from tasks.package import check_golden
from tasks.places import ScenarioState
from tasks.retrain import Challenger, last_challenger
from tasks.split import BATCH, ROW

if TYPE_CHECKING:
    import pandas as pd

RECALL_SEED = 7


class NotAccepted(Conflict):
    """The gate did not accept this challenger for the champion that serves now."""

    code = "not_accepted"


@dataclass(frozen=True)
class Released:
    """A finished release. `index` is None and `bento` "" when it was in service already; `swapped` says whether a
    running service was seen to answer with it."""

    release: Release
    index: IndexCheck | None
    bento: str
    swapped: bool


def release(
    settings: Settings, scenario: str, *, model: str | None = None, reason: str = "", actor: str = "release"
) -> Released:
    """Release the challenger judged last, or the one named by `model`. Running it again changes nothing.

    Raises NotFound, NotAccepted, ModelAltered, GoldenMismatch, IndexMismatch, IndexUnavailable, StaleRelease, and
    SwapTimeout when a running service does not take the release over.
    """
    params = read_params(settings.project, scenario)
    lock = scenario_lock(settings.home, scenario, holder="release", wait_seconds=params.runs.wait_seconds)
    with lock:
        registry = Registry(settings.registry_url)
        challenger = last_challenger(registry, scenario, model=model)
        current = registry.current(scenario)
        if current and current.release.model == challenger.model:
            return Released(current.release, None, "", _wait(settings, params, challenger.model))
        check_accepted(challenger, current.release.model if current else "")

        loaded = ModelStore(settings.home).load(challenger.model, digest=challenger.model_digest)
        check_golden(loaded)
        bento = _pack(settings, challenger)
        prepared = _as_release(scenario, challenger, loaded, len(read_reference(settings, loaded.tag)))
        index = build_index(settings, params, prepared, loaded)

        why = reason or "; ".join(challenger.reasons)
        registry.move(
            scenario, RELEASED, expected=current.number if current else None, release=prepared, reason=why, actor=actor
        )
        swapped = _wait(settings, params, prepared.model)
        retire_indexes(settings, registry, prepared)
    return Released(prepared, index, bento.tag, swapped)


def check_accepted(challenger: Challenger, champion: str) -> None:
    """Raises NotAccepted unless the gate accepted it against the champion that serves now."""
    state = CHALLENGER if challenger.promote else REFUSED
    if not can_become(state, CHAMPION):
        raise NotAccepted(f"the gate refused {challenger.model}: {'; '.join(challenger.reasons)}")
    if challenger.champion != champion:
        raise NotAccepted(
            f"{challenger.model} was judged against {challenger.champion or 'no champion'}, but "
            f"{champion or 'nothing'} serves now; run the retrain flow again"
        )


def build_index(settings: Settings, params: Params, wanted: Release, model: Model) -> IndexCheck:
    """Build the release's collection from the rows that travel with its model, unless it is there; check it."""
    entries = as_entries(read_reference(settings, wanted.model), model)
    index = VectorIndex(settings.milvus_uri, settings.milvus_token)
    try:
        index.build(wanted.index, entries, scenario=wanted.scenario)
        checked = index.check(
            wanted.index, entries, min_recall=params.index.min_recall, sample=params.index.sample_rows, seed=RECALL_SEED
        )
        index.alias(wanted.scenario, wanted.index)
    finally:
        index.close()
    return checked


def _pack(settings: Settings, challenger: Challenger) -> bento_builds.BuiltBento:
    """A Bento of the model with the very code that made it: that of its own revision."""
    scenario, _, version = challenger.model.partition(":")
    branch, room = ScenarioBranch(settings.project, scenario), ScenarioState(settings.home, scenario).worktrees
    with branch.checkout(challenger.revision, room) as source:
        return bento_builds.build(source, settings.home, challenger.model, version=version)


def retire_indexes(settings: Settings, registry: Registry, current: Release) -> None:
    """Drop the scenario's collections except the current and the previous release's; any can be built again."""
    previous = registry.previous(current.scenario)
    kept = {current.index, previous.index if previous else current.index}
    index = VectorIndex(settings.milvus_uri, settings.milvus_token)
    try:
        for name in set(index.collections(current.scenario)) - kept:
            index.drop(name)
    finally:
        index.close()


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


def _as_release(scenario: str, challenger: Challenger, model: Model, index_rows: int) -> Release:
    identity = f"{challenger.data_version} {model.embedder.version} {index_rows}"
    return Release(
        scenario=scenario,
        model=challenger.model,
        model_digest=challenger.model_digest,
        index=collection_name(scenario, hashlib.sha256(identity.encode()).hexdigest()[:12]),
        index_rows=index_rows,
        data_version=challenger.data_version,
        revision=challenger.revision,
        rows=challenger.rows,
        promise=challenger.promise,
    )


def _wait(settings: Settings, params: Params, model: str) -> bool:
    return wait_until_serving(settings.service_port, model, seconds=params.runs.swap_seconds)
