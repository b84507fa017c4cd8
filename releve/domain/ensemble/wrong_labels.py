"""Rows whose labels were found to be wrong: no member learns them again, and they say nothing of weights.

A window in doubt may be one of wrong labels, or the table may have moved (`weights.newest_is_in_doubt`). The next one
tells: is it answered as ever by the ensemble that learned none of the doubtful rows, and worse by what did, then the
labels were wrong, and the table is where it was: docs/decisions/0032-ensemble.md.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from releve.core.documents import DocumentPart
from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.ensemble.weights import (
    BEFORE,
    LEAST_WINDOWS,
    OUTLIER,
    blend_losses,
    largest,
    mean_loss,
    newest_is_in_doubt,
)
from releve.domain.evaluation.rolling_origin import MIN_FOLD_ROWS, Fold


class LeftOut(DocumentPart):
    """Rows that no member learns any more. `found`: how many rows were known when they were found.

    Whoever answered rows up to there had learned the wrong ones: these answers say nothing of members that did not.
    """

    rows: Fold
    found: int


def spared_member(windows: Sequence[ForwardWindow], *, loss: str) -> str:
    """Name the member that learned none of the rows of the last window but one, where these are shown to be wrong.

    `windows`: the oldest first, none of rows that are left out. "" where nothing is shown: there was no doubt, or the
    newest window was answered otherwise than ever, too, or no better by who did not learn the doubtful rows.
    """
    if len(windows) <= LEAST_WINDOWS or len(windows[-1]) < MIN_FOLD_ROWS:
        return ""
    newest, doubtful = windows[-1], windows[-2]
    spared = [name for name in newest.answers if name.startswith(BEFORE) and name not in doubtful.answers]
    if not spared:
        return ""
    own, ours = (
        mean_loss(newest.truth, answers, loss=loss, most=largest(loss))
        for answers in (newest.answers[spared[-1]], newest.blend)
    )
    *usual, doubted = blend_losses(windows[:-1], loss=loss)
    is_as_ever = own <= OUTLIER * np.median(usual)
    is_doubtful = doubted > OUTLIER * np.median(usual)  # no more where its labels were corrected since
    return spared[-1] if own < ours and is_as_ever and is_doubtful else ""


def still_wrong(
    left_out: Sequence[LeftOut],
    windows: Sequence[ForwardWindow],
    folds: Sequence[Fold],
    is_corrected: NDArray[np.bool_],
    *,
    loss: str,
) -> tuple[LeftOut, ...]:
    """Return what is left out with the labels that rows have now: rows of a window that was corrected, and that was
    answered as ever by these labels, are learned again. What members answered that had learned the wrong ones still
    says nothing. `is_corrected`: of each row of the table.
    """
    losses = blend_losses(windows, loss=loss)
    right = [
        fold
        for fold, own in zip(folds, losses, strict=True)
        if is_corrected[fold.start : fold.end].any() and own <= OUTLIER * np.median(losses)
    ]
    return tuple(
        each.model_copy(update={"rows": Fold(each.rows.end, each.rows.end)})
        if any(fold.start < each.rows.end and fold.end > each.rows.start for fold in right)
        else each
        for each in left_out
    )


def telling(
    windows: Sequence[ForwardWindow], folds: Sequence[Fold], left_out: Sequence[LeftOut]
) -> tuple[ForwardWindow, ...]:
    """Return the windows whose answers say something of the members that there are now; `folds`: rows of each."""
    return tuple(
        window
        for window, fold in zip(windows, folds, strict=True)
        if not any(is_touched(fold, each) for each in left_out)
    )


def doubted(
    windows: Sequence[ForwardWindow], folds: Sequence[Fold], left_out: Sequence[LeftOut], *, loss: str
) -> tuple[Fold, ...]:
    """Return the rows of windows that say nothing of how well labels will be answered: those that are not `telling`,
    and the newest one where its labels are in doubt."""
    touched = tuple(fold for fold in folds if any(is_touched(fold, each) for each in left_out))
    if folds[-1] not in touched and newest_is_in_doubt(telling(windows, folds, left_out), loss=loss):
        return (*touched, folds[-1])
    return touched


def on_trial(
    windows: Sequence[ForwardWindow], folds: Sequence[Fold], left_out: Sequence[LeftOut]
) -> tuple[ForwardWindow, ...]:
    """Return the windows, those that say nothing as if what did serve had been refreshed.

    They are no evidence for or against a refresh whose members did not learn the wrong labels.
    """
    return tuple(
        replace(window, refreshed=window.served) if any(is_touched(fold, each) for each in left_out) else window
        for window, fold in zip(windows, folds, strict=True)
    )


def is_touched(fold: Fold, left_out: LeftOut) -> bool:
    """Return whether rows are left out, or were answered by members that had learned rows that are."""
    return fold.start < left_out.found and fold.end > left_out.rows.start
