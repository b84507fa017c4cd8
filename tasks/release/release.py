"""Put an accepted challenger into service: model, Bento and index first, then one move of the pointer."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime

from releve.adapters.files import file_digest
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.http.service import wait_until_serving
from releve.adapters.models import bento_builds
from releve.adapters.models.model_runtime import Model, check_golden
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import Conflict
from releve.core.names import ModelTag
from releve.core.settings import Settings
from releve.domain.ensemble.weights import Serves
from releve.domain.neighbours.index_check import IndexCheck
from releve.domain.neighbours.index_design import IndexDesign, IndexType, Metric
from releve.domain.neighbours.index_names import collection_name
from releve.domain.registry.events import Challenger, ModelReleased, ReleaseChange
from releve.domain.registry.release import Release, expected_performance
from tasks.monitoring.champion import read_reference
from tasks.places import REFERENCE, ScenarioState
from tasks.release.index import build_index, check_design, tidy_indexes
from tasks.release.retrain import last_challenger


class NotAccepted(Conflict):
    """The gate did not accept this challenger for the champion that serves now."""

    code = "not_accepted"


@dataclass(frozen=True)
class ReleaseResult:
    """A finished release. `index` is None and `bento` "" where none had to be made; `answers_at` is the address where a
    running service was seen to answer with it, "" where none serves the scenario here; `note` what a person should
    know; `left` what a rollback took out of service."""

    release: Release
    index: IndexCheck | None
    bento: str
    answers_at: str
    note: str = ""
    left: str = ""


def release(
    settings: Settings,
    scenario: str,
    *,
    model: str | None = None,
    reason: str = "",
    actor: str = "release",
    shown_live: bool = False,
) -> ReleaseResult:
    """Release the challenger judged last, or the one named by `model`. Running it again changes nothing.

    `reason`: a person's; empty where the gate's decision is the reason. `shown_live`: live labels have shown
    a gain, so that a gate that found none, and nothing else to refuse it for, does not refuse it.

    Raises BadInput, NotFound, NotAccepted, ModelAltered, GoldenMismatch, IndexMismatch, IndexUnavailable, StaleRelease,
    and SwapTimeout when a running service does not take the release over.
    """
    params = read_committed(settings, scenario).params  # what is not there, or is wrong, ends it before it starts
    design = IndexDesign(IndexType(params.index.type), Metric(params.index.metric), params.index.filters)
    lock = scenario_lock(settings.home, scenario, holder="release", wait_seconds=settings.wait_seconds)
    with lock:
        registry = Registry(settings.registry_url)
        challenger = last_challenger(registry, scenario, model=model)
        current = registry.current(scenario)
        if current and current.release.model == challenger.model:
            tidy_indexes(settings, registry, scenario)
            return ReleaseResult(current.release, None, "", _wait(settings, current.release))
        check_accepted(
            challenger, current.release.model if current else "", today=datetime.now(UTC).date(), shown_live=shown_live
        )
        left = registry.taken_back(scenario)
        if left and left.model == challenger.model:  # as the same rows make it again
            raise NotAccepted(
                f"{left.model} was rolled back; a refresh of newer rows makes another model, and make rollback "
                f"SCENARIO={scenario} brings this one back"
            )

        check_design(settings, design)
        loaded = ModelStore(settings.home).load(challenger.model, digest=challenger.model_digest)
        check_golden(loaded)
        bento = _bento(settings, challenger)
        prepared = _prepared(settings, challenger, loaded, design)
        index = build_index(settings, prepared, loaded, min_recall=params.index.recall_floor)
        prepared = prepared.model_copy(update={"index_check": index})

        expected = current.number if current else None
        released = ModelReleased(release=prepared, change=_change(loaded, is_first=current is None))
        registry.move(scenario, released, expected=expected, reason=reason, actor=actor)
        tidy_indexes(settings, registry, scenario)
        answers_at = _wait(settings, prepared)
    return ReleaseResult(prepared, index, bento.tag, answers_at)


def check_accepted(challenger: Challenger, champion: str, *, today: date, shown_live: bool = False) -> None:
    """Raises NotAccepted unless the gate accepted it against the champion that serves now, and the overrides that it
    took still stand. `shown_live`: see `release`."""
    scenario = challenger.model.partition(":")[0]
    if not challenger.promote and not (shown_live and challenger.inconclusive):
        raise NotAccepted(f"the gate refused {challenger.model}: {'; '.join(challenger.sentences)}")
    if challenger.champion != champion:
        raise NotAccepted(
            f"{challenger.model} was judged against {challenger.champion or 'no champion'}, but "
            f"{champion or 'nothing'} serves now; run make retrain SCENARIO={scenario} again"
        )
    for one in challenger.overrides:
        if one.until < today:
            raise NotAccepted(
                f"{challenger.model} was accepted by an override of the {one.floor} floor by {one.by} that "
                f"expired on {one.until}; renew it (params.yaml: gate.overrides) and run make retrain "
                f"SCENARIO={scenario} again"
            )


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


def _prepared(settings: Settings, challenger: Challenger, model: Model, design: IndexDesign) -> Release:
    """Return the release that is about to serve. Members that were only weighed anew bring the same rows and index."""
    scenario, known = ModelTag.parse(challenger.model).scenario, challenger.evaluation
    reference, rows = (
        ModelStore(settings.home).get(model.tag).path / REFERENCE,
        len(read_reference(settings, model.tag)),
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


def _change(model: Model, *, is_first: bool) -> ReleaseChange:
    """Return what people hear of: that the naive answer serves comes before that something serves at last."""
    ensemble = model.description.ensemble
    if ensemble and ensemble.serves == Serves.NAIVE:
        return ReleaseChange.NAIVE
    if is_first:
        return ReleaseChange.FIRST
    is_found = ensemble is not None and ensemble.search is not None and ensemble.search.outcome.joined
    return ReleaseChange.SEARCH if is_found else ReleaseChange.REFRESH


def _wait(settings: Settings, wanted: Release) -> str:
    return wait_until_serving(
        settings.service_port, wanted.model, scenario=wanted.scenario, token=settings.service_token
    )
