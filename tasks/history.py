"""What the registry says of a scenario since it was last started over."""

from releve.adapters.registry import Registry
from releve.rules.cadence import Challenged
from releve.rules.chain import CHALLENGED, FORGOTTEN, INGESTED, MONITORED, Event
from releve.rules.trigger import History

__all__ = ["CHALLENGED", "FORGOTTEN", "INGESTED", "MONITORED", "challenge_history", "events_of"]


def events_of(registry: Registry, scenario: str, kind: str) -> list[Event]:
    """Events of one kind, oldest first, after the last time the scenario was forgotten."""
    events = registry.events(scenario, kinds=[kind, FORGOTTEN])
    starts = [number for number, event in enumerate(events) if event.kind == FORGOTTEN]
    return events[starts[-1] + 1 :] if starts else events


def challenge_history(registry: Registry, scenario: str) -> History:
    """Every challenge since then; whether one paid is what the last look before the next one had seen."""
    challenges = events_of(registry, scenario, CHALLENGED)
    looks = events_of(registry, scenario, MONITORED)
    ends = [*(event.number for event in challenges[1:]), None]
    return History(
        tuple(
            Challenged(
                event.at,
                bool(event.payload["promote"]),
                int(event.payload["rows"]),
                _paid([look for look in looks if look.number > event.number and (end is None or look.number < end)]),
            )
            for event, end in zip(challenges, ends, strict=True)
        )
    )


def _paid(looks: list[Event]) -> bool | None:
    """Looks before there was a payoff say nothing."""
    known = [payoff for look in looks if (payoff := look.payload.get("payoff"))]
    return bool(known[-1]["gain"]["low"] > 0) if known else None
