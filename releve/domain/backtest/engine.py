"""Play policies over a scenario's own history, window after window, by the very rules that production runs.

Each policy is a generator: predict a window, monitor, decide, challenge, judge, promote. Whatever it has to compute it
asks for as a job, so that policies that need the same share it, and what all of them need next is done side by side.
A label is known only when it has arrived: nothing reads one that lies beyond `WalkForward.known`.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeVar

import numpy as np

from releve.core.errors import BadInput
from releve.core.params import Params
from releve.domain.backtest.jobs import (
    AssessQuality,
    CompareDrift,
    EvaluateChallenger,
    FitModel,
    Floats,
    Job,
    JobResult,
    MeasurePayoff,
    ModelRows,
    RunJobs,
)
from releve.domain.backtest.variants import PolicyVariant
from releve.domain.backtest.walk_forward import BacktestWindow, WalkForward
from releve.domain.drift.verdict import DriftState
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.rolling_origin import rolling_folds
from releve.domain.gate import gate
from releve.domain.gate.gate import FailedCheck
from releve.domain.quality.payoff import MOST_ROWS, Payoff
from releve.domain.registry.release import ExpectedPerformance
from releve.domain.schema.schema import BATCH
from releve.domain.training import learning
from releve.domain.trigger import trigger
from releve.domain.trigger.policies import Challenged, Evidence, History
from releve.domain.trigger.trigger import TriggerDecision

T = TypeVar("T")
Steps = Generator[list[Job], list[JobResult], T]  # asks for jobs, is sent their results


@dataclass(frozen=True)
class ServingModel:
    """A model in service since the row `since`."""

    model: ModelRows
    since: int
    expected: ExpectedPerformance
    previous: ModelRows | None = None


@dataclass(frozen=True)
class BacktestedChallenger:
    """A challenger and the gate's decision; with a `problem` there is none."""

    model: ModelRows
    expected: ExpectedPerformance
    promote: bool
    failed: tuple[FailedCheck, ...]
    last_batches: int
    problem: str = ""


@dataclass(frozen=True)
class WindowDecision:
    """What was decided after a window."""

    window: int
    decision: TriggerDecision
    promoted: bool | None = None  # None where nothing was retrained
    failed: tuple[FailedCheck, ...] = ()  # checks of the gate
    last_batches: int = 0  # that the challenger learned from; 0: all past


@dataclass
class PlayedPolicy:
    """A policy as far as it was played: its predictions (rows, classes) at the end, and every decision."""

    policy: PolicyVariant
    answers: Floats
    decisions: list[WindowDecision] = field(default_factory=list)
    seconds: float = 0.0  # CPU, as if it had been played alone
    window: int = 0  # that is played now

    @property
    def retrained_at(self) -> list[int]:
        """List the numbers of the windows after which a challenger was made."""
        return [each.window for each in self.decisions if each.promoted is not None]

    @property
    def promoted_at(self) -> list[int]:
        return [each.window for each in self.decisions if each.promoted]


@dataclass(frozen=True)
class BacktestProgress:
    """How far all policies are; `window` and `policy` of the one that is furthest behind."""

    window: int
    windows: int
    policy: str
    number: int  # of that policy, from 1
    policies: int
    share: float  # 0-1 of the windows of that policy: those that never retrain are over at once


