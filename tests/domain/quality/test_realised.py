import pandas as pd
import pytest

from releve.domain.evaluation.intervals import share
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows
from releve.domain.quality.realised import as_scored, interval_coverage
from releve.domain.schema.target import BINARY, REGRESSION, Target

TWO, VALUE = Target("bought", BINARY, ("no", "yes"), "yes"), Target("cnt", REGRESSION)


def labelled(predicted, labels, probabilities=None, intervals=None):
    rows = len(predicted)
    names = [str(row) for row in range(rows)]
    answers = AnsweredRows(
        ids=names,
        at=names,
        models=names,
        arms=names,
        predicted=predicted,
        probabilities=probabilities or [None] * rows,
        intervals=intervals or [None] * rows,
        features=pd.DataFrame(index=range(rows)),
    )
    return LabelledRows(answers, labels, names)


def test_probabilities_of_the_ledger_are_scored():
    scored = as_scored(labelled(["yes"], ["no"], [[0.4, 0.6]]), TWO, rows=10)

    assert scored.outputs.tolist() == [[0.4, 0.6]]
    assert (scored.y_true.tolist(), scored.positive) == ([0], 1)


@pytest.mark.parametrize("chances", [None, [0.2, 0.3, 0.5]])
def test_without_fitting_probabilities_the_class_answered_is_taken_as_certain(chances):
    assert as_scored(labelled(["yes"], ["yes"], [chances]), TWO, rows=10).outputs.tolist() == [[0.0, 1.0]]


def test_a_class_that_is_gone_is_a_wrong_answer_and_a_label_that_is_gone_is_left_out():
    scored = as_scored(labelled(["maybe", "yes"], ["no", "maybe"]), TWO, rows=10)

    assert scored.is_correct.tolist() == [False]


def test_only_the_newest_labels_count():
    assert as_scored(labelled(["no", "yes", "yes"], ["yes", "yes", "yes"]), TWO, rows=2).is_correct.all()


def test_values_are_numbers_whatever_they_came_as():
    scored = as_scored(labelled([1, 2.5], ["1.5", 2]), VALUE, rows=10)

    assert (scored.outputs.tolist(), scored.y_true.tolist()) == ([1.0, 2.5], [1.5, 2.0])


def test_without_labels_there_is_nothing_to_score():
    assert as_scored(labelled([], []), TWO, rows=10) is None


def test_coverage_counts_the_labels_inside_the_interval_that_was_sent():
    sent = [[1.0, 3.0]] * 4 + [[-2.0, -1.0], None, [1.0, 3.0]]
    rows = labelled([2.0] * 7, [1.0, 3.0, 2.5, 3.0001, -1, 2.0, "unreadable"], intervals=sent)

    found = interval_coverage(rows, VALUE, confidence=0.9)

    assert (found.rows, found.promised) == (5, 0.9)
    assert found.held == share(4, 5, confidence=0.9)


def test_there_is_no_coverage_where_nothing_was_answered_with_an_interval():
    assert interval_coverage(labelled([2.0], [2.0]), VALUE, confidence=0.9) is None
    assert interval_coverage(labelled(["no"], ["no"], [[0.6, 0.4]]), TWO, confidence=0.9) is None
    # a class that was a number when it was answered
    assert interval_coverage(labelled([1.0], ["no"], intervals=[[0, 2]]), TWO, confidence=0.9) is None
