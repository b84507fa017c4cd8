"""A scenario's table as tensors."""

import json
import math
from typing import Any

import pytest

from releve.core.errors import BadInput
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import row_problems
from releve.serving.open_inference.tables import answer_tensors, describe_inputs, describe_outputs, rows_of
from releve.serving.open_inference.tensors import Tensor
from tests.factories import make_schema
from tests.tables import DARK, rentals_schema

NUMBERS = Schema.from_dict(
    {
        "target": {"name": "kind", "classes": [0, 1]},
        "columns": {
            "a": {"type": "number", "min": 0.1, "max": 0.3},
            "b": {"type": "number", "nullable": True},
            "c": {"type": "number"},
        },
    }
)


def flower_tensors(**changes: Tensor | None) -> list[Tensor]:
    tensors = {
        "length": Tensor("length", "FP64", (2, 1), [1.5, 2.5]),
        "width": Tensor("width", "INT32", (2,), [3, 4]),
        "weight": Tensor("weight", "FP32", (2, 1), [math.nan, 0.5]),
        "colour": Tensor("colour", "BYTES", (2, 1), ["red", "blue"]),
        **changes,
    }
    return [tensor for tensor in tensors.values() if tensor is not None]


def test_one_tensor_per_feature_becomes_rows():
    assert rows_of(make_schema(), flower_tensors()) == [
        {"length": 1.5, "width": 3, "weight": None, "colour": "red"},
        {"length": 2.5, "width": 4, "weight": 0.5, "colour": "blue"},
    ]


def test_a_matrix_is_the_rows_of_a_table_of_numbers():
    matrix = Tensor("features", "FP64", (2, 3), [0.1, 2, 3, 0.2, math.nan, 6])

    assert rows_of(NUMBERS, [matrix]) == [{"a": 0.1, "b": 2, "c": 3}, {"a": 0.2, "b": None, "c": 6}]


def test_a_table_of_numbers_may_come_as_columns_too():
    columns = [Tensor(name, "FP64", (1,), [0.25]) for name in "cab"]

    assert rows_of(NUMBERS, columns) == [{"c": 0.25, "a": 0.25, "b": 0.25}]


@pytest.mark.parametrize(("datatype", "value"), [("FP32", 0.10000000149011612), ("FP16", 0.0999755859375)])
def test_a_limit_rounded_to_the_datatype_is_the_limit(datatype: str, value: float):
    rows = rows_of(NUMBERS, [Tensor("features", datatype, (1, 3), [value, 1.0, 1.0])])

    assert rows[0]["a"] == 0.1
    assert row_problems(NUMBERS, rows) == []


def test_what_is_below_a_limit_by_more_than_rounding_stays_so():
    rows = rows_of(NUMBERS, [Tensor("features", "FP32", (1, 3), [0.0999999, 1.0, 1.0])])

    assert row_problems(NUMBERS, rows)[0].column == "a"


def test_an_empty_date_is_missing_and_columns_that_are_no_features_may_come_along():
    schema = rentals_schema(day={"nullable": True})
    tensors = [
        Tensor("note", "BYTES", (1,), [""]),
        Tensor("season", "BYTES", (1,), ["warm"]),
        Tensor("day", "BYTES", (1,), [""]),
        Tensor("temperature", "FP64", (1,), [None]),
        Tensor("sky", "BYTES", (1,), [DARK]),
        Tensor("station", "BYTES", (1,), ["north"]),
    ]

    rows = rows_of(schema, tensors)

    assert rows == [{"note": "", "season": "warm", "day": None, "temperature": None, "sky": DARK, "station": "north"}]
    assert row_problems(schema, rows) == []


@pytest.mark.parametrize(
    ("schema", "tensors", "reason"),
    [
        (make_schema(), flower_tensors(width=None), "the input 'width' is missing; expected 'length', 'width'"),
        (make_schema(), flower_tensors(x=Tensor("lenght", "FP64", (2,), [1, 2])), "'lenght' .* did you mean 'length'"),
        (make_schema(), flower_tensors(width=Tensor("width", "FP64", (3,), [1, 2, 3])), "has 3 rows, and 'length' has"),
        (make_schema(), flower_tensors(width=Tensor("width", "FP64", (1, 2), [1, 2])), r"shape \[1, 2\], expected"),
        (make_schema(), flower_tensors(width=Tensor("width", "FP64", (), [1])), r"shape \[\], expected"),
        (make_schema(), [Tensor("features", "FP64", (1, 4), [1, 2, 3, 4])], "'features' is none of the model's"),
        (NUMBERS, [Tensor("features", "FP64", (1, 2), [1, 2])], r"expected \[n, 3\]: a, b, c"),
        (NUMBERS, [Tensor("features", "FP64", (3,), [1, 2, 3])], "'features' is none of the model's"),
        (NUMBERS, [Tensor("a", "FP64", (1,), [1])], "the input 'b' is missing; expected 'features'"),
    ],
)
def test_tensors_of_another_table_are_refused(schema: Schema, tensors: list[Tensor], reason: str):
    with pytest.raises(BadInput, match=reason):
        rows_of(schema, tensors)


def test_no_rows_are_no_rows():
    assert rows_of(NUMBERS, [Tensor("features", "FP64", (0, 3), [])]) == []


@pytest.mark.parametrize("schema", [make_schema(), rentals_schema(), NUMBERS])
@pytest.mark.parametrize("at", [0, 1])
def test_the_examples_of_the_inputs_make_a_row_that_is_allowed(schema: Schema, at: int):
    tensors = []
    for described in describe_inputs(schema):
        example = json.loads(described["parameters"]["examples"])[at]
        values = example if isinstance(example, list) else [example]
        tensors.append(Tensor(described["name"], described["datatype"], (1, len(values)), values))

    assert row_problems(schema, rows_of(schema, tensors)) == []


def test_descriptions_hold_plain_parameters_alone():
    for schema in (make_schema(), rentals_schema(), NUMBERS):
        for described in describe_inputs(schema) + describe_outputs(schema, confidence=0.9):
            values: list[Any] = list(described.get("parameters", {}).values())
            assert all(isinstance(value, str | int | float | bool) for value in values)


def test_answers_have_the_tensors_that_are_described():
    cases: list[tuple[Schema, list, list | None, list | None]] = [
        (make_schema(), [2, 0], [[0.1, 0.2, 0.7], [0.8, 0.1, 0.1]], None),
        (rentals_schema(), [3.5, 4.5], None, None),
        (rentals_schema(), [3.5, 4.5], None, [[3.0, 4.0], [4.0, 5.0]]),
    ]
    for schema, labels, probabilities, intervals in cases:
        found = answer_tensors(schema, labels, probabilities, intervals)
        described = describe_outputs(schema, confidence=0.9 if intervals else None)
        assert [each.name for each in found] == [each["name"] for each in described]
        assert [each.datatype for each in found] == [each["datatype"] for each in described]
        assert [list(each.shape[1:]) for each in found] == [each["shape"][1:] for each in described]
        assert all(each.shape[0] == 2 and len(each.values) == math.prod(each.shape) for each in found)
