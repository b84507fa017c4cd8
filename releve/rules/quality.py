"""Realised quality: what the champion's labelled answers say of the promise made at its promotion."""

from dataclasses import dataclass

from releve.rules.scores import Flags, Interval, accuracy

UNKNOWN, HOLDS, UNCLEAR, WORSE = "unknown", "holds", "unclear", "worse"


@dataclass(frozen=True)
class Quality:
    """`state` is one of unknown (too few labels), holds, unclear, worse; `score` is None when unknown."""

    state: str
    labelled: int
    promise: float
    score: Interval | None = None

    def __str__(self) -> str:
        if self.score is None:
            return f"{self.labelled} labelled answers are too few to know the quality"
        return (
            f"accuracy {self.score.value:.3f} [{self.score.low:.3f}, {self.score.high:.3f}] on {self.labelled} "
            f"labelled answers against {self.promise:.3f} promised: {self.state}"
        )


def assess(flags: Flags, *, promise: float, tolerance: float, min_labels: int, confidence: float) -> Quality:
    """Compare the interval of the realised accuracy with the promise.

    worse: the whole interval lies below the promise. holds: the whole interval lies above promise - tolerance.
    unclear: neither; more labels will tell.
    """
    if len(flags) < max(min_labels, 1):
        return Quality(UNKNOWN, len(flags), promise)
    score = accuracy(flags, confidence=confidence)
    state = WORSE if score.high < promise else HOLDS if score.low >= promise - tolerance else UNCLEAR
    return Quality(state, len(flags), promise, score)
