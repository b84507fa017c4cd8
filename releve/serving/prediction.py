"""A model's answer to rows, as it is sent and kept, whichever arm gives it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.models.model_runtime import DECIMALS, Model, ModelOutput
from releve.domain.decision.policy import Decided
from releve.domain.decision.rules import cells_of_requests
from releve.domain.neighbours.embedding import Arrays
from releve.domain.prediction_log.records import Row
from releve.domain.schema.target import Label
from releve.domain.schema.validation import Problem
from releve.serving.faults import Refused

DIGITS = 6  # of a number: what an answer in float32 holds for sure; the ledger keeps it whole
TOO_LARGE = "has a number that is too large for the model (float32)"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer per row."""

    labels: Sequence[Label]  # classes, or numbers of a regression
    probabilities: Sequence[Sequence[float]] | None  # per row, of every class of the target in its order
    intervals: Sequence[Sequence[float]] | None  # per row, of a regression whose model has some
    decided: Decided | None  # of a model with costs
    latency_ms: float


def predict(model: Model, arrays: Arrays, rows: Sequence[Row]) -> Prediction:
    """Answer rows that are checked. Raises Refused for rows whose answer is not finite."""
    started = time.perf_counter()
    output = model.answer(arrays)
    check_answered(output)
    probabilities: list[list[float]] | None = None
    if output.probabilities is not None:
        probabilities = rounded(output.probabilities).tolist()
    intervals = model.intervals(output)
    decided = model.decide(output, cells_of_requests(rows))
    latency_ms = round((time.perf_counter() - started) * 1000, 3)
    return Prediction(output.labels, probabilities, intervals, decided, latency_ms)


def check_answered(output: ModelOutput) -> None:
    """Raise Refused for rows whose answer is not finite: a number too large for the model."""
    if rows := unanswered(output):
        problems = [Problem(row, None, TOO_LARGE) for row in rows]
        raise Refused(f"row {rows[0]}: {problems[0].reason}", problems)


def unanswered(output: ModelOutput) -> list[int]:
    """Return the rows whose answer is not finite."""
    answers = np.array(output.labels)[:, None] if output.probabilities is None else output.probabilities
    found = np.isfinite(answers)
    return [] if found.all() else np.flatnonzero(~found.all(axis=1)).tolist()


def rounded(probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Round probabilities to what is sent of them."""
    return probabilities.astype(np.float64).round(DECIMALS)


def sent_numbers(values: Sequence[Label]) -> list[float]:
    """Round the numbers of a regression to what is sent of them."""
    return [float(f"{value:.{DIGITS}g}") for value in values]
