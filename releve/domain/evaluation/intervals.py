"""A figure and how sure one may be of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from releve.core.formatting import format_score


@dataclass(frozen=True)
class Interval:
    """A figure with the interval it lies in at the stated confidence."""

    value: float
    low: float
    high: float


def format_interval(gain: Interval) -> str:
    """Format a gain or a change with its interval."""
    value, low, high = (format_score(each, sign="+") for each in (gain.value, gain.low, gain.high))
    return f"{value} [{low}, {high}]"


def format_score_interval(interval: Interval) -> str:
    """Write a score with its interval: 0.912 [0.887, 0.931]."""
    return f"{format_score(interval.value)} [{format_score(interval.low)}, {format_score(interval.high)}]"


def rounded(value: float) -> float:
    """Six digits: enough to compare in any unit, and the same on every machine."""
    return float(f"{value:.6g}")


def share(right: int, rows: int, *, confidence: float) -> Interval:
    """Compute the share of `right` in `rows` (at least one) with Wilson's score interval (Wilson 1927)."""
    # scipy.stats has it too, and takes a second of CPU time to be imported, in every process that needs a share.
    value, z = right / rows, NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (value + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * math.sqrt(value * (1 - value) / rows + (z / (2 * rows)) ** 2) / (1 + z**2 / rows)
    low, high = 0.0 if right == 0 else middle - half, 1.0 if right == rows else middle + half
    return Interval(value, low, high)


def difference(first: Interval, second: Interval) -> Interval:
    """Subtract `second` from `first`, which are of different rows.

    MOVER (Zou & Donner 2008), which for two shares is method 10 of Newcombe (1998).
    """
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, low, high)


def weighted_mean(intervals: Sequence[Interval], weights: Sequence[float]) -> Interval:
    """Compute the mean of figures of different rows, by MOVER for a linear combination (Zou & Donner 2008)."""
    shares = [weight / sum(weights) for weight in weights]
    value = sum(part * each.value for part, each in zip(shares, intervals, strict=True))
    below = (part * (each.value - each.low) for part, each in zip(shares, intervals, strict=True))
    above = (part * (each.high - each.value) for part, each in zip(shares, intervals, strict=True))
    return Interval(value, value - math.hypot(*below), value + math.hypot(*above))
