import pandas as pd
import pytest

from releve.domain.prediction_log.records import AnsweredRows, LabelledRows
from releve.domain.quality.realised import as_scored
from releve.domain.schema.target import BINARY, REGRESSION, Target

TWO, VALUE = Target("bought", BINARY, ("no", "yes"), "yes"), Target("cnt", REGRESSION)


def labelled(predicted, labels, probabilities=None):
    rows = len(predicted)
    names = [str(row) for row in range(rows)]
    answers = AnsweredRows(
        ids=names,
        at=names,
        models=names,
        arms=names,
        predicted=predicted,
        probabilities=probabilities or [None] * rows,
        intervals=[None] * rows,
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
