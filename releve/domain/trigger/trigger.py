"""Retrain or wait, with reasons for both. Evidence, what was done before, and a policy: docs/backtest.md.

What holds back is asked first: broken data, too few new rows, a cooldown, a month's budget. Then the policy of
params.yaml names its causes. The safety net (many new rows, many days, an age that is due) is part of every policy but
`static`, which never retrains.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from releve.core.params import Trigger
from releve.domain.drift import verdict as drift
from releve.domain.drift.verdict import Verdict
from releve.domain.evaluation.intervals import format_interval
from releve.domain.evaluation.metrics import in_units
from releve.domain.quality.estimate import Estimate
from releve.domain.quality.realised import Quality, QualityState
from releve.domain.quality.staleness import Age
from releve.domain.trigger import cadence
from releve.domain.trigger.cadence import Challenged, Payoff

__all__ = ["Challenged", "Evidence", "History", "Payoff", "TriggerDecision", "decide"]

STATIC, EVERY, SCHEDULE, AUTO = "static", "every", "schedule", "auto"
DRIFT_ONLY, QUALITY_ONLY, TWO_KEY = "drift", "quality", "two_key"

# Causes of waiting and of retraining, as machines read them.
BROKEN_DATA, FEW_ROWS, COOLDOWN, BUDGET, NEVER = "broken data", "few new rows", "cooldown", "budget", "static"
NEW_ROWS, DRIFT, QUALITY, ESTIMATE, CONCEPT = "new rows", "drift", "quality", "estimate", "concept drift"
CADENCE, MANY_ROWS, MANY_DAYS, AGE, SAG = "cadence", "many new rows", "many days", "age", "newest batch"

MONTH = timedelta(days=30)
Cause = tuple[str, str]  # its name, and the sentence


@dataclass(frozen=True)
class Evidence:
    """What is known when the question is asked."""

    at: str  # ISO 8601, UTC; "" where nobody knows, and no rule of time is asked
    drift: Verdict
    quality: Quality
    new_rows: int  # labelled rows since the last challenge, ingested or ready to be
    estimate: Estimate | None = None
    age: Age | None = None
    new_batches: int = 1  # that these rows came in
    recent: Quality | None = None  # of the newest batch of labelled answers alone
    broken_looks: int = 1  # running, this one included, where the data are broken
    payoff: Payoff | None = None  # of the champion over the one before it; None where there is none


@dataclass(frozen=True)
class History:
    """The challenges since the scenario was started over, oldest first; the first champion's is one."""

    challenges: tuple[Challenged, ...] = ()

    @property
    def last(self) -> Challenged | None:
        """The newest challenge."""
        return self.challenges[-1] if self.challenges else None


@dataclass(frozen=True)
class TriggerDecision:
    """`retrain`, the sentences that led to it, and the names of its causes; those of waiting are recorded too."""

    retrain: bool
    reasons: tuple[str, ...]
    causes: tuple[str, ...] = ()


def decide(evidence: Evidence, history: History, params: Trigger) -> TriggerDecision:
    """Weigh what is known by `params.policy`."""
    if holds := list(_holds(evidence, history, params)):
        return _decision(False, holds, evidence)
    causes = [*POLICIES[params.policy](evidence, history, params), *_safety_net(evidence, history, params)]
    return _decision(bool(causes), causes or [("", _why_not(evidence, history, params))], evidence)


def _decision(retrain: bool, causes: list[Cause], evidence: Evidence) -> TriggerDecision:
    names = tuple(name for name, _ in causes if name)
    if BROKEN_DATA in names:
        return TriggerDecision(retrain, (*(told for _, told in causes), *evidence.drift.reasons), names)
    return TriggerDecision(retrain, (*(told for _, told in causes), *_findings(evidence)), names)


