"""Does the release before come back by itself? Where labels have shown that it would have answered better.

The release before is asked the rows that the present one answered, at every monitoring run. One bad window is no reason
to go back, so the evidence of the newest promotions is pooled: docs/decisions/0033-gate-and-rollback.md. A rollback is
followed by no other one: what is gained over a release that was taken back is not measured, and a refresh waits until
a window of labels has come since (`ShownHarm.rows`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from releve.domain.quality.payoff import Payoff, pool

PROMOTIONS = 3  # newest ones whose payoffs are pooled


@dataclass(frozen=True)
class RollbackDecision:
    """Whether the release before comes back, and the evidence; none before a payoff is known."""

    roll_back: bool
    evidence: Payoff | None = None  # pooled
    promotions: int = 0


def decide(payoff: Payoff | None, earlier: Sequence[Payoff], *, min_rows: int) -> RollbackDecision:
    """Decide on the release that serves.

    `payoff`: of its promotion, None where nobody knows. `earlier`: of the promotions before it, the oldest first, since
    something else than a promotion last decided what serves.
    """
    if payoff is None:
        return RollbackDecision(False)
    pooled = [*earlier, payoff][-PROMOTIONS:]
    evidence = pool(pooled)
    is_harm = payoff.gain.value < 0 and evidence.gain.high < 0 and evidence.rows >= min_rows
    return RollbackDecision(is_harm, evidence, len(pooled))
