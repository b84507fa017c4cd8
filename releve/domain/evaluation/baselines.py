"""Naive answers to the holdout: what everybody can say without a model.

A baseline that has to be beaten knows the labels that the model knew, those before the block of the holdout that it
answers, unless params.yaml says that labels arrive sooner: docs/decisions/0011-what-a-baseline-may-know.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.metrics import METRICS
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.target import REGRESSION, Target

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

KNOWING = {
    Opponent.PREVIOUS_LABEL: "the newest that has arrived",
    Opponent.ROW_BEFORE: "as if every label arrived at once",
}
NO_SEASON = -1


@dataclass(frozen=True, eq=False)
class Baseline:
    """Predictions for all holdout rows, as a model's outputs: (rows, classes) or (rows,)."""

    outputs: Floats
    must_beat: bool


@dataclass(frozen=True, eq=False)
class LabelHistory:
    """All labels in time order, by place among the classes or by value, and what may be known of them when."""

    truth: NDArray[Any]
    folds: tuple[Fold, ...]
    classes: int  # 0: values
    metric: str
    quantile: float
    positive: int | None = None  # place of the class that F1 is about; None where it is about all
    entities: NDArray[Any] | None = None  # a whole number per row: which shop (features.by); None: one series for all

    @cached_property
    def series(self) -> NDArray[Any]:
        """Positions of all rows, those of one entity together, each in time order."""
        rows = np.arange(len(self.truth))
        return rows if self.entities is None else np.argsort(self.entities, kind="stable")

    def newest(self, rows: NDArray[Any], known: NDArray[Any]) -> NDArray[Any]:
        """Return for each of `rows` the newest row of its entity up to row `known`, by position; -1 where none is."""
        if self.entities is None:
            return known
        count, of_rows = len(self.truth), self.entities[rows]
        ordered = self.entities[self.series] * count + self.series  # ascending, by entity and then by time
        places = self.series[np.searchsorted(ordered, of_rows * count + known, side="right") - 1]
        return np.where((self.entities[places] == of_rows) & (places <= known), places, -1)


def entities_of(rows: "pd.DataFrame", by: str | None) -> NDArray[Any] | None:
    """Number what `by` tells apart, for a LabelHistory; None where it is None."""
    import pandas as pd

    return None if by is None else pd.factorize(rows[by].astype(str))[0]


def constant_name(task: str) -> Opponent:
    """Name the baseline that always gives the same answer."""
    return Opponent.USUAL_VALUE if task == REGRESSION else Opponent.MAJORITY_LABEL


def describe_baseline(name: str) -> str:
    """Name a baseline for people: of two that repeat a label, with what each knows."""
    knowing = next((text for known, text in KNOWING.items() if known == name), "")
    return f"{name} ({knowing})" if knowing else str(name)


def required(task: str) -> tuple[Opponent, ...]:
    """Name the baselines without which there is no judgement."""
    return constant_name(task), Opponent.PREVIOUS_LABEL


def baselines(
    past: LabelHistory, *, task: str, label_delay_rows: int, times: "pd.Series[Any] | None" = None
) -> dict[Opponent, Baseline]:
    """Predict the holdout without a model. `times`: the date of every row, for the seasonal baseline."""
    first, last, truth = past.folds[0].start, past.folds[-1].end, past.truth
    before = np.concatenate([np.full(fold.end - fold.start, fold.start - 1) for fold in past.folds])
    rows = np.arange(first, last)

    def repeated(known: NDArray[Any]) -> Floats:
        """Answer as the newest row up to `known` was labelled, of the same entity where there are several."""
        places, usual = past.newest(rows, known), _usual(past, truth[:first])
        learned = truth[past.series[past.series < first]]
        answers = repeated_answers(truth[places], learned, usual, metric=past.metric)
        return np.where((places >= 0).reshape(-1, *[1] * usual.ndim), answers, usual)

    constant = [
        np.repeat(_usual(past, truth[: fold.start])[None], fold.end - fold.start, axis=0) for fold in past.folds
    ]
    newest_known = np.maximum(rows - label_delay_rows, before) if label_delay_rows else before
    answers = {
        constant_name(task): Baseline(np.concatenate(constant), True),
        Opponent.PREVIOUS_LABEL: Baseline(repeated(newest_known), True),
    }
    if METRICS[past.metric].rewards_positive and past.positive is not None:
        always = np.tile(np.eye(past.classes)[past.positive], (last - first, 1))
        answers[Opponent.POSITIVE_LABEL] = Baseline(always, True)
    if not label_delay_rows:
        answers[Opponent.ROW_BEFORE] = Baseline(repeated(rows - 1), False)
    if times is not None:
        answers[Opponent.SEASONAL] = Baseline(_seasonal(past, times), True)
    return answers


def season_of(times: "pd.Series[Any]") -> str:
    """Return what repeats itself: hour (of the week) where rows have hours, else weekday, else month."""
    if times.dt.hour.nunique() > 1:
        return "hour"
    return "weekday" if times.dt.weekday.nunique() > 1 else "month"


def _usual(past: LabelHistory, known: NDArray[Any]) -> Floats:
    return usual_answer(known, classes=past.classes, metric=past.metric, quantile=past.quantile)


def usual_answer(known: NDArray[Any], *, classes: int, metric: str, quantile: float) -> Floats:
    """Shares of the classes, whose largest is the majority; or the value that the metric likes best."""
    if classes:
        return np.asarray(np.bincount(known, minlength=classes) / len(known))
    return np.asarray(METRICS[metric].best_constant(known, quantile), dtype=np.float64)


def repeated_answers(labels: NDArray[Any], known: NDArray[Any], usual: Floats, *, metric: str) -> Floats:
    """`labels` again, (rows,) or (rows, classes). Where chances count, only as sure as `known` labels repeat."""
    if not usual.ndim:
        return np.asarray(labels, dtype=np.float64)
    certain = np.eye(len(usual))[labels]
    if not METRICS[metric].reads_probabilities:
        return np.asarray(certain)
    repeats = (np.sum(known[1:] == known[:-1]) + 1) / (len(known) + 1)  # one more of each: never quite sure
    return np.asarray(repeats * certain + (1 - repeats) * usual)


def _seasonal(past: LabelHistory, times: "pd.Series[Any]") -> Floats:
    """Per row, the usual answer of the past rows of the same season; of all past rows where there was none."""
    weekday = times.dt.weekday
    of_season = {
        "hour": lambda: weekday * 24 + times.dt.hour,
        "weekday": lambda: weekday,
        "month": lambda: times.dt.month,
    }
    blocks = []
    for fold in past.folds:
        # A number per row; rows without a date share one of their own.
        keys = np.asarray(of_season[season_of(times[: fold.start])]().fillna(NO_SEASON).to_numpy())
        known = past.truth[: fold.start]
        everywhere, answers = _usual(past, known), {}
        for key in np.unique(keys[: fold.start]):
            of_key = known[keys[: fold.start] == key]
            answer = _usual(past, of_key)
            if past.classes:  # all past rows count as one more: a class that a season has not seen is not impossible
                answer = (len(of_key) * answer + everywhere) / (len(of_key) + 1)
            answers[key] = answer
        blocks += [answers.get(key, everywhere) for key in keys[fold.start : fold.end]]
    return np.array(blocks)


def labels_as_places(labels: Sequence[Any], target: Target) -> NDArray[Any]:
    """Labels by place among the classes, or as values."""
    if target.task == REGRESSION:
        return np.asarray(labels, dtype=np.float64)
    place = {label: number for number, label in enumerate(target.classes)}
    return np.array([place[label] for label in labels], dtype=np.int64)
