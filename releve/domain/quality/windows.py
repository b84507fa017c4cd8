"""Quality over time: the champion's answers in windows of their order, each with what its labels say so far.

Labels come late and in part, so a window's figures may change whenever it is looked at. The naive answers beside it
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
from releve.domain.evaluation.metrics import METRICS, ScoredPredictions, compute_score
from releve.domain.evaluation.paired import BootstrapConfig, score_interval
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows, Scalar
from releve.domain.quality.realised import as_scored
from releve.domain.quality.staleness import days_between
from releve.domain.schema.target import REGRESSION, Target

KNOWN_LABELS = 20_000  # newest ones that naive answers are made of: every window looks at them
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


@dataclass(frozen=True)
class Scoring:
    """How windows are cut and scored."""

    target: Target
    metric: str
    quantile: float
    rows: int  # of a window
    bootstrap: BootstrapConfig


class Known:
    """The labels that have come at a moment, as time goes on."""

    def __init__(self, target: Target, before: Sequence[Any]) -> None:
        """`before`: labels that were known from the start, oldest first."""
        self._target = target
        self._places = {label: place for place, label in enumerate(target.classes)}
        self._labels: deque[float] = deque(map(self._number, before), maxlen=KNOWN_LABELS)
        self._coming: list[tuple[str, int, float]] = []
        self._added = 0

    def add(self, label: Any, *, at: str) -> None:
        """A label that comes `at` that time."""
        self._added += 1
        heapq.heappush(self._coming, (at, self._added, self._number(label)))

    def last(self, at: str) -> float | None:
        """The label that came last, up to that time."""
        while self._coming and self._coming[0][0] <= at:
            self._labels.append(heapq.heappop(self._coming)[2])
        return self._labels[-1] if self._labels else None

    def labels(self) -> np.ndarray[Any, Any]:
        """Those that had come when `last` was asked, oldest first."""
        return np.array(self._labels, dtype=np.float64 if self._target.task == REGRESSION else np.int64)

    def _number(self, label: Any) -> float:
        return float(label) if self._target.task == REGRESSION else self._places[label]


def quality_windows(
    days: Iterable[AnsweredRows], labels: Labels, how: Scoring, *, known: Sequence[Any] = ()
) -> Iterator[QualityWindow]:
    """Cut answers in time order, as they are read, into windows of one model each; linear in their number.

    `known`: labels from before the first answer, oldest first.
    """
    so_far = Known(how.target, known)
    for model, window in _cut(days, how.rows):
        yield _scored(model, window, labels, how, so_far)


def _cut(days: Iterable[AnsweredRows], rows: int) -> Iterator[tuple[str, list[AnsweredRows]]]:
    """Model and pieces of each window: it ends when it is full, or when another model has taken over."""
    unfinished: dict[str, list[AnsweredRows]] = {}
    for model, run in _runs(days):
        for other in [name for name in unfinished if name != model and _is_over(unfinished[name], run.at[0])]:
            yield other, unfinished.pop(other)
        pieces, start = unfinished.pop(model, []), 0
        while len(run) - start >= (room := rows - sum(map(len, pieces))):
            yield model, [*pieces, run.take(range(start, start + room))]
            pieces, start = [], start + room
        if start < len(run):
            pieces = [*pieces, run.take(range(start, len(run)))]
        if pieces:
            unfinished[model] = pieces
    yield from unfinished.items()


def _is_over(pieces: list[AnsweredRows], at: str) -> bool:
    return days_between(pieces[-1].at[-1], datetime.fromisoformat(at)) > SWAP_DAYS


def _runs(days: Iterable[AnsweredRows]) -> Iterator[tuple[str, AnsweredRows]]:
    """Neighbouring answers of one model."""
    for day in days:
        ends = [place for place in range(1, len(day)) if day.models[place] != day.models[place - 1]]
        for start, end in zip([0, *ends], [*ends, len(day)], strict=True):
            if end > start:
                yield day.models[start], day.take(range(start, end))


def _scored(model: str, pieces: list[AnsweredRows], labels: Labels, how: Scoring, so_far: Known) -> QualityWindow:
    answers = _joined(pieces)
    labelled = _usable(answers, labels, how.target)
    found = as_scored(labelled, how.target, rows=how.rows, quantile=how.quantile)
    so_far.last(answers.at[0])
    naive, name = _naive(found, so_far.labels(), _previous(labelled, so_far), how)
    scorable = found is not None and len(found) >= LEAST_SCORED and METRICS[how.metric].is_defined(found)
    return QualityWindow(
        first_at=answers.at[0],
        last_at=answers.at[-1],
        model=model,
        answered=len(answers),
        labelled=len(labelled),
        metric=how.metric,
        score=score_interval(how.metric, found, how.bootstrap) if found is not None and scorable else None,
        naive=naive if scorable else None,
        naive_name=name if scorable else "",
        label_delay_days=_delay(labelled),
    )


def _joined(pieces: list[AnsweredRows]) -> AnsweredRows:
    """Pieces of one window as one; features are not looked at."""
    import pandas as pd

    def column(name: str) -> list[Any]:
        return [each for piece in pieces for each in getattr(piece, name)]

    return AnsweredRows(
        ids=column("ids"),
        at=column("at"),
        models=column("models"),
        arms=column("arms"),
        predicted=column("predicted"),
        probabilities=column("probabilities"),
        features=pd.DataFrame(index=range(sum(map(len, pieces)))),
    )


def _usable(answers: AnsweredRows, labels: Labels, target: Target) -> LabelledRows:
    """Answers whose label came and is one of the target's."""
    came = {name: labels[name] for name in answers.ids if name in labels}
    parsed = {name: target.parse(label) for name, (label, _) in came.items()}
    joined = answers.take([row for row, name in enumerate(answers.ids) if parsed.get(name) is not None])
    return LabelledRows(joined, [parsed[name] for name in joined.ids], [came[name][1] for name in joined.ids])  # type: ignore[misc]


def _previous(labelled: LabelledRows, so_far: Known) -> list[float | None]:
    """Per labelled row the label that had come last when it was answered; its own comes later."""
    found = []
    for at, label, came in zip(labelled.answers.at, labelled.labels, labelled.labelled_at, strict=True):
        found.append(so_far.last(at))
        so_far.add(label, at=came)
    return found


def _naive(
    found: ScoredPredictions | None, known: np.ndarray[Any, Any], previous: list[float | None], how: Scoring
) -> tuple[float | None, str]:
    """The better naive score on the same rows, and whose it is."""
    metric = METRICS[how.metric]
    if found is None or not len(known) or not metric.is_defined(found):
        return None, ""
    usual = usual_answer(known, classes=len(how.target.classes), metric=how.metric, quantile=how.quantile)
    before = np.array(previous, dtype=known.dtype)
    answers = {
        constant_name(how.target.task): np.repeat(usual[None], len(found), axis=0),
        Opponent.PREVIOUS_LABEL: repeated_answers(before, known, usual, metric=how.metric),
    }
    scores = {name: compute_score(how.metric, found.with_outputs(given)) for name, given in answers.items()}
    best = max(scores, key=lambda name: metric.sign * scores[name])
    return scores[best], best


def _delay(labelled: LabelledRows) -> float | None:
    if not len(labelled):
        return None
    times = zip(labelled.answers.at, labelled.labelled_at, strict=True)
    return float(np.median([days_between(at, datetime.fromisoformat(came)) for at, came in times]))
