"""Does the release before come back by itself? Where labels have shown that it would have answered better.

The release before is asked the rows that the present one answered, at every monitoring run. One bad window is no reason
to go back, so a release that was seen on few is judged together with the promotions before it:
docs/decisions/0033-gate-and-rollback.md. A refresh that is due learns at once from the labels that showed the harm, and
no other one is due before new labels have come. What came back is not compared with what was taken back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from releve.domain.quality.payoff import Payoff, pool

LEAST_SEEN = 3  # times that labels came for a release, below which promotions before it are pooled with it


@dataclass(frozen=True)
class RollbackDecision:
    """Whether the release before comes back, and the evidence; none before a payoff is known."""

    roll_back: bool
    evidence: Payoff | None = None  # pooled
    promotions: int = 0  # that are pooled


def decide(own: Sequence[Payoff], earlier: Sequence[Payoff], *, min_rows: int) -> RollbackDecision:
    """Decide on the release that serves.

    `own`: the payoff of its promotion as it was known at each monitoring run, the oldest first; none where nobody knows
    it now. `earlier`: of the promotions before it, the oldest first, since something else than a promotion last decided
    what serves.
    """
    if not own:
        return RollbackDecision(False)
    seen = len(set(own))  # a run without new labels finds the same
    before = earlier[-(LEAST_SEEN - seen) :] if seen < LEAST_SEEN else ()
    evidence = pool([*before, own[-1]])
    is_harm = own[-1].gain.value < 0 and evidence.gain.high < 0 and evidence.rows >= min_rows
    return RollbackDecision(is_harm, evidence, len(before) + 1)
