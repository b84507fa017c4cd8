from dataclasses import replace

import numpy as np
import pytest

from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.ensemble.kept import before_name, untouched
from releve.domain.ensemble.weights import LOG_LOSS
from releve.domain.ensemble.wrong_labels import LeftOut, doubted, on_trial, spared_member, still_wrong, telling
from releve.domain.evaluation.rolling_origin import MIN_FOLD_ROWS, Fold

ROWS = 200
RIGHT, SPOILED, TURNED = 0.9, 0.6, 0.1  # probability of the label that came
SPARED = before_name(4)


def window_of(blend, spared=None, rows=ROWS):
    """A window of two classes whose label had this probability."""
    ours, theirs = (np.tile([each or 0.0, 1 - (each or 0.0)], (rows, 1)) for each in (blend, spared))
    answers = {"plain": ours} if spared is None else {"plain": ours, SPARED: theirs}
    return ForwardWindow(np.zeros(rows), answers, ours, ours, ours)


def windows_of(*newest, usual=3):
    return [*(window_of(RIGHT) for _ in range(usual)), *newest]


def test_labels_are_wrong_where_who_did_not_learn_them_answers_the_next_window_as_ever_and_better():
    windows = windows_of(window_of(TURNED), window_of(SPOILED, RIGHT))

    assert spared_member(windows, loss=LOG_LOSS) == SPARED


@pytest.mark.parametrize(
    "windows",
    [
        windows_of(window_of(TURNED), window_of(SPOILED, TURNED)),
        windows_of(window_of(TURNED), window_of(SPOILED, SPOILED)),
        windows_of(window_of(TURNED), window_of(SPOILED)),
        windows_of(window_of(TURNED), window_of(SPOILED, RIGHT), window_of(SPOILED, RIGHT)),
        windows_of(window_of(RIGHT), window_of(SPOILED, RIGHT)),
        windows_of(window_of(TURNED), window_of(SPOILED, RIGHT, rows=MIN_FOLD_ROWS - 1)),
        windows_of(window_of(TURNED), window_of(SPOILED, RIGHT), usual=1),
    ],
    ids=[
        "the table moved",
        "learned without harm",
        "no doubt",
        "later",
        "corrected since",
        "few rows",
        "nothing usual yet",
    ],
)
def test_labels_are_not_called_wrong_otherwise(windows):
    assert spared_member(windows, loss=LOG_LOSS) == ""


def test_windows_of_wrong_labels_and_of_members_that_learned_them_say_nothing():
    windows = [replace(window_of(RIGHT), refreshed=np.ones((ROWS, 2))) for _ in range(4)]
    folds = [Fold(start, start + ROWS) for start in range(0, 800, ROWS)]
    left_out = [LeftOut(rows=Fold(200, 400), found=600)]

    assert telling(windows, folds, left_out) == (windows[0], windows[3])
    assert telling(windows, folds, []) == tuple(windows)
    tried = on_trial(windows, folds, left_out)
    assert [each.refreshed is each.served for each in tried] == [False, True, True, False]


@pytest.mark.parametrize(
    ("windows", "left_out", "in_doubt"),
    [
        (windows_of(window_of(RIGHT)), [], []),
        (windows_of(window_of(TURNED)), [], [3]),
        (windows_of(window_of(TURNED), window_of(RIGHT)), [], []),  # it has told, and nothing was left out
        (windows_of(window_of(TURNED), window_of(SPOILED)), [LeftOut(rows=Fold(600, 800), found=1000)], [3, 4]),
    ],
    ids=["none", "the newest one", "no more", "shown to be wrong"],
)
def test_no_performance_is_expected_by_windows_in_doubt_or_of_wrong_labels(windows, left_out, in_doubt):
    folds = [Fold(start, start + ROWS) for start in range(0, ROWS * len(windows), ROWS)]

    assert doubted(windows, folds, left_out, loss=LOG_LOSS) == tuple(folds[place] for place in in_doubt)


def test_the_ensemble_that_learned_wrong_labels_and_the_one_kept_against_them_stay_no_members():
    assert untouched(["first", "kept_6", SPARED], 6) == ("first",)
    assert untouched(["first", "kept_6", SPARED], 7) == ("first", "kept_6")


@pytest.mark.parametrize(
    ("answered", "corrected", "again"),
    [(RIGHT, [300], True), (RIGHT, [], False), (RIGHT, [100, 450], False), (TURNED, [300], False)],
    ids=["corrected", "not corrected", "others corrected", "still odd"],
)
def test_rows_are_left_out_no_more_once_their_labels_are_corrected_and_answered_as_ever(answered, corrected, again):
    windows = [window_of(RIGHT), window_of(answered), window_of(SPOILED), window_of(RIGHT)]
    folds = [Fold(start, start + ROWS) for start in range(0, 800, ROWS)]
    left_out = [LeftOut(rows=Fold(200, 400), found=600)]
    is_corrected = np.isin(np.arange(800), corrected)

    (kept,) = still_wrong(left_out, windows, folds, is_corrected, loss=LOG_LOSS)

    assert kept == (LeftOut(rows=Fold(400, 400), found=600) if again else left_out[0])
    said = telling(windows, folds, [kept])
    assert said == ((windows[0], windows[1], windows[3]) if again else (windows[0], windows[3]))
