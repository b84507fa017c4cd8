"""What a challenger needs before it may answer: a model that answers as it did, its Bento, and its index."""

import hashlib
from dataclasses import dataclass

from releve.adapters.files import file_digest
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.models import bento_builds
from releve.adapters.models.model_runtime import Model, check_golden
from releve.adapters.models.model_store import ModelStore
from releve.core.names import ModelTag
from releve.core.params import Index
from releve.core.settings import Settings
from releve.domain.neighbours.index_design import DistanceMetric, IndexCheck, IndexDesign, IndexType
from releve.domain.neighbours.index_names import collection_name
from releve.domain.registry.events import Challenger
from releve.domain.registry.release import Release, expected_performance
from tasks.places import REFERENCE, ScenarioState
from tasks.release.index import build_index, check_design, searched_rows


@dataclass(frozen=True)
class Prepared:
    """A release that may be put into service."""

    release: Release
    model: Model
    index: IndexCheck
    bento: str


def prepare(settings: Settings, challenger: Challenger, index: Index, *, serving: Release | None) -> Prepared:
    """Check the model, and build what is missing; again it builds nothing. The caller holds the scenario's lock.

    `serving`: what serves now, beside which it may search the same collection.

    Raises BadInput, NotFound, ModelAltered, GoldenMismatch, IndexMismatch, IndexUnavailable.
    """
    design = _design(index)
    check_design(settings, design)
    model = _sound_model(settings, challenger)
    bento = _bento(settings, challenger)
    release = _release_of(settings, challenger, model, design).beside(serving)
    checked = build_index(settings, release, model, min_recall=index.recall_floor)
    return Prepared(release.model_copy(update={"index_check": checked}), model, checked, bento.tag)


def planned_release(settings: Settings, challenger: Challenger, index: Index) -> Release:
    """Return the release that `prepare` would make, its model checked and nothing built.

    Raises NotFound, ModelAltered, GoldenMismatch.
    """
    return _release_of(settings, challenger, _sound_model(settings, challenger), _design(index))


def _design(index: Index) -> IndexDesign:
    return IndexDesign(IndexType(index.type), DistanceMetric(index.metric), index.filters)


def _sound_model(settings: Settings, challenger: Challenger) -> Model:
    model = ModelStore(settings.home).load(challenger.model, digest=challenger.model_digest)
    check_golden(model)
    model.embedder.check_dimension()
    return model


def _bento(settings: Settings, challenger: Challenger) -> bento_builds.BuiltBento:
    """Copy the Bento of another version of the same code, or build one from the very code that made the model."""
    tag = ModelTag.parse(challenger.model)
    branch = ScenarioBranch(settings.project, tag.scenario)
    work_dir, sources = ScenarioState(settings.home, tag.scenario).worktrees, branch.code_digest(challenger.revision)
    bento = bento_builds.copy_built(settings.home, challenger.model, version=tag.version, sources=sources)
    if bento:
        branch.sweep(work_dir)  # of a release that was killed once its Bento was there
        return bento
    with branch.checkout(challenger.revision, work_dir) as source:
        return bento_builds.build(source, settings.home, challenger.model, version=tag.version, sources=sources)


def _release_of(settings: Settings, challenger: Challenger, model: Model, design: IndexDesign) -> Release:
    """Return the release that it would be. Members that were only weighed anew bring the same rows and index."""
    scenario, known = ModelTag.parse(challenger.model).scenario, challenger.evaluation
    reference, rows = (
        ModelStore(settings.home).get(model.tag).path / REFERENCE,
        len(searched_rows(settings, model.tag)),
    )
    named = f" {model.schema.id}" if model.schema.id else ""  # the index holds what this column calls the rows
    designed = " ".join([design.type, design.metric, *design.filters])
    identity = f"{file_digest(reference)} {model.embedder.version} {rows}{named} {designed}"
    return Release(
        scenario=scenario,
        model=challenger.model,
        model_digest=challenger.model_digest,
        index=collection_name(scenario, hashlib.sha256(identity.encode()).hexdigest()[:12]),
        index_rows=rows,
        index_design=design,
        data_version=challenger.data_version,
        revision=challenger.revision,
        rows=challenger.rows,
        expected=expected_performance(known),
    )
