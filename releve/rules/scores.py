"""Scores of predictions on the same rows, and how sure one may be of a difference."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from releve.rules.target import Label

Flags = npt.NDArray[np.bool_]  # per row: was the answer right
SMALLEST_PROBABILITY = 1e-15  # keeps the log finite where a model was certain and wrong


@dataclass(frozen=True)
class Interval:
    """A figure with the interval it lies in at the stated confidence."""

    value: float
    low: float
    high: float


def correct(predicted: Sequence[Label | None], labels: Sequence[Label | None]) -> Flags:
    """Per row, whether the prediction is the label."""
    return np.array([one == other for one, other in zip(predicted, labels, strict=True)], dtype=bool)


def log_loss(probabilities: npt.NDArray[np.float64], labels: list[Label], classes: list[Label]) -> float:
    """Mean negative log of the probability given to the label; natural logarithm, 0 is perfect."""
    columns = [classes.index(label) for label in labels]
    given = probabilities[np.arange(len(labels)), columns].astype(float)
    return float(-np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0)).mean())


def accuracy(flags: Flags, *, confidence: float) -> Interval:
    """Share of right answers with its interval."""
    return share(int(flags.sum()), len(flags), confidence=confidence)


def share(right: int, rows: int, *, confidence: float) -> Interval:
    """`right` of `rows` with Wilson's score interval (Wilson 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(right, rows).proportion_ci(confidence, method="wilson")
    return Interval(right / rows, float(interval.low), float(interval.high))


def paired_gain(champion: Flags, challenger: Flags, *, confidence: float, resamples: int, seed: int) -> Interval:
    """Accuracy of the challenger minus the champion's on the same rows, with a paired percentile bootstrap
    (Efron 1979): rows are drawn with replacement, both models' answers to a row together."""
    difference = challenger.astype(np.int8) - champion.astype(np.int8)
    counts = np.array([(difference == step).sum() for step in (-1, 0, 1)])
    # Rows with the same difference are alike, so drawing their counts is drawing the rows.
    draws = np.random.default_rng(seed).multinomial(len(difference), counts / len(difference), size=resamples)
    gains = (draws[:, 2] - draws[:, 0]) / len(difference)
    low, high = np.quantile(gains, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(difference.mean()), float(low), float(high))


def difference(first: Interval, second: Interval) -> Interval:
    """`first` minus `second`, shares of different rows: Newcombe (1998), method 10, from both intervals."""
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, low, high)


def wins_by_chance(wins: int, losses: int) -> float:
    """Chance of at least so many wins when both models are equally good: McNemar's test, one-sided, mid-p
    (Fagerland, Lydersen & Laake 2013). A bootstrap of few disagreements knows no doubt; this does."""
    from scipy.stats import binom

    disagreements = wins + losses
    return float(binom.sf(wins, disagreements, 0.5) + binom.pmf(wins, disagreements, 0.5) / 2)


def majority_label(labels: list[Label], classes: list[Label]) -> Label:
    """The most frequent label; the earlier class where two are as frequent."""
    return max(classes, key=labels.count)


def previous_labels(before: Label, labels: list[Label]) -> list[Label]:
    """The naive forecast "the same as last time": each row is answered with the label of the row before it."""
    return [before, *labels[:-1]]
