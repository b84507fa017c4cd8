"""How differently groups are treated, and how sure that is: an interval around the largest difference between two.

Of many groups two always differ, and of few rows a share is extreme, so the largest difference found is too large.
Each group's figure has an interval at the level that a comparison of all pairs asks for (Tukey 1953, Kramer 1956), two
of them give the interval of their difference (MOVER: Zou & Donner 2008), and the largest difference is shown as far as
some pair's low end reaches: docs/decisions/0017-fairness-interval.md.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.intervals import Interval, difference
from releve.domain.evaluation.paired import BootstrapConfig, score_interval
from releve.domain.evaluation.scored_predictions import ScoredPredictions

DEMOGRAPHIC_PARITY = "demographic parity difference"  # largest gap between groups in the share answered positive
EQUALIZED_ODDS = "equalized odds difference"  # largest gap in the share of true, or of false, positives
UNKNOWN = Interval(math.nan, math.nan, math.nan)

Flags = NDArray[np.bool_]


def binary_intervals(
    truth: Flags, answered: Flags, groups: Sequence[str], bootstrap: BootstrapConfig
) -> dict[str, Interval]:
    """Compute both differences (0-1, 0 is equal) with their intervals.

    `truth`, `answered`: (rows,) whether a row is positive, and whether it was answered so, in time order.

    A group without a positive is compared by its false positives alone. nan where fewer than two can be compared.
    """
    names = np.asarray(groups, dtype=object)
    each = replace(bootstrap, confidence=(1 + bootstrap.confidence) / 2)  # of two sides, by Bonferroni
    sides = [_called_positive(answered[side], names[side], each) for side in (truth, ~truth)]
    return {
        DEMOGRAPHIC_PARITY: _called_positive(answered, names, bootstrap),
        EQUALIZED_ODDS: _largest(sides),
    }


def score_difference_interval(
    metric: str, found: ScoredPredictions, groups: Sequence[str], bootstrap: BootstrapConfig
) -> Interval:
    """Compute the largest difference of a metric that is defined in each group, in its own unit."""
    return _between(lambda rows, each: score_interval(metric, found.take(rows), each), np.asarray(groups), bootstrap)


def widest(parts: Sequence[Interval]) -> Interval:
    """Compute the largest difference between two of them, with its interval; 0 at least.

    nan where one of them is.
    """
    return _largest([difference(one, other) for one, other in permutations(parts, 2)])


def pairwise_confidence(groups: int, *, confidence: float) -> float:
    """Return the confidence each pair needs so that all pairs hold together (Tukey-Kramer)."""
    from scipy.stats import norm, studentized_range

    reach = studentized_range.ppf(confidence, groups, np.inf) / math.sqrt(2)
    return float(2 * norm.cdf(reach) - 1)


def _called_positive(answered: Flags, names: NDArray[Any], bootstrap: BootstrapConfig) -> Interval:
    """Compare the share answered positive: the accuracy of always answering "positive", were the answers the truth."""
    always = ScoredPredictions(np.tile([0.0, 1.0], (len(answered), 1)), answered.astype(np.int64))
    return _between(lambda rows, each: score_interval("accuracy", always.take(rows), each), names, bootstrap)


def _between(
    figure: Callable[[Flags, BootstrapConfig], Interval], names: NDArray[Any], bootstrap: BootstrapConfig
) -> Interval:
    known = dict.fromkeys(names.tolist())
    if len(known) < 2:
        return UNKNOWN
    each = replace(bootstrap, confidence=pairwise_confidence(len(known), confidence=bootstrap.confidence))
    return widest([figure(np.asarray(names == name), each) for name in known])


def _largest(found: Sequence[Interval]) -> Interval:
    """Take the maximum of each bound; nan where one is not known, as it may be the largest."""
    ends = np.array([(0.0, 0.0, 0.0), *((one.value, one.low, one.high) for one in found)])
    return Interval(*(float(end) for end in ends.max(axis=0)))
