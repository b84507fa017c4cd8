"""Metrics: one entry of METRICS says all that the product has to know of a metric.

A score is a function of the weights of the rows: with every weight 1 a metric is the usual one, and a resample of the
rows is another vector of weights, so that thousands of resamples are one product of matrices (`resampling`).

AUC: a score of one fitted model says nothing beside a score of another, so rows are ranked within their block alone,
and the blocks' areas are averaged by their rows. Areas over the pooled predictions of several fits are too low (Parker,
Gunter & Bedo 2007; Forman & Scholz 2010): docs/decisions/0010-paired-comparison.md.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.evaluation.evaluation import COST
from releve.domain.evaluation.scored_predictions import Floats, ScoredPredictions
from releve.domain.schema.target import BINARY, MULTICLASS, REGRESSION, Target

AUTO = "auto"  # params.yaml: the task's default metric
SMALLEST_PROBABILITY = 1e-15  # keeps the log finite where a model was certain and wrong
NO_SKILL = 0.5  # AUC where all rows are of one class
AUC_COLUMNS = 6  # of `_placements`, per class and block


@dataclass(frozen=True)
class Metric:
    """How predictions are scored: weighted means of per-row statistics, and what follows from them."""

    tasks: tuple[str, ...]
    sign: int  # +1: higher is better, -1: lower is better
    losses: Callable[[ScoredPredictions], Floats]  # per row, lower is better: who won which row, and autocorrelation
    statistics: Callable[[ScoredPredictions], Floats]  # (rows, k)
    finish: Callable[[Floats], Floats] = lambda means: means[:, 0]  # means (draws, k) -> scores (draws,)
    relative: bool = False  # has no upper end, so thresholds are shares of the other's score (`in_units`)
    is_defined: Callable[[ScoredPredictions], bool] = lambda predictions: len(predictions) > 0
    reads_probabilities: bool = False  # else it sees only the class that is predicted
    is_share: bool = False  # of rows, so that Wilson's interval holds
    rewards_positive: bool = False  # predicting the positive class for every row is the best constant
    is_per_row: bool = True  # the statistics of a row do not depend on the other rows
    best_constant: Callable[[Floats, float], Any] = lambda values, quantile: values.mean()  # of a regression

    def scores(self, statistics: Floats, weights: Floats) -> Floats:
        """Compute scores (draws,) when the rows count as `weights` (draws, rows) say."""
        return self.finish(weights @ statistics / weights.sum(axis=1, keepdims=True))


def score(
    name: str,
    outputs: Any,
    labels: Sequence[Any],
    target: Target,
    *,
    quantile: float = 0.5,
    blocks: NDArray[np.int64] | None = None,
) -> float:
    """Compute the metric `name`. Raises BadInput where it is not defined. `blocks`: see ScoredPredictions."""
    return compute_score(name, ScoredPredictions.of(outputs, labels, target, quantile=quantile, blocks=blocks))


def compute_score(name: str, predictions: ScoredPredictions) -> float:
    """Compute the metric `name`. Raises BadInput for no rows at all, and for an AUC of one class."""
    metric = METRICS[name]
    if not metric.is_defined(predictions):
        what = "of no rows" if not len(predictions) else "where all labels are one class"
        what += "" if predictions.blocks is None else ", block by block"
        raise BadInput(
            f"{name} is not defined {what}; judge on more rows, or by another metric (params.yaml: gate.metric)"
        )
    return float(metric.scores(metric.statistics(predictions), np.ones((1, len(predictions))))[0])


def score_or_none(name: str, predictions: ScoredPredictions) -> float | None:
    """Compute the metric `name`, or None where it is not defined."""
    return compute_score(name, predictions) if METRICS[name].is_defined(predictions) else None


def default_metric(task: str) -> str:
    """Name the first metric of the task: log_loss for classes, mae for values."""
    return metrics_of(task)[0]


def own_metric(task: str) -> str:
    """Name the metric that people know the task by: accuracy for classes, mae for values."""
    return "mae" if task == REGRESSION else "accuracy"


def resolve(name: str, task: str) -> str:
    """Resolve gate.metric as params.yaml writes it: 'auto', or a metric of the task. Raises BadInput.

    Money is no metric: what has no price, as a slice, an estimate or a weight, goes by the default beside it.
    """
    if name in (AUTO, COST):
        return default_metric(task)
    if name not in METRICS or task not in METRICS[name].tasks:
        raise BadInput(
            f"gate.metric is {name!r}, which does not fit the task {task}; expected {AUTO} or one of "
            + ", ".join(metrics_of(task))
        )
    return name


def metrics_of(task: str) -> list[str]:
    """Name the metrics that a task can be judged by."""
    return [name for name, metric in METRICS.items() if task in metric.tasks]


def in_units(name: str, threshold: float, reference: float) -> float:
    """Give a threshold of params.yaml in the metric's unit: as it is, or a share of `reference` (see `Metric`)."""
    return threshold * abs(reference) if name == COST or METRICS[name].relative else threshold


def _column(losses: Callable[[ScoredPredictions], Floats]) -> Callable[[ScoredPredictions], Floats]:
    return lambda predictions: losses(predictions)[:, None]


def _misses(predictions: ScoredPredictions) -> Floats:
    return (~predictions.is_correct).astype(np.float64)


def _log_losses(predictions: ScoredPredictions) -> Floats:
    given = predictions.y_proba[np.arange(len(predictions)), predictions.y_true]
    return np.asarray(-np.log(np.clip(given, SMALLEST_PROBABILITY, 1.0)))


