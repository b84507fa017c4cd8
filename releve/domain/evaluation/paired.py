"""Compare two models on the same rows: the gain, its interval, and a permutation p-value."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from releve.core.params import Statistics
from releve.domain.evaluation.evaluation import Comparison
from releve.domain.evaluation.intervals import Interval, share
from releve.domain.evaluation.metrics import METRICS, Metric, compute_score
from releve.domain.evaluation.resampling import block_rows, block_weights, dependent_rows, swaps
from releve.domain.evaluation.scored_predictions import ScoredPredictions

Floats = NDArray[np.float64]

RESAMPLES = 4000  # draws of the bootstrap, and exchanges of answers in the test for luck: p is known to within 1/4000
ESTIMATED = 0  # as many neighbouring rows together as the losses show; a person knows no better
TIE = 1e-12  # share of a score below which two scores are the same figure


@dataclass(frozen=True)
class BootstrapConfig:
    """How intervals are computed. `block` 0: the block length follows from the autocorrelation of the losses."""

    confidence: float
    resamples: int
    block: int
    seed: int

    @classmethod
    def of(cls, statistics: Statistics, *, resamples: int = RESAMPLES) -> "BootstrapConfig":
        """As params.yaml says."""
        return cls(statistics.confidence, resamples, ESTIMATED, statistics.seed)

    def block_of(self, series: Floats) -> int:
        return min(self.block or block_rows(series), max(1, len(series)))

    def wanted_of(self, series: Floats) -> int:
        """The block that the series asks for, which may be longer than any that can be drawn; else the one given."""
        return self.block_of(series) if self.block else dependent_rows(series)


def compare(
    name: str, challenger: ScoredPredictions, other: ScoredPredictions, bootstrap: BootstrapConfig
) -> Comparison:
    """Compare by the metric `name`, with a paired interval and a permutation p-value.

    challenger, other: answers to the same rows, in time order. See docs/decisions/0010-paired-comparison.md.
    """
    metric = METRICS[name]
    gap = metric.losses(other) - metric.losses(challenger)
    block = bootstrap.block_of(gap)
    mine, theirs = compute_score(name, challenger), compute_score(name, other)
    drawn = draw_gains(name, challenger, other, block=block, bootstrap=bootstrap)
    low, high = bounds(drawn, blocks=len(challenger) / block, confidence=bootstrap.confidence)
    dust = TIE * max(1.0, abs(theirs))
    return Comparison(
        score=theirs,
        gain=Interval(*(0.0 if abs(each) <= dust else each for each in (metric.sign * (mine - theirs), low, high))),
        p=permutation_p_value(name, challenger, other, block=block, bootstrap=bootstrap),
        wins=int((gap > 0).sum()),
        losses=int((gap < 0).sum()),
        block_rows=block,
        wanted_block_rows=bootstrap.wanted_of(gap),
    )


def draw_gains(
    name: str, challenger: ScoredPredictions, other: ScoredPredictions, *, block: int, bootstrap: BootstrapConfig
) -> Floats:
    """The gain in each resample (resamples,): both models' answers to a row are drawn together (Efron 1979)."""
    metric = METRICS[name]
    mine, theirs = metric.statistics(challenger), metric.statistics(other)
    weights = block_weights(len(challenger), block=block, draws=bootstrap.resamples, seed=bootstrap.seed)
    gains = [metric.scores(mine, some) - metric.scores(theirs, some) for some in weights]
    return metric.sign * np.concatenate(gains)


def bounds(draws: Floats, *, blocks: float, confidence: float) -> tuple[float, float]:
    """Percentiles of `draws`, at the levels that few blocks ask for: a percentile interval is too narrow by the step
    from the normal to Student's t, and by that from n to n - 1 (Hesterberg 2015, "expanded percentiles")."""
    from scipy.special import ndtr, stdtrit  # scipy.stats, which has them as `norm` and `t`, takes a second to import

    freedom = max(blocks - 1, 1.0)
    tail = ndtr(stdtrit(freedom, (1 - confidence) / 2) * np.sqrt(blocks / freedom))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def permutation_p_value(
    name: str, challenger: ScoredPredictions, other: ScoredPredictions, *, block: int, bootstrap: BootstrapConfig
) -> float:
    """Compute the probability of at least this gain when predictions are swapped at random (Noreen 1989), ties half.

    For accuracy and independent rows this is McNemar's mid-p test (Fagerland, Lydersen & Laake 2013).
    """
    metric, rows = METRICS[name], len(challenger)
    both = metric.statistics(metric.align(challenger).stacked_on(metric.align(other)))
    differs = np.asarray((both[:rows] != both[rows:]).any(axis=1))
    exchanges = swaps(differs, block=block, draws=bootstrap.resamples, seed=bootstrap.seed)
    gains = np.concatenate([_swapped(metric, both, keep) for keep in exchanges])
    found = _swapped(metric, both, np.ones((1, rows)))[0]
    close = TIE * max(1.0, abs(compute_score(name, other)))
    above, level = (gains > found + close).sum(), (np.abs(gains - found) <= close).sum()
    return float((above + level / 2) / len(gains))


def _swapped(metric: Metric, both: Floats, keep: Floats) -> Floats:
    """The first model's gain over the second (draws,) after the exchange."""
    first, second = np.hstack([keep, 1 - keep]), np.hstack([1 - keep, keep])
    return metric.sign * (metric.scores(both, first) - metric.scores(both, second))


def score_interval(name: str, found: ScoredPredictions, bootstrap: BootstrapConfig) -> Interval:
    """Compute a model's own score with its interval. That of accuracy is never narrower than Wilson's (1927): where
    nearly all predictions are correct, resamples hardly vary."""
    metric = METRICS[name]
    block = bootstrap.block_of(metric.losses(found))
    weights = block_weights(len(found), block=block, draws=bootstrap.resamples, seed=bootstrap.seed)
    statistics = metric.statistics(found)
    drawn = np.concatenate([metric.scores(statistics, some) for some in weights])
    low, high = bounds(drawn, blocks=len(found) / block, confidence=bootstrap.confidence)
    if metric.is_share:
        wilson = share(int(found.is_correct.sum()), len(found), confidence=bootstrap.confidence)
        low, high = min(low, wilson.low), max(high, wilson.high)
    return Interval(compute_score(name, found), low, high)
