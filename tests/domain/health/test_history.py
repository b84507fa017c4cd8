"""Labelled answers of several windows, and the one interval that each window has."""

import pytest

from releve.domain.evaluation.intervals import Interval
from releve.domain.health.history import ServingHistory, as_judged, pool
from releve.domain.registry.chain import RELEASED, ROLLED_BACK, WITHDRAWN
from tests.page_histories import (
    LIMITS,
    RELEASE,
    SCENARIO,
    SCORE,
    at,
    make_event,
    make_quality,
    make_window,
    monitored_event,
    release_event,
)


def test_pooled_windows_have_a_score_weighted_by_labels_and_a_narrower_interval():
    first = make_window(0, score=Interval(0.5, 0.4, 0.6), labelled=60, naive=0.3)
    second = make_window(1, score=Interval(0.9, 0.8, 1.0), labelled=180, naive=0.7)

    pooled = pool([first, make_window(2, score=None), second], LIMITS)

    assert (pooled.labelled, pooled.score.value, pooled.naive) == (240, pytest.approx(0.8), pytest.approx(0.6))
    assert 0.05 < pooled.score.value - pooled.score.low < 0.1
    assert (pooled.first_at, pooled.last_at) == (first.first_at, second.last_at)


def test_the_newest_windows_are_pooled_and_another_metric_ends_them():
    windows = [make_window(number, labelled=100) for number in range(9)]

    assert pool(windows, LIMITS).first_at == windows[6].first_at
    assert pool([make_window(0, metric="log_loss"), make_window(1)], LIMITS).labelled == 180
    assert pool([make_window(0, labelled=89)], LIMITS) is None
    assert pool([make_window(0, naive=None)], LIMITS).naive is None


def test_a_window_has_the_interval_of_the_run_that_judged_the_same_answers():
    finer = Interval(SCORE.value, 0.82, 0.93)
    run = monitored_event(day=1, quality=make_quality(score=finer))

    same, more = as_judged([make_window(0), make_window(1, labelled=181)], [run])

    assert (same.score, more.score) == (finer, SCORE)


def history_of(*moves):
    """Each move releases a model, "-a" rolls back to it, "-" withdraws; the last one of them serves."""
    releases = {name: RELEASE.model_copy(update={"model": f"{SCENARIO}:{name}"}) for name in "abcd"}
    events = [
        release_event(releases[move[-1]], day=day, kind=ROLLED_BACK if move.startswith("-") else RELEASED)
        if move != "-"
        else make_event(WITHDRAWN, {"format": 1}, day=day)
        for day, move in enumerate(moves)
    ]
    return ServingHistory(SCENARIO, at(9), LIMITS, tuple(events), release=releases[moves[-1][-1]])


@pytest.mark.parametrize(
    ("moves", "before"),
    [
        (("a", "b", "c"), "ba"),
        (("a", "b", "-a", "c"), "a"),
        (("a", "b", "-a", "-b", "c"), "ba"),  # the second rollback undid the first
        (("a", "b", "-a", "-b", "-a", "c"), "a"),
        (("a", "b", "-a", "c", "d"), "ca"),
        (("a", "b", "-", "c", "d"), "c"),
        (("a", "b", "-a"), ""),
    ],
)
def test_what_served_before_is_known_without_what_was_taken_back_or_withdrawn(moves, before):
    assert [model.removeprefix(f"{SCENARIO}:") for model in history_of(*moves).models_before] == [*before]