def play_all(
    policies: Sequence[PolicyVariant],
    plan: WalkForward,
    run: RunJobs,
    *,
    ledger: dict[Job, JobResult] | None = None,
    report: Callable[[BacktestProgress], None] = lambda progress: None,
) -> list[PlayedPolicy]:
    """Play all policies; each job is done once. `ledger`: what was done before, which grows."""
    ledger = {} if ledger is None else ledger
    played = [PlayedPolicy(policy, np.empty(0)) for policy in policies]
    steps = [play(each, plan) for each in played]
    asked: list[list[Job] | None] = [next(each) for each in steps]  # None: it is at its end
    used: list[set[Job]] = [set() for _ in played]
    while any(each is not None for each in asked):
        report(_progress(played, asked, plan))
        jobs = [job for job in dict.fromkeys(job for each in asked for job in each or ()) if job not in ledger]
        for job, done in zip(jobs, run(jobs), strict=True):
            # without a model there is no challenge; without evidence there is no decision
            if done.problem and not isinstance(job, FitModel | EvaluateChallenger):
                raise BadInput(f"a backtest could not go on: {done.problem}")
            ledger[job] = done
        for place, wanted in enumerate(asked):
            if wanted is None:
                continue
            played[place].seconds += sum(ledger[job].seconds for job in set(wanted) - used[place])
            used[place].update(wanted)
            try:
                asked[place] = steps[place].send([ledger[job] for job in wanted])
            except StopIteration:
                asked[place] = None
    return played


def _progress(played: Sequence[PlayedPolicy], asked: Sequence[object], plan: WalkForward) -> BacktestProgress:
    windows = len(plan.windows)
    done = [windows if wanted is None else max(0, each.window - 1) for each, wanted in zip(played, asked, strict=True)]
    last = min(range(len(played)), key=lambda place: done[place])
    return BacktestProgress(
        window=max(1, played[last].window),
        windows=windows,
        policy=played[last].policy.name,
        number=last + 1,
        policies=len(played),
        share=done[last] / windows,
    )


def play(played: PlayedPolicy, plan: WalkForward) -> Steps[None]:
    """Play one policy; `played` is filled on the way. Raises BadInput where no first model can be made."""
    params = played.policy.params(plan.context.params)
    made = yield from challenge(plan, params, known=plan.start, champion=None)
    if made.problem:
        raise BadInput(f"the rows before the first window make no model: {made.problem}")
    champion = ServingModel(made.model, plan.start, made.expected)
    history, broken_since = History((Challenged("", True, plan.start),)), None
    runs: list[tuple[int, DriftState]] = []  # of this champion: the row that its window ended before, and its state
    answered: list[Floats] = []
    for window in plan.windows:
        played.window = window.number
        answered.append((yield from answers(plan, champion.model, window.start, window.end)))
        if window is plan.windows[-1]:
            break
        evidence, payoff = yield from _monitor(plan, params, champion, history, window, runs)
        runs.append((window.end, evidence.drift.state))
        known = plan.known(window)
        is_broken = evidence.drift.state == DriftState.BROKEN_DATA
        broken_since = (known if broken_since is None else broken_since) if is_broken else None
        evidence = replace(evidence, rows_since_broken=0 if broken_since is None else known - broken_since)
        decision = trigger.decide(evidence, history, params)
        if not decision.refresh:
            played.decisions.append(WindowDecision(window.number, decision))
            continue
        made = yield from challenge(plan, params, known=known, champion=champion)
        promote = made.promote or not (played.policy.gated or made.problem)
        played.decisions.append(WindowDecision(window.number, decision, promote, made.failed, made.last_batches))
        history = _remember(history, evidence, payoff, promote=promote, rows=known)
        if promote:
            champion = ServingModel(made.model, window.end, made.expected, champion.model)
            runs = []
    played.answers = np.concatenate(answered)


def _remember(history: History, evidence: Evidence, payoff: Payoff | None, *, promote: bool, rows: int) -> History:
    """The new challenge, and what was known by then of the last promotion."""
    challenges = list(history.challenges)
    last = max(place for place, each in enumerate(challenges) if each.promoted)  # the first champion's always is
    challenges[last] = replace(challenges[last], payoff=payoff or challenges[last].payoff)
    return History((*challenges, Challenged(evidence.at, promote, rows)))


