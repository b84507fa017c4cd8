"""What the registry says of a scenario since it was last started over."""

from releve.adapters.registry import Registry
from releve.rules.chain import CHALLENGED, FORGOTTEN, INGESTED, MONITORED, Event
from releve.rules.trigger import Challenged, History

__all__ = ["CHALLENGED", "FORGOTTEN", "INGESTED", "MONITORED", "challenges_of", "events_of"]


def events_of(registry: Registry, scenario: str, kind: str) -> list[Event]:
    """Events of one kind, oldest first, after the last time the scenario was forgotten."""
    events = registry.events(scenario, kinds=[kind, FORGOTTEN])
    starts = [number for number, event in enumerate(events) if event.kind == FORGOTTEN]
    return events[starts[-1] + 1 :] if starts else events


def challenges_of(registry: Registry, scenario: str) -> History:
    """What was challenged, when, with how many rows, and whether the gate accepted it."""
    events = events_of(registry, scenario, CHALLENGED)
    return History(tuple(Challenged(each.at, each.payload["promote"], each.payload["rows"]) for each in events))
