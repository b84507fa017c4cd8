"""What the outputs of a foreign model mean, by its answers and by what a mapping says."""

from typing import Any

import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile
from releve.domain.brought.meaning import Means, OutputMeaning, RawOutput, understand
from releve.domain.schema.target import Target

BINARY = Target("y", "binary", ("no", "yes"))
NUMBERED = Target("y", "binary", (0, 1))
THREE = Target("y", "multiclass", (0, 1, 2))
REGRESSION = Target("y", "regression")
SURE = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
WIDE = np.array([[2.0, -1.0, 0.5], [0.1, 3.0, -2.0], [-1.0, 0.0, 4.0]])


def meaning(target: Target, *outputs: RawOutput, **mapping: Any) -> OutputMeaning:
    return understand(outputs, target, MappingFile(**mapping), rows=3)


def answer(values: Any, *classes: Any, name: str = "p") -> RawOutput:
    return RawOutput(name, np.asarray(values), classes=classes)


def label(*values: Any) -> RawOutput:
    return RawOutput("label", np.array(values), is_label=True)


def test_probabilities_are_put_into_the_order_of_the_target():
    assert meaning(BINARY, answer(SURE, "yes", "no")) == OutputMeaning("p", Means.PROBABILITIES, ("no", "yes"), (1, 0))
    assert meaning(BINARY, answer(SURE), classes=["no", "yes"]).places == (0, 1)


@pytest.mark.parametrize("missed", [0.0009, 0.0011])
def test_probabilities_may_miss_their_sum_by_a_thousandth(missed: float):
    values = SURE - np.array([missed, 0])

    if missed < 0.001:
        assert meaning(BINARY, answer(values, "no", "yes")).means == Means.PROBABILITIES
    else:
        with pytest.raises(BadInput, match="numbers from 0 to 1 whose sum is not 1"):
            meaning(BINARY, answer(values, "no", "yes"))
    assert meaning(BINARY, answer(values, "no", "yes"), means="logits").means == Means.LOGITS


def test_other_numbers_are_logits_unless_somebody_says_that_they_are_not():
    assert meaning(THREE, answer(WIDE, 0, 1, 2)).means == Means.LOGITS
    with pytest.raises(BadInput, match="numbers from -2 to 4, which are no probabilities"):
        meaning(THREE, answer(WIDE, 0, 1, 2), means="probabilities")


def test_a_model_that_has_not_seen_a_class_knows_the_others():
    assert meaning(THREE, answer(SURE, 0, 2)) == OutputMeaning("p", Means.PROBABILITIES, (0, 2), (0, 1))


def test_the_labels_beside_tell_the_order_where_the_file_names_none():
    assert meaning(BINARY, label("yes", "no", "yes"), answer(SURE)).places == (1, 0)
    assert meaning(NUMBERED, label(0, 1, 0), answer(SURE)).places == (0, 1)


def test_the_labels_beside_are_held_against_the_order_that_is_named():
    with pytest.raises(BadInput, match="output 'label' says 'yes' where the numbers are highest for 'no'"):
        meaning(BINARY, label("yes", "no", "yes"), answer(SURE, "no", "yes"))
    assert meaning(BINARY, label(7, 9, 7), answer(SURE), classes=["no", "yes"]).places == (0, 1)  # names of its own


@pytest.mark.parametrize(
    ("values", "means"), [([0.0, 0.5, 1.0], Means.ONE_PROBABILITY), ([-0.1, 0.5, 1.0], Means.ONE_LOGIT)]
)
@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_one_number_is_of_the_last_class_that_is_named(values: list[float], means: Means, shape: tuple[int, ...]):
    given = answer(np.array(values).reshape(shape))

    assert meaning(BINARY, given, classes=["yes", "no"]) == OutputMeaning("p", means, ("no", "yes"), (1, 0))
    assert meaning(NUMBERED, given).places == (0, 1)
    assert meaning(BINARY, given, classes=["no", "yes"], means="logits").means == Means.ONE_LOGIT


def test_a_regression_has_one_number_of_a_row_in_either_shape():
    assert meaning(REGRESSION, answer([1.0, 2.0, 3.0])) == OutputMeaning("p", Means.VALUE)
    assert meaning(REGRESSION, answer([[1.0], [2.0], [3.0]])) == OutputMeaning("p", Means.VALUE)


@pytest.mark.parametrize(
    ("target", "outputs", "mapping", "said"),
    [
        (BINARY, [answer(SURE)], {}, r"nothing says which of the 2 numbers of output 'p' is which class.*\[no, yes\]"),
        (BINARY, [answer([0.1, 0.2, 0.3])], {}, r"one number of a row, and nothing says of which class.*\[no, yes\]"),
        (
            BINARY,
            [answer(SURE, "no", "maybe")],
            {},
            "the file names the classes no, maybe, and the scenario's",
        ),
        (BINARY, [answer(SURE)], {"classes": ["no", "no"]}, "the mapping names the classes no, no"),
        (THREE, [answer(SURE)], {"classes": [0, 1, 2]}, "output 'p' has 2 numbers of a row, and 3 classes are named"),
        (THREE, [answer([0.1, 0.2, 0.3])], {}, "one number of a row, and 'y' has 3 classes"),
        (REGRESSION, [answer(SURE)], {}, "output 'p' has 2 numbers of a row; a regression has one"),
        (REGRESSION, [answer([1.0, np.nan, np.inf])], {}, "answers 2 of 3 rows with NaN or infinity, first row 1"),
        (REGRESSION, [answer(np.ones((3, 2, 2)))], {}, r"has the shape \(3, 2, 2\) for 3 rows"),
        (REGRESSION, [answer(np.ones((3, 0)))], {}, r"has the shape \(3, 0\) for 3 rows"),
        (
            REGRESSION,
            [answer(np.ones(3)), answer(np.ones(3), name="q")],
            {},
            r"several .*\('p', 'q'\); name one",
        ),
        (REGRESSION, [label(1, 2, 3)], {}, "no output with numbers"),
        (REGRESSION, [answer(np.ones(3))], {"output": "q"}, "the mapping's output 'q' is none that has numbers"),
    ],
)
def test_what_is_not_clear_is_asked(target: Target, outputs: list[RawOutput], mapping: dict[str, Any], said: str):
    with pytest.raises(BadInput, match=said):
        meaning(target, *outputs, **mapping)


def test_whole_numbers_of_which_a_row_has_several_are_no_label():
    leaves = RawOutput("leaves", np.array([[4, 7], [4, 9], [5, 7]]), is_label=True)

    assert meaning(BINARY, leaves, answer(SURE), classes=["no", "yes"]).places == (0, 1)
    with pytest.raises(BadInput, match="nothing says which of the 2 numbers of output 'p' is which class"):
        meaning(BINARY, leaves, answer(SURE))
