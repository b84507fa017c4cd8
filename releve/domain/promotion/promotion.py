"""What may go from one environment to another: the model that serves there, as the gate judged it."""

from collections.abc import Sequence
from dataclasses import dataclass

from releve.core.errors import Conflict, NotFound
from releve.domain.erasure.erasure import made_before_erasure
from releve.domain.registry.chain import CHALLENGED, RELEASED, Event, serving_move
from releve.domain.registry.events import Challenger, release_of
from releve.domain.registry.origin import Basis, Origin
from releve.domain.registry.release import Release


class NotPromotable(Conflict):
    """What serves in the source may not go to another environment."""

    code = "not_promotable"


@dataclass(frozen=True)
class Promotable:
    """What serves in the source: the event that put it there, and the judgement that let it in."""

    environment: str
    event: Event
    release: Release
    challenger: Challenger

    def origin(self, basis: Basis) -> Origin:
        """Return what the target keeps of it."""
        return Origin(environment=self.environment, number=self.event.number, hash=self.event.hash, basis=basis)


def find_promotable(events: Sequence[Event], scenario: str, *, environment: str) -> Promotable:
    """Return what serves in the source. `events`: all of the scenario there, oldest first.

    Raises NotFound where nothing serves, NotPromotable for a model that holds rows which were erased since.
    """
    move = serving_move(events)
    release = release_of(move) if move else None
    if move is None or release is None:
        raise NotFound(
            f"nothing serves {scenario} in {environment}, so that there is nothing to promote; release there first: "
            f"make release SCENARIO={scenario} RELEVE_ENV={environment}"
        )
    judged = (event.read(Challenger) for event in reversed(events) if event.kind == CHALLENGED)
    same = (release.model, release.model_digest)
    challenger = next((each for each in judged if (each.model, each.model_digest) == same), None)
    if challenger is None:
        raise NotPromotable(f"{environment} has no judgement of {release.model}; retrain there, and promote the result")
    if release.model in made_before_erasure(events):
        raise NotPromotable(
            f"{release.model} was made before rows were erased in {environment}, and learned from them; retrain there "
            f"(make retrain SCENARIO={scenario} RELEVE_ENV={environment}), and promote the result"
        )
    return Promotable(environment, move, release, challenger)


def is_downgrade(events: Sequence[Event], model: str, *, champion: str) -> bool:
    """Whether the source released `champion`, which serves in the target, for the first time after `model`."""
    released = [release.model for event in events if event.kind == RELEASED and (release := release_of(event))]
    return model in released and champion in released and released.index(champion) > released.index(model)
