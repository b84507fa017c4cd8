"""backtest.json: what each policy would have been worth on a scenario's own history."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from releve.domain.evaluation.intervals import Interval
from releve.domain.training.recipes import Candidate
from releve.domain.trigger.policies import REFRESH, SCHEDULE


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReportedWindow(_Part):
    """A window of the history. `first_row`: where it begins among all rows."""

    number: int  # 1, 2, 3 ...
    first_row: int
    rows: int
    at: str | None  # ISO 8601; None where rows have no time


class PolicyResult(_Part):
    """One policy. Figures by window are None where the metric is not defined; gains are positive where it is better."""

    name: str
    settings: dict[str, JsonValue]  # by the keys of params.yaml
    gated: bool
    scores: tuple[float | None, ...]  # by window
    intervals: tuple[tuple[float, float] | None, ...]  # by window: of that score
    score: Interval
    gain_over_static: Interval
    retrained_at: tuple[int, ...]  # numbers of windows
    promoted_at: tuple[int, ...]
    cpu_seconds: float
    regret: Interval  # how much better the best policy is


class BaselineResult(_Part):
    """One naive way to answer."""

    name: str
    scores: tuple[float | None, ...]  # by window
    score: float | None


class Recommendation(_Part):
    """The cheapest policy that is not distinguishable from the best one.

    `rival`: the best policy, or the next best where this one is the best; "" where there is no other. `gain`: of the
    best of the two over the other.
    """

    policy: str
    rival: str
    gain: Interval


class BacktestReport(_Part):
    """The document."""

    format: Literal[1] = 1
    scenario: str
    metric: str
    sign: int  # 1 where a higher score is better, -1 where a lower one is
    recipe: Candidate
    label_delay_windows: int
    windows: tuple[ReportedWindow, ...]
    policies: tuple[PolicyResult, ...]
    baselines: tuple[BaselineResult, ...]
    recommended: Recommendation

    def policy(self, name: str) -> PolicyResult:
        """Find a policy by its name."""
        return next(each for each in self.policies if each.name == name)

    @property
    def best(self) -> PolicyResult:
        """Return the policy without regret."""
        return min(self.policies, key=lambda each: each.regret.value)


def recommended_settings(report: BacktestReport) -> dict[str, Any]:
    """Return the keys of params.yaml that make production do what was recommended.

    In the backtest every monitoring run had a new window. In production one may have a single new label, so that a
    policy by the window waits for as many new rows as the smallest window had.
    """
    settings = report.policy(report.recommended.policy).settings
    if settings["trigger.policy"] not in (REFRESH, SCHEDULE):  # these ask for a window of new rows, whatever it holds
        return settings
    return settings | {"trigger.min_new_rows": min(window.rows for window in report.windows)}
