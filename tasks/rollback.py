"""Back to the release before, model and index together, after it proved that it still answers."""

from releve.adapters.files import read_params
from releve.adapters.model_store import ModelStore
from releve.adapters.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.adapters.service_client import wait_until_serving
from releve.errors import Conflict
from releve.rules.chain import ROLLED_BACK
from releve.settings import Settings
from tasks.monitor import check_released
from tasks.package import check_golden
from tasks.release import Released, build_index


class NothingToRollBackTo(Conflict):
    """There is no release before the current one."""

    code = "nothing_to_roll_back_to"


def rollback(settings: Settings, scenario: str, *, reason: str, actor: str = "rollback") -> Released:
    """Move back to the previous release; rolling back again returns to the current one.

    Raises NotFound, NothingToRollBackTo, ModelAltered, GoldenMismatch, IndexUnavailable, StaleRelease, SwapTimeout.
    """
    params = read_params(settings.project, scenario)
    with scenario_lock(settings.home, scenario, holder="rollback", wait_seconds=params.runs.wait_seconds):
        registry = Registry(settings.registry_url)
        current = check_released(registry.current(scenario), scenario)
        previous = registry.previous(scenario)
        if previous is None:
            raise NothingToRollBackTo(
                f"{current.release.model} is the first release of {scenario}; there is none before it"
            )

        model = ModelStore(settings.home).load(previous.model, digest=previous.model_digest)
        check_golden(model)
        index = build_index(settings, params, previous, model)

        registry.move(scenario, ROLLED_BACK, expected=current.number, release=previous, reason=reason, actor=actor)
        swapped = wait_until_serving(settings.service_port, previous.model, seconds=params.runs.swap_seconds)
    return Released(previous, index, "", swapped)
