"""Histories of a scenario to make pages from: so many windows, each looked at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from releve.domain.backtest.report import (
    BacktestReport,
    BaselineResult,
    CadenceAtPrice,
    PolicyResult,
    Recommendation,
    ReportedWindow,
)
from releve.domain.decision.realised import RealisedCost
from releve.domain.drift.data_quality import DataIssue, DataIssueKind
from releve.domain.drift.two_sample_tests import Change
from releve.domain.drift.verdict import ALARMS, ColumnDrift, DriftState, DriftVerdict
from releve.domain.evaluation.intervals import Interval
from releve.domain.health.history import HealthLimits
from releve.domain.quality.estimate import Audit, Estimate, NoEstimate
from releve.domain.quality.realised import Quality, QualityState
from releve.domain.quality.staleness import ExceededLimit, Staleness
from releve.domain.quality.windows import QualityWindow
from releve.domain.registry.chain import CHALLENGED, MONITORED, RELEASED, Event
from releve.domain.registry.release import ExpectedPerformance, Release
from releve.domain.trigger.monitoring_run import AnsweredWindow, MonitoringRun
from releve.domain.trigger.policies import Cause, CauseKind
from releve.domain.trigger.rollback import RollbackDecision
from releve.domain.trigger.trigger import TriggerDecision
from releve.reporting.page.evidence import PageEvidence
from tests.events import make_challenger

SCENARIO = "shop"
LIMITS = HealthLimits(min_rows=90, pooled_rows=300, tolerance=0.0, max_idle_days=30.0)
SCORE = Interval(0.88, 0.81, 0.94)
START = datetime(2026, 1, 5, 9, tzinfo=UTC)
MODEL = f"{SCENARIO}:{'1' * 12}"
RELEASE = Release(
    scenario=SCENARIO,
    model=MODEL,
    model_digest="ab" * 32,
    index="releve_shop_one",
    index_rows=120,
    data_version="d" * 32,
    revision="r" * 40,
    rows=320,
    expected=ExpectedPerformance("accuracy", Interval(0.9, 0.83, 0.95), 100),
)


def at(day: float) -> str:
    """So many days after the start."""
    return (START + timedelta(days=day)).isoformat(timespec="microseconds")


def make_event(kind: str, payload: dict[str, Any], *, day: float = 0.0, number: int = 1, reason: str = "") -> Event:
    return Event(SCENARIO, number, at(day), kind, "a test", reason, payload, "", "")


def release_event(release: Release = RELEASE, *, day: float = 0.0, kind: str = RELEASED) -> Event:
    return make_event(kind, {"format": 1, "release": release.model_dump(mode="json")}, day=day)


def challenge_event(*, promote: bool, day: float = 0.0, model: str = MODEL, **more: Any) -> Event:
    challenger = make_challenger(model, promote=promote, **more)
    return make_event(CHALLENGED, challenger.model_dump(mode="json"), day=day)


def drift(
    state: DriftState | str = DriftState.NO_DRIFT, *, columns: int = 2, alarms: int | None = None
) -> DriftVerdict:
    """A verdict; one that compared nothing says so in its first sentence."""
    alarms = int(state in ALARMS) if alarms is None else alarms
    compared = [
        ColumnDrift(
            f"column {number}",
            method="KS",
            change=Change(0.5, 0.3 if number < alarms else 0.02),
            threshold=0.01,
            drifted=number < alarms,
        )
        for number in range(columns)
    ]
    return DriftVerdict(
        DriftState(state), 200, 900, tuple(compared), problems=(DataIssue(DataIssueKind.COLUMN_MISSING, ("price",)),)
    )


def make_quality(state: QualityState | str = QualityState.WITHIN_TOLERANCE, **changes: Any) -> Quality:
    known = state != QualityState.UNKNOWN
    values = {
        "state": QualityState(state),
        "metric": "accuracy",
        "labelled": 180,
        "expected": 0.9,
        "score": SCORE if known else None,
        "change": Interval(-0.02, -0.09, 0.04) if known else None,
    }
    return Quality(**{**values, **changes})


def make_estimate(state: QualityState | str = QualityState.WITHIN_TOLERANCE, **changes: Any) -> Estimate:
    """One whose audit failed, or that is unknown, has no score."""
    failed, unknown = state == QualityState.AUDIT_FAILED, state == QualityState.UNKNOWN
    values = {
        "state": QualityState(state),
        "metric": "accuracy",
        "rows": 200,
        "expected": 0.9,
        "min_rows": 90,
        "labelled": 60,
        "method": "" if unknown else "calibrated probabilities",
        "score": None if failed or unknown else Interval(0.87, 0.8, 0.93),
        "change": None if failed or unknown else Interval(-0.03, -0.1, 0.04),
        "audit": None if unknown else Audit(60, 0.88, 0.87, Interval(-0.01, -0.1, 0.08), passed=not failed),
        "missing": NoEstimate.NO_HOLDOUT if unknown else None,
    }
    return Estimate(**{**values, **changes})


def make_staleness(*exceeded: ExceededLimit) -> Staleness:
    return Staleness(exceeded, model_days=3.0, idle_days=0.5)


def make_run(*, day: float = 0.0, refresh: bool = False, search: bool = False, **changes: Any) -> MonitoringRun:
    """A monitoring run that sees nothing amiss; with `search` it opens one, as if the table had drifted."""
    cause = Cause(CauseKind.NEW_ROWS, 40) if refresh else Cause(CauseKind.FEW_ROWS, 40, 90)
    decision = TriggerDecision(refresh, (cause,))
    if search:
        drifted = (Cause(CauseKind.DRIFT),)
        decision = TriggerDecision(True, drifted, search=True, search_causes=drifted)
    values = {
        "scenario": SCENARIO,
        "model": MODEL,
        "at": at(day),
        "window": AnsweredWindow(200, at(day - 0.9), at(day - 0.1), 180),
        "drift": drift(),
        "quality": make_quality(),
        "estimate": make_estimate(QualityState.UNKNOWN),
        "staleness": make_staleness(),
        "rows": 940,
        "new_rows": 40,
        "payoff": None,
        "rollback": RollbackDecision(roll_back=False),
        "decision": decision,
        "report": "20260105T090000Z",
    }
    return MonitoringRun(**{**values, **changes})


def make_money(cost: float, *, promised: float | None = 10.0) -> RealisedCost:
    """What decisions have cost, a row more or less certain by 2."""
    return RealisedCost(
        unit="EUR",
        rows=180,
        cost=Interval(cost, cost - 1, cost + 1),
        expected=10.0,
        constant=20.0,
        promised=None if promised is None else Interval(promised, promised - 1, promised + 1),
        decided={"keep": 200},
        fired={},
    )


def monitored_event(*, day: float = 0.0, **changes: Any) -> Event:
    return make_event(MONITORED, make_run(day=day, **changes).model_dump(mode="json"), day=day)


def make_window(number: int, *, score: Interval | None = SCORE, **changes: Any) -> QualityWindow:
    """One a day."""
    values = {
        "first_at": at(number + 0.1),
        "last_at": at(number + 0.9),
        "model": MODEL,
        "answered": 200,
        "labelled": 180,
        "metric": "accuracy",
        "score": score,
        "naive": 0.6,
        "naive_name": "previous label",
        "label_delay_days": 1.5,
    }
    return QualityWindow(**{**values, **changes})


def make_evidence(windows: int, /, **changes: Any) -> PageEvidence:
    """A first champion, and a monitoring run at each window."""
    events = (
        challenge_event(promote=True),
        release_event(),
        *(monitored_event(day=number + 1.0) for number in range(windows)),
    )
    values = {
        "scenario": SCENARIO,
        "made_at": at(windows + 1.0),
        "limits": LIMITS,
        "events": events,
        "windows": tuple(map(make_window, range(windows))),
        "release": RELEASE,
        "since": at(0),
    }
    return PageEvidence(**{**values, **changes})


def make_policy(name: str, *, place: int = 0, windows: int = 4, **changes: Any) -> PolicyResult:
    """Make a policy's result, the better the higher its `place`."""
    values = {
        "name": name,
        "settings": {"trigger.policy": "static"},
        "is_rival": name == "cron job",
        "cadence": {"never": 0, "every window": 1, "every 2 windows": 2}.get(name),
        "scores": (0.7 + 0.02 * place,) * windows,
        "intervals": ((0.6, 0.8),) * windows,
        "score": Interval(0.7 + 0.02 * place, 0.6, 0.8),
        "own_score": None,
        "gain_over_cron": Interval(0.02 * place - 0.02, -0.01, 0.05),
        "gain_over_never": Interval(0.02 * place, -0.01, 0.05),
        "regret": Interval(0.04 - 0.02 * place, 0.0, 0.05),
        "refreshed_at": (2, 3)[:place],
        "promoted_at": (3,)[:place],
        "rolled_back_at": (),
        "searches": (),
        "churn": None,
        "fit_seconds": 1.5 * place,
    }
    return PolicyResult(**{**values, **changes})


