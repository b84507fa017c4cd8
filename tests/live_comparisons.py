"""Comparisons of arms as a page or a message takes them, grown over made rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from releve.domain.arms.arms import ArmMode
from releve.domain.arms.comparison import ArmFigures, LiveComparison, Look
from releve.domain.arms.decision import ArmsCompared, decide
from releve.domain.arms.sequences import ConfidenceSequence, gain_sequence
from releve.domain.evaluation.intervals import Interval

START = datetime(2026, 1, 5, tzinfo=UTC)


def make_arm(model: str, **changes: Any) -> ArmFigures:
    values = {"model": model, "answered": 1400, "failed": 0, "labelled": 1200, "score": 0.85}
    return ArmFigures(**{**values, **changes})


def interval_at(found: ConfidenceSequence, place: int) -> Interval:
    return Interval(float(found.gains[place]), float(found.lows[place]), float(found.highs[place]))


def make_comparison(
    *, gain: float = 0.04, error: float = 0.19, rows: int = 600, seed: int = 1, **changes: Any
) -> LiveComparison:
    """A shadow, whose rows come one a minute; `error`: the champion's share."""
    random = np.random.default_rng(seed)
    losses = np.array([random.random(rows) < share for share in (error, max(0.0, error - gain))], dtype=float)
    found = gain_sequence(losses, confidence=0.95)
    looks = tuple(
        Look(
            rows=int(found.rows[place]),
            at=(START + timedelta(minutes=int(found.rows[place]))).isoformat(),
            gain=float(found.gains[place]),
            interval=interval_at(found, place) if np.isfinite(found.lows[place]) else None,
            blocks=int(found.blocks[place]),
            block_rows=int(found.block_rows[place]),
        )
        for place in range(len(found))
    )
    decisive = found.first_decisive()
    values = {
        "mode": ArmMode.SHADOW,
        "since": START.isoformat(timespec="microseconds"),
        "metric": "accuracy",
        "confidence": 0.95,
        "champion": make_arm("shop:v1", score=0.81),
        "challenger": make_arm("shop:v2", score=0.85, failed=3),
        "rows": rows,
        "smaller": rows,
        "spent": rows,
        "waiting": 120,
        "unlabelled": 37,
        "needless": 0,
        "growth": looks,
        "decisive": None if decisive is None else looks[decisive],
    }
    return LiveComparison(**{**values, **changes})


def make_compared(*, max_rows: int = 4000, **changes: Any) -> ArmsCompared:
    """The look at such a comparison, and what it decides."""
    comparison = make_comparison(**changes)
    return ArmsCompared(comparison=comparison, decision=decide(comparison, max_rows=max_rows))
