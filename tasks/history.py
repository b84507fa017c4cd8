"""What the registry says of a scenario since it was last started over."""

from releve.adapters.registry.registry import Registry
from releve.domain.registry.chain import ARCHIVED, Event


def events_of(registry: Registry, scenario: str, *kinds: str) -> list[Event]:
    """Events of these kinds, oldest first, after the last time the scenario was archived."""
    events = registry.events(scenario, kinds=[*kinds, ARCHIVED])
    starts = [number for number, event in enumerate(events) if event.kind == ARCHIVED]
    return events[starts[-1] + 1 :] if starts else events
