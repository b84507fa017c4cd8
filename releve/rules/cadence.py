"""How often `trigger.policy: auto` retrains: as often as retraining has been seen to pay.

After a promotion the champion before it is asked the new rows as well, which takes no training. Where both differ on
the labelled rows since, retraining pays, and the next one comes at the fastest pace; where they do not, the pace is
halved. So a table that stands still is left alone, and one that moves is followed (additive increase would be too slow
for abrupt changes; doubling is the back-off of Metcalfe & Boggs 1976).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from releve.rules.metrics import METRICS, score_sheet
from releve.rules.paired import Doubt, bounds, draw_gains
from releve.rules.params import Trigger
from releve.rules.scores import Interval, told_interval
from releve.rules.sheets import Sheet


@dataclass(frozen=True)
class Payoff:
    """What the last promotion brought: the champion's gain over the one before on the same labelled rows since."""

    gain: Interval  # paired; positive is better, whatever the metric
    rows: int

    @property
    def is_shown(self) -> bool:
        """Whether it is more than luck."""
        return self.gain.low > 0


@dataclass(frozen=True)
class Challenged:
    """A challenge, and whether it was seen to pay by the time of the next one; None where nobody could know."""

    at: str  # ISO 8601, UTC; "" where nobody knows
    promoted: bool
    rows: int  # labelled rows there were
    paid: bool | None = None


@dataclass(frozen=True)
class Pace:
    """Batches between two challenges, and why so many."""

    batches: int
    reason: str

    def __str__(self) -> str:
        return f"one is due after {self.batches}: {self.reason}"


def pace(challenges: Sequence[Challenged], payoff: Payoff | None, params: Trigger) -> Pace:
    """From the challenges after the first champion's; `payoff` is what is known of the last promotion by now."""
    batches = params.every_batches
    for challenge in challenges[1:-1]:
        batches = _next(batches, challenge.paid, params)
    if len(challenges) < 2:
        return Pace(batches, "nobody knows yet whether retraining pays (params.yaml: trigger.every_batches)")
    if not challenges[-1].promoted:
        return Pace(_next(batches, False, params), "the last challenger was refused")
    if payoff is None:
        return Pace(batches, "nobody knows yet whether the last retraining paid")
    told = f"on {payoff.rows} labelled rows since, it gained {told_interval(payoff.gain)}"
    return Pace(_next(batches, payoff.is_shown, params), f"the last retraining, {told}")


def _next(batches: int, paid: bool | None, params: Trigger) -> int:
    if paid is None:
        return batches
    return params.fastest_batches if paid else min(2 * batches, params.slowest_batches)


def measure(metric: str, champion: Sheet, previous: Sheet, *, doubt: Doubt) -> Payoff:
    """The payoff of a promotion, from both models' answers to the same labelled rows in time order."""
    losses = METRICS[metric].losses
    block = doubt.block_of(losses(previous) - losses(champion))
    drawn = draw_gains(metric, champion, previous, block=block, doubt=doubt)
    low, high = bounds(drawn, blocks=len(champion) / block, confidence=doubt.confidence)
    gain = METRICS[metric].sign * (score_sheet(metric, champion) - score_sheet(metric, previous))
    return Payoff(Interval(gain, low, high), len(champion))