def _brier_losses(predictions: ScoredPredictions) -> Floats:
    """Of the positive class's probability, or summed over more than two classes (Brier 1950)."""
    gaps = (predictions.y_proba - (predictions.y_true[:, None] == np.arange(predictions.y_proba.shape[1]))) ** 2
    return np.asarray(gaps[:, predictions.scored_classes].sum(axis=1))


def _absolute_errors(predictions: ScoredPredictions) -> Floats:
    return np.asarray(np.abs(predictions.y_pred - predictions.y_true))


def _squared_errors(predictions: ScoredPredictions) -> Floats:
    return np.asarray((predictions.y_pred - predictions.y_true) ** 2)


def _pinball_losses(predictions: ScoredPredictions) -> Floats:
    """Koenker & Bassett (1978): too low costs `quantile`, too high 1 - `quantile`."""
    gap = predictions.y_true - predictions.y_pred
    return np.asarray(np.maximum(predictions.quantile * gap, (predictions.quantile - 1) * gap))


def _f1_counts(predictions: ScoredPredictions) -> Floats:
    """Per scored class: true positives; and predicted plus actual positives."""
    predicted = predictions.y_pred[:, None] == predictions.scored_classes
    actual = predictions.y_true[:, None] == predictions.scored_classes
    return np.hstack([predicted & actual, predicted.astype(np.int8) + actual]).astype(np.float64)


def _f1(means: Floats) -> Floats:
    """Of the positive class, or the mean over more than two; 0 for a class that neither occurs nor is predicted."""
    hits, named = np.hsplit(means, 2)
    return np.asarray(np.divide(2 * hits, named, out=np.zeros_like(hits), where=named > 0).mean(axis=1))


def _placements(predictions: ScoredPredictions) -> Floats:
    """Per scored class and block that holds it and others, six columns: is it this class, that times its placement,
    the same of the rest, the AUC, and the block's weight. A row's placement is the share of the other side's rows that
    it stands on the right side of, a tie counting half (DeLong, DeLong & Clarke-Pearson 1988); the mean placement of
    either side is the AUC."""
    columns: list[Floats] = []
    for index in predictions.scored_classes:
        scores = predictions.y_proba[:, index]
        positives = predictions.y_true == index
        used = [block for block in _blocks(predictions) if 0 < positives[block].sum() < block.sum()]
        rows = sum(block.sum() for block in used)
        for block in used:
            up, down = positives & block, ~positives & block
            placement, ranks = np.zeros(len(scores)), np.zeros(len(scores))
            ranks[block] = _ranks(scores[block])
            placement[up] = (ranks[up] - _ranks(scores[up])) / down.sum()
            placement[down] = (up.sum() - ranks[down] + _ranks(scores[down])) / up.sum()
            area = np.full(len(scores), placement[up].mean())
            weight = np.full(len(scores), block.sum() / rows)
            columns.append(np.column_stack([up, up * placement, down, down * placement, area, weight]))
    return np.hstack([*columns]) if columns else np.zeros((len(predictions), 0))


def _auc(means: Floats) -> Floats:
    """Mean over the classes of one against the rest, over the blocks by their rows. To first order a reweighted AUC
    moves by what the mean placement of either side moves, which turns sorting every draw into one product:
    docs/decisions/0010-paired-comparison.md."""
    if not means.shape[1]:
        return np.full(len(means), NO_SKILL)
    up, ups, down, downs, area, weight = (means[:, start::AUC_COLUMNS] for start in range(AUC_COLUMNS))
    either = [np.divide(total, share, out=area.copy(), where=share > 0) for total, share in ((ups, up), (downs, down))]
    return np.asarray(((either[0] + either[1] - area) * weight).sum(axis=1) / weight.sum(axis=1))


def _blocks(predictions: ScoredPredictions) -> Iterator[NDArray[np.bool_]]:
    return (predictions.block_of_rows == number for number in np.unique(predictions.block_of_rows))


def _ranks(scores: Floats) -> Floats:
    """From 1, in each column by itself; ties share the mean of theirs."""
    import pandas as pd  # not scipy.stats: that takes another second to import

    return pd.DataFrame(scores).rank().to_numpy().reshape(scores.shape)


CLASSES = (BINARY, MULTICLASS)
VALUES = (REGRESSION,)
METRICS: dict[str, Metric] = {  # the first of a task is its default; params.yaml: gate.metric
    # A proper score: accuracy cannot tell two models of a rare class apart (Gneiting & Raftery 2007).
    "log_loss": Metric(CLASSES, -1, _log_losses, _column(_log_losses), relative=True, reads_probabilities=True),
    "accuracy": Metric(
        CLASSES, +1, _misses, _column(lambda scored: scored.is_correct.astype(np.float64)), is_share=True
    ),
    "auc": Metric(
        CLASSES,
        +1,
        _brier_losses,
        _placements,
        _auc,
        is_defined=lambda scored: any(len(np.unique(scored.y_true[block])) > 1 for block in _blocks(scored)),
        reads_probabilities=True,
        is_per_row=False,
    ),
    "f1": Metric(CLASSES, +1, _misses, _f1_counts, _f1, rewards_positive=True),
    "brier": Metric(CLASSES, -1, _brier_losses, _column(_brier_losses), reads_probabilities=True),
    "mae": Metric(
        VALUES,
        -1,
        _absolute_errors,
        _column(_absolute_errors),
        relative=True,
        best_constant=lambda values, quantile: np.quantile(values, 0.5),
    ),
    "rmse": Metric(
        VALUES, -1, _squared_errors, _column(_squared_errors), lambda means: np.sqrt(means[:, 0]), relative=True
    ),
    "pinball": Metric(VALUES, -1, _pinball_losses, _column(_pinball_losses), relative=True, best_constant=np.quantile),
}
