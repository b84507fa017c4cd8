"""Forward answers: what was answered to each window before any of its rows was learned (Dawid 1984, "prequential").

A window is the rows that arrived between two refreshes. Its answers by every member of the refresh before are what the
next weights rest on; the answers of the whole ensemble are its honest score, which no row that it learned flatters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.scored_predictions import Floats

WINDOWS = 6  # newest ones that weights, guard and gate rest on


@dataclass(frozen=True, eq=False)
class ForwardWindow:
    """Answers (rows, classes), or (rows, 1) of values, to the rows of one window; `truth`: class places, or values."""

    truth: NDArray[np.float64]
    answers: Mapping[str, Floats]  # by member
    blend: Floats  # of the weighted members, whatever the guard said
    refreshed: Floats  # of what the refresh before would have served
    served: Floats  # of what did serve; the same where every refresh was released

    def __len__(self) -> int:
        return len(self.truth)


@dataclass(frozen=True, eq=False)
class MemberAnswers:
    """Answers of members to one window, not yet weighed."""

    truth: NDArray[np.float64]
    answers: Mapping[str, Floats]


def with_answers(window: ForwardWindow, more: Mapping[str, Floats]) -> ForwardWindow:
    """Return the window with the answers of more members."""
    return replace(window, answers={**window.answers, **more})
