"""What the registry says of a scenario since it was last started over."""

from collections.abc import Iterator
from itertools import takewhile

from releve.adapters.registry.registry import Registry
from releve.core.errors import NotFound
from releve.domain.approval.approval import TELLING, Approval, newest_approval
from releve.domain.registry.chain import APPROVAL_REQUESTED, ARCHIVED, CHALLENGED, Event, since_archived
from releve.domain.registry.events import Challenger


def events_of(registry: Registry, scenario: str, *kinds: str) -> list[Event]:
    """Events of these kinds, oldest first, after the last time the scenario was archived."""
    events = registry.events(scenario, kinds=[*kinds, ARCHIVED])
    return since_archived(events)


def newest_of(registry: Registry, scenario: str, *kinds: str) -> Iterator[Event]:
    """The same events, the newest first; who stops early has not read the others."""
    return takewhile(lambda event: event.kind != ARCHIVED, registry.newest(scenario, kinds=[*kinds, ARCHIVED]))


def read_approval(registry: Registry, scenario: str) -> Approval | None:
    """Return the newest request since the scenario was last started over, as its events left it."""
    asked = next(newest_of(registry, scenario, APPROVAL_REQUESTED), None)
    return newest_approval(registry.events(scenario, kinds=TELLING, after=asked.number - 1)) if asked else None


def last_challenger(registry: Registry, scenario: str, *, model: str | None = None) -> Challenger:
    """Return the challenger judged last, or the one named. Raises NotFound."""
    for event in newest_of(registry, scenario, CHALLENGED):
        challenger = event.read(Challenger)
        if model in (None, challenger.model):
            return challenger
    which = f"challenger {model}" if model else "challenger"
    raise NotFound(f"{scenario} has no {which}; run make retrain SCENARIO={scenario} first")
