"""What the registry says of a scenario's challenges and monitoring runs: what the trigger decides by."""

import re
from itertools import takewhile

from releve.adapters.registry.registry import Registry
from releve.domain.drift.verdict import BROKEN
from releve.domain.evaluation.intervals import Interval
from releve.domain.registry.chain import CHALLENGED, INGESTED, MONITORED, Event
from releve.domain.trigger.cadence import Challenged, Payoff
from releve.domain.trigger.trigger import History
from tasks.history import events_of

HARVESTED = re.compile(r"answers-\d+\.parquet")  # the source of a batch of answers whose labels came back


def challenges_of(registry: Registry, scenario: str, *, batch_rows: int) -> History:
    """Every challenge since then; what a promotion brought is what the last look before the next promotion had seen.

    `batch_rows`: see `new_batches`.
    """
    challenges = events_of(registry, scenario, CHALLENGED)
    looks = events_of(registry, scenario, MONITORED)
    ingested = events_of(registry, scenario, INGESTED)
    starts = [0, *(event.number for event in challenges)]
    promoted = [event.number for event in challenges if event.payload["promote"]]
    ends = [next((number for number in promoted if number > event.number), None) for event in challenges]
    return History(
        tuple(
            Challenged(
                event.at,
                bool(event.payload["promote"]),
                int(event.payload["rows"]),
                batches=_batches([batch for batch in ingested if start < batch.number < event.number], batch_rows),
                payoff=_payoff([look for look in looks if event.number < look.number < (end or look.number + 1)])
                if event.payload["promote"]
                else None,
            )
            for event, start, end in zip(challenges, starts, ends, strict=False)
        )
    )


def new_batches(registry: Registry, scenario: str, *, waiting: int, batch_rows: int) -> int:
    """Batches since the last challenge: every ingested file is one, and so are `batch_rows` labelled answers.

    Answers are harvested when a challenge is due and not before, all into one file: counted as files they would make
    no challenge due. `waiting`: labelled answers that are no batch yet.
    """
    challenges = events_of(registry, scenario, CHALLENGED)
    last = challenges[-1].number if challenges else 0
    ingested = [event for event in events_of(registry, scenario, INGESTED) if event.number > last]
    return _batches(ingested, batch_rows) + waiting // max(1, batch_rows)


def _batches(ingested: list[Event], batch_rows: int) -> int:
    return sum(
        max(1, event.payload["rows"] // max(1, batch_rows)) if HARVESTED.fullmatch(event.payload["source"]) else 1
        for event in ingested
    )


def broken_looks(registry: Registry, scenario: str, *, last_at: str | None) -> int:
    """Looks running at broken data, with the one that is taken now at answers up to `last_at`.

    Looks at the same answers are one, so that looking again makes nothing normal.
    """
    looks = [look.payload for look in reversed(events_of(registry, scenario, MONITORED))]
    running = takewhile(lambda look: look["drift"]["state"] == BROKEN, looks)
    return len({last_at, *((look.get("window") or {}).get("last_at") for look in running)})


def _payoff(looks: list[Event]) -> Payoff | None:
    """Of the last look that knew one."""
    known = [payoff for look in looks if (payoff := look.payload.get("payoff"))]
    return Payoff(Interval(**known[-1]["gain"]), known[-1]["rows"]) if known else None
