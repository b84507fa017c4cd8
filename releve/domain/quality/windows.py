"""Quality over time: the champion's answers in windows of their order, each with what its labels say so far.

Labels come late and in part, so a window's figures may change in every run. The naive answers beside it
know, at each window, only the labels that had come when it began; or, for the label before, when a row was answered.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from releve.domain.evaluation.baselines import constant_name, repeated_answers, usual_answer
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS, compute_score, own_metric
from releve.domain.evaluation.paired import BootstrapConfig, score_interval
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows, Scalar
from releve.domain.quality.realised import Coverage, as_scored, interval_coverage
from releve.domain.quality.staleness import days_between
from releve.domain.schema.target import REGRESSION, Target

KNOWN_LABELS = 20_000  # newest ones that naive answers are made of: every window reads them
SWAP_DAYS = 60 / 86_400  # a minute, in which workers may still answer with either of two models
LEAST_SCORED = 10  # labelled rows below which a window has no score: its interval would say nothing

Labels = Mapping[str, tuple[Scalar, str]]  # row id -> label and when it came


@dataclass(frozen=True)
class QualityWindow:
    """Neighbouring answers of one model version. Scores are None where too few rows have labels; so is `naive` where
    no label was known before."""

    first_at: str  # ISO 8601, UTC
    last_at: str
    model: str
    answered: int
    labelled: int
    metric: str
    score: Interval | None
    naive: float | None  # the better of the usual answer and the label before, on the same rows
    naive_name: str  # which one; "" where there is none
    label_delay_days: float | None  # median
    own_metric: str = ""  # that people know the task by; "" where it is scored by that one
    own_score: float | None = None
    coverage: Coverage | None = None  # of a regression that was answered with intervals


@dataclass(frozen=True)
class Scoring:
    """How windows are cut and scored."""

    target: Target
    metric: str
    quantile: float
    rows: int  # of a window
    bootstrap: BootstrapConfig


class KnownLabels:
    """The labels that have come at a moment, as time goes on."""

    def __init__(self, target: Target, before: Sequence[Any]) -> None:
        """`before`: labels that were known from the start, oldest first."""
        self._target = target
        self._places = {label: place for place, label in enumerate(target.classes)}
        self._labels: deque[float] = deque(map(self._number, before), maxlen=KNOWN_LABELS)
        self._coming: list[tuple[str, int, float]] = []
        self._added = 0

    def add(self, label: Any, *, at: str) -> None:
        """Add a label that comes `at` that time."""
        self._added += 1
        heapq.heappush(self._coming, (at, self._added, self._number(label)))

    def last(self, at: str) -> float | None:
        """Return the label that came last, up to that time."""
        while self._coming and self._coming[0][0] <= at:
            self._labels.append(heapq.heappop(self._coming)[2])
        return self._labels[-1] if self._labels else None

    def labels(self) -> np.ndarray[Any, Any]:
        """Return those that had come when `last` was asked, oldest first."""
        return np.array(self._labels, dtype=np.float64 if self._target.task == REGRESSION else np.int64)

    def _number(self, label: Any) -> float:
        return float(label) if self._target.task == REGRESSION else self._places[label]


def quality_windows(
    days: Iterable[AnsweredRows], labels: Labels, how: Scoring, *, known: Sequence[Any] = ()
) -> Iterator[QualityWindow]:
    """Cut answers in time order, as they are read, into windows of one model each; linear in their number.

    `known`: labels from before the first answer, oldest first.
    """
    so_far = KnownLabels(how.target, known)
    for model, pieces in _cut(days, how.rows):
        yield _score_window(model, pieces, labels, how, so_far)


def _cut(days: Iterable[AnsweredRows], rows: int) -> Iterator[tuple[str, list[AnsweredRows]]]:
    """Model and pieces of each window: it ends when it is full, or when another model has taken over."""
    unfinished: dict[str, list[AnsweredRows]] = {}
    for day in days:
        ends = [place for place in range(1, len(day)) if day.models[place] != day.models[place - 1]]
        for first, end in zip([0, *ends], [*ends, len(day)], strict=True):  # neighbouring answers of one model
            if end == first:
                continue
            model, begins = day.models[first], datetime.fromisoformat(day.at[first])
            for other in [name for name in unfinished if name != model]:
                if days_between(unfinished[other][-1].at[-1], begins) > SWAP_DAYS:
                    yield other, unfinished.pop(other)
            pieces = unfinished.pop(model, [])
            while end - first >= (missing := rows - sum(map(len, pieces))):
                yield model, [*pieces, day.take(range(first, first + missing))]
                pieces, first = [], first + missing
            if first < end:
                pieces = [*pieces, day.take(range(first, end))]
            if pieces:
                unfinished[model] = pieces
    yield from unfinished.items()


def _score_window(
    model: str, pieces: list[AnsweredRows], labels: Labels, how: Scoring, so_far: KnownLabels
) -> QualityWindow:
    import pandas as pd

    columns: dict[str, Any] = {
        name: [each for piece in pieces for each in getattr(piece, name)]
        for name in ("ids", "at", "models", "arms", "predicted", "probabilities", "intervals")
    }
    answers = AnsweredRows(**columns, features=pd.DataFrame(index=range(len(columns["ids"]))))
    came = {name: labels[name] for name in answers.ids if name in labels}
    parsed = {name: how.target.parse(label) for name, (label, _) in came.items()}
    joined = answers.take([row for row, name in enumerate(answers.ids) if parsed.get(name) is not None])
    labelled = LabelledRows(joined, [parsed[name] for name in joined.ids], [came[name][1] for name in joined.ids])  # type: ignore[misc]
    scored = as_scored(labelled, how.target, rows=how.rows, quantile=how.quantile)
    so_far.last(answers.at[0])
    known, previous, delays = so_far.labels(), [], []
    for at, label, came_at in zip(joined.at, labelled.labels, labelled.labelled_at, strict=True):
        previous.append(so_far.last(at))  # the label that had come last when it was answered; its own comes later
        so_far.add(label, at=came_at)
        delays.append(days_between(at, datetime.fromisoformat(came_at)))
    score, naive, naive_name, coverage = None, None, "", None
    own, own_score = own_metric(how.target.task), None
    if scored is not None and len(scored) >= LEAST_SCORED and METRICS[how.metric].is_defined(scored):
        score = score_interval(how.metric, scored, how.bootstrap)
        own_score = None if own == how.metric else compute_score(own, scored)
        coverage = interval_coverage(labelled, how.target, confidence=how.bootstrap.confidence)
        if len(known):
            naive, naive_name = _better_naive(scored, known, previous, how)
    return QualityWindow(
        first_at=answers.at[0],
        last_at=answers.at[-1],
        model=model,
        answered=len(answers),
        labelled=len(labelled),
        metric=how.metric,
        score=score,
        naive=naive,
        naive_name=naive_name,
        label_delay_days=float(np.median(delays)) if delays else None,
        own_metric="" if own == how.metric else own,
        own_score=own_score,
        coverage=coverage,
    )


def _better_naive(
    scored: ScoredPredictions, known: np.ndarray[Any, Any], previous: list[float | None], how: Scoring
) -> tuple[float, str]:
    """The better naive score on the same rows, and whose it is."""
    usual = usual_answer(known, classes=len(how.target.classes), metric=how.metric, quantile=how.quantile)
    before = np.array(previous, dtype=known.dtype)
    answers = {
        constant_name(how.target.task): np.repeat(usual[None], len(scored), axis=0),
        Opponent.PREVIOUS_LABEL: repeated_answers(before, known, usual, metric=how.metric),
    }
    scores = {name: compute_score(how.metric, scored.with_outputs(given)) for name, given in answers.items()}
    best = max(scores, key=lambda name: METRICS[how.metric].sign * scores[name])
    return scores[best], best
