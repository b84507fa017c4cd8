"""Put an accepted challenger into service: model, Bento and index first, then one move of the pointer."""

from dataclasses import dataclass
from datetime import UTC, datetime

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.http.service import wait_until_serving
from releve.adapters.lineage import LineageDataset, RunLineage, tells_lineage
from releve.adapters.models.model_runtime import Model
from releve.adapters.registry.registry import Registry, StaleEvents
from releve.adapters.scenario_lock import scenario_lock
from releve.core.settings import Settings
from releve.domain.approval.approval import TELLING
from releve.domain.ensemble.weights import Serves
from releve.domain.neighbours.index_design import IndexCheck
from releve.domain.registry.events import Challenger, ModelReleased, ReleaseChange
from releve.domain.registry.release import Release
from tasks.history import last_challenger
from tasks.release.acceptance import approved_release, check_accepted, check_digests, check_not_taken_back
from tasks.release.index import tidy_indexes
from tasks.release.prepare import planned_release, prepare


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


def _lineage(_: Settings, scenario: str, result: ReleaseResult) -> RunLineage:
    """Say which model, and which index, serve from now on."""
    release = result.release
    index = LineageDataset(f"{scenario}.index", version=release.index_name, rows=release.index_rows)
    model, rows = LineageDataset(f"{scenario}.model", version=release.model), f"{scenario}.rows"
    served = LineageDataset(f"{scenario}.release", version=f"{release.model} {release.index_name}")
    return RunLineage([model, LineageDataset(rows, version=release.data_version)], [index, served])


@tells_lineage("release", _lineage)
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

    Raises BadInput, NotFound, NotAccepted, NotApproved where people have to be asked (`ask_people`), ModelAltered,
    GoldenMismatch, IndexMismatch, IndexUnavailable, StaleRelease, and SwapTimeout when a running service does not take
    the release over.
    """
    params = read_committed(settings, scenario).params  # what is not there, or is wrong, ends it before it starts
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
        check_not_taken_back(challenger, registry, scenario)
        approval = approved_release(registry, scenario, challenger, params.release)
        if approval:
            check_digests(approval, planned_release(settings, challenger, params.index), registry)

        prepared = prepare(settings, challenger, params.index, serving=current.release if current else None)
        expected = current.number if current else None
        released = ModelReleased(
            release=prepared.release,
            change=_change(prepared.model, challenger, is_first=current is None),
            approval=approval.number if approval else 0,
            approved_by=approval.approved_by if approval else (),
            origin=challenger.origin,
        )
        kinds, after = (TELLING, approval.newest) if approval else ((), 0)
        try:
            registry.move(scenario, released, expected=expected, reason=reason, actor=actor, kinds=kinds, after=after)
        except StaleEvents:  # while it was prepared, as by a challenger that another machine judged
            approved_release(registry, scenario, challenger, params.release)
            raise
        tidy_indexes(settings, registry, scenario)
        answers_at = _wait(settings, prepared.release)
    return ReleaseResult(prepared.release, prepared.index, prepared.bento, answers_at)


def _change(model: Model, challenger: Challenger, *, is_first: bool) -> ReleaseChange:
    """Return what people hear of: that the naive answer serves comes before that something serves at last."""
    ensemble = model.description.ensemble
    if ensemble and ensemble.serves == Serves.NAIVE:
        return ReleaseChange.NAIVE
    if is_first:
        return ReleaseChange.FIRST
    if challenger.decides_alone:
        return ReleaseChange.DECISION
    if model.description.brought:
        return ReleaseChange.BROUGHT
    is_found = ensemble is not None and ensemble.search is not None and ensemble.search.outcome.joined
    return ReleaseChange.SEARCH if is_found else ReleaseChange.REFRESH


def _wait(settings: Settings, wanted: Release) -> str:
    return wait_until_serving(
        settings.service_port, wanted.model, scenario=wanted.scenario, token=settings.service_token
    )
