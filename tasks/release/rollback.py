"""Back to the release before, model and index together, after it proved that it still answers."""

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.http.service import wait_until_serving
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.registry.rollback import find_way_back
from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.core.errors import BadInput, Conflict, NotFound
from releve.core.params import LEAST_RECALL
from releve.core.settings import Settings
from releve.domain.registry.events import ModelRolledBack, ShownHarm
from tasks.monitoring.champion import check_released
from tasks.release.index import build_index, tidy_indexes
from tasks.release.release import ReleaseResult

NO_SEARCHES = "searches wait for Milvus"


def serving_model(settings: Settings, scenario: str) -> str:
    """Name the model that serves; "" before the first release."""
    current = Registry(settings.registry_url).current(scenario)
    return current.release.model if current else ""


def rollback(
    settings: Settings,
    scenario: str,
    *,
    seen: str = "",
    reason: str,
    actor: str = "rollback",
    harm: ShownHarm | None = None,
) -> ReleaseResult:
    """Move back to the previous release; rolling back again returns to the current one.

    `seen`: the model that served when this was decided, "" for what serves now. Where a rollback took it out of service
    already, as an attempt does that fails after its move, nothing moves again. `harm`: what labels have shown of it,
    where nobody asked for the rollback.

    It waits for nobody: a training that runs meanwhile fails at the registry's compare-and-swap. And it does not
    need Milvus: predictions come back at once, searches as soon as it answers.

    Raises NotFound, NothingToRollBackTo, ModelAltered, GoldenMismatch, StaleRelease, SwapTimeout, Conflict
    where another one than `seen` was put into service.
    """
    read_committed(settings, scenario)  # a scenario that is not there, or a wrong setting, ends it before it starts
    registry = Registry(settings.registry_url)
    current = check_released(registry.current(scenario), scenario)
    seen = seen or current.release.model
    index, note, serving = None, "", current.release
    if serving.model == seen:
        back = find_way_back(registry, ModelStore(settings.home), current)
        serving = back.release.beside(current.release)
        try:
            # what it was released with is enough: a stricter setting since must not keep it from coming back
            index = build_index(settings, serving, back.model, min_recall=LEAST_RECALL[serving.index_design.type.value])
        # this Milvus holds no index of that type, or rows that came in later cannot be read
        except (IndexUnavailable, BadInput, NotFound, PipelineFailed) as error:
            note = f"{NO_SEARCHES}: {error}"
        payload = ModelRolledBack(release=serving, harm=harm)
        registry.move(scenario, payload, expected=current.number, reason=reason, actor=actor)
    elif (left := registry.taken_back(scenario)) is None or left.model != seen:
        raise Conflict(f"{seen} was to be rolled back, and {serving.model} serves {scenario} by now")
    if not note:
        try:
            tidy_indexes(settings, registry, scenario)
        except IndexUnavailable as error:  # it moved: this is no reason to fail
            note = f"{NO_SEARCHES}: {error}"
    answers_at = wait_until_serving(
        settings.service_port, serving.model, scenario=scenario, token=settings.service_token
    )
    return ReleaseResult(serving, index, "", answers_at, note, left=seen)
