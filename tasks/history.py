"""What the registry says of a scenario since it was last started over."""

from collections.abc import Iterator
from itertools import takewhile

from releve.adapters.registry.registry import Registry
from releve.domain.registry.chain import ARCHIVED, Event, since_archived


def events_of(registry: Registry, scenario: str, *kinds: str) -> list[Event]:
    """Events of these kinds, oldest first, after the last time the scenario was archived."""
    events = registry.events(scenario, kinds=[*kinds, ARCHIVED])
    return since_archived(events)


def newest_of(registry: Registry, scenario: str, *kinds: str) -> Iterator[Event]:
    """The same events, the newest first; who stops early has not read the others."""
    return takewhile(lambda event: event.kind != ARCHIVED, registry.newest(scenario, kinds=[*kinds, ARCHIVED]))
