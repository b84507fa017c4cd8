"""Differences between groups of people, by Fairlearn; the only file that imports it. Values in, values out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.fairness import DEMOGRAPHIC_PARITY, EQUALIZED_ODDS


def binary_differences(
    truth: NDArray[np.bool_], answered: NDArray[np.bool_], groups: Sequence[str]
) -> dict[str, float]:
    """Both differences (0-1, 0 is equal) of one model's answers: (rows,) is it, and was it called, positive.

    A group without a positive has no share of true positives, which Fairlearn's own equalized odds take for 0: it is
    compared by the other share alone. nan where fewer than two groups can be compared.
    """
    names = np.asarray(groups, dtype=object)
    shares = [_called_positive(answered[side], names[side]) for side in (truth, ~truth)]
    return {DEMOGRAPHIC_PARITY: _called_positive(answered, names), EQUALIZED_ODDS: float(np.max(shares))}


def _called_positive(answered: NDArray[np.bool_], groups: NDArray[Any]) -> float:
    """Largest gap between two groups in the share called positive."""
    from fairlearn.metrics import demographic_parity_difference

    if len(set(groups)) < 2:
        return float("nan")
    return float(demographic_parity_difference(answered, answered, sensitive_features=groups))


def score_difference(score: Callable[[NDArray[Any]], float], groups: Sequence[str]) -> float:
    """Largest gap of a score between two groups. `score` is asked with the places of a group's rows.

    nan where it is so of a group, which Fairlearn would leave out.
    """
    from fairlearn.metrics import MetricFrame

    places = np.arange(len(groups))
    frame = MetricFrame(
        metrics=lambda rows, _: score(np.asarray(rows)),
        y_true=places,
        y_pred=places,
        sensitive_features=np.asarray(groups, dtype=object),
    )
    return float("nan") if frame.by_group.isna().any() else float(frame.difference())
