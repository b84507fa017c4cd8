import math

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.schema.cells import LARGEST_NUMBER, is_missing
from releve.domain.schema.columns import Column
from releve.domain.schema.schema import Schema
from tests.tables import SHOP_TABLE, shop_schema

NOTHING = [None, math.nan, np.nan, np.float32("nan"), pd.NA, pd.NaT]


def a_number(**changes):
    return Column("price", "number", **changes)


def a_category(**changes):
    return Column("kind", "category", **changes)


def described(**changes):
    return Schema.from_dict({**SHOP_TABLE, **changes}, source="shop.yaml")


@pytest.mark.parametrize("value", NOTHING)
@pytest.mark.parametrize("column", [a_number, a_category])
def test_a_missing_cell_is_allowed_where_the_column_says_so(column, value):
    assert column(nullable=True).problem(value) is None
    assert column().problem(value).startswith("is missing: it holds ")


@pytest.mark.parametrize("value", ["", 0, 0.0, False, "nan", [], math.inf])
def test_nothing_else_is_missing(value):
    assert not is_missing(value)


@pytest.mark.parametrize("categories", [None, ("a", "b")])
def test_an_empty_text_is_a_missing_category(categories):
    assert a_category(categories=categories, nullable=True).problem("") is None
    assert a_category(categories=categories).problem("") == "is missing: it holds an empty text"


@pytest.mark.parametrize(
    "value", [0, 1, -1, 2.5, np.int8(-128), np.int64(3), np.uint8(3), np.float16(1), np.float32(2)]
)
def test_numbers_of_python_and_numpy_are_numbers(value):
    assert a_number().problem(value) is None


@pytest.mark.parametrize("value", [True, False, np.True_, "1", "", b"1", [1], {}, 1j, pd.Timestamp("2024-01-31")])
def test_what_only_looks_like_a_number_is_none(value):
    assert a_number().problem(value) == f"is {value!r}, expected a number"


@pytest.mark.parametrize("value", [math.inf, -math.inf, np.float32("inf"), np.float16("inf")])
def test_an_infinite_number_is_refused(value):
    assert "expected a finite number" in a_number(nullable=True).problem(value)


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        (LARGEST_NUMBER, True),
        (-LARGEST_NUMBER, True),
        (np.nextafter(LARGEST_NUMBER, math.inf), False),
        (np.nextafter(-LARGEST_NUMBER, -math.inf), False),
        (int(LARGEST_NUMBER), True),
        (int(LARGEST_NUMBER) + 1, False),
        (10**400, False),
        (-(10**400), False),
    ],
)
def test_a_number_has_to_fit_the_models_float32(value, fits):
    assert (a_number().problem(value) is None) is fits


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (-1e-9, "is -1e-09, expected at least 0"),
        (0, None),
        (1e-9, None),
        (16 - 1e-9, None),
        (16, None),
        (np.float32(16), None),
        (16.001, "is 16.001, expected at most 16"),
    ],
)
def test_limits_belong_to_what_is_allowed(value, problem):
    assert a_number(min=0, max=16).problem(value) == problem


@pytest.mark.parametrize(("value", "allowed"), [("a", True), ("b", True), ("c", False), ("A", False), (" a", True)])
def test_a_category_is_one_of_those_that_are_listed(value, allowed):
    problem = a_category(categories=("a", "b")).problem(value)

    assert problem == (None if allowed else f"is {value!r}, expected one of a, b")


def test_any_text_is_a_category_where_none_is_listed():
    assert a_category().problem("anything") is None


@pytest.mark.parametrize("value", [1.5, True, ["a"], b"a", np.float64(1.5)])
def test_a_category_is_text_or_a_whole_number(value):
    assert a_category().problem(value) == f"is {value!r}, expected text or a whole number"


@pytest.mark.parametrize("value", [3, 3.0, "3", np.int64(3), np.float64(3), np.float32(3)])
def test_a_label_names_its_class_in_any_form(value):
    target = described(target={"name": "y", "classes": [1, 3]}).target

    assert target.parse(value) == 3
    assert target.problem(value) is None


@pytest.mark.parametrize("value", [2, 3.5, "3.5", "three", True, math.inf, [3]])
def test_another_label_is_refused_and_the_classes_named(value):
    target = described(target={"name": "y", "classes": [1, 3]}).target

    assert target.parse(value) is None
    assert target.problem(value) == f"is {value!r}, expected one of 1, 3"


@pytest.mark.parametrize("value", NOTHING)
def test_a_missing_label_is_refused_with_its_reason(value):
    assert shop_schema().target.problem(value) == "is missing: every ingested row needs its label"


