"""Judge a challenger: its own scores, and its gain over champion and naive baselines on the same holdout rows.

Pure, so that the retrain flow and a backtest judge by the same rule.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from releve.core.errors import BadInput
from releve.core.params import Gate
from releve.domain.evaluation import baselines, paired
from releve.domain.evaluation.evaluation import (
    Calibration,
    CalibrationBin,
    Comparison,
    Evaluation,
    Opponent,
    OwnScores,
    SliceComparison,
    TooGood,
)
from releve.domain.evaluation.metrics import METRICS, metrics_of, resolve, score_or_none
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.evaluation.slices import Slice, slices
from releve.domain.evaluation.too_good import telling_columns, too_good
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

if TYPE_CHECKING:
    import pandas as pd

CALIBRATION_BINS = 10  # of equal width over the probability of the most probable class
START_OVER = "Change the scenario back, or start it from scratch (`make archive`)"


@dataclass(frozen=True, eq=False)
class Case:
    """All rows, and the predictions of each model for the holdout."""

    rows: "pd.DataFrame"
    folds: tuple[Fold, ...]
    challenger: ScoredPredictions
    champion: ScoredPredictions | None
    schema: Schema
    gate: Gate
    bootstrap: BootstrapConfig

    @cached_property
    def metric(self) -> str:
        return resolve(self.gate.metric, self.schema.target.task)

    @property
    def first(self) -> int:
        """Where the holdout begins."""
        return self.folds[0].start

    @property
    def holdout(self) -> "pd.DataFrame":
        return self.rows.iloc[self.first :]


def judge(case: Case) -> Evaluation:
    """Compare on the holdout, fairness left out: another library measures it."""
    mine, naive = case.challenger, _baselines(case)
    champion = {Opponent.CHAMPION: _compare(case, case.champion, must_beat=True)} if case.champion else {}
    against = {
        name: _compare(case, mine.with_outputs(other.outputs), must_beat=other.must_beat)
        for name, other in naive.items()
    }
    return Evaluation(
        task=case.schema.target.task,
        metric=case.metric,
        sign=METRICS[case.metric].sign,
        rows=len(case.rows),
        holdout_rows=len(mine),
        confidence=case.bootstrap.confidence,
        challenger=_own_scores(case),
        against=champion | against,
        slices=tuple(
            _compare_slice(case, part)
            for part in slices(case.rows.iloc[: case.first], case.holdout, case.gate.slices, case.schema)
        ),
        too_good=_too_good(case, naive),
    )


def calibration(predictions: ScoredPredictions) -> Calibration:
    """Compute the reliability table of the most probable class and the expected calibration error (Guo et al. 2017).

    The error is the mean distance of probability and accuracy, weighted by rows. Bins without rows are left out.
    """
    probability = predictions.y_proba.max(axis=1)
    bin_of_rows = np.minimum((probability * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    bins = tuple(
        CalibrationBin(
            low=number / CALIBRATION_BINS,
            high=(number + 1) / CALIBRATION_BINS,
            rows=int((bin_of_rows == number).sum()),
            probability=float(probability[bin_of_rows == number].mean()),
            accuracy=float(predictions.is_correct[bin_of_rows == number].mean()),
        )
        for number in np.unique(bin_of_rows).tolist()
    )
    error = sum(one.rows * abs(one.probability - one.accuracy) for one in bins) / len(predictions)
    return Calibration(error=error, bins=bins)


def _own_scores(case: Case) -> OwnScores:
    mine, task = case.challenger, case.schema.target.task
    scores = {name: score_or_none(name, mine) for name in metrics_of(task)}
    return OwnScores(
        score=paired.score_interval(case.metric, mine, case.bootstrap),
        metrics={name: value for name, value in scores.items() if value is not None},
        calibration=None if task == REGRESSION else calibration(mine),
    )


def _baselines(case: Case) -> dict[Opponent, baselines.Baseline]:
    schema, gate = case.schema, case.gate
    truth = baselines.labels_as_places(case.rows[schema.target.name].tolist(), schema.target)
    positive = None if case.challenger.is_multiclass else case.challenger.positive
    past = baselines.LabelHistory(truth, case.folds, len(schema.target.classes), case.metric, gate.quantile, positive)
    times = case.rows[schema.time] if schema.time and case.rows[schema.time].dtype.kind == "M" else None
    return baselines.baselines(past, task=schema.target.task, label_delay_rows=gate.label_delay_rows, times=times)


def _compare(case: Case, other: ScoredPredictions, *, must_beat: bool) -> Comparison:
    found = paired.compare(case.metric, case.challenger, other, case.bootstrap)
    return found if must_beat else found.model_copy(update={"must_beat": False})


def _compare_slice(case: Case, part: Slice) -> SliceComparison:
    mine = case.challenger.take(part.rows)
    theirs = case.champion.take(part.rows) if case.champion else None
    score = score_or_none(case.metric, mine)
    gain = None
    if theirs is not None and score is not None:
        gain = paired.compare(case.metric, mine, theirs, case.bootstrap).gain
    return SliceComparison(
        column=part.column,
        value=part.value,
        rows=len(mine),
        challenger=score,
        champion=None if theirs is None else score_or_none(case.metric, theirs),
        gain=gain,
    )


def _too_good(case: Case, naive: dict[Opponent, baselines.Baseline]) -> TooGood | None:
    """Look for columns that explain the score only where it is not believable."""
    to_beat = {name: other.outputs for name, other in naive.items() if other.must_beat}
    found = too_good(case.challenger.y_true, case.challenger.outputs, to_beat)
    if found is None:
        return None
    labels = baselines.labels_as_places(case.rows[case.schema.target.name].tolist(), case.schema.target)
    parts = labels[: case.first], labels[case.first :]
    columns = telling_columns(case.rows.iloc[: case.first], case.holdout, case.schema, truths=parts)
    return found.model_copy(update={"columns": columns})


def check_comparable(learned: Schema, now: Schema, *, champion: str) -> None:
    """Raises BadInput where the model `champion`, which learned by `learned`, cannot be asked the scenario's rows."""
    if (learned.target.task == REGRESSION) != (now.target.task == REGRESSION):
        raise BadInput(
            f"the champion {champion} answers a {learned.target.task} question and the scenario asks a "
            f"{now.target.task} one, so they cannot be compared. {START_OVER}"
        )
    if missing := [name for name in learned.names if name not in now.by_name]:
        raise BadInput(
            f"the champion {champion} needs the columns {', '.join(missing)}, which the scenario no longer has, so it "
            f"cannot be compared. {START_OVER}"
        )
    for column in learned.features:
        if column.type != now.column(column.name).type:
            raise BadInput(
                f"the champion {champion} learned {column.name} as a {column.type} and the scenario calls it a "
                f"{now.column(column.name).type}, so they cannot be compared. {START_OVER}"
            )
