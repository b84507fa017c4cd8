"""Evaluate a challenger: its own scores, and its gain over champion and naive baselines on the same rows.

With a refresh at every batch the newest fit has seen every row, so what is judged is the procedure: what it would have
answered to each of the newest windows before it learned from any row of it, beside what did serve then.

Pure, so that the retrain flow and a backtest judge by the same rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.core.params import Gate
from releve.domain.evaluation import baselines, paired
from releve.domain.evaluation.evaluation import (
    Calibration,
    CalibrationBin,
    ColumnShare,
    Comparison,
    Evaluation,
    Opponent,
    OwnScores,
    SliceComparison,
    SoundScore,
    TooGood,
)
from releve.domain.evaluation.metrics import METRICS, metrics_of, own_metric, resolve, score_or_none
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import Floats, ScoredPredictions
from releve.domain.evaluation.slices import Slice, slices
from releve.domain.schema.columns import CATEGORY, IMAGE, TEXT
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION

if TYPE_CHECKING:
    import pandas as pd

CALIBRATION_BINS = 10  # of equal width over the probability of the most probable class
# Scores that are too good to be true: a column may hold what is known only after the outcome. Such leaks pass every
# other check, since the holdout has them too (Kaufman et al. 2012, "Leakage in data mining").
LEFT = 0.01  # share of the best baseline's error that a model leaves, at most, for its score to be reported
FEWEST_ERRORS = 30  # of that baseline: an honest model that avoids nine errors of ten would avoid so few by chance (4%)
STRONG = 0.5  # share of the error that a column takes away alone, at least, to be named
MOST_NAMED = 3  # columns: a person checks the strongest first
MOST_ROWS, LEAVES = 5000, 64  # of the tree of one column: enough to show a leak, learned in milliseconds
SEED = 7  # any fixed one: the same rows name the same columns
START_OVER = "Change the scenario back, or start it from scratch (`make archive`)"


@dataclass(frozen=True, eq=False)
class EvaluationInputs:
    """All rows, and what challenger and champion answered to the newest ones, the holdout, window by window."""

    rows: "pd.DataFrame"
    folds: tuple[Fold, ...]  # the windows, oldest first, one after the other up to the last row
    challenger: ScoredPredictions  # what the procedure would have served: the answers to a window know no row of it
    champion: ScoredPredictions | None  # what did serve
    schema: Schema
    gate: Gate
    bootstrap: BootstrapConfig
    doubted: tuple[Fold, ...] = ()  # windows whose labels say nothing of what is expected

    @cached_property
    def metric(self) -> str:
        return resolve(self.gate.metric, self.schema.target.task)

    @property
    def holdout_start(self) -> int:
        """Return the position of the first row of the holdout."""
        return self.folds[0].start

    @property
    def holdout(self) -> "pd.DataFrame":
        return self.rows.iloc[self.holdout_start :]

    @property
    def is_sound(self) -> NDArray[np.bool_]:
        """Return of each row of the holdout whether its label is not in doubt."""
        return np.concatenate([np.full(fold.end - fold.start, fold not in self.doubted) for fold in self.folds])


def evaluate(inputs: EvaluationInputs) -> Evaluation:
    """Compare on the holdout, fairness left out: another library measures it."""
    mine, metric, schema, gate = inputs.challenger, inputs.metric, inputs.schema, inputs.gate
    task, before = schema.target.task, inputs.rows.iloc[: inputs.holdout_start]
    own = "" if metric == own_metric(task) else own_metric(task)
    labels = baselines.labels_as_places(inputs.rows[schema.target.name].tolist(), schema.target)
    naive = _naive(inputs, labels)

    def compare_all(other: ScoredPredictions, *, must_beat: bool = True) -> Comparison:
        comparison = paired.compare(metric, mine, other, inputs.bootstrap)
        own_score = score_or_none(own, other) if own else None
        return comparison.model_copy(update={"must_beat": must_beat, "own_score": own_score})

    against = {Opponent.CHAMPION: compare_all(inputs.champion)} if inputs.champion else {}
    for name, other in naive.items():
        against[name] = compare_all(mine.with_outputs(other.outputs), must_beat=other.must_beat)
    scores = {name: score_or_none(name, mine) for name in metrics_of(task)}
    return Evaluation(
        task=task,
        metric=metric,
        own_metric=own,
        sign=METRICS[metric].sign,
        rows=len(inputs.rows),
        holdout_rows=len(mine),
        windows=len(inputs.folds),
        confidence=inputs.bootstrap.confidence,
        challenger=OwnScores(
            score=paired.score_interval(metric, mine, inputs.bootstrap),
            metrics={name: value for name, value in scores.items() if value is not None},
            calibration=None if task == REGRESSION else calibration(mine),
        ),
        sound=sound_score(inputs),
        against=against,
        slices=tuple(_compare_slice(inputs, part) for part in slices(before, inputs.holdout, gate.slices, schema)),
        too_good=_suspicion(inputs, labels, naive),
    )


def _naive(inputs: EvaluationInputs, labels: NDArray[Any]) -> dict[Opponent, baselines.Baseline]:
    """Answer the holdout as anybody could without a model."""
    mine, schema, gate = inputs.challenger, inputs.schema, inputs.gate
    positive = None if mine.is_multiclass else mine.positive
    entities = baselines.entities_of(inputs.rows, schema.derived.by if schema.derived else None)
    past = baselines.LabelHistory(
        labels, inputs.folds, len(schema.target.classes), inputs.metric, gate.quantile, positive, entities
    )
    times = inputs.rows[schema.time] if schema.time and inputs.rows[schema.time].dtype.kind == "M" else None
    return baselines.baselines(past, task=schema.target.task, label_delay_rows=gate.label_delay_rows, times=times)


def _compare_slice(inputs: EvaluationInputs, part: Slice) -> SliceComparison:
    metric, own = inputs.metric, inputs.challenger.take(part.rows)
    theirs = inputs.champion.take(part.rows) if inputs.champion else None
    score, gain = score_or_none(metric, own), None
    if theirs is not None and score is not None:
        gain = paired.compare(metric, own, theirs, inputs.bootstrap).gain
    return SliceComparison(
        column=part.column,
        value=part.value,
        rows=len(own),
        challenger=score,
        champion=None if theirs is None else score_or_none(metric, theirs),
        gain=gain,
    )


def _suspicion(
    inputs: EvaluationInputs, labels: NDArray[Any], naive: Mapping[Opponent, baselines.Baseline]
) -> TooGood | None:
    """Say where answers are too good to be learned, and which columns may tell them; None where they are not."""
    mine, start = inputs.challenger, inputs.holdout_start
    found = too_good(
        mine.y_true, mine.outputs, {name: other.outputs for name, other in naive.items() if other.must_beat}
    )
    if found is None:
        return None
    truths = labels[:start], labels[start:]
    columns = telling_columns(inputs.rows.iloc[:start], inputs.holdout, inputs.schema, truths=truths)
    return found.model_copy(update={"columns": columns})


def sound_score(inputs: EvaluationInputs) -> SoundScore | None:
    """Score the windows whose labels are not in doubt; None where that is all of them, or none, or has no score."""
    is_sound = inputs.is_sound
    if is_sound.all() or not is_sound.any():
        return None
    sound = inputs.challenger.take(is_sound)
    if score_or_none(inputs.metric, sound) is None:
        return None
    return SoundScore(score=paired.score_interval(inputs.metric, sound, inputs.bootstrap), rows=len(sound))


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


def too_good(truth: NDArray[Any], answers: Floats, naive: Mapping[Opponent, Floats]) -> TooGood | None:
    """Return how far the score is too good to be true, or None where it is believable.

    `truth`: class indices or values; `answers`, `naive`: as outputs."""

    def errors_of(outputs: Floats) -> Floats:
        """Return per row 1 for a wrong class, or the squared difference of values."""
        wrong = outputs.argmax(axis=1) != truth if outputs.ndim > 1 else (outputs - truth) ** 2
        return np.asarray(wrong, dtype=np.float64)

    errors = {name: errors_of(outputs) for name, outputs in naive.items()}
    if not errors:
        return None
    best = min(errors, key=lambda name: float(errors[name].sum()))
    largest, mine = float(errors[best].sum()), float(errors_of(answers).sum())
    if np.count_nonzero(errors[best]) < FEWEST_ERRORS or mine > LEFT * largest:
        return None
    return TooGood(rows=len(truth), baseline=best, left=mine / largest)


def telling_columns(
    known: "pd.DataFrame", asked: "pd.DataFrame", schema: Schema, *, truths: tuple[NDArray[Any], NDArray[Any]]
) -> tuple[ColumnShare, ...]:
    """List columns that alone take away most of the error on `asked`, each by a small tree learned from `known`."""
    import pandas as pd
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    is_class, before, truth = bool(schema.target.classes), truths[0][-MOST_ROWS:], truths[1]
    usual = np.bincount(before).argmax() if is_class else before.mean()

    def error_of(guess: Any) -> float:
        return float(np.mean(guess != truth) if is_class else np.mean((guess - truth) ** 2))

    def share_alone(name: str) -> float:
        known_cells = known[name].iloc[-MOST_ROWS:]

        def numbers(cells: "pd.Series[Any]") -> Floats:
            """Turn one column into numbers; a category becomes its mean label, so that a tree can split it."""
            if schema.column(name).type == CATEGORY:
                cells = cells.map(pd.Series(before).groupby(known_cells.to_numpy()).mean())
            elif cells.dtype.kind == "M":
                cells = cells.astype("int64").where(cells.notna())
            return np.asarray(cells, dtype=np.float64).reshape(-1, 1)

        tree_type = DecisionTreeClassifier if is_class else DecisionTreeRegressor
        tree = tree_type(max_leaf_nodes=LEAVES, min_samples_leaf=2, random_state=SEED).fit(numbers(known_cells), before)
        wrong, largest = error_of(tree.predict(numbers(asked[name]))), error_of(np.full(len(truth), usual))
        return round(1 - wrong / largest, 3) if largest else 0.0

    names = [column.name for column in schema.features if column.type not in (TEXT, IMAGE)]
    shares = [ColumnShare(column=name, share=share_alone(name)) for name in names]
    return tuple(sorted((each for each in shares if each.share >= STRONG), key=lambda each: -each.share)[:MOST_NAMED])


def check_comparable(learned: Schema, now: Schema, *, champion: str) -> None:
    """Raises BadInput where the model `champion`, which learned by `learned`, cannot be asked the scenario's rows."""
    if (learned.target.task == REGRESSION) != (now.target.task == REGRESSION):
        raise BadInput(
            f"the champion {champion} answers a {learned.target.task} question and the scenario asks a "
            f"{now.target.task} one, so they cannot be compared. {START_OVER}"
        )
    learned, now = learned.sent, now.sent  # what follows from the time of a row, and from rows before it, is computed
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
