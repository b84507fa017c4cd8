"""What time alone says: nothing was retrained for long, no row came for long, labels are late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from releve.core.formatting import span
from releve.core.params import AgeLimits

FRESH, DUE = "fresh", "due"
DAY = timedelta(days=1)
LATE_QUANTILE = 0.9
MAX_UNLABELLED_SHARE = 0.9  # of the answers that are old enough to have a label: labels do not come at all


@dataclass(frozen=True)
class Labelling:
    """How labels come in; days, an entry per answer."""

    delays: Sequence[float]  # of an answer with a label: how long that took
    labelled_ages: Sequence[float]  # of the same: since it was given
    waiting: Sequence[float]  # of an answer without one: since it was given


@dataclass(frozen=True)
class Age:
    """`state` is fresh, or due: a limit of params.yaml is passed. None where there is nothing to count."""

    state: str
    reasons: tuple[str, ...]
    model_days: float  # since a challenger was last made, accepted or not
    idle_days: float  # since the newest answered or ingested row
    label_delay_days: float | None = None  # median over the labelled answers
    late_label_days: float | None = None  # nine of ten labels come sooner
    overdue_share: float | None = None  # 0-1, without a label among the answers old enough to have one
    model_due: bool = False  # the model's own limit is passed: the one that a retraining mends

    def __str__(self) -> str:
        return f"{self.state} ({'; '.join(self.reasons)})"


def labelling(unlabelled: Sequence[str], labelled: Sequence[tuple[str, str]], *, now: datetime) -> Labelling:
    """`unlabelled`: when each answer without a label was given; `labelled`: when each other one was, and its label
    came. Times are ISO 8601 with a zone."""
    delays = [max(0.0, days_between(at, datetime.fromisoformat(came))) for at, came in labelled]
    ages = [days_between(at, now) for at, _ in labelled]
    return Labelling(delays, ages, [days_between(at, now) for at in unlabelled])


def assess(*, now: datetime, retrained_at: str, newest_row_at: str, labels: Labelling, limits: AgeLimits) -> Age:
    """Compare each age with its limit; 0 switches a limit off. Times are ISO 8601 with a zone."""
    model, idle = days_between(retrained_at, now), days_between(newest_row_at, now)
    median, late = _quantiles(labels.delays)
    overdue = overdue_share(labels, limits)
    old = _passed("not retrained for", model, "max_model_days", limits.max_model_days)
    passed = [
        *old,
        *_passed("no rows since", idle, "max_idle_days", limits.max_idle_days),
        *([] if median is None else _passed("labels late by", median, "max_label_days", limits.max_label_days)),
        *_overdue(overdue, limits),
    ]
    reasons = passed or [f"retrained {span(model)} ago, newest row {span(idle)} ago{_told(median, late)}"]
    return Age(DUE if passed else FRESH, tuple(reasons), model, idle, median, late, overdue, bool(old))


def overdue_share(labels: Labelling, limits: AgeLimits) -> float | None:
    """Answers without a label among those older than a label may take; None where there are none, or no limit."""
    limit = limits.max_label_days
    late, there = (sum(days > limit for days in ages) for ages in (labels.waiting, labels.labelled_ages))
    return late / (late + there) if limit and late + there else None


def days_between(earlier: str, later: datetime) -> float:
    """Days from an ISO 8601 time with a zone to a moment."""
    return (later - datetime.fromisoformat(earlier)) / DAY


def _quantiles(days: Sequence[float]) -> tuple[float | None, float | None]:
    return (float(np.median(days)), float(np.quantile(days, LATE_QUANTILE))) if len(days) else (None, None)


def _passed(what: str, days: float, key: str, limit: float) -> list[str]:
    return [f"{what} {span(days)}, {limit:g} are allowed (params.yaml: age.{key})"] if limit and days > limit else []


def _overdue(share: float | None, limits: AgeLimits) -> list[str]:
    if share is None or share <= MAX_UNLABELLED_SHARE:
        return []
    return [
        f"{share:.0%} of the answers older than {limits.max_label_days:g} days have no label, "
        f"{MAX_UNLABELLED_SHARE:.0%} may (params.yaml: age.max_label_days)"
    ]


def _told(median: float | None, late: float | None) -> str:
    return "" if median is None or late is None else f", labels after {span(median)} (nine of ten in {span(late)})"