def test_numbers_come_first_whatever_the_order_of_the_description():
    assert list(SHOP_TABLE["columns"]) == ["kind", "price", "weight"]
    assert shop_schema().names == ["price", "weight", "kind"]


def test_a_schema_is_read_back_as_it_was_written():
    schema = shop_schema(price={"min": None, "max": 0})

    assert Schema.from_dict(schema.as_dict()) == schema


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "expected {type: number} or {type: date} or {type: category} or {type: text}"),
        ({"type": "colour"}, "expected {type: number} or {type: date} or {type: category} or {type: text}"),
        ("number", "expected {type: number} or {type: date} or {type: category} or {type: text}"),
        (None, "expected {type: number} or {type: date} or {type: category} or {type: text}"),
        ({"type": "number", "maximum": 1}, r"has the unknown \['maximum'\]; known are"),
        ({"type": "number", "min": "a"}, "has min: 'a'; expected a number"),
        ({"type": "number", "max": True}, "has max: True; expected a number"),
        ({"type": "number", "min": 3, "max": 2}, "has min 3 above max 2; no number fits"),
        ({"type": "number", "nullable": "yes"}, "has nullable: 'yes'; expected true or false"),
        ({"type": "category", "categories": "blue"}, "has categories: 'blue'; expected a list"),
        ({"type": "category", "categories": []}, r"has categories: \[\]; expected a list"),
        ({"type": "category", "categories": [True, False]}, "put yes, no, on and off in quotes"),
        ({"type": "category", "categories": ["a", ""]}, "expected a list of texts"),
    ],
)
def test_a_column_that_is_described_wrongly_is_named(spec, said):
    with pytest.raises(BadInput, match=f"shop.yaml: columns.price .*{said}"):
        described(columns={"price": spec})


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ({"classes": ["no", "yes"]}, "'target' needs a 'name'"),
        ({"name": "y", "classes": ["yes"]}, "at least two 'classes'"),
        ({"name": "y", "classes": "yes"}, "at least two 'classes'"),
        ({"name": "y"}, "at least two 'classes'"),
        ({"name": "price", "classes": [0, 1]}, "the target 'price' is also among the columns"),
        ({"name": "y", "classes": [False, True]}, "YAML reads yes, no, on and off as true and false"),
        ({"name": "y", "classes": [1, "1"]}, r"target.classes is \[1, '1'\]; expected only whole"),
        ({"name": "y", "classes": [1, "x"]}, r"target.classes is \[1, 'x'\]; expected only whole"),
        ({"name": "y", "classes": [1, 2, 1]}, "all different"),
        ({"name": "y", "classes": ["a", "a"]}, "all different"),
        ({"name": "y", "classes": ["_position", "b"]}, "the name '_position' begins with '_'"),
        ({"name": "_row", "classes": ["a", "b"]}, "the name '_row' begins with '_'"),
        ({"name": "y", "classes": [1.0, 2.0]}, "expected only whole numbers or only texts"),
    ],
)
def test_a_target_that_is_described_wrongly_is_named(target, said):
    with pytest.raises(BadInput, match=f"shop.yaml: .*{said}"):
        described(target=target)


@pytest.mark.parametrize("name", ["_batch", "_row", "_"])
def test_a_feature_may_not_be_called_as_our_own_columns_are(name):
    with pytest.raises(BadInput, match=f"shop.yaml: the name '{name}' begins with '_'.*choose another name"):
        described(columns={name: {"type": "number"}})


def test_an_underscore_elsewhere_in_a_name_is_fine():
    schema = described(columns={"row_": {"type": "number"}}, target={"name": "is_it", "classes": ["a_", "b_c"]})

    assert (schema.names, schema.target.classes) == (["row_"], ("a_", "b_c"))


@pytest.mark.parametrize("key", ["columns", "target"])
@pytest.mark.parametrize("value", [None, {}, [], "x"])
def test_a_description_without_columns_or_target_is_told(key, value):
    with pytest.raises(BadInput, match=f"shop.yaml: '{key}' is missing"):
        described(**{key: value})


@pytest.mark.parametrize(("limit", "spec"), [(2, {"min": 2, "max": 2}), (0, {"min": 0}), (0, {"max": 0})])
def test_a_limit_of_zero_or_a_single_allowed_number_counts(limit, spec):
    schema = described(columns={"price": {"type": "number", **spec}})

    assert schema.columns[0].problem(limit) is None
    assert schema.columns[0].problem(limit + 1 if "max" in spec else limit - 1) is not None
