"""The loop of production, played over windows by the params of one policy."""

from dataclasses import dataclass
from datetime import date

import numpy as np

from releve.core.errors import BadInput
from releve.core.params import Params
from releve.domain.backtest.jobs import AssessQuality, CompareDrift, EvaluateRefresh, Floats, MeasurePayoff
from releve.domain.backtest.played import PlayedPolicy, Steps, WindowDecision, changed_answers
from releve.domain.backtest.refreshes import Refreshed, first_model, member_answers, refresh, served_answers
from releve.domain.backtest.variants import PolicyVariant
from releve.domain.backtest.walk_forward import BacktestWindow, WalkForward
from releve.domain.drift.verdict import DriftState
from releve.domain.ensemble.wrong_labels import doubted
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.intervals import Interval
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.gate import gate
from releve.domain.quality.payoff import MOST_ROWS, Payoff
from releve.domain.registry.release import ExpectedPerformance, expected_performance
from releve.domain.trigger import rollback, trigger
from releve.domain.trigger.policies import Challenged, Evidence, History
from releve.domain.trigger.trigger import TriggerDecision


@dataclass(frozen=True, eq=False)
class PlayedRelease:
    """A model that serves from a window on."""

    made: Refreshed
    window: int  # number of the first window that it answers
    since: int  # first row of that window
    expected: ExpectedPerformance
    previous: "PlayedRelease | None"  # None of the first, and of one that came back


def play_loop(played: PlayedPolicy, plan: WalkForward) -> Steps[None]:
    """Play one policy; `played` is filled on the way. Raises BadInput where no first model can be made."""
    assert isinstance(played.policy, PolicyVariant)
    yield from _Loop(plan, played, played.policy).play()


def judge(evaluation: Evaluation, params: Params, *, has_champion: bool) -> gate.GateDecision:
    """Ask the gate. A backtest measures neither latency nor sanity: they say nothing of when to refresh."""
    judged, left_out = gate.as_judged(evaluation, params), gate.OF_THE_SERVED_MODEL
    inputs = gate.GateInputs(judged, has_champion, latency_ms=None, sanity=None, not_applicable=left_out)
    return gate.decide(inputs, params, today=date.min)


