"""backtest.json: what each policy would have been worth on a scenario's own history."""

from typing import Any, Literal

from pydantic import JsonValue

from releve.core.documents import DocumentPart
from releve.domain.evaluation.intervals import Interval
from releve.domain.registry.search_outcome import SearchOutcome
from releve.domain.trigger.policies import REFRESH, SCHEDULE


class ReportedWindow(DocumentPart):
    """A window of the history. `first_row`: where it begins among all rows."""

    number: int  # 1, 2, 3 ...
    first_row: int
    rows: int
    at: str | None  # ISO 8601; None where rows have no time


class ReportedSearch(DocumentPart):
    """A search that evidence opened with a refresh."""

    window: int  # after which
    causes: tuple[str, ...]
    outcome: SearchOutcome  # it tried the defaults of other recipes alone


class PolicyResult(DocumentPart):
    """One policy. Figures by window are None where the metric is not defined; gains are positive where it is better."""

    name: str
    settings: dict[str, JsonValue]  # by the keys of params.yaml
    is_rival: bool  # no setting of the product, such as a cron job
    cadence: int | None  # windows between refreshes, 0: never; None where it is not about that
    scores: tuple[float | None, ...]  # by window
    intervals: tuple[tuple[float, float] | None, ...]  # by window: of that score
    score: Interval
    own_score: float | None  # by the task's own metric; None where `metric` is it
    gain_over_cron: Interval | None  # None where the cron job was not played
    gain_over_never: Interval | None
    regret: Interval | None  # how much more the best single member in hindsight scores; below 0 where it scores less
    refreshed_at: tuple[int, ...]  # numbers of windows
    promoted_at: tuple[int, ...]
    rolled_back_at: tuple[int, ...]
    searches: tuple[ReportedSearch, ...]
    churn: float | None  # share of the answers that one release changes; of values the mean relative change
    fit_seconds: float  # CPU of all fits


class BaselineResult(DocumentPart):
    """One naive way to answer, or a member of the pool by itself, refitted before every window."""

    name: str
    scores: tuple[float | None, ...]  # by window
    score: float | None


class CadenceAtPrice(DocumentPart):
    """From this price of a refresh on, up to the next one, this policy costs the least."""

    price: float  # in units of the metric per thousand answers; of money in the unit of decision.unit
    policy: str


class PolicyMoney(DocumentPart):
    """What a policy would have cost per answered row, in the unit of decision.unit."""

    name: str
    cost: Interval  # of its decisions
    retraining: float  # of its retrainings

    @property
    def total(self) -> float:
        return self.cost.value + self.retraining


class BacktestMoney(DocumentPart):
    """All policies in money."""

    unit: str
    constant: float  # cost of a row by the best constant decision
    policies: tuple[PolicyMoney, ...]


class Recommendation(DocumentPart):
    """What to set. `gain`: of the policy over `rival`, the price of refreshes included; "" where there is no other."""

    policy: str
    rival: str
    gain: Interval


class BacktestReport(DocumentPart):
    """The document."""

    format: Literal[1] = 1
    scenario: str
    metric: str
    own_metric: str  # that people read beside it; "" where it is the same
    sign: int  # 1 where a higher score is better, -1 where a lower one is
    label_delay_windows: int
    retraining_cost: float  # params.yaml: trigger.retraining_cost
    windows: tuple[ReportedWindow, ...]
    policies: tuple[PolicyResult, ...]
    members: tuple[BaselineResult, ...]
    baselines: tuple[BaselineResult, ...]
    prices: tuple[CadenceAtPrice, ...]  # from 0 up
    money: BacktestMoney | None = None  # what prices and recommendation go by, where costs are known
    recommended: Recommendation

    def policy(self, name: str) -> PolicyResult:
        """Find a policy by its name."""
        return next(each for each in self.policies if each.name == name)

    @property
    def rows(self) -> int:
        return sum(window.rows for window in self.windows)


def recommended_settings(report: BacktestReport) -> dict[str, Any]:
    """Return the keys of params.yaml that make production do what was recommended.

    In the backtest every monitoring run had a new window. In production one may have a single new label, so that a
    policy by the window waits for as many new rows as the smallest window had.
    """
    settings = report.policy(report.recommended.policy).settings
    if settings.get("trigger.policy") not in (REFRESH, SCHEDULE):
        return settings
    return settings | {"trigger.min_new_rows": min(window.rows for window in report.windows)}
