"""Forward answers: what was answered to each window before any of its rows was learned (Dawid 1984, "prequential").

A window is the rows that arrived between two refreshes. Its answers by every member of the refresh before are what the
next weights rest on; the answers of the whole ensemble are its honest score, which no row that it learned flatters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from releve.domain.evaluation.rolling_origin import MIN_FOLD_ROWS
from releve.domain.evaluation.scored_predictions import Floats

WINDOWS = 6  # newest ones that weights, guard and gate rest on
LEAST_ROWS = WINDOWS * MIN_FOLD_ROWS  # in them; while there are fewer, older windows count, too
MOST_WINDOWS = 10 * WINDOWS  # each is a file


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


def counted(sizes: Sequence[int]) -> int:
    """Return how many of the newest windows count, by their rows, the oldest first.

    Who refreshes after every few rows forgets nothing by it of what larger windows have shown.
    """
    rows = 0
    newest = list(reversed(sizes))[:MOST_WINDOWS]
    for count, size in enumerate(newest, start=1):
        rows += size
        if count >= WINDOWS and rows >= LEAST_ROWS:
            return count
    return len(newest)


def since_answered(windows: Sequence["ForwardWindow | MemberAnswers"], member: str) -> int:
    """Return the place of the first window from which on the member answered each; their number where it lacks the
    newest one.

    Before a block with one class alone nothing could be fitted, and weights want the plain refit's answers.
    """
    return max((place + 1 for place, window in enumerate(windows) if member not in window.answers), default=0)


def with_answers(window: ForwardWindow, more: Mapping[str, Floats]) -> ForwardWindow:
    """Return the window with the answers of more members."""
    return replace(window, answers={**window.answers, **more})


def as_recorded(window: ForwardWindow) -> ForwardWindow:
    """Return the window as it is read back, in single precision: who weighs it again finds the same weights."""

    def kept(answers: Floats) -> Floats:
        return answers.astype(np.float32).astype(np.float64)

    return ForwardWindow(
        window.truth,
        {name: kept(answers) for name, answers in window.answers.items()},
        kept(window.blend),
        kept(window.refreshed),
        kept(window.served),
    )


def joined(first: ForwardWindow, second: ForwardWindow) -> ForwardWindow:
    """Return two windows that the same members answered as one, with what served each of its rows."""
    return ForwardWindow(
        truth=np.concatenate([first.truth, second.truth]),
        answers={
            name: np.concatenate([answers, second.answers[name]])
            for name, answers in first.answers.items()
            if name in second.answers
        },
        blend=np.concatenate([first.blend, second.blend]),
        refreshed=np.concatenate([first.refreshed, second.refreshed]),
        served=np.concatenate([first.served, second.served]),
    )


def opponents_of(
    windows: Sequence[ForwardWindow], *, replayed: Sequence[bool] = (), rejected: bool = False
) -> tuple[Floats, ...]:
    """Return the answers that those of the procedure are held against, by window: of what did serve.

    One refit alone that answered beside another release, as it was refused or rolled back, is no evidence against the
    procedure: the next refit has learned from all that it got wrong. Of two it is, and so is what the procedure would
    have answered by windows that it `replayed`, and what a refit answered that a person has `rejected`.
    """
    beside = [place for place, each in enumerate(windows) if not np.array_equal(each.served, each.refreshed)]
    is_evidence = rejected or len(beside) > 1 or any(replayed[place] for place in beside if replayed)
    return tuple(window.served if is_evidence else window.refreshed for window in windows)


def served_by(window: ForwardWindow, member: str) -> ForwardWindow:
    """Return the window as if `member` alone had served it, after every refresh."""
    return replace(window, refreshed=window.answers[member], served=window.answers[member])


def undivided(window: ForwardWindow) -> ForwardWindow:
    """Return a window of the time before the refresh that serves now: what served then is on trial no more.

    To refuse the next refresh would leave that one in service, with all that was wrong before it.
    """
    return replace(window, served=window.refreshed)
