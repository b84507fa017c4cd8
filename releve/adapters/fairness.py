"""Differences between groups of people, by Fairlearn; the only file that imports it. Values in, values out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DEMOGRAPHIC_PARITY = "demographic parity difference"  # largest gap between groups in the share answered positive
EQUALIZED_ODDS = "equalized odds difference"  # largest gap in the share of true, or of false, positives


def binary_differences(
    truth: NDArray[np.bool_], answered: NDArray[np.bool_], groups: Sequence[str]
) -> dict[str, float]:
    """Both differences (0-1, 0 is equal) of one model's answers: (rows,) is it, and was it called, positive."""
    from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

    given: dict[str, Any] = {"sensitive_features": np.asarray(groups, dtype=object)}
    return {
        DEMOGRAPHIC_PARITY: float(demographic_parity_difference(truth, answered, **given)),
        EQUALIZED_ODDS: float(equalized_odds_difference(truth, answered, **given)),
    }


def score_difference(score: Callable[[NDArray[Any]], float], groups: Sequence[str]) -> float:
    """Largest gap of a score between two groups. `score` is asked with the places of a group's rows."""
    from fairlearn.metrics import MetricFrame

    places = np.arange(len(groups))
    frame = MetricFrame(
        metrics=lambda rows, _: score(np.asarray(rows)),
        y_true=places,
        y_pred=places,
        sensitive_features=np.asarray(groups, dtype=object),
    )
    return float(frame.difference())
