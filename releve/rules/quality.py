"""Realised quality: what the champion's labelled answers say of the promise made at its promotion."""

from dataclasses import dataclass

from releve.rules.scores import Flags, Interval, accuracy, difference, share

UNKNOWN, HOLDS, UNCLEAR, WORSE = "unknown", "holds", "unclear", "worse"


@dataclass(frozen=True)
class Promise:
    """The accuracy at promotion, and the rows of holdout that it rests on: a promise is no exact figure either."""

    accuracy: float
    rows: int

    def interval(self, confidence: float) -> Interval:
        """As sure as those rows make it."""
        return share(round(self.accuracy * self.rows), self.rows, confidence=confidence)


@dataclass(frozen=True)
class Quality:
    """`state` is one of unknown (too few labels), holds, unclear, worse; the figures are None when unknown."""

    state: str
    labelled: int
    promise: float
    score: Interval | None = None
    change: Interval | None = None  # realised minus promised

    def __str__(self) -> str:
        if self.score is None or self.change is None:
            return f"{self.labelled} labelled answers are too few to know the quality"
        return (
            f"accuracy {self.score.value:.3f} on {self.labelled} labelled answers, {self.promise:.3f} was promised, "
            f"a change of {self.change.value:+.3f} [{self.change.low:+.3f}, {self.change.high:+.3f}]: {self.state}"
        )


def assess(flags: Flags, *, promise: Promise, tolerance: float, min_labels: int, confidence: float) -> Quality:
    """Compare the realised accuracy with the promised one, both with their doubt.

    worse: the whole interval of the change lies below 0. holds: it lies above -tolerance. unclear: neither; more
    labels will tell.
    """
    if len(flags) < max(min_labels, 1):
        return Quality(UNKNOWN, len(flags), promise.accuracy)
    score = accuracy(flags, confidence=confidence)
    change = difference(score, promise.interval(confidence))
    state = WORSE if change.high < 0 else HOLDS if change.low >= -tolerance else UNCLEAR
    return Quality(state, len(flags), promise.accuracy, score, change)
