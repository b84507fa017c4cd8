"""What an answer is worth: one table of metrics, each a function of the weights that the rows are given.

A weight says how often a row counts. With every weight 1 a metric is the usual one; a resample of the rows is another
vector of weights, so that thousands of resamples are one product of matrices (`resampling.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.evaluation.auc import areas, as_ranks, has_areas, placements
from releve.domain.evaluation.scored_predictions import ScoredPredictions as ScoredPredictions
from releve.domain.schema.target import BINARY, MULTICLASS, REGRESSION, Target

Floats = NDArray[np.float64]

AUTO = "auto"  # params.yaml: the task's default metric
SMALLEST_PROBABILITY = 1e-15  # keeps the log finite where a model was certain and wrong


def _any_rows(found: ScoredPredictions) -> bool:
    return len(found) > 0


def _first(means: Floats) -> Floats:
    return means[:, 0]


@dataclass(frozen=True)
class Metric:
    """How answers are scored: weighted means of per-row statistics, and what follows from them.

    `relative`: the metric has no upper end, so thresholds are shares of the other's score (see `in_units`).
    """

    tasks: tuple[str, ...]
    sign: int  # +1: higher is better, -1: lower is better
    losses: Callable[
        [ScoredPredictions], Floats
    ]  # per row, lower is better: who won which row, and how rows hang together
    statistics: Callable[[ScoredPredictions], Floats]  # (rows, k)
    finish: Callable[[Floats], Floats] = _first  # means (draws, k) -> scores (draws,)
    relative: bool = False
    is_defined: Callable[[ScoredPredictions], bool] = _any_rows  # whether these rows can be scored
    align: Callable[[ScoredPredictions], ScoredPredictions] = lambda found: (
        found
    )  # makes the answers of two models comparable row by row

    def scores(self, statistics: Floats, weights: Floats) -> Floats:
        """Scores (draws,) when the rows count as `weights` (draws, rows) say."""
        return self.finish(weights @ statistics / weights.sum(axis=1, keepdims=True))


def score(
    name: str,
    answers: Any,
    labels: Sequence[Any],
    target: Target,
    *,
    quantile: float = 0.5,
    blocks: NDArray[np.int64] | None = None,
) -> float:
    """The metric `name`. Raises BadInput where it is not defined. `blocks`: see ScoredPredictions."""
    return compute_score(name, ScoredPredictions.of(answers, labels, target, quantile=quantile, blocks=blocks))


def compute_score(name: str, found: ScoredPredictions) -> float:
    """Raises BadInput for no rows at all, and for an AUC of one class."""
    metric = METRICS[name]
    if not metric.is_defined(found):
        what = "of no rows" if not len(found) else "where all labels are one class"
        what += "" if found.blocks is None else ", block by block"
        raise BadInput(
            f"{name} is not defined {what}; judge on more rows (params.yaml: split.holdout_rows), or by another metric "
            "(gate.metric)"
        )
    return float(metric.scores(metric.statistics(found), np.ones((1, len(found))))[0])


def score_or_none(name: str, found: ScoredPredictions) -> float | None:
    """None where the metric is not defined."""
    return compute_score(name, found) if METRICS[name].is_defined(found) else None


def default_metric(task: str) -> str:
    """accuracy for classes, mae for values."""
    return "mae" if task == REGRESSION else "accuracy"


def resolve(name: str, task: str) -> str:
    """gate.metric as params.yaml writes it: 'auto', or a metric of the task. Raises BadInput."""
    if name == AUTO:
        return default_metric(task)
    if name not in METRICS or task not in METRICS[name].tasks:
        raise BadInput(
            f"gate.metric is {name!r}, which does not fit the task {task}; expected {AUTO} or one of "
            + ", ".join(metrics_of(task))
        )
    return name


def metrics_of(task: str) -> list[str]:
    """Names of the metrics that a task can be judged by."""
    return [name for name, metric in METRICS.items() if task in metric.tasks]


def in_units(name: str, threshold: float, reference: float) -> float:
    """A threshold of params.yaml in the metric's own unit: as it is, or a share of `reference` (see `Metric`)."""
    return threshold * abs(reference) if METRICS[name].relative else threshold


def _column(losses: Callable[[ScoredPredictions], Floats]) -> Callable[[ScoredPredictions], Floats]:
    return lambda found: losses(found)[:, None]


def _misses(found: ScoredPredictions) -> Floats:
    return np.asarray(~found.is_correct, dtype=np.float64)


def _surprises(found: ScoredPredictions) -> Floats:
    given = found.outputs[np.arange(len(found)), found.y_true]
    return np.asarray(-np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0)))


def _squared_gaps(found: ScoredPredictions) -> Floats:
    """Of the positive class's probability, or summed over more than two classes (Brier 1950)."""
    places = np.arange(found.outputs.shape[1])
    gaps = (found.outputs - (found.y_true[:, None] == places)) ** 2
    return np.asarray(gaps[:, found.scored_classes].sum(axis=1))


def _absolute_errors(found: ScoredPredictions) -> Floats:
    return np.asarray(np.abs(found.outputs - found.y_true))


def _squared_errors(found: ScoredPredictions) -> Floats:
    return np.asarray((found.outputs - found.y_true) ** 2)


def _pinball_losses(found: ScoredPredictions) -> Floats:
    """Koenker & Bassett (1978): too low costs `quantile`, too high 1 - `quantile`."""
    gap = found.y_true - found.outputs
    return np.asarray(np.maximum(found.quantile * gap, (found.quantile - 1) * gap))


def _hits_and_names(found: ScoredPredictions) -> Floats:
    """Per class that is asked: named rightly; and named plus there."""
    predicted = found.y_pred[:, None] == found.scored_classes
    actual = found.y_true[:, None] == found.scored_classes
    return np.hstack([predicted & actual, predicted.astype(np.int8) + actual]).astype(np.float64)


def _f1(means: Floats) -> Floats:
    """Of the positive class, or the mean over more than two; 0 for a class that is neither there nor named."""
    hits, named = np.hsplit(means, 2)
    return np.asarray(np.divide(2 * hits, named, out=np.zeros_like(hits), where=named > 0).mean(axis=1))


CLASSES = (BINARY, MULTICLASS)
VALUES = (REGRESSION,)
METRICS: dict[str, Metric] = {
    "accuracy": Metric(CLASSES, +1, _misses, _column(lambda found: found.is_correct.astype(np.float64))),
    "log_loss": Metric(CLASSES, -1, _surprises, _column(_surprises), relative=True),
    "auc": Metric(CLASSES, +1, _squared_gaps, placements, areas, is_defined=has_areas, align=as_ranks),
    "f1": Metric(CLASSES, +1, _misses, _hits_and_names, _f1),
    "brier": Metric(CLASSES, -1, _squared_gaps, _column(_squared_gaps)),
    "mae": Metric(VALUES, -1, _absolute_errors, _column(_absolute_errors), relative=True),
    "rmse": Metric(
        VALUES, -1, _squared_errors, _column(_squared_errors), lambda means: np.sqrt(means[:, 0]), relative=True
    ),
    "pinball": Metric(VALUES, -1, _pinball_losses, _column(_pinball_losses), relative=True),
}
