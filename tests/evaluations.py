"""Evaluations with good defaults: a test shows only what matters to it."""

from typing import Any

from releve.domain.evaluation.evaluation import Comparison, Evaluation, Opponent
from releve.domain.evaluation.intervals import Interval

GAIN = Interval(0.1, 0.02, 0.18)


def make_comparison(score: float = 0.7, gain: Interval = GAIN, **changes: Any) -> Comparison:
    """An opponent that the challenger clearly beats."""
    return Comparison.model_validate({"score": score, "gain": gain, "rows_won": 60, "rows_lost": 10} | changes)


def make_evaluation(score: float = 0.9, **changes: Any) -> Evaluation:
    """A challenger that beats two baselines; there is no champion."""
    values: dict[str, Any] = {
        "task": "binary",
        "metric": "accuracy",
        "sign": 1,
        "rows": 320,
        "holdout_rows": 120,
        "confidence": 0.95,
        "challenger": {
            "score": Interval(score, score - 0.05, score + 0.05),
            "metrics": {"accuracy": score},
            "calibration": None,
        },
        "against": {Opponent.MAJORITY_LABEL: make_comparison(0.5), Opponent.PREVIOUS_LABEL: make_comparison(0.6)},
    }
    return Evaluation.model_validate(values | changes)
