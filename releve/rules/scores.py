"""A figure and how sure one may be of it."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """A figure with the interval it lies in at the stated confidence."""

    value: float
    low: float
    high: float


def share(right: int, rows: int, *, confidence: float) -> Interval:
    """`right` of `rows` with Wilson's score interval (Wilson 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(right, rows).proportion_ci(confidence, method="wilson")
    return Interval(right / rows, float(interval.low), float(interval.high))


def difference(first: Interval, second: Interval) -> Interval:
    """`first` minus `second`, of different rows, from both intervals: MOVER (Zou & Donner 2008), which for two shares
    is method 10 of Newcombe (1998)."""
    value = first.value - second.value
    low = value - math.hypot(first.value - first.low, second.high - second.value)
    high = value + math.hypot(first.high - first.value, second.value - second.low)
    return Interval(value, low, high)