class _Loop:
    """What a policy knows between two windows."""

    def __init__(self, plan: WalkForward, played: PlayedPolicy, policy: PolicyVariant) -> None:
        self.plan, self.played, self.policy = plan, played, policy
        self.params = policy.params(plan.context.params)
        self.served: Floats = np.empty((plan.rows - plan.start, plan.context.outputs))
        self.alone: list[dict[str, Floats]] = []  # answers of each member, by window
        self.releases: list[PlayedRelease] = []
        self.challenges = [Challenged("", True, plan.start)]
        self.counted_from = plan.start  # labelled rows that are not new
        self.runs: list[tuple[int, DriftState]] = []  # the row that the window of a run ended before, and its state
        self.broken_since: int | None = None
        self.payoffs: dict[int, list[Payoff]] = {}  # of each run, by the first window of a release, since a rollback

    def play(self) -> Steps[None]:
        """Make the first model, then answer window after window."""
        plan, windows = self.plan, self.plan.windows
        made = yield from first_model(plan, self.params)
        self.releases = [PlayedRelease(made, 1, plan.start, (yield from self.expected(made)), None)]
        champion = self.releases[0]
        for window in windows:
            before, champion = champion, self.serving(window)
            yield from self.answer(window, champion, before, made)
            if window is windows[-1]:
                break
            evidence, payoff = yield from self.monitor(window, champion)
            serving = self.releases[-1] if self.is_rolled_back(payoff, champion, window) else champion
            decision = trigger.decide(evidence, History(tuple(self.challenges)), self.params)
            if decision.refresh:
                made = yield from self.challenge(window, serving, made, decision)
            else:
                self.played.decisions.append(WindowDecision(window.number, decision))
        self.played.answers = self.served
        names = set.intersection(*({*each} for each in self.alone))
        self.played.members = {name: np.concatenate([each[name] for each in self.alone]) for name in sorted(names)}

    def serving(self, window: BacktestWindow) -> PlayedRelease:
        return next(each for each in reversed(self.releases) if each.window <= window.number)

    def answer(
        self, window: BacktestWindow, champion: PlayedRelease, before: PlayedRelease, made: Refreshed
    ) -> Steps[None]:
        """Record what serves, what each member of the newest refresh would say, and what the release changed."""
        rows, offset = Fold(window.start, window.end), self.plan.start
        answers = yield from served_answers(self.plan, champion.made, rows)
        self.served[window.start - offset : window.end - offset] = answers
        self.alone.append((yield from member_answers(self.plan, made, rows)))
        if champion is not before:
            old = yield from served_answers(self.plan, before.made, rows)
            self.played.churn.append(changed_answers(old, answers))
        self.played.window = window.number

    def monitor(self, window: BacktestWindow, champion: PlayedRelease) -> Steps[tuple[Evidence, Payoff | None]]:
        """Judge drift of the newest answered rows, quality of the newest labelled ones, payoff of the last release."""
        plan, known, newest = self.plan, self.plan.known(window), self.params.monitor.window_rows
        # Drift is of rows, whatever release answered them, beside rows that were learned and came before these.
        first = max(plan.start, window.end - newest)
        learned = min(champion.made.rows, first)
        # the newest run over none of the rows from `first` on: two runs over one window are one alarm
        state = next((state for end, state in reversed(self.runs) if end <= first), DriftState.NO_DRIFT)
        start, end = max(champion.since, known - newest), max(champion.since, known)
        labelled = self.served[start - plan.start : end - plan.start]
        payoff = yield from self.payoff(window, champion)
        drift, quality = yield [
            CompareDrift(learned, first, window.end, state),
            AssessQuality(self.policy.name, window.number, start, end, champion.expected, labelled),
        ]
        self.runs.append((window.end, drift.value.of_sound_columns))
        is_broken = drift.value.state == DriftState.BROKEN_DATA
        self.broken_since = (known if self.broken_since is None else self.broken_since) if is_broken else None
        evidence = Evidence(
            window.at,
            drift.value,
            quality.value,
            known - self.counted_from,
            new_batches=plan.new_batches(known, self.challenges[-1].rows),
            rows_since_broken=0 if self.broken_since is None else known - self.broken_since,
        )
        return evidence, payoff

    def payoff(self, window: BacktestWindow, champion: PlayedRelease) -> Steps[Payoff | None]:
        """None before the second release, after a rollback, with few labels, and while a newer release is on its way.

        The registry names that one then, and who still serves is taken back no more.
        """
        known = self.plan.known(window)
        if (
            champion is not self.releases[-1]
            or champion.previous is None
            or known - champion.since < self.params.statistics.min_rows
        ):
            return None
        rows = Fold(max(champion.since, known - MOST_ROWS), known)
        mine = yield from served_answers(self.plan, champion.made, rows)
        others = yield from served_answers(self.plan, champion.previous.made, rows)
        (done,) = yield [MeasurePayoff(self.policy.name, window.number, rows.start, rows.end, mine, others)]
        payoff: Payoff | None = done.value
        return payoff

    def is_rolled_back(self, payoff: Payoff | None, champion: PlayedRelease, window: BacktestWindow) -> bool:
        """Go back where labels show harm: a rollback takes no deployment. A refresh learns from these labels then."""
        if payoff is not None:
            self.payoffs.setdefault(champion.window, []).append(payoff)
        own = self.payoffs.get(champion.window, []) if payoff else []
        earlier = [runs[-1] for first, runs in self.payoffs.items() if first != champion.window]
        back = champion.previous
        decision = rollback.decide(own, earlier, min_rows=self.params.statistics.min_rows)
        if back is None or not decision.roll_back:
            return False
        self.releases.append(PlayedRelease(back.made, window.number + 1, window.end, back.expected, None))
        self.payoffs = {}
        self.played.decisions.append(WindowDecision(window.number, None, rolled_back=True))
        return True

    def challenge(
        self, window: BacktestWindow, champion: PlayedRelease, before: Refreshed, decision: TriggerDecision
    ) -> Steps[Refreshed]:
        """Refresh, judge, and release where the gate lets it."""
        plan, known = self.plan, self.plan.known(window)
        served = self.served[: known - plan.start]
        self.counted_from = known
        try:
            made, search = yield from refresh(
                plan,
                self.params,
                before,
                name=self.policy.name,
                known=known,
                served=served,
                decision=decision,
                is_serving=champion.made is before,
            )
        except BadInput as error:
            self.challenges.append(Challenged(window.at, False, known))
            self.played.decisions.append(WindowDecision(window.number, decision, False, problem=str(error)))
            return before
        evaluation = yield from self.evaluate(made, has_champion=True)
        verdict = judge(evaluation, self.params, has_champion=True)
        joined = search is not None and search.joined
        self.challenges.append(Challenged(window.at, verdict.promote, known, decision.search, joined))
        self.played.decisions.append(WindowDecision(window.number, decision, verdict.promote, verdict.failed, search))
        first = window.number + 1 + self.policy.deploy_delay
        if verdict.promote and first <= len(plan.windows):
            start, expected = plan.windows[first - 1].start, expected_performance(evaluation)
            self.releases.append(PlayedRelease(made, first, start, expected, self.releases[-1]))
        return made

    def evaluate(self, made: Refreshed, *, has_champion: bool) -> Steps[Evaluation]:
        served = made.served if has_champion else None
        in_doubt = doubted(made.windows, made.folds, made.left_out, loss=self.plan.context.loss)
        (done,) = yield [EvaluateRefresh(self.policy.name, made.number, made.judged, made.answered, served, in_doubt)]
        evaluation: Evaluation = done.value
        return evaluation

    def expected(self, made: Refreshed) -> Steps[ExpectedPerformance]:
        """Return what a first model is held to; nothing where there was no window to judge it on."""
        if not made.windows:
            return ExpectedPerformance(self.plan.context.metric, Interval(0.0, 0.0, 0.0), 0)
        return expected_performance((yield from self.evaluate(made, has_champion=False)))
