"""What time alone says: nothing was retrained for long, no row came for long, labels are late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from releve.core.params import AgeLimits

DAY = timedelta(days=1)
LATE_QUANTILE = 0.9
MAX_UNLABELLED_SHARE = 0.9  # of the answers that are old enough to have a label: labels do not come at all
UNLABELLED = "unlabelled_share"


@dataclass(frozen=True)
class LabelDelays:
    """How labels come in; days, an entry per answer."""

    delays: Sequence[float]  # of an answer with a label: how long that took
    labelled_ages: Sequence[float]  # of the same: since it was given
    waiting: Sequence[float]  # of an answer without one: since it was given


@dataclass(frozen=True)
class ExceededLimit:
    """A limit of params.yaml, section `age`, or UNLABELLED; and the figure that is above it."""

    key: str
    value: float
    limit: float


@dataclass(frozen=True)
class Staleness:
    """Ages in days. None where there is nothing to count."""

    exceeded: tuple[ExceededLimit, ...]
    model_days: float  # since a challenger was last made, accepted or not
    idle_days: float  # since the newest answered or ingested row
    label_delay_days: float | None = None  # median over the labelled answers
    late_label_days: float | None = None  # nine of ten labels come sooner
    overdue_share: float | None = None  # 0-1, without a label among the answers old enough to have one
    max_label_days: float = 0.0  # after which an answer is old enough

    @property
    def state(self) -> str:
        return "due" if self.exceeded else "fresh"


def label_delays(unlabelled: Sequence[str], labelled: Sequence[tuple[str, str]], *, now: datetime) -> LabelDelays:
    """Count in days. `unlabelled`: when each answer without a label was given; `labelled`: when each other one was, and
    its label came. Times are ISO 8601 with a zone."""
    delays = [max(0.0, days_between(at, datetime.fromisoformat(came))) for at, came in labelled]
    ages = [days_between(at, now) for at, _ in labelled]
    return LabelDelays(delays, ages, [days_between(at, now) for at in unlabelled])


def assess(
    *, now: datetime, retrained_at: str, newest_row_at: str, labels: LabelDelays, limits: AgeLimits
) -> Staleness:
    """Compare each age with its limit; 0 switches a limit off. Times are ISO 8601 with a zone."""
    model, idle = days_between(retrained_at, now), days_between(newest_row_at, now)
    median = late = None
    if len(labels.delays):
        median, late = float(np.median(labels.delays)), float(np.quantile(labels.delays, LATE_QUANTILE))
    overdue = overdue_share(labels, limits)
    compared = (
        ("max_model_days", model, limits.max_model_days),
        ("max_idle_days", idle, limits.max_idle_days),
        ("max_label_days", median, limits.max_label_days),
    )
    exceeded = [
        ExceededLimit(key, days, limit) for key, days, limit in compared if limit and days is not None and days > limit
    ]
    if overdue is not None and overdue > MAX_UNLABELLED_SHARE:
        exceeded.append(ExceededLimit(UNLABELLED, overdue, MAX_UNLABELLED_SHARE))
    return Staleness(tuple(exceeded), model, idle, median, late, overdue, limits.max_label_days)


def overdue_share(labels: LabelDelays, limits: AgeLimits) -> float | None:
    """Return the share of answers without a label among those older than a label may take; None where there are none,
    or no limit."""
    limit = limits.max_label_days
    late, there = (sum(days > limit for days in ages) for ages in (labels.waiting, labels.labelled_ages))
    return late / (late + there) if limit and late + there else None


def days_between(earlier: str, later: datetime) -> float:
    """Return the days from an ISO 8601 time with a zone to a moment."""
    return (later - datetime.fromisoformat(earlier)) / DAY