def _holds(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    """The first thing that forbids a retraining, whatever the evidence for one."""
    if params.policy == STATIC:
        yield NEVER, "the policy is to keep the model as it is (params.yaml: trigger.policy)"
    elif evidence.drift.state == drift.BROKEN and not _is_new_normal(evidence, params):
        yield BROKEN_DATA, "the data look broken, and a model must not learn that"
    elif evidence.new_rows < params.min_new_rows:
        needed = f"{params.min_new_rows} are needed (params.yaml: trigger.min_new_rows)"
        yield FEW_ROWS, f"{evidence.new_rows} new labelled rows; {needed}"
    else:
        yield from _cooldown(evidence, history, params)
        yield from _budget(evidence, history, params)


def _is_new_normal(evidence: Evidence, params: Trigger) -> bool:
    """Nobody mended it, and labelled rows go on coming in: from now on the gate says what a model makes of them."""
    return 0 < params.max_invalid_runs < evidence.broken_looks


def _cooldown(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    since = _since(history.last, evidence)
    # 0 is no cooldown, also where the last challenge is dated later: rows of a late file go back in time.
    if params.cooldown_hours and since is not None and since < timedelta(hours=params.cooldown_hours):
        hours = since / timedelta(hours=1)
        yield (
            COOLDOWN,
            f"the last challenge was {hours:.1f} hours ago, and {params.cooldown_hours:g} have to pass "
            "(params.yaml: trigger.cooldown_hours)",
        )


def _budget(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    ages = [_since(challenge, evidence) for challenge in history.challenges]
    spent = sum(age is not None and age < MONTH for age in ages)
    if params.max_per_month and spent >= params.max_per_month:
        yield (
            BUDGET,
            f"{spent} challenges in the last {MONTH.days} days, and {params.max_per_month} are allowed "
            "(params.yaml: trigger.max_per_month)",
        )


def _since(challenge: Challenged | None, evidence: Evidence) -> timedelta | None:
    if challenge is None or not challenge.at or not evidence.at:
        return None
    return datetime.fromisoformat(evidence.at) - datetime.fromisoformat(challenge.at)


def _safety_net(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    if params.max_new_rows and evidence.new_rows >= params.max_new_rows:
        yield (
            MANY_ROWS,
            f"{evidence.new_rows} new labelled rows make a challenge due whatever the evidence "
            "(params.yaml: trigger.max_new_rows)",
        )
    since = _since(history.last, evidence)
    if params.max_days and since is not None and since >= timedelta(days=params.max_days):
        yield (
            MANY_DAYS,
            f"{since.days} days since the last challenge make one due whatever the evidence "
            "(params.yaml: trigger.max_days)",
        )
    if evidence.age is not None and evidence.age.model_due:
        yield AGE, f"the age of the model makes a challenge due: {'; '.join(evidence.age.reasons)}"


def _never(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    yield from ()


def _every(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    yield NEW_ROWS, f"{evidence.new_rows} new labelled rows, and the policy is to learn from all there are at once"


def _schedule(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    if evidence.new_batches >= params.every_batches:
        yield (
            CADENCE,
            f"{evidence.new_batches} batches since the last challenge; one is due after {params.every_batches} "
            "(params.yaml: trigger.every_batches)",
        )


def _drift(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    if evidence.drift.state == drift.DRIFT:
        yield DRIFT, "the table drifted"


def _quality(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    if evidence.quality.state == QualityState.DEGRADED:
        yield QUALITY, "the champion is worse than expected"
    elif (
        _is_unlabelled(evidence) and evidence.estimate is not None and evidence.estimate.state == QualityState.DEGRADED
    ):
        yield ESTIMATE, "labels are late, and the champion is estimated to be worse than expected"
    if evidence.estimate is not None and evidence.estimate.concept_drift_suspected:
        yield CONCEPT, "the estimate of the quality was wrong where labels came in: what is to be learned has changed"


def _two_key(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    """Drift opens the question; labels, or the estimate while they are late, answer it."""
    yield from _quality(evidence, history, params)
    if evidence.drift.state == drift.DRIFT and not _copes(evidence):
        yield DRIFT, "the table drifted and labelled answers do not show that the champion copes"


def _auto(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    """At once where evidence asks for it, else as often as retraining has been seen to pay; never above the budget,
    the last of which is kept for a newest batch that is surely answered worse."""
    if not _can_pay(evidence, history, params):
        return
    yield from _two_key(evidence, history, params)
    yield from _sag(evidence, history, params)
    pace = cadence.pace(history.challenges, evidence.payoff, params)
    if evidence.new_batches >= pace.batches:
        yield CADENCE, f"{evidence.new_batches} batches since the last challenge; {pace}"


def _can_pay(evidence: Evidence, history: History, params: Trigger) -> bool:
    is_sure = evidence.recent is not None and evidence.recent.state == QualityState.DEGRADED
    return cadence.has_budget(history.challenges, evidence.new_batches, is_sure=is_sure)


def _sag(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    """The newest batch alone: seen at once, and less sure. Where retraining was seen not to pay, it has to be sure."""
    recent = evidence.recent
    if recent is None or recent.change is None:
        return
    change, doubt = recent.change, recent.change.high - recent.change.value
    allowed = in_units(recent.metric, params.quality_tolerance, recent.expected)
    likely = change.value < -allowed and change.value + doubt / 2 < 0
    is_wary = cadence.is_wary(history.challenges, evidence.payoff)
    if recent.state == QualityState.DEGRADED or (likely and not is_wary):
        yield SAG, f"the newest batch is answered worse than expected: a change of {format_interval(change)}"


Policy = Callable[[Evidence, History, Trigger], Iterator[Cause]]
POLICIES: dict[str, Policy] = {
    STATIC: _never,
    EVERY: _every,
    SCHEDULE: _schedule,
    DRIFT_ONLY: _drift,
    QUALITY_ONLY: _quality,
    TWO_KEY: _two_key,
    AUTO: _auto,
}


def _is_unlabelled(evidence: Evidence) -> bool:
    return evidence.quality.state == QualityState.UNKNOWN


def _copes(evidence: Evidence) -> bool:
    """By labels, or by the estimate while there are too few: never by an estimate against labels."""
    if _is_unlabelled(evidence):
        return evidence.estimate is not None and evidence.estimate.state == QualityState.WITHIN_TOLERANCE
    return evidence.quality.state == QualityState.WITHIN_TOLERANCE


def _why_not(evidence: Evidence, history: History, params: Trigger) -> str:
    if params.policy == SCHEDULE:
        return (
            f"{evidence.new_batches} batches since the last challenge; one is due after {params.every_batches} "
            "(params.yaml: trigger.every_batches)"
        )
    if params.policy == AUTO:
        told = f"{evidence.new_batches} batches since the last challenge; "
        if not _can_pay(evidence, history, params):
            return f"{told}the budget has none to spend, and {cadence.BUDGET_BATCHES:g} batches earn one"
        return f"{told}{cadence.pace(history.challenges, evidence.payoff, params)}"
    if params.policy == DRIFT_ONLY:
        return "the table is not shown to have drifted"
    if params.policy == TWO_KEY and evidence.drift.state == drift.DRIFT:
        return f"the table drifted, and {_witness(evidence)} that the champion copes"
    return "nothing shows that the champion has become worse"


def _witness(evidence: Evidence) -> str:
    return "the estimate says" if _is_unlabelled(evidence) else "labelled answers show"


def _findings(evidence: Evidence) -> tuple[str, ...]:
    found = [f"drift: {evidence.drift.state} ({'; '.join(evidence.drift.reasons)})", f"quality: {evidence.quality}"]
    if evidence.new_rows and _is_unlabelled(evidence):
        found.append("rows of files are learned from; only labels of its own answers (/feedback) judge the champion")
    found += [f"estimate: {evidence.estimate}"] if evidence.estimate else []
    return (*found, *([f"age: {evidence.age}"] if evidence.age else []))
