"""Retrain or wait: evidence, what was done before, and a policy (docs/backtest.md).

What holds back is asked first: broken data, too few new rows, a cooldown, a monthly limit. Then the policy of
params.yaml names its causes. The safety net (many new rows, many days, a model that is too old) is part of every policy
but `static`, which never retrains.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from releve.core.params import Trigger
from releve.domain.drift.verdict import DriftState
from releve.domain.trigger.cadence import Challenged
from releve.domain.trigger.policies import POLICIES, STATIC, Cause, CauseKind, Evidence, History

MONTH = timedelta(days=30)


@dataclass(frozen=True)
class TriggerDecision:
    """Whether to retrain, and why; of waiting too."""

    retrain: bool
    causes: tuple[Cause, ...]

    @property
    def kinds(self) -> tuple[CauseKind, ...]:
        return tuple(cause.kind for cause in self.causes)


def decide(evidence: Evidence, history: History, params: Trigger) -> TriggerDecision:
    """Weigh what is known by `params.policy`."""
    if holds := tuple(_holds(evidence, history, params)):
        return TriggerDecision(False, holds)
    policy = POLICIES[params.policy]
    causes = (*policy.causes(evidence, history, params), *_safety_net(evidence, history, params))
    return TriggerDecision(bool(causes), causes or (policy.waiting(evidence, history, params),))


def _holds(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    """What forbids a retraining, whatever the evidence for one."""
    # Broken data that nobody repaired while labelled rows go on coming in are the new normal: the gate judges them.
    is_new_normal = 0 < params.max_invalid_runs < evidence.invalid_runs
    if params.policy == STATIC:
        yield Cause(CauseKind.STATIC)
    elif evidence.drift.state == DriftState.BROKEN_DATA and not is_new_normal:
        yield Cause(CauseKind.BROKEN_DATA)
    elif evidence.new_rows < params.min_new_rows:
        yield Cause(CauseKind.FEW_ROWS, evidence.new_rows, params.min_new_rows)
    else:
        since = _since(history.last, evidence)
        # 0 is no cooldown, also where the last challenge is dated later: rows of a late file go back in time.
        if params.cooldown_hours and since is not None and since < timedelta(hours=params.cooldown_hours):
            yield Cause(CauseKind.COOLDOWN, since / timedelta(hours=1), params.cooldown_hours)
        ages = [_since(challenge, evidence) for challenge in history.challenges]
        spent = sum(age is not None and age < MONTH for age in ages)
        if params.max_per_month and spent >= params.max_per_month:
            yield Cause(CauseKind.MONTHLY_LIMIT, spent, params.max_per_month)


def _safety_net(evidence: Evidence, history: History, params: Trigger) -> Iterator[Cause]:
    if params.max_new_rows and evidence.new_rows >= params.max_new_rows:
        yield Cause(CauseKind.MANY_ROWS, evidence.new_rows, params.max_new_rows)
    since = _since(history.last, evidence)
    if params.max_days and since is not None and since >= timedelta(days=params.max_days):
        yield Cause(CauseKind.MANY_DAYS, since.days, params.max_days)
    if evidence.staleness is not None and evidence.staleness.model_due:
        yield Cause(CauseKind.MODEL_AGE, evidence.staleness.model_days)


def _since(challenge: Challenged | None, evidence: Evidence) -> timedelta | None:
    if challenge is None or not challenge.at or not evidence.at:
        return None
    return datetime.fromisoformat(evidence.at) - datetime.fromisoformat(challenge.at)
