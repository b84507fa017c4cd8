"""Policies over a scenario's own history, window after window, by the very rules that production runs.

Each policy is played as a story: answer a window, look, decide, challenge, judge, promote. Whatever it has to compute
it asks for as a job, so that policies that need the same share it, and what all of them need next is done side by side.
A label is known only when it has arrived: nothing in a story reads one that lies beyond `Course.known`.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.core.errors import BadInput
from releve.core.params import Params
from releve.domain.backtest.jobs import Bench, Done, Fit, Floats, Job, Judge, Keep, Key, Look, Pay, Run
from releve.domain.backtest.variants import Policy
from releve.domain.backtest.walk_forward import Course, Window
from releve.domain.drift.verdict import DriftState
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.metrics import METRICS, score_or_none
from releve.domain.evaluation.rolling_origin import Fold, rolling_folds
from releve.domain.gate import gate
from releve.domain.gate.sanity import Sanity
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import BATCH
from releve.domain.training import learning
from releve.domain.trigger import trigger
from releve.domain.trigger.cadence import LEAST_RECENT, MOST_ROWS, Challenged, Payoff
from releve.domain.trigger.policies import AUTO, Evidence, History
from releve.domain.trigger.trigger import TriggerDecision

if TYPE_CHECKING:
    import pandas as pd

Story = Generator[list[Job], list[Done], Any]


@dataclass(frozen=True)
class Champion:
    """A model in service since the row `since`."""

    model: Key
    since: int
    expected: ExpectedPerformance
    previous: Key | None = None


@dataclass(frozen=True)
class Challenge:
    """A challenger and what the gate said of it; with a `problem` there is none."""

    model: Key
    expected: ExpectedPerformance
    promote: bool
    reasons: tuple[str, ...]
    last_batches: int
    problem: str = ""


@dataclass(frozen=True)
class Turn:
    """What happened at the look after a window."""

    window: int
    decision: TriggerDecision
    promoted: bool | None = None  # None where nothing was retrained
    reasons: tuple[str, ...] = ()  # of the gate
    last_batches: int = 0  # that the challenger learned from; 0: all past


@dataclass
class Played:
    """A policy to its end: what was answered (rows, classes), and every turn."""

    policy: Policy
    answers: Floats
    turns: list[Turn] = field(default_factory=list)
    seconds: float = 0.0  # CPU, as if it had been played alone

    @property
    def retrained_at(self) -> list[int]:
        """Numbers of the windows after which a challenger was made."""
        return [turn.window for turn in self.turns if turn.promoted is not None]

    @property
    def promoted_at(self) -> list[int]:
        return [turn.window for turn in self.turns if turn.promoted]


def drive(
    policies: Sequence[Policy], course: Course, run: Run, *, ledger: dict[Job, Done] | None = None
) -> list[Played]:
    """Play all policies; each job is done once. `ledger`: what was done before, which grows."""
    ledger = {} if ledger is None else ledger
    stories = [_Teller(policy, course) for policy in policies]
    while asking := [story for story in stories if story.wanted is not None]:
        jobs = [
            job for job in dict.fromkeys(job for story in asking for job in story.wanted or ()) if job not in ledger
        ]
        for job, done in zip(jobs, run(jobs), strict=True):
            if done.problem and not isinstance(job, Fit | Judge):  # without a model there is no challenge; without
                raise BadInput(f"a backtest could not go on: {done.problem}")  # evidence there is no decision
            ledger[job] = done
        for story in asking:
            story.go_on(ledger)
    return [story.played for story in stories]


class _Teller:
    """One policy's story, as far as it has been told."""

    def __init__(self, policy: Policy, course: Course):
        self.played = Played(policy, np.empty(0))
        self._used: set[Job] = set()
        self._story = play(self.played, course)
        self.wanted: list[Job] | None = next(self._story)

    def go_on(self, ledger: dict[Job, Done]) -> None:
        asked = self.wanted or []
        self.played.seconds += sum(ledger[job].seconds for job in set(asked) - self._used)
        self._used.update(asked)
        try:
            self.wanted = self._story.send([ledger[job] for job in asked])
        except StopIteration:
            self.wanted = None


def play(played: Played, course: Course) -> Story:
    """The story of one policy; `played` is filled on the way. Raises BadInput where no first model can be made."""
    params = played.policy.params(course.bench.params)
    made = yield from challenge(course, params, known=course.start, champion=None)
    if made.problem:
        raise BadInput(f"the rows before the first window make no model: {made.problem}")
    champion = Champion(made.model, course.start, made.expected)
    history, broken = History((Challenged("", True, course.start),)), 0
    looks: list[tuple[int, DriftState]] = []  # of this champion: the row that its window ended before, and its state
    answered: list[Floats] = []
    for window in course.windows:
        answered.append((yield from answers(course, champion.model, window.start, window.end)))
        if window is course.windows[-1]:
            break
        evidence = yield from _look(course, params, champion, history, window, looks)
        looks.append((window.end, evidence.drift.state))
        broken = broken + 1 if evidence.drift.state == DriftState.BROKEN_DATA else 0
        evidence = replace(evidence, invalid_runs=broken)
        decision = trigger.decide(evidence, history, params.trigger)
        if not decision.retrain:
            played.turns.append(Turn(window.number, decision))
            continue
        made = yield from challenge(course, params, known=course.known(window), champion=champion)
        promote = made.promote or not (played.policy.gated or made.problem)
        played.turns.append(Turn(window.number, decision, promote, made.reasons, made.last_batches))
        history = _remember(history, evidence, promote=promote, rows=course.known(window))
        if promote:
            champion = Champion(made.model, window.end, made.expected, champion.model)
            looks = []
    played.answers = np.concatenate(answered)


