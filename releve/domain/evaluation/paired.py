"""Compare two models on the same rows: the gain, and its interval.

Rows lie in time order and their losses are autocorrelated, so whole blocks are drawn (circular block bootstrap:
Politis & Romano 1992). Of many rows, a few neighbours each are drawn as one, so that time and memory stay bounded.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from releve.core.params import Statistics
from releve.domain.evaluation.evaluation import Comparison
from releve.domain.evaluation.intervals import Interval, share
from releve.domain.evaluation.metrics import METRICS, compute_score
from releve.domain.evaluation.scored_predictions import ScoredPredictions

Floats = NDArray[np.float64]

RESAMPLES = 4000  # draws of the bootstrap
MOST_DRAWN = 1000  # pieces of a table that are drawn: they tell the width of an interval to within 3%
ESTIMATED = 0  # the block length follows from the losses; a person knows no better
TIE = 1e-12  # share of a score below which two scores are the same figure
CHUNK_CELLS = 1_000_000  # weights held at once: 8 MB, whatever the rows and the draws
LEAST_BLOCKS = 8  # that a table is cut into: fewer could not show anything
QUIET_LAGS = 5  # autocorrelations near nothing, one after the other, that end a dependence
LENGTHENED = 1.5  # times the length of least error of the variance: too short a block shows what is chance
LOUD = 1.5  # standard errors, about, that an autocorrelation exceeds to be one


@dataclass(frozen=True)
class BootstrapConfig:
    """How intervals are computed. `block` 0: the block length follows from the autocorrelation of the losses."""

    confidence: float
    resamples: int
    block: int
    seed: int

    @classmethod
    def of(cls, statistics: Statistics, *, resamples: int = RESAMPLES) -> "BootstrapConfig":
        """Take confidence and seed from params.yaml."""
        return cls(statistics.confidence, resamples, ESTIMATED, statistics.seed)

    def block_of(self, series: Floats) -> int:
        return min(self.block or block_rows(series), max(1, len(series)))

    def wanted_of(self, series: Floats) -> int:
        """Return the block length given, or else the one that the series asks for, which may be too long to draw."""
        return self.block_of(series) if self.block else dependent_rows(series)


def compare(
    name: str, challenger: ScoredPredictions, other: ScoredPredictions, bootstrap: BootstrapConfig
) -> Comparison:
    """Compare by the metric `name`, with a paired interval.

    challenger, other: answers to the same rows, in time order. See docs/decisions/0010-paired-comparison.md.
    """
    metric = METRICS[name]
    gap = metric.losses(other) - metric.losses(challenger)
    block = bootstrap.block_of(gap)
    mine, theirs = compute_score(name, challenger), compute_score(name, other)
    drawn = draw_gains(name, challenger, other, block=block, bootstrap=bootstrap)
    low, high = bounds(drawn, blocks=blocks_of(len(challenger), block), confidence=bootstrap.confidence)
    dust = TIE * max(1.0, abs(theirs))
    return Comparison(
        score=theirs,
        gain=Interval(*(0.0 if abs(each) <= dust else each for each in (metric.sign * (mine - theirs), low, high))),
        rows_won=int((gap > 0).sum()),
        rows_lost=int((gap < 0).sum()),
        block_rows=block,
        wanted_block_rows=bootstrap.wanted_of(gap),
    )


def mean_interval(values: Floats, bootstrap: BootstrapConfig) -> Interval:
    """Compute the mean of a figure that each row has (rows,), in time order, with its interval."""
    block = bootstrap.block_of(values)
    pieces = pieces_of(values[:, None])
    drawn = [some @ pieces[:, 0] / some.sum(axis=1) for some in _weights(len(values), block=block, bootstrap=bootstrap)]
    bounded = bounds(np.concatenate(drawn), blocks=blocks_of(len(values), block), confidence=bootstrap.confidence)
    return Interval(float(values.mean()), *bounded)


def compare_costs(mine: Floats, theirs: Floats, bootstrap: BootstrapConfig) -> Comparison:
    """Compare what the same rows cost (rows,), in time order, by two ways of deciding: paired, as `compare`."""
    gap = theirs - mine
    gain = mean_interval(gap, bootstrap)
    dust = TIE * max(1.0, abs(float(theirs.mean())))
    return Comparison(
        score=float(theirs.mean()),
        gain=Interval(*(0.0 if abs(each) <= dust else each for each in (gain.value, gain.low, gain.high))),
        rows_won=int((gap > 0).sum()),
        rows_lost=int((gap < 0).sum()),
        block_rows=bootstrap.block_of(gap),
        wanted_block_rows=bootstrap.wanted_of(gap),
    )


def draw_gains(
    name: str, challenger: ScoredPredictions, other: ScoredPredictions, *, block: int, bootstrap: BootstrapConfig
) -> Floats:
    """Draw the gain in each resample (resamples,): both models' answers to a row are drawn together (Efron 1979)."""
    metric = METRICS[name]
    mine, theirs = (pieces_of(metric.statistics(each)) for each in (challenger, other))
    weights = _weights(len(challenger), block=block, bootstrap=bootstrap)
    gains = [metric.scores(mine, some) - metric.scores(theirs, some) for some in weights]
    return metric.sign * np.concatenate(gains)


def pieces_of(statistics: Floats) -> Floats:
    """Average neighbouring rows (rows, k) until no more than MOST_DRAWN pieces are left (pieces, k).

    Scores are functions of weighted means, so that no row is lost but the oldest ones that fill no piece.
    """
    together = _rows_together(len(statistics))
    if together == 1:
        return statistics
    kept = statistics[len(statistics) % together :]
    return np.asarray(kept.reshape(-1, together, kept.shape[1]).mean(axis=1))


