"""What a backtest showed: scores with intervals, paired between policies, what they cost, and which one to run.

All policies answered the same rows, so that one draw of blocks of rows serves all of them: differences between two
policies are surer than either (paired block bootstrap, as in `releve/domain/evaluation/paired.py`).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from releve.core.errors import BadInput
from releve.domain.backtest.engine import PlayedPolicy
from releve.domain.backtest.jobs import Floats
from releve.domain.backtest.report import (
    BacktestReport,
    BaselineResult,
    PolicyResult,
    Recommendation,
    ReportedWindow,
)
from releve.domain.backtest.walk_forward import BacktestWindow, WalkForward
from releve.domain.evaluation import baselines
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.intervals import Interval, rounded
from releve.domain.evaluation.metrics import METRICS, compute_score, score_or_none
from releve.domain.evaluation.paired import BootstrapConfig, block_weights, bounds
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.trigger.policies import STATIC

RESAMPLES = 1000  # draws of the bootstrap: every policy is compared with every other one


class PairedScores:
    """Scores of several answers to the same rows, with draws (answers, draws) that belong together."""

    def __init__(self, metric: str, predictions: Sequence[ScoredPredictions], bootstrap: BootstrapConfig):
        rule, self._bootstrap = METRICS[metric], bootstrap
        self.sign, self._rows = rule.sign, len(predictions[0])
        first = rule.losses(predictions[0])
        gaps = [first - rule.losses(other) for other in predictions]
        self._block = max((bootstrap.block_of(gap) for gap in gaps if np.ptp(gap)), default=1)
        statistics = [rule.statistics(each) for each in predictions]
        weights = block_weights(self._rows, block=self._block, draws=bootstrap.resamples, seed=bootstrap.seed)
        drawn = [[rule.scores(each, some) for each in statistics] for some in weights]
        self.draws = np.array([np.concatenate(each) for each in zip(*drawn, strict=True)])
        self.scores = [compute_score(metric, each) for each in predictions]

    def score(self, place: int) -> Interval:
        """Score one policy."""
        return self._interval(self.scores[place], self.draws[place])

    def gain(self, place: int, other: int) -> Interval:
        """Compute the gain of one policy over another; positive is better, whatever the metric."""
        drawn = self.sign * (self.draws[place] - self.draws[other])
        return self._interval(self.sign * (self.scores[place] - self.scores[other]), drawn)

    def _interval(self, value: float, drawn: Floats) -> Interval:
        blocks = self._rows / self._block
        return Interval(value, *bounds(drawn, blocks=blocks, confidence=self._bootstrap.confidence))


def report(scenario: str, plan: WalkForward, played: Sequence[PlayedPolicy]) -> BacktestReport:
    """Compute the figures of backtest.json. Positive gains are better, and a regret is never below 0.

    A window where the metric is not defined has no score, and no say in the means. Raises BadInput where all are so.
    """
    check_scorable(plan)
    predictions = [_scored(plan, each.answers) for each in played]
    scored = PairedScores(plan.context.metric, predictions, _bootstrap(plan))
    per_window = [_in_window(plan, predictions, window) for window in plan.windows]
    best = max(range(len(played)), key=lambda place: scored.sign * scored.scores[place])
    rules = [each.policy.settings.get("trigger.policy") for each in played]
    static = next((place for place, name in enumerate(rules) if name == STATIC), 0)
    policies = [
        PolicyResult(
            name=each.policy.name,
            settings=dict(each.policy.settings),
            gated=each.policy.gated,
            scores=tuple(window[place][0] for window in per_window),
            intervals=tuple(window[place][1] for window in per_window),
            score=_rounded(scored.score(place)),
            gain_over_static=_rounded(scored.gain(place, static)),
            retrained_at=tuple(each.retrained_at),
            promoted_at=tuple(each.promoted_at),
            cpu_seconds=round(each.seconds, 2),
            regret=_rounded(scored.gain(best, place)),
        )
        for place, each in enumerate(played)
    ]
    windows = [
        ReportedWindow(number=each.number, first_row=each.start, rows=each.end - each.start, at=each.at or None)
        for each in plan.windows
    ]
    return BacktestReport(
        scenario=scenario,
        metric=plan.context.metric,
        sign=scored.sign,
        recipe=plan.context.candidate,
        label_delay_windows=plan.label_delay,
        windows=tuple(windows),
        policies=tuple(policies),
        baselines=tuple(_baseline(plan, name, answers) for name, answers in naive(plan).items()),
        recommended=recommend(played, scored),
    )


def check_scorable(plan: WalkForward) -> None:
    """Raises BadInput where no window can be scored: known from the labels alone, before anything is played."""
    context = plan.context
    zeros = np.zeros((plan.rows - plan.start, max(1, len(context.schema.target.classes))))
    if not METRICS[context.metric].is_defined(_scored(plan, zeros)):
        raise BadInput(
            f"{context.metric} is defined in none of the {len(plan.windows)} windows, as each holds labels of one "
            "class alone; backtest fewer windows (backtest.windows), or judge by another metric (gate.metric)"
        )


def recommend(played: Sequence[PlayedPolicy], scored: PairedScores) -> Recommendation:
    """Choose the cheapest of those that are not distinguishable from the best; what skips the gate is never chosen."""
    able = [place for place, each in enumerate(played) if each.policy.can_be_chosen]
    best = max(able, key=lambda place: scored.sign * scored.scores[place])
    equals = [place for place in able if place == best or scored.gain(best, place).low <= 0]
    chosen = min(equals, key=lambda place: (len(played[place].retrained_at), -scored.sign * scored.scores[place]))
    others = sorted((place for place in able if place != best), key=lambda place: -scored.sign * scored.scores[place])
    rival = best if chosen != best else next(iter(others), best)
    return Recommendation(
        policy=played[chosen].policy.name,
        rival=played[rival].policy.name if rival != chosen else "",
        gain=_rounded(scored.gain(best, chosen if chosen != best else rival)),
    )


def naive(plan: WalkForward) -> dict[str, Floats]:
    """Compute what anybody could have answered to the windows, with the labels known before each; by name.

    Where params say that labels come some rows late, but in time for the next window, they come within a window too.
    """
    context, schema = plan.context, plan.context.schema
    truth = baselines.labels_as_places(context.rows[schema.target.name].tolist(), schema.target)
    times = context.rows[schema.time] if schema.time and context.rows[schema.time].dtype.kind == "M" else None
    positive = None if len(schema.target.classes) != 2 else context.scored(np.zeros((0, 2)), 0, 0).positive
    delay = 0 if plan.label_delay else context.params.gate.label_delay_rows
    parts: dict[str, list[Floats]] = {}
    for window in plan.windows:
        known, rows = plan.known_before(window), window.end - window.start
        places = [*range(known), *range(window.start, window.end)]
        past = baselines.LabelHistory(
            truth[places],
            (Fold(known, known + rows),),
            len(schema.target.classes),
            context.metric,
            context.params.gate.quantile,
            positive,
        )
        of_window = None if times is None else times.iloc[places].reset_index(drop=True)
        opponents = baselines.baselines(past, task=schema.target.task, label_delay_rows=delay, times=of_window)
        if plan.label_delay:  # nobody knows it that early
            opponents.pop(Opponent.ROW_BEFORE)
        for name, answers in opponents.items():
            parts.setdefault(name, []).append(answers.outputs)
    return {name: np.concatenate(each) for name, each in parts.items() if len(each) == len(plan.windows)}


def _bootstrap(plan: WalkForward) -> BootstrapConfig:
    return BootstrapConfig.of(plan.context.params.statistics, resamples=RESAMPLES)


def _scored(plan: WalkForward, answers: Floats) -> ScoredPredictions:
    """Windows are the blocks within which rows are ranked: several models answered."""
    sizes = [window.end - window.start for window in plan.windows]
    return plan.context.scored(answers, plan.start, plan.rows, np.repeat(np.arange(len(sizes)), sizes))


def _in_window(
    plan: WalkForward, predictions: Sequence[ScoredPredictions], window: BacktestWindow
) -> list[tuple[float | None, tuple[float, float] | None]]:
    """Score and interval of every policy; None where the metric is not defined."""
    rows = slice(window.start - plan.start, window.end - plan.start)
    parts = [each.take(rows) for each in predictions]
    if not METRICS[plan.context.metric].is_defined(parts[0]):
        return [(None, None)] * len(predictions)
    scored = PairedScores(plan.context.metric, parts, _bootstrap(plan))
    intervals = [_rounded(scored.score(place)) for place in range(len(predictions))]
    return [(each.value, (each.low, each.high)) for each in intervals]


def _baseline(plan: WalkForward, name: str, answers: Floats) -> BaselineResult:
    answered = _scored(plan, answers)
    edges = [window.start - plan.start for window in plan.windows] + [len(answered)]
    parts = [answered, *(answered.take(slice(start, end)) for start, end in pairwise(edges))]
    known = (score_or_none(plan.context.metric, each) for each in parts)
    score, *scores = (None if each is None else rounded(each) for each in known)
    return BaselineResult(name=name, scores=tuple(scores), score=score)


def _rounded(interval: Interval) -> Interval:
    return Interval(rounded(interval.value), rounded(interval.low), rounded(interval.high))
