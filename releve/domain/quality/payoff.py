"""What a promotion brought: the release before it is asked the rows since as well, which takes no training."""

from collections.abc import Sequence
from dataclasses import dataclass

from releve.domain.evaluation.intervals import Interval, weighted_mean
from releve.domain.evaluation.paired import BootstrapConfig, compare
from releve.domain.evaluation.scored_predictions import ScoredPredictions

MOST_ROWS = 5000  # newest labelled rows that a payoff is measured on


@dataclass(frozen=True)
class Payoff:
    """What the last promotion brought: the champion's gain over the one before on the same labelled rows since."""

    gain: Interval  # paired; positive is better, whatever the metric
    rows: int


def pool(payoffs: Sequence[Payoff]) -> Payoff:
    """Compute the mean gain over all rows of independent payoffs, at least one, with its interval."""
    rows = [each.rows for each in payoffs]
    return Payoff(weighted_mean([each.gain for each in payoffs], rows), sum(rows))


def measure(
    metric: str, champion: ScoredPredictions, previous: ScoredPredictions, *, bootstrap: BootstrapConfig
) -> Payoff:
    """Compute the payoff of a promotion, from both models' answers to the same labelled rows in time order."""
    return Payoff(compare(metric, champion, previous, bootstrap).gain, len(champion))
