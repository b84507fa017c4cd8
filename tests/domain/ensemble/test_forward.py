import numpy as np
import pytest

from releve.domain.ensemble.forward import (
    LEAST_ROWS,
    MOST_WINDOWS,
    WINDOWS,
    ForwardWindow,
    MemberAnswers,
    counted,
    opponents_of,
    since_answered,
    undivided,
)


@pytest.mark.parametrize(
    ("sizes", "count"),
    [
        ([], 0),
        ([500], 1),
        ([100] * 20, WINDOWS),
        ([LEAST_ROWS, *[1] * 20], 21),  # the last large one keeps its say
        ([500] * 6 + [1] * 3, WINDOWS),  # three large ones among the newest six are enough
        ([1] * 1000, MOST_WINDOWS),
    ],
)
def test_the_newest_windows_count_and_older_ones_while_these_hold_too_few_rows(sizes, count):
    assert counted(sizes) == count


@pytest.mark.parametrize(
    ("answering", "place"),
    [([], 0), ([True, True], 0), ([False, True], 1), ([True, False, True, True], 2), ([True, False], 2)],
)
def test_windows_count_since_the_plain_refit_answers_each(answering, place):
    answers = np.ones((3, 1))
    windows = [
        MemberAnswers(np.zeros(3), {"other": answers, **({"plain": answers} if one else {})}) for one in answering
    ]

    assert since_answered(windows, "plain") == place


@pytest.mark.parametrize(
    ("beside", "replayed", "is_evidence"),
    [
        ([False, False, False], [], True),  # nothing to tell apart
        ([False, False, True], [], False),
        ([False, True, False], [False, False, False], False),
        ([False, True, True], [], True),
        ([True, False, True], [], True),
        ([False, False, True], [False, False, True], True),
        ([False, False, True], [True, False, False], False),
    ],
)
def test_one_refit_that_did_not_serve_is_no_evidence_against_the_next_one(beside, replayed, is_evidence):
    ours, theirs = np.full((2, 1), 0.4), np.full((2, 1), 0.6)
    windows = [
        ForwardWindow(np.zeros(2), {"plain": ours}, blend=ours, refreshed=ours, served=theirs if one else ours)
        for one in beside
    ]

    held_against = opponents_of(windows, replayed=replayed)

    expected = [each.served if is_evidence else ours for each in windows]
    assert all(np.array_equal(one, other) for one, other in zip(held_against, expected, strict=True))


def test_one_refit_that_a_person_rolled_back_is_evidence_against_the_next_one():
    ours, theirs = np.full((2, 1), 0.4), np.full((2, 1), 0.6)
    window = ForwardWindow(np.zeros(2), {"plain": ours}, blend=ours, refreshed=ours, served=theirs)

    (held_against,) = opponents_of([window], rejected=True)

    assert np.array_equal(held_against, theirs)


def test_what_served_before_the_release_that_serves_now_is_on_trial_no_more():
    ours, theirs = np.full((2, 1), 0.4), np.full((2, 1), 0.6)
    window = ForwardWindow(np.zeros(2), {"plain": ours}, blend=ours, refreshed=ours, served=theirs)

    assert np.array_equal(undivided(window).served, ours)
