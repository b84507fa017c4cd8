"""A policy as far as it was played: what it answered, and every decision."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from releve.domain.backtest.jobs import Floats, Job, JobResult
from releve.domain.backtest.variants import Variant
from releve.domain.gate.gate import FailedCheck
from releve.domain.registry.search_outcome import SearchOutcome
from releve.domain.trigger.trigger import TriggerDecision

T = TypeVar("T")
Steps = Generator[list[Job], list[JobResult], T]  # asks for jobs, is sent their results


@dataclass(frozen=True)
class WindowDecision:
    """What was decided after a window."""

    window: int
    decision: TriggerDecision | None  # None where it was rolled back instead
    promoted: bool | None = None  # None where nothing was refreshed
    failed: tuple[FailedCheck, ...] = ()  # checks of the gate
    search: SearchOutcome | None = None
    rolled_back: bool = False
    problem: str = ""  # why no refresh could be made


@dataclass
class PlayedPolicy:
    """A policy as far as it was played: its predictions (rows, classes) at the end, and every decision."""

    policy: Variant
    answers: Floats = field(default_factory=lambda: np.empty(0))
    members: dict[str, Floats] = field(default_factory=dict)  # what each of the pool alone would have answered
    decisions: list[WindowDecision] = field(default_factory=list)
    churn: list[float] = field(default_factory=list)  # of each release: share of the answers that it changed
    fit_seconds: float = 0.0  # CPU of all fits, as if it had been played alone
    window: int = 0  # windows that are over

    @property
    def refreshed_at(self) -> list[int]:
        """List the numbers of the windows after which a model was made."""
        return [each.window for each in self.decisions if each.promoted is not None]

    @property
    def promoted_at(self) -> list[int]:
        return [each.window for each in self.decisions if each.promoted]

    @property
    def rolled_back_at(self) -> list[int]:
        return [each.window for each in self.decisions if each.rolled_back]


def changed_answers(before: Floats, after: Floats) -> float:
    """Compute the share of rows whose predicted class differs; of values the mean change over the mean size."""
    if before.shape[1] > 1:
        return float((before.argmax(axis=1) != after.argmax(axis=1)).mean())
    return float(np.abs(after - before).mean() / (np.abs(before).mean() or 1.0))
