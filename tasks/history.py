"""What the registry says of a scenario since it was last started over."""

from releve.adapters.registry import Registry
from releve.rules.cadence import Challenged, Payoff
from releve.rules.chain import CHALLENGED, FORGOTTEN, INGESTED, MONITORED, Event
from releve.rules.drift import BROKEN
from releve.rules.scores import Interval
from releve.rules.trigger import History

__all__ = [
    "CHALLENGED",
    "FORGOTTEN",
    "INGESTED",
    "MONITORED",
    "broken_looks",
    "challenges_of",
    "events_of",
    "new_batches",
]


def events_of(registry: Registry, scenario: str, *kinds: str) -> list[Event]:
    """Events of these kinds, oldest first, after the last time the scenario was forgotten."""
    events = registry.events(scenario, kinds=[*kinds, FORGOTTEN])
    starts = [number for number, event in enumerate(events) if event.kind == FORGOTTEN]
    return events[starts[-1] + 1 :] if starts else events


def challenges_of(registry: Registry, scenario: str) -> History:
    """Every challenge since then; what one brought is what the last look before the next one had seen."""
    challenges = events_of(registry, scenario, CHALLENGED)
    looks = events_of(registry, scenario, MONITORED)
    ingested = events_of(registry, scenario, INGESTED)
    starts = [0, *(event.number for event in challenges)]
    ends = [*(event.number for event in challenges[1:]), None]
    return History(
        tuple(
            Challenged(
                event.at,
                bool(event.payload["promote"]),
                int(event.payload["rows"]),
                batches=sum(start < batch.number < event.number for batch in ingested),
                payoff=_payoff([look for look in looks if event.number < look.number < (end or look.number + 1)]),
            )
            for event, start, end in zip(challenges, starts[:-1], ends, strict=True)
        )
    )


def new_batches(registry: Registry, scenario: str) -> int:
    """Batches ingested since the last challenge."""
    challenges = events_of(registry, scenario, CHALLENGED)
    last = challenges[-1].number if challenges else 0
    return sum(event.number > last for event in events_of(registry, scenario, INGESTED))


def broken_looks(registry: Registry, scenario: str) -> int:
    """The last looks running that found broken data."""
    states = [look.payload["drift"]["state"] for look in events_of(registry, scenario, MONITORED)]
    return next((count for count, state in enumerate(reversed(states)) if state != BROKEN), len(states))


def _payoff(looks: list[Event]) -> Payoff | None:
    """Of the last look that knew one."""
    known = [payoff for look in looks if (payoff := look.payload.get("payoff"))]
    return Payoff(Interval(**known[-1]["gain"]), known[-1]["rows"]) if known else None