def _remember(history: History, evidence: Evidence, *, promote: bool, rows: int) -> History:
    """The new challenge, and what was known by then of the last promotion."""
    challenges = list(history.challenges)
    last = max(place for place, each in enumerate(challenges) if each.promoted)  # the first champion's always is
    challenges[last] = replace(challenges[last], payoff=evidence.payoff or challenges[last].payoff)
    return History((*challenges, Challenged(evidence.at, promote, rows, batches=evidence.new_batches)))


def _look(
    course: Course,
    params: Params,
    champion: Champion,
    history: History,
    window: Window,
    looks: list[tuple[int, DriftState]],
) -> Generator[list[Job], list[Done], Evidence]:
    """Drift of the newest answered rows, quality of the newest labelled answers, payoff of the last promotion."""
    known, newest = course.known(window), params.monitor.window_rows
    first = max(champion.since, window.end - newest)
    look = Look(champion.model, first, window.end, _state_before(looks, first))
    start, end = max(champion.since, known - newest), max(champion.since, known)
    kept = yield from answers(course, champion.model, start, end)
    payoff = yield from _payoff(course, params, champion, known)
    recent = max(champion.since, course.known_before(window))
    newest_kept = yield from answers(course, champion.model, recent, end)
    done = yield [
        look,
        Keep(champion.model, start, end, champion.expected, kept),
        Keep(champion.model, recent, end, champion.expected, newest_kept, least=LEAST_RECENT),
    ]
    judged = history.challenges[-1].rows
    return Evidence(
        window.at,
        done[0].value,
        done[1].value,
        known - judged,
        new_batches=course.new_batches(known, judged),
        recent=done[2].value,
        payoff=payoff,
    )


def _state_before(looks: list[tuple[int, DriftState]], first: int) -> DriftState:
    """Of the newest look at none of the rows from `first` on: two looks at one window are one alarm."""
    return next((state for end, state in reversed(looks) if end <= first), DriftState.NO_DRIFT)


def _payoff(
    course: Course, params: Params, champion: Champion, known: int
) -> Generator[list[Job], list[Done], Payoff | None]:
    """None before the second promotion, and while too few labels are there."""
    if champion.previous is None or known - champion.since < params.statistics.min_rows:
        return None
    if params.trigger.policy != AUTO:
        return None  # nobody asks
    start = max(champion.since, known - MOST_ROWS)
    mine = yield from answers(course, champion.model, start, known)
    others = yield from answers(course, champion.previous, start, known)
    (done,) = yield [Pay(champion.model, champion.previous, start, known, mine, others)]
    found: Payoff | None = done.value
    return found


def answers(course: Course, model: Key, start: int, end: int) -> Generator[list[Job], list[Done], Floats]:
    (done,) = yield [Fit(*model, course.rows)]
    found: Floats = done.value[start - model[1] : end - model[1]]
    return found


def challenge(
    course: Course, params: Params, *, known: int, champion: Champion | None
) -> Generator[list[Job], list[Done], Challenge]:
    """What the retrain flow does with `known` labelled rows: cut, choose the window, fit, judge."""
    seen = champion.model[1] if champion else 0
    split = params.split
    folds = rolling_folds(known, seen=seen, holdout_rows=split.holdout_rows, holdout_share=split.holdout_share)
    last = yield from _last_batches(course, params, folds)
    models = tuple(_model(course, fold.start, last) for fold in folds)
    fits: list[Job] = [Fit(*model, fold.end) for model, fold in zip(models, folds, strict=True)]
    final = _model(course, known, last)
    done = yield [*fits, Fit(*final, course.rows)]
    if problem := next((each.problem for each in done if each.problem), ""):
        return Challenge(final, NO_EXPECTATION, False, (f"it could not be made: {problem}",), last, problem)
    mine = np.concatenate([each.value for each in done[:-1]])
    others = None
    if champion:
        others = yield from answers(course, champion.model, folds[0].start, folds[-1].end)
    (judged,) = yield [Judge(models, champion.model if champion else None, folds, mine, others)]
    if judged.problem:
        return Challenge(final, NO_EXPECTATION, False, (judged.problem,), last, judged.problem)
    decision = _gate(judged.value, params, has_champion=champion is not None)
    found: Evaluation = judged.value
    expected = ExpectedPerformance(found.metric, found.score, found.holdout_rows)
    return Challenge(final, expected, decision.promote, decision.sentences, last)


NO_EXPECTATION = ExpectedPerformance("accuracy", Interval(0.0, 0.0, 0.0), 0)


def _gate(evaluation: Evaluation, params: Params, *, has_champion: bool) -> gate.GateDecision:
    """Neither latency nor slight changes are tried in a backtest: they say nothing of when to retrain."""
    sane = Sanity(rows=0, tried=0)
    found = gate.GateInputs(evaluation, has_champion=has_champion, parity=None, latency_ms=0.0, sanity=sane)
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
    choices = (0, *learning.AUTO_BATCHES)
    asked = [(last, block) for last in choices for block in blocks]
    done = yield [Fit(*_model(course, block.start, last), block.end) for last, block in asked]
    scores: dict[int, list[float | None]] = {last: [] for last in choices}
    for (last, block), each in zip(asked, done, strict=True):
        scores[last].append(None if each.problem else _score(course.bench, each.value, block))
    return learning.better_window(scores, sign=METRICS[course.bench.metric].sign)


def _score(bench: Bench, answers: Floats, block: Fold) -> float | None:
    return score_or_none(bench.metric, bench.scored(answers[: block.end - block.start], block.start, block.end))
