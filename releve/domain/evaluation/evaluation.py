"""What evaluation.json says, whatever version of Relève wrote it: registry events are never rewritten."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from releve.domain.evaluation.intervals import Interval

CHAMPION = "champion"  # the name of its comparison
FIRST_METRIC = "accuracy"  # the only one, before there were others


@dataclass(frozen=True)
class Headline:
    """The figure that a model version is known by."""

    metric: str
    score: Interval
    rows: int  # of holdout


def headline(evaluation: Mapping[str, Any]) -> Headline:
    """The challenger's score with its interval."""
    mine = evaluation["challenger"]
    if "metric" not in evaluation:
        interval = Interval(*(float(mine[key]) for key in ("accuracy", "accuracy_low", "accuracy_high")))
        return Headline(FIRST_METRIC, interval, evaluation["holdout_rows"])
    interval = Interval(mine["score"], mine["low"], mine["high"])
    return Headline(evaluation["metric"], interval, evaluation["holdout_rows"])


def score_of(other: Mapping[str, Any]) -> float:
    """The score of one that the challenger was compared with."""
    return float(other["score"] if "score" in other else other["accuracy"])