def _monitor(
    plan: WalkForward,
    params: Params,
    champion: ServingModel,
    history: History,
    window: BacktestWindow,
    runs: list[tuple[int, DriftState]],
) -> Steps[tuple[Evidence, Payoff | None]]:
    """Drift of the newest answered rows, quality of the newest labelled answers, payoff of the last promotion."""
    known, newest = plan.known(window), params.monitor.window_rows
    first = max(champion.since, window.end - newest)
    # the newest run over none of the rows from `first` on: two runs over one window are one alarm
    before = next((state for end, state in reversed(runs) if end <= first), DriftState.NO_DRIFT)
    start, end = max(champion.since, known - newest), max(champion.since, known)
    labelled = yield from answers(plan, champion.model, start, end)
    payoff = yield from _payoff(plan, params, champion, known)
    drift, quality = yield [
        CompareDrift(champion.model, first, window.end, before),
        AssessQuality(champion.model, start, end, champion.expected, labelled),
    ]
    judged = history.challenges[-1].rows
    batches = plan.new_batches(known, judged)
    return Evidence(window.at, drift.value, quality.value, known - judged, new_batches=batches), payoff


def _payoff(plan: WalkForward, params: Params, champion: ServingModel, known: int) -> Steps[Payoff | None]:
    """None before the second promotion, and while too few labels are there."""
    few = known - champion.since < params.statistics.min_rows
    if champion.previous is None or few:
        return None
    start = max(champion.since, known - MOST_ROWS)
    mine = yield from answers(plan, champion.model, start, known)
    others = yield from answers(plan, champion.previous, start, known)
    (done,) = yield [MeasurePayoff(champion.model, champion.previous, start, known, mine, others)]
    payoff: Payoff | None = done.value
    return payoff


def answers(plan: WalkForward, model: ModelRows, start: int, end: int) -> Steps[Floats]:
    """Ask for a model's predictions for rows [start, end)."""
    (done,) = yield [FitModel(*model, plan.rows)]
    predicted: Floats = done.value[start - model[1] : end - model[1]]
    return predicted


def challenge(
    plan: WalkForward, params: Params, *, known: int, champion: ServingModel | None
) -> Steps[BacktestedChallenger]:
    """Do what the retrain flow does with `known` labelled rows: cut, choose the window, fit, judge."""

    def impossible(problem: str) -> BacktestedChallenger:
        nothing = ExpectedPerformance(plan.context.metric, Interval(0.0, 0.0, 0.0), 0)
        return BacktestedChallenger(final, nothing, False, (), last, problem)

    seen, split = champion.model[1] if champion else 0, params.split
    folds = rolling_folds(known, seen=seen, holdout_rows=split.holdout_rows, holdout_share=split.holdout_share)
    last = params.train.last_batches
    models = tuple(_model(plan, fold.start, last) for fold in folds)
    fits: list[Job] = [FitModel(*model, fold.end) for model, fold in zip(models, folds, strict=True)]
    final = _model(plan, known, last)
    done = yield [*fits, FitModel(*final, plan.rows)]
    if problem := next((each.problem for each in done if each.problem), ""):
        return impossible(problem)
    mine = np.concatenate([each.value for each in done[:-1]])
    others = None
    if champion:
        others = yield from answers(plan, champion.model, folds[0].start, folds[-1].end)
    (evaluated,) = yield [EvaluateChallenger(models, champion.model if champion else None, folds, mine, others)]
    if evaluated.problem:
        return impossible(evaluated.problem)
    evaluation: Evaluation = evaluated.value
    # A backtest measures neither latency nor sanity: they say nothing of when to retrain.
    inputs = gate.GateInputs(
        evaluation, champion is not None, latency_ms=None, sanity=None, not_applicable=gate.OF_THE_SERVED_MODEL
    )
    decision = gate.decide(inputs, params, today=date.min)
    expected = ExpectedPerformance(evaluation.metric, evaluation.score, evaluation.holdout_rows)
    return BacktestedChallenger(final, expected, decision.promote, decision.failed, last)


def _model(plan: WalkForward, end: int, last_batches: int) -> ModelRows:
    return end - len(learning.window(plan.context.rows[[BATCH]], end=end, last_batches=last_batches)), end