def make_backtest(
    *, windows: int = 4, policies: Sequence[str] = ("never", "cron job", "every window"), **changes: Any
) -> BacktestReport:
    """Each policy is better than the one before."""
    values = {
        "scenario": SCENARIO,
        "metric": "accuracy",
        "own_metric": "",
        "sign": 1,
        "label_delay_windows": 0,
        "retraining_cost": 0.0,
        "windows": [ReportedWindow(number=n + 1, first_row=100 * n, rows=100, at=None) for n in range(windows)],
        "policies": [make_policy(name, place=place, windows=windows) for place, name in enumerate(policies)],
        "members": [],
        "baselines": [BaselineResult(name="previous label", scores=(0.6,) * windows, score=0.6)],
        "prices": [CadenceAtPrice(price=0.0, policy=policies[-1])],
        "recommended": Recommendation(
            policy=policies[-1], rival=policies[0] if len(policies) > 2 else "", gain=Interval(0.02, -0.01, 0.05)
        ),
    }
    return BacktestReport(**{**values, **changes})


# States of a page, by the number of windows.


def _fresh_release(windows: int) -> PageEvidence:
    """A second champion, after a first one that was degraded; nobody has monitored it yet."""
    before = _degraded(windows)
    released = at(windows + 1.5)
    young = RELEASE.model_copy(update={"model": f"{SCENARIO}:{'2' * 12}"})
    events = (
        *before.events,
        challenge_event(promote=True, day=windows + 1.4, model=young.model, champion=MODEL),
        release_event(young, day=windows + 1.5),
    )
    return replace(before, events=events, release=young, since=released, made_at=at(windows + 1.6))


