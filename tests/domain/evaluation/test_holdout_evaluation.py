import numpy as np
import pandas as pd
import pytest

from releve.domain.evaluation.evaluation import CalibrationBin, Opponent, TooGood
from releve.domain.evaluation.holdout_evaluation import calibration, telling_columns, too_good
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.schema.schema import Schema


def certain(chance, right, rows=100):
    answers = np.tile([1 - chance, chance], (rows, 1))
    return ScoredPredictions(answers, (np.arange(rows) < right).astype(np.int64))


@pytest.mark.parametrize(("right", "error"), [(80, 0.0), (60, 0.2), (100, 0.2)])
def test_the_error_is_the_distance_between_certainty_and_share_of_right_answers(right, error):
    assert calibration(certain(0.8, right)).error == pytest.approx(error)


def test_the_table_counts_every_row_once_and_names_its_bins():
    random = np.random.default_rng(7)
    chance = random.random(500)
    found = calibration(ScoredPredictions(np.column_stack([1 - chance, chance]), random.integers(0, 2, 500)))

    assert sum(line.rows for line in found.bins) == 500
    assert all(line.low <= line.probability <= line.high for line in found.bins)


def test_a_certainty_of_one_is_in_the_last_bin():
    found = calibration(certain(1.0, 50))

    assert found.bins == (CalibrationBin(low=0.9, high=1.0, rows=100, probability=1.0, accuracy=0.5),)


def binary(rows, *, wrong, share=0.4):
    truth = (np.arange(rows) % 10 < 10 * share).astype(int)
    named = truth.copy()
    named[:wrong] = 1 - named[:wrong]
    return truth, np.eye(2)[named], {Opponent.MAJORITY_LABEL: np.tile([0.6, 0.4], (rows, 1))}


def test_915_rows_without_an_error_are_reported():
    assert too_good(*binary(915, wrong=0)) == TooGood(rows=915, baseline=Opponent.MAJORITY_LABEL, left=0.0)


@pytest.mark.parametrize(("wrong", "reported"), [(0, True), (4, True), (5, False), (40, False)])
def test_more_than_a_hundredth_of_the_baselines_errors_is_a_good_model(wrong, reported):
    assert (too_good(*binary(1000, wrong=wrong)) is not None) is reported


@pytest.mark.parametrize(("rows", "reported"), [(70, False), (75, True), (80, True)])
def test_few_errors_of_the_baseline_may_be_avoided_by_chance(rows, reported):
    assert (too_good(*binary(rows, wrong=0)) is not None) is reported


def test_digits_at_96_in_100_are_not_reported():
    truth = np.arange(300) % 10
    named = np.where(np.arange(300) % 25 == 0, (truth + 1) % 10, truth)

    assert too_good(truth, np.eye(10)[named], {Opponent.MAJORITY_LABEL: np.full((300, 10), 0.1)}) is None


def test_a_baseline_that_knows_it_too_makes_nothing_suspicious():
    truth, answers, naive = binary(1000, wrong=0)

    assert too_good(truth, answers, {**naive, Opponent.SEASONAL: answers}) is None


@pytest.mark.parametrize(("noise", "reported"), [(0.05, True), (0.09, True), (0.12, False), (0.5, False)])
def test_of_a_number_a_hundredth_of_the_squared_error_is_what_may_be_left(noise, reported):
    truth = np.tile([-1.0, 1.0], 200)

    assert (
        too_good(truth, truth + np.tile([noise, -noise], 200), {Opponent.USUAL_VALUE: np.zeros(400)}) is not None
    ) is reported


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_the_columns_that_explain_it_are_named_with_the_share_that_each_takes_away(task):
    random = np.random.default_rng(7)
    label = random.integers(0, 2, 400)
    columns = {"x": "number", "ended": "date", "state": "category", "kind": "category"}
    target = {"name": "y", "classes": [0, 1]} if task == "binary" else {"name": "y", "task": "regression"}
    schema = Schema.from_dict({"columns": {name: {"type": kind} for name, kind in columns.items()}, "target": target})
    frame = pd.DataFrame(
        {
            "x": random.normal(0, 1, 400),
            "ended": pd.Series([pd.Timestamp("2024-01-01")] * 400).where(label == 1),
            "state": np.where(label ^ (random.random(400) < 0.05), "closed", "open"),
            "kind": random.choice(["a", "b"], 400),
        }
    )
    truths = (label[:300], label[300:]) if task == "binary" else (label[:300] * 1.0, label[300:] * 1.0)

    found = telling_columns(frame[:300], frame[300:], schema, truths=truths)

    assert [each.column for each in found] == ["ended", "state"]
    assert found[0].share == 1.0
    assert 0.7 < found[1].share < 1.0
