"""How differently challenger and champion treat the groups of a protected column."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from releve.adapters import fairness
from releve.rules.judging import Case
from releve.rules.metrics import METRICS, score_or_none
from releve.rules.sheets import Sheet
from releve.rules.slices import groups
from releve.rules.target import BINARY


def find_unfairness(case: Case) -> tuple[list[dict[str, Any]], list[str]]:
    """A line per protected column and measure; and the columns whose groups cannot be compared: fewer than two of
    them are large enough, or the metric is not defined in one.

    Groups of fewer than gate.min_slice_rows rows are named in the line and left out of the difference: of few rows
    every share is extreme.
    """
    found, unknown = [], []
    for column in case.gate.protected:
        kind = case.schema.column(column).type
        names = groups(case.rows[column].iloc[: case.first], case.holdout[column], kind)
        counts = Counter(names)
        small = sorted(name for name, rows in counts.items() if rows < case.gate.min_slice_rows)
        if len(counts) - len(small) < 2:
            unknown.append(column)
            continue
        lines = _lines(case, column, names, small)
        undefined = any(math.isnan(line["challenger"]) for line in lines)
        unknown += [column] if undefined else []
        found += [] if undefined else lines
    return found, unknown


def _lines(case: Case, column: str, names: list[str], small: list[str]) -> list[dict[str, Any]]:
    kept = np.array([name not in small for name in names])
    large = [name for name, keep in zip(names, kept, strict=True) if keep]
    measure = _of_two_classes if case.schema.target.task == BINARY else _of_scores(case.metric)
    mine = measure(case.challenger.take(kept), large)
    theirs = measure(case.champion.take(kept), large) if case.champion else {}
    return [
        {
            "attribute": column,
            "metric": metric,
            "challenger": value,
            "champion": None if math.isnan(theirs.get(metric, math.nan)) else theirs[metric],
            "left_out": {name: names.count(name) for name in small},
        }
        for metric, value in mine.items()
    ]


def _of_two_classes(found: Sheet, names: list[str]) -> dict[str, float]:
    answered = found.named == found.positive
    return fairness.binary_differences(found.truth == found.positive, answered, names)


def _of_scores(metric: str) -> Callable[[Sheet, list[str]], dict[str, float]]:
    """The largest difference of the metric; of one without an upper end, as a share of the score over all."""

    def measure(found: Sheet, names: list[str]) -> dict[str, float]:
        gap = fairness.score_difference(lambda rows: _known(metric, found.take(rows)), names)
        over_all = abs(_known(metric, found)) if METRICS[metric].relative else 1.0
        return {f"{metric} difference": gap / over_all if over_all else gap}

    return measure


def _known(metric: str, found: Sheet) -> float:
    """nan where the metric is not defined, which no difference is above or below."""
    value = score_or_none(metric, found)
    return float("nan") if value is None else value
