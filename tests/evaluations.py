"""Evaluations with good defaults: a test shows only what matters to it."""

from typing import Any

from releve.domain.ensemble.description import EnsembleDescription
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


def make_ensemble(**changes: Any) -> EnsembleDescription:
    """Three members, one of them without a weight, and a search whose proposal joined the pool."""
    member = {"recipe": "hist_gradient_boosting", "options": {}, "last_batches": 0, "rows": 320, "problem": ""}
    trial = {"number": 1, "origin": "search", "recipe": "svm", "scale": "standard", "options": {"C": 0.123456}}
    values: dict[str, Any] = {
        "identity": "e" * 64,
        "learned": 900,
        "serves": "ensemble",
        "loss": "log_loss",
        "windows": 6,
        "rows": 1800,
        "members": [
            member | {"name": "hist_gradient_boosting", "weight": 0.6, "loss": 0.41},
            member | {"name": "hist_gradient_boosting_last_2", "last_batches": 2, "weight": 0.4, "loss": 0.44},
            member | {"name": "first", "recipe": "", "weight": 0.0, "loss": None},
        ],
        "search": {
            "causes": ["drift"],
            "trials": [trial | {"score": 0.8, "folds": [0.8], "reason": ""}],
            "outcome": {"proposed": "svm C=0.123", "gain": GAIN, "joined": True},
        },
    }
    return EnsembleDescription.model_validate(values | changes)
