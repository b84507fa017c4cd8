"""Which model versions' files may leave: those that neither serve nor can be brought back by a move."""

from collections.abc import Iterable, Mapping

from releve.domain.registry.chain import REBUILT, Event
from releve.domain.registry.events import ModelRebuilt, RebuildPurpose
from releve.domain.registry.lifecycle import ModelVersionStatus
from releve.domain.registry.release import CHALLENGER, CHAMPION, PREVIOUS

NEEDED = (CHALLENGER, CHAMPION, PREVIOUS)  # it waits for its release, serves, or is what a rollback returns to

PROVES = 9  # further versions, made the same way, that the rebuild of one stands for


def last_rebuilds(events: Iterable[Event]) -> dict[str, ModelRebuilt]:
    """Map model tags to the last time that each was built again; `events` of ONE scenario, oldest first."""
    rebuilds = (event.read(ModelRebuilt) for event in events if event.kind == REBUILT)
    return {each.model: each for each in rebuilds}


def may_leave(
    statuses: Mapping[str, ModelVersionStatus], rebuilds: Mapping[str, ModelRebuilt], *, keep: int, on_trial: str = ""
) -> list[str]:
    """List the versions whose files may leave once they were built again, oldest first.

    The newest `keep` versions stay (0: all of them), what a person had put back, and what live traffic tries.
    """
    older = list(statuses)[:-keep] if keep else []
    return [
        model
        for model in older
        if statuses[model].state not in NEEDED
        and model != on_trial
        and not (model in rebuilds and rebuilds[model].purpose == RebuildPurpose.RESTORE)
    ]


def proof_for(made_by: str, rebuilds: Mapping[str, ModelRebuilt]) -> str:
    """Return the model whose rebuild stands for one that `made_by` made; "" where it has to be built again itself.

    The newest rebuild stands for PROVES others, and none does once anything came out otherwise.
    """
    alike = [each for each in rebuilds.values() if made_by and each.made_by == made_by]
    tried = [each.model for each in alike if not each.proof]
    if not tried or not all(each.same for each in alike):
        return ""
    return tried[-1] if sum(each.proof == tried[-1] for each in alike) < PROVES else ""
