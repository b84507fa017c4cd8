from dataclasses import replace

import numpy as np
import pytest

from releve.domain.ensemble.forward import ForwardWindow, MemberAnswers
from releve.domain.ensemble.kept import before_name
from releve.domain.ensemble.pool import CONSTANT
from releve.domain.ensemble.refresh import weigh_forward
from releve.domain.ensemble.weights import ABSOLUTE, LOG_LOSS, Serves, weigh

ROWS = 300
SURE, UNSURE, BLIND = "plain", "unsure", CONSTANT
BEFORE = before_name(7)


def of_two(chances):
    return np.stack([1 - chances, chances], axis=1)


def windows_of(*, count=6, seed=7, turned=()):
    """Windows of two classes: `plain` knows the chances, `unsure` half of them; labels of `turned` ones are wrong."""
    random = np.random.default_rng(seed)
    windows = []
    for number in range(count):
        chances = random.choice([0.05, 0.95], size=ROWS)
        truth = (random.random(ROWS) < chances).astype(float)
        truth = 1 - truth if number in turned else truth
        answers = {
            SURE: of_two(chances),
            UNSURE: of_two(0.5 + (chances - 0.5) / 2),
            BLIND: of_two(np.full(ROWS, 0.5)),
        }
        windows.append(MemberAnswers(truth, answers))
    return weigh_forward(windows, plain=SURE, loss=LOG_LOSS)


def weights_of(windows, members=(SURE, UNSURE, BLIND), plain=SURE):
    return weigh(windows, plain=plain, loss=LOG_LOSS, members=members)


def values_of(errors, *, blend, count=6, seed=7):
    """Windows of values whose members err by a share of the values' deviation; the ensemble answered like `blend`."""
    random = np.random.default_rng(seed)
    windows = []
    for _ in range(count):
        truth = random.normal(100, 20, size=ROWS)
        answers = {name: (truth + random.normal(0, 20 * error, size=ROWS))[:, None] for name, error in errors.items()}
        windows.append(ForwardWindow(truth, answers, answers[blend], answers[blend], answers[blend]))
    return windows


def test_the_member_that_answers_best_has_most_of_the_weight_and_weights_sum_to_one():
    weights = weights_of(windows_of()).weights

    assert weights[SURE] > 0.8
    assert sum(weights.values()) == pytest.approx(1)


def test_without_a_window_the_plain_refit_serves():
    assert weights_of(()).serving == {SURE: 1.0}


@pytest.mark.parametrize("turned", range(6))
def test_one_window_of_wrong_labels_does_not_hand_the_weight_to_members_that_are_sure_of_nothing(turned):
    weighing = weights_of(windows_of(turned={turned}))

    assert weighing.serving[SURE] > 0.8


def test_a_table_that_turns_round_is_followed():
    windows = [
        replace(window, answers={**window.answers, "new": window.answers[SURE][:, ::-1]})
        for window in windows_of(turned={3, 4, 5})
    ]

    weights = weigh(windows, plain=SURE, loss=LOG_LOSS, members=(SURE, UNSURE, BLIND, "new")).weights

    assert weights["new"] == pytest.approx(weights[SURE], abs=0.1)


def test_a_member_far_from_the_best_has_no_share_of_what_near_ones_get_alike():
    windows = values_of({"plain": 0.1, "near": 0.12, "far": 3.0}, blend="plain")

    weights = weigh(windows, plain="plain", loss=ABSOLUTE, members=("plain", "near", "far")).weights

    assert "far" not in weights
    assert weights["near"] > 0.07


def test_a_member_that_has_not_answered_every_window_has_no_weight_yet():
    windows = windows_of()
    late = [replace(windows[0], answers={SURE: windows[0].answers[SURE]}), *windows[1:]]

    assert {*weights_of(late).weights} == {SURE}


def test_the_plain_refit_serves_where_the_ensembles_are_shown_to_have_been_worse():
    windows = values_of({"plain": 0.1, "other": 0.2}, blend="other")

    assert weigh(windows, plain="plain", loss=ABSOLUTE, members=("plain", "other")).serves == Serves.PLAIN


def test_the_ensemble_serves_where_only_chance_speaks_for_the_plain_refit():
    windows = [
        *values_of({"plain": 0.1, "other": 0.1}, blend="other"),
        *values_of({"plain": 0.1, "other": 0.3}, blend="other", count=1),
    ]

    assert weigh(windows, plain="plain", loss=ABSOLUTE, members=("plain", "other")).serves == Serves.ENSEMBLE


def test_the_constant_serves_where_it_was_better_in_most_windows_and_not_for_one_of_wrong_labels():
    noise = [
        replace(window, truth=np.random.default_rng(place).integers(0, 2, ROWS).astype(float))
        for place, window in enumerate(windows_of())
    ]

    assert weights_of(noise).serves == Serves.NAIVE
    assert weights_of(windows_of(turned={5})).serves == Serves.ENSEMBLE


def test_the_refresh_before_keeps_half_while_the_labels_of_the_newest_window_are_in_doubt():
    serving = weights_of(windows_of(turned={5}), members=(SURE, UNSURE, BLIND, BEFORE)).serving

    assert serving[BEFORE] == 0.5
    assert sum(serving.values()) == pytest.approx(1)


def test_right_labels_in_the_same_window_do_not_hide_the_wrong_ones():
    *before, newest = windows_of()
    half = np.arange(len(newest)) < len(newest) / 2
    mixed = replace(newest, truth=np.where(half, 1 - newest.truth, newest.truth))

    assert weights_of([*before, mixed], members=(SURE, UNSURE, BLIND, BEFORE)).serving[BEFORE] == 0.5


@pytest.mark.parametrize("turned", [(), (4,), (3, 5), (4, 5)])
def test_the_refresh_before_keeps_nothing_where_labels_are_like_before_or_were_in_doubt_already(turned):
    assert BEFORE not in weights_of(windows_of(turned=turned), members=(SURE, UNSURE, BLIND, BEFORE)).serving


def test_values_ten_times_too_large_in_one_window_do_not_move_the_weights():
    windows = values_of({"plain": 0.1, "other": 0.3}, blend="plain")
    spoiled = [*windows[:3], replace(windows[3], truth=windows[3].truth * 10), *windows[4:]]
    clean, after = (
        weigh(each, plain="plain", loss=ABSOLUTE, members=("plain", "other")).weights for each in (windows, spoiled)
    )

    assert after == pytest.approx(clean, abs=0.05)


def test_the_ensemble_that_wrong_labels_did_not_reach_stays_a_member_and_is_weighed_at_once():
    spoiled, after = windows_of(turned={4})[1:], windows_of(seed=8)[0]
    learned_wrong = {**after.answers, SURE: after.answers[SURE][:, ::-1], BEFORE: after.answers[SURE]}
    windows = [*spoiled[:4], replace(after, answers=learned_wrong)]

    assert weights_of(windows, members=(SURE, UNSURE, BLIND, BEFORE)).weights[BEFORE] > 0.3
