from bisect import bisect_left

import numpy as np
import pytest
from crepes import ConformalRegressor
from scipy.stats import binom

from releve.domain.evaluation.conformal import STEP, adapted, conformal_intervals, rank


def stream(windows, *, rows=240, scale=lambda number, means: np.ones(len(means)), seed=7):
    """Answers that err by normal noise of a scale that depends on the window and the answer."""
    random = np.random.default_rng(seed)
    made = []
    for number in range(windows):
        means = random.uniform(0, 10, rows)
        made.append((means, means + scale(number, means) * random.standard_normal(rows)))
    return made


def served_share(made, *, confidence=0.95, memory=6, first=2, adapts=True):
    """The share of labels that the intervals of a release before each window hold, release after release."""
    held = []
    for number in range(first, len(made)):
        known = made[max(0, number - memory) : number]
        known = known if adapts else [in_one(known)]
        intervals = conformal_intervals(known, confidence=confidence)
        held.append(holds(intervals, *made[number]))
    return np.concatenate(held)


def in_one(windows):
    """One window, whose labels move no level: plain conformal."""
    return tuple(np.concatenate(each) for each in zip(*windows, strict=True))


def holds(intervals, answers, labels):
    low, high = np.array(intervals.around(answers, low=None, high=None)).T
    return (low <= labels) & (labels <= high)


