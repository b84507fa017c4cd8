"""The way back: what a rollback returns to, after it proved that it still answers."""

from dataclasses import dataclass

from releve.adapters.models.model_runtime import Model, check_golden
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Current, Registry
from releve.core.errors import Conflict
from releve.domain.registry.release import Release


class NothingToRollBackTo(Conflict):
    """There is no release before the current one."""

    code = "nothing_to_roll_back_to"


@dataclass(frozen=True)
class WayBack:
    """The release before, and its model."""

    release: Release
    model: Model


def find_way_back(registry: Registry, models: ModelStore, current: Current) -> WayBack:
    """Load what served before `current`, and ask it its golden rows.

    Raises NothingToRollBackTo, NotFound, ModelAltered, GoldenMismatch, RegistryUnavailable.
    """
    scenario = current.release.scenario
    previous = registry.previous(scenario)
    if previous is None:
        raise NothingToRollBackTo(
            f"{current.release.model} is the first release of {scenario}; there is none before it"
        )
    model = models.load(previous.model, digest=previous.model_digest)
    check_golden(model)
    return WayBack(previous, model)
