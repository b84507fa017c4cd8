"""What a backtest showed: scores with intervals, paired between policies, what they cost, and which one to run.

All policies answered the same rows, so that one draw of blocks of rows serves all of them: differences between two
policies are surer than either (paired block bootstrap, as in `releve/domain/evaluation/paired.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise

import numpy as np

from releve.core.errors import BadInput
from releve.domain.backtest.jobs import Floats
from releve.domain.backtest.money import PricedPolicies, priced
from releve.domain.backtest.played import PlayedPolicy
from releve.domain.backtest.report import (
    BacktestMoney,
    BacktestReport,
    BaselineResult,
    CadenceAtPrice,
    PolicyMoney,
    PolicyResult,
    Recommendation,
    ReportedSearch,
    ReportedWindow,
)
from releve.domain.backtest.variants import CRON, EVERY_WINDOW, NEVER, SINGLE, CronJob
from releve.domain.backtest.walk_forward import BacktestWindow, WalkForward
from releve.domain.evaluation import baselines
from releve.domain.evaluation.evaluation import Opponent
from releve.domain.evaluation.intervals import Interval, rounded
from releve.domain.evaluation.metrics import METRICS, compute_score, own_metric, score_or_none
from releve.domain.evaluation.paired import BootstrapConfig, block_weights, bounds
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import ScoredPredictions

THOUSAND = 1000  # answers that a price is for
RESAMPLES = 1000  # draws of the bootstrap: every policy is compared with every other one


class PairedScores:
    """Scores of several answers to the same rows, with draws (answers, draws) that belong together."""

    def __init__(
        self,
        losses: Sequence[Floats],
        scores_of: Sequence[Callable[[Floats], Floats]],
        *,
        sign: int,
        bootstrap: BootstrapConfig,
    ):
        """`losses`: of each row, lower is better; `scores_of`: scores (draws,) where rows weigh (draws, rows)."""
        self.sign, self._rows, self._bootstrap = sign, len(losses[0]), bootstrap
        gaps = [losses[0] - other for other in losses]
        self._block = max((bootstrap.block_of(gap) for gap in gaps if np.ptp(gap)), default=1)
        weights = block_weights(self._rows, block=self._block, draws=bootstrap.resamples, seed=bootstrap.seed)
        drawn = [[scores(some) for scores in scores_of] for some in weights]
        self.draws = np.array([np.concatenate(each) for each in zip(*drawn, strict=True)])
        self.scores = [float(scores(np.ones((1, self._rows)))[0]) for scores in scores_of]

    @classmethod
    def of_metric(
        cls, metric: str, predictions: Sequence[ScoredPredictions], bootstrap: BootstrapConfig
    ) -> "PairedScores":
        """Score by a metric that is defined on these rows."""
        rule = METRICS[metric]
        scores_of = [partial(rule.scores, rule.statistics(each)) for each in predictions]
        return cls([rule.losses(each) for each in predictions], scores_of, sign=rule.sign, bootstrap=bootstrap)

    @classmethod
    def of_costs(cls, costs: Sequence[Floats], bootstrap: BootstrapConfig) -> "PairedScores":
        """Score by the mean cost of a row; `costs` (rows,) of each way to decide."""
        return cls(costs, [partial(_weighted_mean, each) for each in costs], sign=-1, bootstrap=bootstrap)

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


def _weighted_mean(costs: Floats, weights: Floats) -> Floats:
    return np.asarray(weights @ costs / weights.sum(axis=1))


def report(scenario: str, plan: WalkForward, played: Sequence[PlayedPolicy]) -> BacktestReport:
    """Compute the figures of backtest.json. Positive gains are better.

    A window where the metric is not defined has no score, and no say in the means. Raises BadInput where all are so.
    """
    check_scorable(plan)
    members = next((each.members for each in played if each.policy.name == EVERY_WINDOW), {})
    predictions = [_scored(plan, each) for each in (*(one.answers for one in played), *members.values())]
    scored = PairedScores.of_metric(plan.context.metric, predictions, _bootstrap(plan))
    own = own_metric(plan.context.schema.target.task)
    own = "" if own == plan.context.metric else own
    price, rows = plan.context.params.trigger.retraining_cost, plan.rows - plan.start
    money = priced(plan, played)
    judged, spent = scored, tuple(price * refresh_cost(each, rows=rows) for each in played)
    if money:
        judged, spent = PairedScores.of_costs(money.costs, _bootstrap(plan)), money.spent
    return BacktestReport(
        scenario=scenario,
        metric=plan.context.metric,
        own_metric=own,
        sign=scored.sign,
        label_delay_windows=plan.label_delay,
        retraining_cost=price,
        windows=tuple(
            ReportedWindow(
                number=each.number,
                first_row=each.start,
                rows=each.end - each.start,
                at=each.at if plan.is_dated else None,
            )
            for each in plan.windows
        ),
        policies=tuple(_policies(plan, played, predictions, scored, own=own)),
        members=tuple(_alone(plan, name, answers) for name, answers in members.items()),
        baselines=tuple(_alone(plan, name, answers) for name, answers in naive(plan).items()),
        prices=cheapest_by_price(played, judged, rows=rows, answers=1 if money else THOUSAND),
        money=_reported(money, played, judged) if money else None,
        recommended=recommend(played, judged, spent=spent),
    )


def _policies(
    plan: WalkForward,
    played: Sequence[PlayedPolicy],
    predictions: Sequence[ScoredPredictions],
    scored: PairedScores,
    *,
    own: str,
) -> Iterator[PolicyResult]:
    """Yield the results of each policy. `predictions`: of the policies, then of the members of one of them.

    `own`: a metric to score by, too; "" for none.
    """
    per_window = [_in_window(plan, predictions[: len(played)], window) for window in plan.windows]
    best = max(range(len(played), len(predictions)), key=lambda at: scored.sign * scored.scores[at], default=None)

    def gain_over(name: str, place: int) -> Interval | None:
        other = next((at for at, each in enumerate(played) if each.policy.name == name), None)
        return None if other is None else _rounded(scored.gain(place, other))

    for place, each in enumerate(played):
        yield PolicyResult(
            name=each.policy.name,
            settings={} if isinstance(each.policy, CronJob) else dict(each.policy.settings),
            is_rival=isinstance(each.policy, CronJob),
            cadence=_cadence(each),
            scores=tuple(window[place][0] for window in per_window),
            intervals=tuple(window[place][1] for window in per_window),
            score=_rounded(scored.score(place)),
            own_score=rounded(compute_score(own, predictions[place])) if own else None,
            gain_over_cron=gain_over(CRON.name, place),
            gain_over_never=gain_over(NEVER, place),
            regret=None if best is None else _rounded(scored.gain(best, place)),
            refreshed_at=tuple(each.refreshed_at),
            promoted_at=tuple(each.promoted_at),
            rolled_back_at=tuple(each.rolled_back_at),
            searches=tuple(_searches(each)),
            churn=rounded(float(np.mean(each.churn))) if each.churn else None,
            fit_seconds=round(each.fit_seconds, 2),
        )


def _reported(money: PricedPolicies, played: Sequence[PlayedPolicy], scored: PairedScores) -> BacktestMoney:
    policies = [
        PolicyMoney(name=each.policy.name, cost=_rounded(scored.score(place)), retraining=rounded(money.spent[place]))
        for place, each in enumerate(played)
    ]
    return BacktestMoney(unit=money.unit, constant=rounded(float(money.constant.mean())), policies=tuple(policies))


def _searches(played: PlayedPolicy) -> Iterator[ReportedSearch]:
    for each in played.decisions:
        if each.search and each.decision:
            causes = tuple(cause.kind for cause in each.decision.search_causes)
            yield ReportedSearch(window=each.window, causes=causes, outcome=each.search)


def check_scorable(plan: WalkForward) -> None:
    """Raises BadInput where no window can be scored: known from the labels alone, before anything is played."""
    context = plan.context
    zeros = np.zeros((plan.rows - plan.start, max(1, len(context.schema.target.classes))))
    if not METRICS[context.metric].is_defined(_scored(plan, zeros)):
        raise BadInput(
            f"{context.metric} is defined in none of the {len(plan.windows)} windows, as each holds labels of one "
            "class alone; backtest fewer windows (backtest.windows), or judge by another metric (gate.metric)"
        )


def refresh_cost(played: PlayedPolicy, *, rows: int, answers: int = THOUSAND) -> float:
    """Compute what refreshes add to the mean loss for each unit of price: refreshes per so many answers."""
    return len(played.refreshed_at) * answers / rows


def cheapest_by_price(
    played: Sequence[PlayedPolicy], scored: PairedScores, *, rows: int, answers: int
) -> tuple[CadenceAtPrice, ...]:
    """Return which cadence costs least, loss and refreshes together, from a price of 0 up.

    Each cadence's cost is a line over the price; the cheapest ones are the lower hull of these lines.
    """
    lines = sorted(
        (-scored.sign * scored.scores[place], refresh_cost(each, rows=rows, answers=answers), each.policy.name)
        for place, each in enumerate(played)
        if _cadence(each) is not None
    )
    if not lines:
        return ()
    hull, price = [], 0.0
    loss, slope, name = lines[0]
    while True:
        hull.append(CadenceAtPrice(price=rounded(price), policy=name))
        cheaper = [
            ((other - loss) / (slope - rate), rate, other, named) for other, rate, named in lines if rate < slope
        ]
        if not cheaper:
            return tuple(hull)
        price, slope, loss, name = min(cheaper)


def recommend(played: Sequence[PlayedPolicy], scored: PairedScores, *, spent: Sequence[float]) -> Recommendation:
    """Choose among what can be set, by loss and price of refreshes together; `spent`: on refreshes, per answer.

    Where a refresh costs nothing it is every window, unless something else is shown to be better; a price is sure, so
    that with one the cadence with the least total is taken. A single model has to be shown to be better.
    """
    able = [place for place, each in enumerate(played) if _cadence(each) is not None or each.policy.name == SINGLE]
    able = able or [place for place, each in enumerate(played) if not isinstance(each.policy, CronJob)]

    def gain(place: int, other: int) -> Interval:
        saved = spent[other] - spent[place]
        found = scored.gain(place, other)
        return Interval(found.value + saved, found.low + saved, found.high + saved)

    def is_better(place: int, other: int) -> bool:
        found = gain(place, other)
        return found.low > 0 or (any(spent) and _cadence(played[place]) is not None and found.value > 0)

    chosen = next((place for place in able if _cadence(played[place]) == 1), able[0])
    ranked = sorted(able, key=lambda place: -gain(place, chosen).value)
    chosen = next((place for place in ranked if place != chosen and is_better(place, chosen)), chosen)
    rival = next((place for place in ranked if place != chosen), chosen)
    return Recommendation(
        policy=played[chosen].policy.name,
        rival=played[rival].policy.name if rival != chosen else "",
        gain=_rounded(gain(chosen, rival)),
    )


def _cadence(played: PlayedPolicy) -> int | None:
    return None if isinstance(played.policy, CronJob) else played.policy.cadence


def naive(plan: WalkForward) -> dict[str, Floats]:
    """Compute what anybody could have answered to the windows, with the labels known before each; by name.

    Where params say that labels come some rows late, but in time for the next window, they come within a window too.
    """
    context, schema = plan.context, plan.context.schema
    truth = baselines.labels_as_places(context.rows[schema.target.name].tolist(), schema.target)
    times = context.rows[schema.time] if schema.time and context.rows[schema.time].dtype.kind == "M" else None
    positive = None if len(schema.target.classes) != 2 else context.scored(np.zeros((0, 2)), 0, 0).positive
    entities = baselines.entities_of(context.rows, schema.derived.by if schema.derived else None)
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
            None if entities is None else entities[places],
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
    scored = PairedScores.of_metric(plan.context.metric, parts, _bootstrap(plan))
    intervals = [_rounded(scored.score(place)) for place in range(len(predictions))]
    return [(each.value, (each.low, each.high)) for each in intervals]


def _alone(plan: WalkForward, name: str, answers: Floats) -> BaselineResult:
    answered = _scored(plan, answers)
    edges = [window.start - plan.start for window in plan.windows] + [len(answered)]
    parts = [answered, *(answered.take(slice(start, end)) for start, end in pairwise(edges))]
    known = (score_or_none(plan.context.metric, each) for each in parts)
    score, *scores = (None if each is None else rounded(each) for each in known)
    return BaselineResult(name=name, scores=tuple(scores), score=score)


def _rounded(interval: Interval) -> Interval:
    return Interval(rounded(interval.value), rounded(interval.low), rounded(interval.high))
