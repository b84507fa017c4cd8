"""How differently challenger and champion treat the groups of a protected column."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from releve.adapters import fairness
from releve.domain.evaluation import fairness as group_fairness
from releve.domain.evaluation.evaluation import GroupDifference, GroupScore
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.judging import Case
from releve.domain.evaluation.metrics import METRICS, score_or_none
from releve.domain.evaluation.paired import BootstrapConfig, score_interval
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.evaluation.slices import MIN_SLICE_ROWS, groups, slices
from releve.domain.schema.target import BINARY


def find_unfairness(
    case: Case, *, min_rows: int = MIN_SLICE_ROWS
) -> tuple[tuple[GroupDifference, ...], tuple[str, ...]]:
    """A line per protected column and measure; and the columns whose groups cannot be compared: fewer than two of
    them are large enough, or the metric is not defined in one.

    Groups of fewer than `min_rows` are named in the line and left out of the difference: of few rows
    every share is extreme.
    """
    found: list[GroupDifference] = []
    unknown: list[str] = []
    for column in case.gate.protected:
        kind = case.schema.column(column).type
        names = groups(case.rows[column].iloc[: case.first], case.holdout[column], kind)
        counts = Counter(names)
        small = sorted(name for name, rows in counts.items() if rows < min_rows)
        if len(counts) - len(small) < 2:
            unknown.append(column)
            continue
        lines = _lines(case, column, names, small)
        ends = [end for line in lines for end in (line.challenger.value, line.challenger.low, line.challenger.high)]
        undefined = any(map(math.isnan, ends))
        unknown += [column] if undefined else []
        found += [] if undefined else lines
    return tuple(found), tuple(unknown)


def group_scores(case: Case, *, min_rows: int = MIN_SLICE_ROWS) -> tuple[GroupScore, ...]:
    """Score the challenger on each group of the protected columns; None on groups of fewer than `min_rows`."""
    before, metric = case.rows.iloc[: case.first], case.metric

    def score(part: ScoredPredictions) -> Interval | None:
        known = len(part) >= min_rows and METRICS[metric].is_defined(part)
        return score_interval(metric, part, case.bootstrap) if known else None

    return tuple(
        GroupScore(
            column=part.column,
            value=part.value,
            rows=int(part.rows.sum()),
            score=score(case.challenger.take(part.rows)),
        )
        for part in slices(before, case.holdout, case.gate.protected, case.schema)
    )


def _lines(case: Case, column: str, names: list[str], small: list[str]) -> list[GroupDifference]:
    kept = np.array([name not in small for name in names])
    large = [name for name, keep in zip(names, kept, strict=True) if keep]
    measure = OF_TWO_CLASSES if case.schema.target.task == BINARY else _of_scores(case.metric)
    mine, theirs = case.challenger.take(kept), case.champion.take(kept) if case.champion else None
    values, others = measure.values(mine, large), measure.values(theirs, large) if theirs else {}
    defined = not any(math.isnan(value) for value in values.values())
    intervals = measure.intervals(mine, large, case.bootstrap) if defined else {}
    return [
        GroupDifference(
            attribute=column,
            metric=metric,
            challenger=Interval(value, intervals[metric].low, intervals[metric].high)
            if defined
            else group_fairness.UNKNOWN,
            champion=None if math.isnan(others.get(metric, math.nan)) else others[metric],
            left_out={name: names.count(name) for name in small},
        )
        for metric, value in values.items()
    ]


@dataclass(frozen=True)
class Measure:
    """By name, how differently groups are treated, and how sure that is."""

    values: Callable[[ScoredPredictions, list[str]], dict[str, float]]
    intervals: Callable[[ScoredPredictions, list[str], BootstrapConfig], dict[str, Interval]]


def _answered(found: ScoredPredictions) -> tuple[Any, Any]:
    """Per row: is it, and was it called, positive."""
    return found.y_true == found.positive, found.y_pred == found.positive


OF_TWO_CLASSES = Measure(
    lambda found, names: fairness.binary_differences(*_answered(found), names),
    lambda found, names, bootstrap: group_fairness.binary_intervals(*_answered(found), names, bootstrap),
)


def _of_scores(metric: str) -> Measure:
    """The largest difference of the metric; of one without an upper end, as a share of the score over all."""

    def unit(found: ScoredPredictions) -> float:
        return (METRICS[metric].relative and abs(_known(metric, found))) or 1.0

    def values(found: ScoredPredictions, names: list[str]) -> dict[str, float]:
        gap = fairness.score_difference(lambda rows: _known(metric, found.take(rows)), names)
        return {f"{metric} difference": gap / unit(found)}

    def intervals(found: ScoredPredictions, names: list[str], bootstrap: BootstrapConfig) -> dict[str, Interval]:
        gap = group_fairness.score_difference_interval(metric, found, names, bootstrap)
        return {f"{metric} difference": Interval(*(end / unit(found) for end in (gap.value, gap.low, gap.high)))}

    return Measure(values, intervals)


def _known(metric: str, found: ScoredPredictions) -> float:
    """nan where the metric is not defined, which no difference is above or below."""
    value = score_or_none(metric, found)
    return float("nan") if value is None else value
