"""Quality over time: the realised score of each window of answers, beside a naive baseline."""

from dataclasses import dataclass

from releve.rules.scores import Interval


@dataclass(frozen=True)
class QualityWindow:
    """So many answers of one model, in time order; no score where too few labels came back."""

    first_at: str  # ISO 8601, UTC
    last_at: str
    model: str
    answered: int
    labelled: int
    metric: str
    score: Interval | None
    naive: float | None
    naive_name: str
    label_delay_days: float | None
