"""A challenge as a replay plays it: what the retrain flow does with the labelled rows that are known by then."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.core.params import Params
from releve.domain.backtest.replay_course import Course
from releve.domain.backtest.replay_jobs import Bench, Done, Fit, Floats, Job, Judge, Key
from releve.domain.evaluation.evaluation import headline
from releve.domain.evaluation.metrics import METRICS, score_or_none
from releve.domain.evaluation.split import Fold, rolling_folds
from releve.domain.gate import gate
from releve.domain.gate.challenge import read_challenge
from releve.domain.gate.sanity import Sanity
from releve.domain.quality.quality import Promise
from releve.domain.schema.own_columns import BATCH
from releve.domain.training import learning

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Champion:
    """A model in service since the row `since`."""

    model: Key
    since: int
    promise: Promise
    previous: Key | None = None


@dataclass(frozen=True)
class Challenge:
    """A challenger and what the gate said of it; with a `problem` there is none."""

    model: Key
    promise: Promise
    promote: bool
    reasons: tuple[str, ...]
    last_batches: int
    problem: str = ""


def answers(course: Course, model: Key, start: int, end: int) -> Generator[list[Job], list[Done], Floats]:
    (done,) = yield [Fit(*model, course.rows)]
    found: Floats = done.value[start - model[1] : end - model[1]]
    return found


def challenge(
    course: Course, params: Params, *, known: int, champion: Champion | None
) -> Generator[list[Job], list[Done], Challenge]:
    """What the retrain flow does with `known` labelled rows: cut, choose the window, fit, judge."""
    seen = champion.model[1] if champion else 0
    folds = rolling_folds(known, seen=seen, **params.split.model_dump())
    last = yield from _last_batches(course, params, folds)
    models = tuple(_model(course, fold.start, last) for fold in folds)
    fits: list[Job] = [Fit(*model, fold.end) for model, fold in zip(models, folds, strict=True)]
    final = _model(course, known, last)
    done = yield [*fits, Fit(*final, course.rows)]
    if problem := next((each.problem for each in done if each.problem), ""):
        return Challenge(final, NO_PROMISE, False, (f"it could not be made: {problem}",), last, problem)
    mine = np.concatenate([each.value for each in done[:-1]])
    others = None
    if champion:
        others = yield from answers(course, champion.model, folds[0].start, folds[-1].end)
    (judged,) = yield [Judge(models, champion.model if champion else None, folds, mine, others)]
    if judged.problem:
        return Challenge(final, NO_PROMISE, False, (judged.problem,), last, judged.problem)
    decision = _gate(judged.value, params, has_champion=champion is not None)
    found = headline(judged.value)
    promise = Promise(found.metric, found.score.value, found.score.low, found.score.high, found.rows)
    return Challenge(final, promise, decision.promote, decision.reasons, last)


NO_PROMISE = Promise("accuracy", 0.0, 0.0, 0.0, 0)


def _gate(evaluation: dict[str, Any], params: Params, *, has_champion: bool) -> gate.GateDecision:
    """Neither latency nor slight changes are tried in a replay: they say nothing of when to retrain."""
    found = read_challenge(evaluation, None, has_champion=has_champion, latency_ms=0.0, sanity=Sanity(0, 0))
    return gate.decide(found, params, today=date.min)


def _model(course: Course, end: int, last_batches: int) -> Key:
    rows: pd.DataFrame = course.bench.rows[[BATCH]]
    return end - len(learning.window(rows, end=end, last_batches=last_batches)), end


def _last_batches(course: Course, params: Params, folds: Sequence[Fold]) -> Generator[list[Job], list[Done], int]:
    """As params.yaml says; with `auto` the better of two on the rows right before the holdout."""
    wanted = params.train.last_batches
    if isinstance(wanted, int):
        return wanted
    blocks = learning.folds_before(folds[0].start, rows=folds[-1].end - folds[0].start)
    choices = (0, *params.train.auto_batches)
    asked = [(last, block) for last in choices for block in blocks]
    done = yield [Fit(*_model(course, block.start, last), block.end) for last, block in asked]
    scores: dict[int, list[float | None]] = {last: [] for last in choices}
    for (last, block), each in zip(asked, done, strict=True):
        scores[last].append(None if each.problem else _score(course.bench, each.value, block))
    return learning.better_window(scores, sign=METRICS[course.bench.metric].sign)


def _score(bench: Bench, answers: Floats, block: Fold) -> float | None:
    return score_or_none(bench.metric, bench.sheet(answers[: block.end - block.start], block.start, block.end))
