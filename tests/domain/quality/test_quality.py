import numpy as np
import pytest

from releve.domain.evaluation.intervals import Interval, share
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.quality.realised import assess
from releve.domain.registry.release import ExpectedPerformance

SEED = 7
BOOTSTRAP = BootstrapConfig(confidence=0.95, resamples=400, block=0, seed=SEED)


def expected_at(value=0.9, rows=300):
    known = share(round(value * rows), rows, confidence=0.95)
    return ExpectedPerformance("accuracy", Interval(value, known.low, known.high), rows)


EXPECTED = expected_at()


def flags(right, rows=200):
    """Labelled answers in a random order, of which some are right."""
    is_right = np.random.default_rng(SEED).permutation(rows) < right
    return ScoredPredictions(np.column_stack([~is_right, is_right]).astype(float), np.ones(rows, dtype=np.int64))


def assessed(right, *, rows=200, **changes):
    rule = {"expected": EXPECTED, "tolerance": 0.05, "min_labels": 90, "bootstrap": BOOTSTRAP}
    return assess(flags(right, rows) if rows else None, **{**rule, **changes})


@pytest.mark.parametrize(("rows", "known"), [(0, False), (1, False), (89, False), (90, True), (91, True)])
def test_quality_is_unknown_below_the_least_number_of_labels(rows, known):
    result = assessed(rows, rows=rows)

    assert (result.state != "unknown") is known
    assert (result.score is not None) is known
    assert result.labelled == rows


def test_no_label_at_all_is_unknown_even_where_none_is_asked_for():
    assert assessed(0, rows=0, min_labels=0).state == "unknown"


def test_the_state_follows_from_where_the_whole_interval_of_the_change_lies():
    results = {right: assessed(right) for right in range(140, 201, 4)}

    for right, each in results.items():
        kept = "within tolerance" if each.change.low >= -0.05 else "inconclusive"
        assert each.state == ("degraded" if each.change.high < 0 else kept)
        assert each.change.value == pytest.approx(right / 200 - 0.9)
    states = list(dict.fromkeys(each.state for each in results.values()))
    assert states == ["degraded", "inconclusive", "within tolerance"]


def test_an_expected_score_that_rests_on_fewer_rows_is_harder_to_break():
    assert assessed(160, expected=expected_at(rows=10_000)).state == "degraded"
    assert assessed(160, expected=expected_at(rows=60)).state != "degraded"


@pytest.mark.parametrize(("holdout_rows", "labelled"), [(134, 300), (300, 300), (300, 100)])
def test_a_champion_that_is_as_good_as_ever_is_called_worse_in_at_most_one_of_twenty_runs(holdout_rows, labelled):
    draws = np.random.default_rng(SEED)
    expectations = draws.binomial(holdout_rows, 0.95, size=200) / holdout_rows
    realised = draws.binomial(labelled, 0.95, size=200)

    alarms = [
        assessed(right, rows=labelled, expected=expected_at(value, holdout_rows)).state == "degraded"
        for value, right in zip(expectations, realised, strict=True)
    ]

    assert np.mean(alarms) <= 0.05


def test_a_champion_that_lost_ten_points_is_nearly_always_called_worse():
    draws = np.random.default_rng(SEED)

    alarms = [assessed(right, rows=300).state == "degraded" for right in draws.binomial(300, 0.8, size=200)]

    assert np.mean(alarms) >= 0.9


@pytest.mark.parametrize(("error", "state"), [(1.0, "within tolerance"), (2.0, "degraded")])
def test_of_values_a_larger_error_is_worse(error, state):
    truth = np.random.default_rng(SEED).normal(size=300)
    answers = truth + error * np.random.default_rng(SEED + 1).normal(size=300)
    mean = np.sqrt(2 / np.pi)

    result = assess(
        ScoredPredictions(answers, truth),
        expected=ExpectedPerformance("mae", Interval(mean, mean - 0.05, mean + 0.05), 300),
        tolerance=0.3,
        min_labels=90,
        bootstrap=BOOTSTRAP,
    )

    assert result.state == state


def test_a_metric_that_the_labels_do_not_define_is_unknown():
    result = assessed(200, expected=ExpectedPerformance("auc", Interval(0.9, 0.85, 0.95), 300))

    assert result.state == "unknown"
