"""A model's answer to rows, as it is sent and kept, whichever arm gives it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from releve.adapters.models.model_runtime import Model, ModelOutput
from releve.domain.neighbours.embedding import Arrays
from releve.domain.schema.target import Label
from releve.domain.schema.validation import Problem
from releve.serving.faults import Refused

DECIMALS = 6  # of a probability


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer per row."""

    labels: Sequence[Label]  # classes, or numbers of a regression
    probabilities: Sequence[Sequence[float]] | None  # per row, of every class of the target in its order
    intervals: Sequence[Sequence[float]] | None  # per row, of a regression whose model has some
    latency_ms: float


def predict(model: Model, arrays: Arrays) -> Prediction:
    """Answer rows that are checked. Raises Refused for rows whose answer is not finite."""
    started = time.perf_counter()
    output = model.answer(arrays)
    check_answered(output)
    probabilities: list[list[float]] | None = None
    if output.probabilities is not None:
        probabilities = output.probabilities.astype(np.float64).round(DECIMALS).tolist()
    intervals = model.intervals(output)
    latency_ms = round((time.perf_counter() - started) * 1000, 3)
    return Prediction(output.labels, probabilities, intervals, latency_ms)


def check_answered(output: ModelOutput) -> None:
    """Raise Refused for rows whose answer is not finite: a number too large for the model."""
    answers = np.array(output.labels)[:, None] if output.probabilities is None else output.probabilities
    if np.isfinite(answers).all():
        return
    rows = np.flatnonzero(~np.isfinite(answers).all(axis=1)).tolist()
    problems = [Problem(row, None, "has a number that is too large for the model (float32)") for row in rows]
    raise Refused(f"row {rows[0]}: {problems[0].reason}", problems)
