"""The tables that `dvc plots` draws, as dvc.yaml describes them: of revisions and experiments beside each other.

Every table is there for every kind of target; one that says nothing about it has its heads alone, and is not drawn.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from releve.adapters.files import write_bytes
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.holdout_evaluation import EvaluationInputs
from releve.domain.evaluation.intervals import rounded
from releve.domain.evaluation.metrics import score_or_none
from releve.domain.schema.target import REGRESSION

MOST_ROWS = 1000  # newest ones of the holdout: git keeps the tables of every refresh

Rows = Iterable[Sequence[Any]]


def write_plots(folder: Path, inputs: EvaluationInputs, evaluation: Evaluation) -> None:
    """Write quality.csv, reliability.csv, confusion.csv and residuals.csv."""
    is_class = inputs.schema.target.task != REGRESSION
    tables: dict[str, tuple[tuple[str, ...], Rows]] = {
        "quality": (("window", "score"), _quality(inputs)),
        "reliability": (("probability", "accuracy"), _reliability(evaluation)),
        "confusion": (("actual", "predicted"), _answers(inputs) if is_class else ()),
        "residuals": (("predicted", "residual"), () if is_class else _residuals(inputs)),
    }
    for name, (heads, rows) in tables.items():
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([heads, *rows])
        write_bytes(folder / f"{name}.csv", text.getvalue().encode())


def _quality(inputs: EvaluationInputs) -> Iterator[tuple[int, float]]:
    """Score each window by the gate's metric, the oldest first; one with no score, as of one class, is left out."""
    mine = inputs.challenger
    for number, fold in enumerate(inputs.folds, start=1):
        start = fold.start - inputs.holdout_start
        score = score_or_none(inputs.metric, mine.take(np.arange(start, start + fold.end - fold.start)))
        if score is not None:
            yield number, rounded(score)


def _reliability(evaluation: Evaluation) -> Iterator[tuple[float, float]]:
    table = evaluation.challenger.calibration
    return ((rounded(each.probability), rounded(each.accuracy)) for each in (table.bins if table else ()))


def _answers(inputs: EvaluationInputs) -> Iterator[tuple[Any, Any]]:
    mine, classes = inputs.challenger.take(slice(-MOST_ROWS, None)), inputs.schema.target.classes
    for actual, predicted in zip(mine.y_true.tolist(), mine.y_pred.tolist(), strict=True):
        yield classes[actual], classes[predicted] if predicted >= 0 else ""


def _residuals(inputs: EvaluationInputs) -> Iterator[tuple[float, float]]:
    mine = inputs.challenger.take(slice(-MOST_ROWS, None))
    for actual, predicted in zip(mine.y_true.tolist(), mine.outputs.tolist(), strict=True):
        yield rounded(predicted), rounded(actual - predicted)