def blocks_of(rows: int, block: int) -> float:
    """Return how many independent pieces so many rows in blocks of `block` rows are."""
    return rows / max(block, _rows_together(rows))


def _rows_together(rows: int) -> int:
    return max(1, math.ceil(rows / MOST_DRAWN))


def _weights(rows: int, *, block: int, bootstrap: BootstrapConfig) -> Iterator[Floats]:
    """Draw pieces (some draws, pieces), in blocks that are as long as `block` rows."""
    together = _rows_together(rows)
    drawn = _drawn(rows // together, math.ceil(block / together), bootstrap.resamples, bootstrap.seed)
    return (some.astype(np.float64) for some in drawn)


@lru_cache(maxsize=2)  # 8 MB each; a challenger is compared with several others on the same rows
def _drawn(pieces: int, block: int, draws: int, seed: int) -> tuple[NDArray[np.uint16], ...]:
    return tuple(some.astype(np.uint16) for some in block_weights(pieces, block=block, draws=draws, seed=seed))


def bounds(draws: Floats, *, blocks: float, confidence: float) -> tuple[float, float]:
    """Percentiles of `draws`, at the levels that few blocks ask for: a percentile interval is too narrow by the step
    from the normal to Student's t, and by that from n to n - 1 (Hesterberg 2015, "expanded percentiles")."""
    from scipy.special import ndtr, stdtrit  # scipy.stats, which has them as `norm` and `t`, takes a second to import

    freedom = max(blocks - 1, 1.0)
    tail = ndtr(stdtrit(freedom, (1 - confidence) / 2) * np.sqrt(blocks / freedom))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def score_interval(name: str, found: ScoredPredictions, bootstrap: BootstrapConfig) -> Interval:
    """Compute a model's own score with its interval. That of accuracy is never narrower than Wilson's (1927): where
    nearly all predictions are correct, resamples hardly vary."""
    metric = METRICS[name]
    block = bootstrap.block_of(metric.losses(found))
    statistics = pieces_of(metric.statistics(found))
    weights = _weights(len(found), block=block, bootstrap=bootstrap)
    drawn = np.concatenate([metric.scores(statistics, some) for some in weights])
    low, high = bounds(drawn, blocks=blocks_of(len(found), block), confidence=bootstrap.confidence)
    if metric.is_share:
        wilson = share(int(found.is_correct.sum()), len(found), confidence=bootstrap.confidence)
        low, high = min(low, wilson.low), max(high, wilson.high)
    return Interval(compute_score(name, found), low, high)


def block_weights(rows: int, *, block: int, draws: int, seed: int) -> Iterator[Floats]:
    """Chunks (some draws, rows): how often each row is drawn, in blocks of `block` neighbours on a circle.

    The last block of a draw is cut, so that every draw has as many rows as the table.
    """
    random = np.random.default_rng(seed)
    for size in _chunks(draws, rows):
        starts = random.integers(rows, size=(size, math.ceil(rows / block), 1))
        drawn = (starts + np.arange(block)).reshape(size, -1)[:, :rows] % rows
        places = (drawn + rows * np.arange(size)[:, None]).ravel()
        yield np.bincount(places, minlength=size * rows).reshape(size, rows).astype(np.float64)


def drawn_rows(rows: int, *, block: int, draws: int, seed: int) -> Floats:
    """Draw the same as `block_weights`, all at once: (draws, rows)."""
    return np.concatenate(list(block_weights(rows, block=block, draws=draws, seed=seed)))


def block_rows(series: Floats) -> int:
    """Choose the block length: that of the autocorrelation, and no more than an eighth of the rows."""
    return min(dependent_rows(series), max(1, len(series) // LEAST_BLOCKS))


def dependent_rows(series: Floats) -> int:
    """Estimate the block length of a per-row series, 1 where rows are independent: Politis & White (2004), for
    the circular bootstrap, with the correction of Patton, Politis & White (2009). It may be more than can be drawn."""
    rows = len(series)
    if rows < 2 * LEAST_BLOCKS or not np.ptp(series):
        return 1
    gaps = series - series.mean()
    longest = min(rows - 1, math.isqrt(rows) + QUIET_LAGS)
    covariances = np.array([gaps[lag:] @ gaps[: rows - lag] / rows for lag in range(longest + 1)])
    loud = np.abs(covariances[1:] / covariances[0]) > LOUD * math.sqrt(math.log10(rows) / rows)
    quiet = (lag for lag in range(len(loud) - QUIET_LAGS + 1) if not loud[lag : lag + QUIET_LAGS].any())
    reach = next(quiet, None)  # the lag after which there is noise alone
    if reach is None:
        reach = int(np.flatnonzero(loud)[-1]) + 1
    if not reach:
        return 1
    lags = np.arange(1, min(2 * reach, longest) + 1)
    taper = np.minimum(1.0, 2 * (1 - lags / (2 * reach)))  # the flat-top window of Politis & Romano (1995)
    spectrum = covariances[0] + 2 * (taper * covariances[lags]).sum()
    slope = 2 * (taper * lags * covariances[lags]).sum()
    if spectrum <= 0:
        return max(1, rows // LEAST_BLOCKS)
    best = LENGTHENED * (1.5 * (slope / spectrum) ** 2 * rows) ** (1 / 3)
    return int(max(1, math.ceil(best)))


def _chunks(draws: int, rows: int) -> list[int]:
    size = max(1, min(draws, CHUNK_CELLS // max(rows, 1)))
    return [size] * (draws // size) + [draws % size] * (draws % size > 0)
