"""Naive answers to the holdout: what everybody can say without a model.

A baseline that has to be beaten knows the labels that the model knew, those before the block of the holdout that it
answers, unless params.yaml says that labels arrive sooner: docs/decisions/0011-what-a-baseline-may-know.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    first, last = past.folds[0].start, past.folds[-1].end
    before = np.concatenate([np.full(fold.end - fold.start, fold.start - 1) for fold in past.folds])
    rows = np.arange(first, last)
    found = {
        constant_name(task): Baseline(_per_block(past, lambda fold: _usual(past, past.truth[: fold.start])), True),
        Opponent.PREVIOUS_LABEL: Baseline(_repeated(past, _newest_known(rows, before, label_delay_rows)), True),
    }
    if METRICS[past.metric].rewards_positive and past.positive is not None:
        found[Opponent.POSITIVE_LABEL] = Baseline(np.tile(np.eye(past.classes)[past.positive], (last - first, 1)), True)
    if not label_delay_rows:
        found[Opponent.ROW_BEFORE] = Baseline(_repeated(past, rows - 1), False)
    if times is not None:
        found[Opponent.SEASONAL] = Baseline(_seasonal(past, times), True)
    return found


def season_of(times: "pd.Series[Any]") -> str:
    """What repeats itself: hour (of the week) where rows have hours, else weekday, else month."""
    if times.dt.hour.nunique() > 1:
        return "hour"
    return "weekday" if times.dt.weekday.nunique() > 1 else "month"


def _newest_known(rows: NDArray[Any], before: NDArray[Any], delay: int) -> NDArray[Any]:
    """Per holdout row, the place of the newest label that is known when it is answered."""
    return np.maximum(rows - delay, before) if delay else before


def _per_block(past: LabelHistory, answer: Any) -> Floats:
    return np.concatenate([np.repeat(answer(fold)[None], fold.end - fold.start, axis=0) for fold in past.folds])


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


def _repeated(past: LabelHistory, places: NDArray[Any]) -> Floats:
    """The labels at `places` again. Where chances count, only as sure as labels repeated themselves in the past."""
    known = past.truth[: past.folds[0].start]
    return repeated_answers(past.truth[places], known, _usual(past, known), metric=past.metric)


def _seasonal(past: LabelHistory, times: "pd.Series[Any]") -> Floats:
    """Per row, the usual answer of the past rows of the same season; of all past rows where there was none."""
    blocks = []
    for fold in past.folds:
        keys = _keys(times, season_of(times[: fold.start]))
        known = past.truth[: fold.start]
        everywhere, seasons = _usual(past, known), keys[: fold.start]
        usual = {key: _in_season(past, known[seasons == key], everywhere) for key in np.unique(seasons)}
        blocks += [usual.get(key, everywhere) for key in keys[fold.start : fold.end]]
    return np.array(blocks)


def _in_season(past: LabelHistory, known: NDArray[Any], everywhere: Floats) -> Floats:
    """Chances count all past rows as one more row: a class that few rows of a season had not seen is not impossible."""
    usual = _usual(past, known)
    return (len(known) * usual + everywhere) / (len(known) + 1) if past.classes else usual


def _keys(times: "pd.Series[Any]", season: str) -> NDArray[Any]:
    """A number per row; rows without a date share one of their own."""
    weekday = times.dt.weekday
    keys = {"hour": lambda: weekday * 24 + times.dt.hour, "weekday": lambda: weekday, "month": lambda: times.dt.month}
    return np.asarray(keys[season]().fillna(NO_SEASON).to_numpy())


def labels_as_places(labels: Sequence[Any], target: Target) -> NDArray[Any]:
    """Labels by place among the classes, or as values."""
    if target.task == REGRESSION:
        return np.asarray(labels, dtype=np.float64)
    place = {label: number for number, label in enumerate(target.classes)}
    return np.array([place[label] for label in labels], dtype=np.int64)
