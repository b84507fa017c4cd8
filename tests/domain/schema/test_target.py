import math

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.schema.target import BINARY, MULTICLASS, REGRESSION, Target, read_target, write_target


def described(**spec):
    return read_target({"name": "y", **spec}, source="shop.yaml")


def a_number(**limits):
    return described(task=REGRESSION, **limits)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"classes": ["a", "b"]}, Target("y", BINARY, ("a", "b"), positive="b")),
        ({"classes": ["a", "b"], "positive": "a"}, Target("y", BINARY, ("a", "b"), positive="a")),
        ({"classes": [0, 1], "task": "binary", "positive": 0}, Target("y", BINARY, (0, 1), positive=0)),
        ({"classes": [0, 1, 2]}, Target("y", MULTICLASS, (0, 1, 2))),
        ({"classes": [0, 1], "task": "multiclass"}, Target("y", MULTICLASS, (0, 1))),
        ({"classes": ["a", "b"], "ignore_case": True}, Target("y", BINARY, ("a", "b"), positive="b", ignore_case=True)),
        ({"task": "regression"}, Target("y", REGRESSION)),
        ({"task": "regression", "min": 0, "max": 1.5}, Target("y", REGRESSION, min=0, max=1.5)),
    ],
)
def test_the_task_follows_from_the_classes_or_is_named(spec, expected):
    target = described(**spec)

    assert target == expected
    assert read_target(write_target(target), source="again") == target


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "at least two 'classes', or task: regression"),
        ({"task": "ranking"}, "target.task is 'ranking'; expected binary, multiclass, regression"),
        ({"task": "binary"}, "at least two 'classes'"),
        ({"task": "binary", "classes": [1, 2, 3]}, "target.task is binary with 3 classes; expected two, or multiclass"),
        ({"task": "regression", "classes": [1, 2]}, "target.classes is given, and a regression has no classes"),
        ({"task": "regression", "positive": 1}, "target.positive is given, and a regression has no classes"),
        ({"task": "regression", "min": "0"}, "target.min is '0'; expected a number"),
        ({"task": "regression", "max": True}, "target.max is True; expected a number"),
        ({"task": "regression", "min": 2, "max": 1}, "'target' has min 2 above max 1; no number fits"),
        ({"classes": ["a", "b"], "min": 0}, "target.min is given, and classes have no limits"),
        ({"classes": ["a", "b"], "positive": "c"}, "target.positive is 'c'; expected one of a, b"),
        ({"classes": [0, 1], "positive": True}, "target.positive is True; expected one of 0, 1"),
        ({"classes": [0, 1, 2], "positive": 1}, "target.positive is 1, and the task is multiclass"),
        ({"classes": ["yes", "Yes"], "ignore_case": True}, "ignore_case makes one of classes that differ in case"),
        ({"classes": ["no", "yes"], "ignore_case": "on"}, "target.ignore_case is 'on'; expected true or false"),
        ({"task": "regression", "ignore_case": True}, "ignore_case is given, and a regression has no classes"),
        ({"classes": ["a", " a"]}, "all different"),
        ({"classes": [0, 1], "class": 1}, r"'target' has the unknown \['class'\]; known are"),
    ],
)
def test_a_target_that_is_described_wrongly_is_named(spec, said):
    with pytest.raises(BadInput, match=f"shop.yaml: .*{said}"):
        described(**spec)


@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0", np.int8(1), np.float32(1)])
def test_a_class_that_is_a_whole_number_is_named_in_any_form(value):
    found = described(classes=[0, 1]).parse(value)

    assert found == 1 and type(found) is int


@pytest.mark.parametrize("value", [True, "1.5", "one", "", "1_0", 1.5, None, 2, math.inf, [3]])
def test_what_names_no_whole_number_is_no_such_class(value):
    target = described(classes=[0, 1, 10])

    assert target.parse(value) is None
    assert target.problem(value).startswith(
        "is missing" if value in (None, "") else f"is {value!r}, expected one of 0, "
    )


@pytest.mark.parametrize(("name", "classes"), [("yes", ["no", "yes"]), ("1", ["0", "1"])])
def test_a_class_that_is_a_text_is_not_named_by_another_text(name, classes):
    assert described(classes=classes).parse(name) == name
    assert described(classes=classes).parse(f"{name}.0") is None


@pytest.mark.parametrize("classes", [["False", "True"], ["false", "true"], ["FALSE", "TRUE"]])
def test_truth_values_name_the_classes_of_that_name_in_every_form(classes):
    target = described(classes=classes)

    assert [target.parse(value) for value in (False, np.False_)] == [classes[0]] * 2
    assert [target.parse(value) for value in ("True", "TRUE", "true", True, np.True_)] == [classes[1]] * 5


@pytest.mark.parametrize("value", [3, 3.0, "3", " 3.0 ", "3e0", np.int64(3), np.float32(3), np.uint8(3)])
def test_a_number_is_a_label_of_a_regression_in_any_form(value):
    found = a_number().parse(value)

    assert found == 3.0 and type(found) is float
    assert a_number().problem(value) is None


@pytest.mark.parametrize("value", [True, np.True_, "three", "nan", "1_000", math.inf, [3], pd.Timestamp(0), 10**400])
def test_another_label_of_a_regression_is_refused(value):
    assert a_number().parse(value) is None
    assert "expected a finite number" in a_number().problem(value)


@pytest.mark.parametrize("value", [None, math.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("target", [a_number(), described(classes=["a", "b"])])
def test_a_missing_label_is_refused_with_its_reason(value, target):
    assert target.problem(value) == "is missing: every ingested row needs its label"


@pytest.mark.parametrize("value", ["", " ", "\ufeff"])
def test_a_blank_label_is_a_missing_one(value):
    assert described(classes=["a", "b"]).problem(value) == "is missing: every ingested row needs its label"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (-0.001, "is -0.001, expected a finite number, at least 0, at most 10"),
        (0, None),
        (10, None),
        ("10", None),
        (10.001, "is 10.001, expected a finite number, at least 0, at most 10"),
        (1e39, "is 1e+39, expected a finite number, at least 0, at most 10"),
    ],
)
def test_limits_belong_to_what_a_label_may_be(value, problem):
    assert a_number(min=0, max=10).problem(value) == problem


def test_a_prediction_may_lie_outside_of_the_limits():
    assert a_number(min=0).parse(-0.5) == -0.5


@pytest.mark.parametrize(("value", "fits"), [(3.4e38, True), (3.5e38, False), (-3.5e38, False)])
def test_a_label_has_to_fit_the_models_float32(value, fits):
    assert (a_number().problem(value) is None) is fits


@pytest.mark.parametrize(
    ("classes", "value", "label"),
    [
        (["no", "yes"], " yes\u00a0", "yes"),
        (["no", "yes"], "YES", "yes"),
        (["FALSE", "true"], "TRUE", "true"),
        (["FALSE", "true"], False, "FALSE"),
        (["Stra\u00dfe", "weg"], "STRASSE", "Stra\u00dfe"),
        (["b\u0131r", "iki"], "BIR", None),  # a dotless i is no i
        (["no", "yes"], "y e s", None),
    ],
)
def test_classes_are_named_by_any_spelling_where_case_is_ignored(classes, value, label):
    target = described(classes=classes, ignore_case=True)

    assert target.parse(value) == label
    assert (target.problem(value) is None) is (label is not None)


def test_spellings_are_classes_of_their_own_where_case_matters():
    target = described(classes=["no", "yes"])

    assert target.parse("YES") is None and target.parse(" yes") == "yes"
