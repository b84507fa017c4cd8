import numpy as np
import pytest

from releve.domain.evaluation.scored_predictions import ScoredPredictions, in_classes

CHANCES = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]])


def test_classes_are_put_into_the_order_wanted_and_a_new_one_has_no_chance():
    assert in_classes(CHANCES, ["a", "b", "c"], ["c", "new", "a", "b"]).tolist() == [
        [0.2, 0.0, 0.5, 0.3],
        [1.0, 0.0, 0.0, 0.0],
    ]


def test_what_a_class_that_is_gone_was_given_is_shared_out_over_those_that_are_left():
    found = in_classes(CHANCES, ["a", "b", "c"], ["a", "b"])

    assert found[0] == pytest.approx([0.625, 0.375])
    assert found[1].tolist() == [0.0, 0.0]  # sure of what is no answer any more: wrong whatever the label


def test_rows_keep_their_block_when_some_are_taken_or_another_answers():
    found = ScoredPredictions(CHANCES, np.array([0, 2]), blocks=np.array([4, 5]))

    assert found.take([1]).block_of_rows.tolist() == [5]
    assert found.with_outputs(CHANCES[::-1]).block_of_rows.tolist() == [4, 5]


def test_without_blocks_all_rows_are_one():
    assert ScoredPredictions(CHANCES, np.array([0, 2])).block_of_rows.tolist() == [0, 0]