def _degraded(windows: int) -> PageEvidence:
    """Good at first, then below the majority label; a challenger was refused."""
    bad = Interval(0.483, 0.41, 0.55)
    degraded = {"state": QualityState.DEGRADED, "score": bad, "change": Interval(-0.42, -0.5, -0.34)}
    good_until = windows // 2
    events = (
        challenge_event(promote=True),
        release_event(),
        *(
            monitored_event(
                day=number + 1.0,
                refresh=number >= good_until,
                quality=make_quality() if number < good_until else make_quality(**degraded),
                drift=drift() if number < good_until else drift("drift", columns=6, alarms=2),
                estimate=make_estimate() if number < good_until else make_estimate(QualityState.AUDIT_FAILED),
            )
            for number in range(windows)
        ),
        challenge_event(promote=False, day=windows + 0.5),
    )
    scores = [make_window(n, naive_name="majority label", naive=0.587) for n in range(windows)]
    scores[good_until:] = [replace(one, score=bad) for one in scores[good_until:]]
    return make_evidence(windows, events=events, windows=tuple(scores))


def _watched(windows: int) -> PageEvidence:
    drifted = [monitored_event(day=n + 1.0, drift=drift("drift", columns=30, alarms=n % 9 + 1)) for n in range(windows)]
    late = [make_window(n, score=None if n > windows - 3 else SCORE) for n in range(windows)]
    events = (challenge_event(promote=True), release_event(), *drifted)
    return make_evidence(windows, events=events, windows=tuple(late))


def _unknown(windows: int) -> PageEvidence:
    runs = [
        monitored_event(day=n + 1.0, quality=make_quality(QualityState.UNKNOWN, labelled=3)) for n in range(windows)
    ]
    unlabelled = [make_window(n, score=None, naive=None, label_delay_days=None, labelled=3) for n in range(windows)]
    events = (challenge_event(promote=True), release_event(), *runs)
    return make_evidence(windows, events=events, windows=tuple(unlabelled))


PAGE_STATES: dict[str, Callable[[int], PageEvidence]] = {
    "no model": lambda windows: PageEvidence(SCENARIO, at(0), LIMITS),
    "refused first model": lambda windows: PageEvidence(SCENARIO, at(1), LIMITS, (challenge_event(promote=False),)),
    "fresh release": _fresh_release,
    "degraded": _degraded,
    "watch": _watched,
    "unknown": _unknown,
    "healthy": lambda windows: make_evidence(windows, backtest=make_backtest()),
}
