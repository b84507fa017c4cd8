"""The columns of an output."""

import pytest

from releve.domain.schema.schema import Schema
from releve.domain.scoring.columns import id_column, nested


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("customer", "customer"),
        ("id", "id"),
        ("label", "_label"),
        ("value", "_value"),
        ("probabilities.yes", "_probabilities.yes"),
        ("interval.low", "_interval.low"),
    ],
)
def test_the_tables_own_id_keeps_its_name_unless_the_answer_has_it(name: str, expected: str) -> None:
    columns = {name: {"type": "category", "feature": False}, "price": {"type": "number"}}
    schema = Schema.from_dict({"target": {"name": "kind", "classes": ["no", "yes"]}, "id": name, "columns": columns})

    assert id_column(schema) == expected


def test_a_table_without_an_id_has_no_column_of_it() -> None:
    table = {"target": {"name": "kind", "classes": ["no", "yes"]}, "columns": {"price": {"type": "number"}}}

    assert id_column(Schema.from_dict(table)) is None


def test_lines_have_objects_and_lists_as_the_service_sends_them() -> None:
    assert nested({"_row": [1], "label": ["no"], "probabilities.no": [0.9], "probabilities.yes": [0.1]}) == [
        {"_row": 1, "label": "no", "probabilities": {"no": 0.9, "yes": 0.1}}
    ]
    assert nested({"_row": [1], "value": [2.0], "interval.low": [1.0], "interval.high": [3.0]}) == [
        {"_row": 1, "value": 2.0, "interval": [1.0, 3.0]}
    ]
