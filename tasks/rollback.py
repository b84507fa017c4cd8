"""Back to the release before, model and index together, after it proved that it still answers."""

from releve.adapters.committed import read_committed
from releve.adapters.model_runtime import Model
from releve.adapters.model_store import ModelStore
from releve.adapters.registry import Registry
from releve.adapters.service_client import wait_until_serving
from releve.adapters.vector_index import IndexUnavailable
from releve.errors import Conflict
from releve.rules.chain import ROLLED_BACK
from releve.rules.params import Index
from releve.rules.release import Release
from releve.rules.vectors import IndexCheck
from releve.settings import Settings
from tasks.champion import check_golden, check_released
from tasks.index import build_index, tidy_indexes
from tasks.release import Released


class NothingToRollBackTo(Conflict):
    """There is no release before the current one."""

    code = "nothing_to_roll_back_to"


def rollback(settings: Settings, scenario: str, *, reason: str, actor: str = "rollback") -> Released:
    """Move back to the previous release; rolling back again returns to the current one.

    It waits for nobody: a training that runs meanwhile is told by the registry's compare-and-swap. And it does not
    need Milvus: predictions come back at once, searches as soon as it answers.

    Raises NotFound, NothingToRollBackTo, ModelAltered, GoldenMismatch, StaleRelease, SwapTimeout.
    """
    params = read_committed(settings, scenario).params
    registry = Registry(settings.registry_url)
    current = check_released(registry.current(scenario), scenario)
    previous = registry.previous(scenario)
    if previous is None:
        raise NothingToRollBackTo(
            f"{current.release.model} is the first release of {scenario}; there is none before it"
        )
    model = ModelStore(settings.home).load(previous.model, digest=previous.model_digest)
    check_golden(model)
    index, note = _bring_index(settings, params.index, previous, model)

    registry.move(scenario, ROLLED_BACK, expected=current.number, release=previous, reason=reason, actor=actor)
    if index:
        tidy_indexes(settings, registry, previous)
    seconds = params.runs.swap_seconds
    swapped = wait_until_serving(settings.service_port, previous.model, scenario=scenario, seconds=seconds)
    return Released(previous, index, "", swapped, note, left=current.release.model)


def _bring_index(settings: Settings, params: Index, wanted: Release, model: Model) -> tuple[IndexCheck | None, str]:
    try:
        return build_index(settings, params, wanted, model), ""
    except IndexUnavailable as error:
        return None, f"searches wait for Milvus: {error}"
