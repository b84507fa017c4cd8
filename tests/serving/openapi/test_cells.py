"""What is documented of a cell and a label is what is accepted, for every kind of column."""

from itertools import product
from typing import Any

import jsonschema_rs
import pytest

from releve.domain.schema.cells import trimmed
from releve.domain.schema.columns import read_column
from releve.domain.schema.examples import example_cells
from releve.domain.schema.target import REGRESSION, read_target
from releve.serving.openapi.cells import cell_schema, label_schema

SPECS: list[dict[str, Any]] = [
    {"type": "number"},
    {"type": "number", "min": -1, "max": 2.5},
    {"type": "date"},
    {"type": "category"},
    {"type": "category", "categories": ["red", "blue", "A b"]},
    {"type": "category", "categories": ["1", "2", "007"]},
    {"type": "category", "categories": ["true", "false"]},
    {"type": "text"},
    {"type": "text", "max_length": 3},
    {"type": "image"},
]
COLUMNS = [
    read_column("c", spec | kind, source="a test")
    for spec, kind in product(SPECS, [{}, {"nullable": True}, {"feature": False}])
]
CELLS = [None, True, False, 0, 1, 2, -1, -1.5, 2.5, 2.6, 3.0, 1e30, 1e39, -1e39, "", " ", "\u200b", "\u3000\n"]
CELLS += ["red", "Red", "blue", "A b", "1", "2", "007", "7", "true", "false", "abc", "abcd", "ähé", "\U0001f600" * 3]
CELLS += ["2024-01-31", "2024-01-31T12:00", "2024-01-31 12:00:00.5Z", "2024-01-31T12:00:00+01:00", "31.1.2024"]
CELLS += ["2024-1-31", "20240131", "2024-01-31T12", "yesterday", [], {}, [1], {"a": 1}, "1e400", "x" * 100_001]
TARGETS: list[dict[str, Any]] = [
    {"name": "t", "classes": [0, 1, 2]},
    {"name": "t", "classes": ["ham", "spam"]},
    {"name": "t", "classes": ["1", "2"]},
    {"name": "t", "classes": ["true", "false"]},
    {"name": "t", "task": "regression", "min": 0, "max": 2.5},
    {"name": "t", "task": "regression"},
]
LABELS = [*CELLS, "ham", "spam", "0", "0.5", "1.0", "+1", 3, 2.5000001]


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_a_cell_is_accepted_exactly_where_its_schema_allows_it(column):
    documented = jsonschema_rs.validator_for(cell_schema(column))

    for value in CELLS:
        if column.type == "category" and column.categories is None and isinstance(value, float) and abs(value) > 2**53:
            continue  # a whole number that has lost its last digits, which JSON Schema cannot say
        if column.categories and isinstance(value, str) and value != trimmed(value):
            continue  # spaces around a name, or alone: a spelling beyond what is documented
        assert documented.is_valid(value) == (column.problem(value) is None), f"{value!r}"


@pytest.mark.parametrize("column", COLUMNS, ids=str)
def test_examples_of_a_column_are_allowed(column):
    documented = jsonschema_rs.validator_for(cell_schema(column))

    for value in example_cells(column):
        assert documented.is_valid(value) and column.problem(value) is None


@pytest.mark.parametrize("spec", TARGETS, ids=str)
def test_a_label_is_accepted_exactly_where_its_schema_allows_it(spec):
    target = read_target(spec, source="a test")
    documented = jsonschema_rs.validator_for(label_schema(target))

    for value in LABELS:
        is_allowed = documented.is_valid(value)
        if not isinstance(value, int | float | str):  # refused before the target is asked
            assert not is_allowed
        elif isinstance(value, str) and target.task == REGRESSION:  # JSON Schema has no words for its limits
            assert is_allowed or target.problem(value) is not None, f"{value!r}"
        elif target.is_number and value in ("1.0", "+1", "007", "1e400"):  # spellings beyond what is documented
            assert not is_allowed
        else:
            assert is_allowed == (target.problem(value) is None), f"{value!r}"


def test_limits_of_dates_are_told_beside_the_schema():
    column = read_column("c", {"type": "date", "min": "2020-01-01"}, source="a test")

    assert cell_schema(column)["x-minimum"] == "2020-01-01T00:00:00"
    assert column.problem(cell_schema(column)["examples"][0]) is None


def test_other_spellings_of_a_category_are_accepted_beyond_what_is_documented():
    column = read_column("c", {"type": "category", "categories": ["Red"], "ignore_case": True}, source="a test")
    documented = jsonschema_rs.validator_for(cell_schema(column))

    assert [documented.is_valid(value) for value in ("Red", " red")] == [True, False]
    assert column.problem(" red") is None and "in any case" in cell_schema(column)["description"]