@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_exchangeable_rows_are_covered_as_promised(confidence):
    held = np.concatenate(
        [
            holds(conformal_intervals(made[:1], confidence=confidence), *made[1])
            for made in (stream(2, rows=400, seed=seed) for seed in range(25))
        ]
    )

    # Coverage given the residuals is itself random, so that the rows of a stream agree: a wider bound than one binomial
    low, high = (binom.ppf(level, len(held) // 2, confidence) / (len(held) // 2) for level in (0.0005, 0.9995))
    assert low <= held.mean() <= high


def test_intervals_are_those_of_crepes():
    (answers, labels), (asked, truth) = stream(2, rows=600, scale=lambda _, means: 0.2 + means, seed=3)

    ours = conformal_intervals([(answers, labels)], confidence=0.95)

    edges = np.array(ours.edges)
    theirs = ConformalRegressor().fit(labels - answers, bins=np.searchsorted(edges, answers))
    expected = theirs.predict_int(asked, bins=np.searchsorted(edges, asked), confidence=0.95, y_min=0, y_max=12)
    assert len(edges) == 4
    assert np.array(ours.around(asked, low=0, high=12)) == pytest.approx(expected, rel=1e-5)  # six digits

    # the level that a second window leads to, by their p-values
    p_values = theirs.predict_p(asked, truth, bins=np.searchsorted(edges, asked), smoothing=False)
    again = conformal_intervals([(answers, labels), (asked, truth)], confidence=0.95)
    assert again.alpha == pytest.approx(adapted(0.05, p_values, target=0.05), rel=1e-12)
    assert again.windows[0].rows == 600
    assert again.windows[0].covered == int((p_values > 0.05).sum())


@pytest.mark.parametrize(("rows", "confidence"), [(18, 0.95), (19, 0.95), (20, 0.95), (8, 0.9), (9, 0.9), (99, 0.99)])
def test_fewer_residuals_than_a_finite_interval_takes_make_none(rows, confidence):
    answers = np.zeros(rows)
    labels = np.arange(1.0, rows + 1)

    intervals = conformal_intervals([(answers, labels)], confidence=confidence)

    enough = rows + 1 >= round(1 / (1 - confidence))
    assert (intervals is not None) == enough
    if intervals:
        assert intervals.half_widths == (rows,)  # the largest residual of all


def test_nothing_answered_makes_no_interval():
    assert conformal_intervals([], confidence=0.95) is None
    assert conformal_intervals([(np.empty(0), np.empty(0))], confidence=0.95) is None


@pytest.mark.parametrize(
    ("alpha", "rows", "place"), [(0.1, 9, 1), (1 - 0.9, 9, 1), (0.1, 8, 0), (0.05, 39, 2), (0.05, 38, 1), (0.5, 1, 1)]
)
def test_the_rank_counts_the_row_that_comes(alpha, rows, place):
    assert rank(alpha, rows) == place


def test_large_answers_have_wide_intervals_where_they_err_more():
    def scale(_, means):
        return 0.1 + 0.3 * means

    intervals = conformal_intervals(stream(1, rows=5000, scale=scale), confidence=0.9)

    assert sorted(intervals.half_widths) == list(intervals.half_widths)
    assert intervals.half_widths[-1] > 3 * intervals.half_widths[0]
    ((answers, labels),) = stream(1, rows=5000, scale=scale, seed=8)
    for low, high in ((0, 2), (2, 8), (8, 10)):
        part = (low <= answers) & (answers < high)
        assert holds(intervals, answers[part], labels[part]).mean() == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("rows", [60, 240])
def test_a_bin_that_is_too_small_to_be_calibrated_is_none(rows):
    one = conformal_intervals(stream(1, rows=rows), confidence=0.95)

    assert len(one.half_widths) == len(one.edges) + 1 == (1 if rows == 60 else 2)


def test_equal_answers_share_one_bin():
    answers, labels = np.full(500, 3.0), np.random.default_rng(7).normal(3, 1, 500)

    intervals = conformal_intervals([(answers, labels)], confidence=0.95)

    assert (intervals.edges, len(intervals.half_widths)) == ((), 1)


def test_adaptation_recovers_the_coverage_that_plain_conformal_loses_where_errors_grow():
    made = stream(30, scale=lambda number, means: np.full(len(means), 1.15**number))

    adaptive, plain = served_share(made), served_share(made, adapts=False)

    assert plain.mean() < 0.85
    assert adaptive.mean() > 0.925
    by_window = [held.reshape(-1, 240).mean(axis=1) for held in (adaptive, plain)]
    assert np.median(by_window[0]) > 0.93 > by_window[1].max()


def test_adaptation_narrows_intervals_that_hold_too_much():
    made = stream(20, scale=lambda number, means: np.full(len(means), 1.15**-number))

    adaptive = conformal_intervals(made[-6:], confidence=0.95)
    plain = conformal_intervals([in_one(made[-6:])], confidence=0.95)

    assert adaptive.alpha > 0.05 == pytest.approx(plain.alpha)
    assert adaptive.half_widths[0] < plain.half_widths[0]
    assert all(window.covered / window.rows > 0.95 for window in adaptive.windows)


def test_a_level_beyond_what_is_known_takes_the_largest_residual():
    made = [*stream(1), *stream(1, scale=lambda *_: 50, seed=8), *stream(1, scale=lambda *_: 50, seed=9)]

    first, second = conformal_intervals(made[:2], confidence=0.95), conformal_intervals(made[:1], confidence=0.95)

    assert first.alpha < 0.01
    assert second.alpha == pytest.approx(0.05)
    largest = max(np.abs(labels - answers).max() for answers, labels in made[:2])
    assert max(first.half_widths) == pytest.approx(largest)


def test_the_level_moves_by_the_step_of_gibbs_and_candes():
    assert adapted(0.05, np.array([0.04]), target=0.05) == pytest.approx(0.05 + STEP * (0.05 - 1))
    assert adapted(0.05, np.array([0.05]), target=0.05) == pytest.approx(0.05 + STEP * (0.05 - 1))
    assert adapted(0.05, np.array([0.06]), target=0.05) == pytest.approx(0.05 + STEP * 0.05)
    # an infinite interval misses nothing, so the level comes back
    assert adapted(-0.001, np.array([0.001]), target=0.05) > -0.001


def test_intervals_stay_within_the_limits_of_the_target_and_have_six_digits():
    intervals = conformal_intervals(stream(2), confidence=0.95)
    half = intervals.half_widths[bisect_left(intervals.edges, 5.0)]

    bounded = intervals.around([-9.0, 0.0, 5.0, 20.0], low=0.123456789, high=10)

    assert bounded[0] == [0.123456789, 0.123456789]  # the answer itself lies below
    assert bounded[1][0] == 0.123456789
    assert bounded[2] == [float(f"{5 - half:.6g}"), float(f"{5 + half:.6g}")]
    assert bounded[3] == [10, 10]
    assert intervals.around([5.0], low=None, high=None) == [bounded[2]]
    assert intervals.around([], low=None, high=None) == []
