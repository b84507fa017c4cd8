"""Back to the release before, model and index together, after it proved that it still answers."""

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.http.service import wait_until_serving
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.registry.rollback import find_way_back
from releve.adapters.vectors.vector_index import IndexUnavailable
from releve.core.errors import Conflict
from releve.core.settings import Settings
from releve.domain.registry.events import ModelRolledBack, ShownHarm
from tasks.monitoring.champion import check_released
from tasks.release.index import build_index, tidy_indexes
from tasks.release.release import ReleaseResult


def rollback(
    settings: Settings, scenario: str, *, reason: str, actor: str = "rollback", harm: ShownHarm | None = None
) -> ReleaseResult:
    """Move back to the previous release; rolling back again returns to the current one.

    `harm`: what labels have shown of the current one, where nobody asked for the rollback.

    It waits for nobody: a training that runs meanwhile fails at the registry's compare-and-swap. And it does not
    need Milvus: predictions come back at once, searches as soon as it answers.

    Raises NotFound, NothingToRollBackTo, ModelAltered, GoldenMismatch, StaleRelease, SwapTimeout, Conflict
    where `harm` is of another release than the one that serves.
    """
    read_committed(settings, scenario)  # a scenario that is not there, or a wrong setting, ends it before it starts
    registry = Registry(settings.registry_url)
    current = check_released(registry.current(scenario), scenario)
    if harm and harm.model != current.release.model:
        raise Conflict(f"{harm.model} was to be rolled back, and {current.release.model} serves {scenario} by now")
    back = find_way_back(registry, ModelStore(settings.home), current)
    previous = back.release
    index, note = None, ""
    try:
        index = build_index(settings, previous, back.model)
    except IndexUnavailable as error:
        note = f"searches wait for Milvus: {error}"

    payload = ModelRolledBack(release=previous, harm=harm)
    registry.move(scenario, payload, expected=current.number, reason=reason, actor=actor)
    if index:
        tidy_indexes(settings, registry, previous)
    answers_at = wait_until_serving(
        settings.service_port, previous.model, scenario=scenario, token=settings.service_token
    )
    return ReleaseResult(previous, index, "", answers_at, note, left=current.release.model)
