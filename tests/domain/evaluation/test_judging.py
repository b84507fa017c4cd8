import numpy as np
import pytest

from releve.domain.evaluation.evaluation import CalibrationBin
from releve.domain.evaluation.judging import calibration
from releve.domain.evaluation.scored_predictions import ScoredPredictions


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
