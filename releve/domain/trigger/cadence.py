"""How often `trigger.policy: auto` retrains: as often as retraining has been seen to pay.

After a promotion the champion before it is asked the new rows as well, which takes no training. What the last few
promotions gained on the labelled rows since, pooled, says whether retraining pays: then the next one comes at the
fastest pace. Where it does not, the pace is halved with every retraining in vain. So a table that stands still is left
alone, and one that moves is followed (doubling is the back-off of Metcalfe & Boggs 1976).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from releve.core.params import Trigger
from releve.domain.evaluation.intervals import Interval, format_interval
from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.paired import BootstrapConfig, bounds, draw_gains
from releve.domain.evaluation.scored_predictions import ScoredPredictions

MEMORY = 4  # retrainings that are pooled
LEAST_RECENT = 30  # labels since the last run, below which these answers are not judged alone
FASTEST_BATCHES, SLOWEST_BATCHES = 2, 32  # between challenges
BUDGET_BATCHES = 2.5  # that earn one more challenge, whatever the evidence
BUDGET_AT_FIRST = 2  # challenges in hand when the first champion is made
RESERVE = 0.5  # of a challenge, which is kept for what is sure
DUST = 1e-9  # of a challenge, that sums of fractions may be off by
MOST_ROWS = 5000  # newest labelled rows that a payoff is measured on


@dataclass(frozen=True)
class Payoff:
    """What the last promotion brought: the champion's gain over the one before on the same labelled rows since."""

    gain: Interval  # paired; positive is better, whatever the metric
    rows: int

    @property
    def is_shown(self) -> bool:
        """Return whether it is more than chance."""
        return self.gain.low > 0


@dataclass(frozen=True)
class Challenged:
    """A challenge, and what its promotion was seen to bring by the next promotion; None where nobody knew."""

    at: str  # ISO 8601, UTC; "" where nobody knows
    promoted: bool
    rows: int  # labelled rows there were
    batches: int = 0  # of labelled rows, since the challenge before
    payoff: Payoff | None = None


@dataclass(frozen=True)
class Pace:
    """Batches between two challenges, and why so many."""

    batches: int
    reason: str


def pace(challenges: Sequence[Challenged], payoff: Payoff | None, params: Trigger) -> Pace:
    """Compute the pace from the challenges, the first included; `payoff`: what is known of the last promotion."""
    known, refused = payoffs(challenges, payoff), _refused(challenges)
    if not known:
        reason = "nobody knows yet whether retraining pays (params.yaml: trigger.every_batches)"
        if refused:
            reason = f"{refused} challengers in a row were refused, and no retraining is known to pay"
        return Pace(_doubled(refused, params), reason)
    pooled = pool(known[-MEMORY:])
    reason = (
        f"of the last {len(known[-MEMORY:])} retrainings that are known, each gained {format_interval(pooled.gain)}"
    )
    if pooled.is_shown:
        return Pace(FASTEST_BATCHES, reason)
    without_gain = next((place for place, each in enumerate(reversed(known)) if each.is_shown), len(known))
    return Pace(_doubled(without_gain + refused, params), reason)


def _refused(challenges: Sequence[Challenged]) -> int:
    """The last challenges running whose challenger was refused: they gained nothing."""
    made = [each.promoted for each in reversed(challenges[1:])]
    return next((place for place, promoted in enumerate(made) if promoted), len(made))


def _doubled(without_gain: int, params: Trigger) -> int:
    return int(min(params.every_batches * 2**without_gain, SLOWEST_BATCHES))


def payoffs(challenges: Sequence[Challenged], payoff: Payoff | None) -> list[Payoff]:
    """List what is known of every promotion, oldest first; each counts once, and `payoff` is the last one's by now."""
    promoted = [each.payoff for each in challenges if each.promoted]
    known = [*promoted[:-1], payoff or next(reversed(promoted), None)]
    return [each for each in known if each is not None]


def pool(known: Sequence[Payoff]) -> Payoff:
    """Compute the mean gain over all rows of independent payoffs, with its interval."""
    rows = sum(each.rows for each in known)
    shares = [each.rows / rows for each in known]
    value = sum(share * each.gain.value for share, each in zip(shares, known, strict=True))
    below = math.hypot(*(share * (each.gain.value - each.gain.low) for share, each in zip(shares, known, strict=True)))
    above = math.hypot(*(share * (each.gain.high - each.gain.value) for share, each in zip(shares, known, strict=True)))
    return Payoff(Interval(value, value - below, value + above), rows)


def has_budget(
    challenges: Sequence[Challenged],
    new_batches: int,
    *,
    is_sure: bool,
    budget_batches: float = BUDGET_BATCHES,
    budget_at_first: float = BUDGET_AT_FIRST,
) -> bool:
    """Return whether one more challenge can be paid for.

    Some are in hand at the beginning, and so many batches earn one more (a token bucket). What quiet times did
    not spend is there when something happens; what is not sure leaves RESERVE.
    """
    made = challenges[1:]
    batches = new_batches + sum(challenge.batches for challenge in made)
    in_hand = budget_at_first + batches / budget_batches - len(made)
    return in_hand >= 1 + (0 if is_sure else RESERVE) - DUST


def is_not_beneficial(challenges: Sequence[Challenged], payoff: Payoff | None) -> bool:
    """Return whether retraining is known, and not known to pay."""
    known = payoffs(challenges, payoff)
    return bool(known) and not pool(known[-MEMORY:]).is_shown


def measure(
    metric: str, champion: ScoredPredictions, previous: ScoredPredictions, *, bootstrap: BootstrapConfig
) -> Payoff:
    """Compute the payoff of a promotion, from both models' answers to the same labelled rows in time order."""
    losses = METRICS[metric].losses
    block = bootstrap.block_of(losses(previous) - losses(champion))
    drawn = draw_gains(metric, champion, previous, block=block, bootstrap=bootstrap)
    low, high = bounds(drawn, blocks=len(champion) / block, confidence=bootstrap.confidence)
    gain = METRICS[metric].sign * (compute_score(metric, champion) - compute_score(metric, previous))
    return Payoff(Interval(gain, low, high), len(champion))
