"""Differences between groups of people, by Fairlearn; the only file that imports it."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.evaluation import GroupDifference, GroupScore
from releve.domain.evaluation.fairness import (
    DEMOGRAPHIC_PARITY,
    EQUALIZED_ODDS,
    binary_intervals,
    score_difference_interval,
)
from releve.domain.evaluation.holdout_evaluation import EvaluationInputs
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS, score_or_none
from releve.domain.evaluation.paired import score_interval
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.evaluation.slices import MIN_SLICE_ROWS, groups, slices
from releve.domain.schema.target import BINARY


def find_unfairness(
    inputs: EvaluationInputs, *, min_rows: int = MIN_SLICE_ROWS
) -> tuple[tuple[GroupDifference, ...], tuple[str, ...]]:
    """Compare how the groups of each protected column are treated.

    Groups of fewer than `min_rows` are left out, since of few rows every share is extreme. Returns the differences, and
    the columns that are not compared: fewer than two groups are left, or the metric is not defined in one.
    """
    differences: list[GroupDifference] = []
    unknown: list[str] = []
    for column in inputs.gate.protected:
        names = groups(
            inputs.rows[column].iloc[: inputs.holdout_start], inputs.holdout[column], inputs.schema.column(column)
        )
        counts = Counter(names)
        small = {name: rows for name, rows in sorted(counts.items()) if rows < min_rows}
        kept, large = np.array([name not in small for name in names]), [name for name in names if name not in small]
        mine = inputs.challenger.take(kept)
        values = _differences(inputs, mine, large) if len(counts) - len(small) > 1 else {"": math.nan}
        intervals = {} if any(map(math.isnan, values.values())) else _intervals(inputs, mine, large)
        if not intervals or any(math.isnan(end) for one in intervals.values() for end in (one.low, one.high)):
            unknown.append(column)
            continue
        champions = _differences(inputs, inputs.champion.take(kept), large) if inputs.champion else {}
        differences += [
            GroupDifference(
                attribute=column,
                metric=metric,
                challenger=Interval(value, intervals[metric].low, intervals[metric].high),
                champion=None if math.isnan(champions.get(metric, math.nan)) else champions[metric],
                left_out=small,
            )
            for metric, value in values.items()
        ]
    return tuple(differences), tuple(unknown)


def group_scores(inputs: EvaluationInputs, *, min_rows: int = MIN_SLICE_ROWS) -> tuple[GroupScore, ...]:
    """Score the challenger on each group of the protected columns; None on groups of fewer than `min_rows`."""
    before, metric = inputs.rows.iloc[: inputs.holdout_start], inputs.metric

    def score(part: ScoredPredictions) -> Interval | None:
        is_known = len(part) >= min_rows and METRICS[metric].is_defined(part)
        return score_interval(metric, part, inputs.bootstrap) if is_known else None

    return tuple(
        GroupScore(
            column=part.column,
            value=part.value,
            rows=int(part.rows.sum()),
            score=score(inputs.challenger.take(part.rows)),
        )
        for part in slices(before, inputs.holdout, inputs.gate.protected, inputs.schema)
    )


def _differences(inputs: EvaluationInputs, predictions: ScoredPredictions, names: list[str]) -> dict[str, float]:
    if inputs.schema.target.task == BINARY:
        return binary_differences(*_positives(predictions), names)
    gap = score_difference(lambda rows: _score(inputs.metric, predictions.take(rows)), names)
    return {f"{inputs.metric} difference": gap / _unit(inputs.metric, predictions)}


def _intervals(inputs: EvaluationInputs, predictions: ScoredPredictions, names: list[str]) -> dict[str, Interval]:
    if inputs.schema.target.task == BINARY:
        return binary_intervals(*_positives(predictions), names, inputs.bootstrap)
    gap = score_difference_interval(inputs.metric, predictions, names, inputs.bootstrap)
    unit = _unit(inputs.metric, predictions)
    return {f"{inputs.metric} difference": Interval(gap.value / unit, gap.low / unit, gap.high / unit)}


def _positives(predictions: ScoredPredictions) -> tuple[Any, Any]:
    """Per row: is it positive, and is it predicted so."""
    return predictions.y_true == predictions.positive, predictions.y_pred == predictions.positive


def _unit(metric: str, predictions: ScoredPredictions) -> float:
    """1, or of a metric without an upper end the score over all groups: its difference is a share of it."""
    return (METRICS[metric].relative and abs(_score(metric, predictions))) or 1.0


def _score(metric: str, predictions: ScoredPredictions) -> float:
    """nan where the metric is not defined, which no difference is above or below."""
    value = score_or_none(metric, predictions)
    return math.nan if value is None else value


def binary_differences(
    truth: NDArray[np.bool_], answered: NDArray[np.bool_], groups: Sequence[str]
) -> dict[str, float]:
    """Both differences (0-1, 0 is equal) of one model's answers: (rows,) is it, and was it called, positive.

    A group without a positive has no share of true positives, which Fairlearn's own equalized odds take for 0: it is
    compared by the other share alone. nan where fewer than two groups can be compared.
    """
    from fairlearn.metrics import demographic_parity_difference

    names = np.asarray(groups, dtype=object)

    def largest_gap(rows: Any) -> float:
        """Between two groups in the share called positive."""
        if len(set(names[rows])) < 2:
            return math.nan
        return float(demographic_parity_difference(answered[rows], answered[rows], sensitive_features=names[rows]))

    return {
        DEMOGRAPHIC_PARITY: largest_gap(slice(None)),
        EQUALIZED_ODDS: float(np.max([largest_gap(truth), largest_gap(~truth)])),
    }


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
    return math.nan if frame.by_group.isna().any() else float(frame.difference())
