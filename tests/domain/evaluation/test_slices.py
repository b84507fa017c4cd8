import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.evaluation.slices import MISSING, check_slices, slices
from releve.domain.schema.schema import Schema

SCHEMA = Schema.from_dict(
    {
        "target": {"name": "y", "classes": ["a", "b"]},
        "columns": {
            "price": {"type": "number", "nullable": True},
            "kind": {"type": "category", "nullable": True},
            "at": {"type": "date", "nullable": True},
            "note": {"type": "text"},
            "sex": {"type": "category", "feature": False},
        },
    }
)
BEFORE = pd.DataFrame({"price": np.arange(1.0, 101.0), "kind": "x", "at": pd.Timestamp("2024-01-01"), "sex": "f"})


def holdout(**columns):
    return pd.DataFrame(columns)


def found(name, cells):
    parts = list(slices(BEFORE, holdout(**{name: cells}), (name,), SCHEMA))
    return {part.value: int(part.rows.sum()) for part in parts}


def test_a_number_is_cut_into_bands_with_as_many_training_rows_each():
    assert found("price", [1.0, 25.75, 25.8, 60.0, 1000.0, np.nan]) == {
        "up to 25.75": 2,
        "25.75 to 50.5": 1,
        "50.5 to 75.25": 1,
        "above 75.25": 1,
        MISSING: 1,
    }


def test_a_number_of_few_values_has_a_slice_per_value():
    before = BEFORE.assign(price=np.tile([0.0, 1.0], 50))

    parts = list(slices(before, holdout(price=[1.0, 0.0, 1.0]), ("price",), SCHEMA))

    assert [(part.value, int(part.rows.sum())) for part in parts] == [("0", 1), ("1", 2)]


def test_bands_whose_limits_are_close_have_names_of_their_own():
    before = BEFORE.assign(price=1_000_000 + np.arange(100) / 100)

    parts = list(slices(before, holdout(price=[1_000_000.1, 1_000_000.3, 1_000_000.6, 2e6]), ("price",), SCHEMA))

    assert [(part.value, int(part.rows.sum())) for part in parts] == [
        ("up to 1000000.2", 1),
        ("1000000.2 to 1000000.5", 1),
        ("1000000.5 to 1000000.7", 1),
        ("above 1000000.7", 1),
    ]


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        (20240101.0, 20240102.0, ["20240101", "20240102"]),
        (0.5, np.nextafter(0.5, 1), ["0.5", "0.5000000000000001"]),
        (-0.0, 0.0, ["0"]),
    ],
)
def test_values_that_print_alike_have_distinct_names_and_equal_ones_are_one(first, second, names):
    before = BEFORE.assign(price=np.tile([first, second], 50))

    parts = slices(before, holdout(price=[first, second]), ("price",), SCHEMA)

    assert [part.value for part in parts] == names


def test_a_category_has_a_slice_per_value_and_one_for_missing_ones():
    assert found("kind", ["x", "z", "", None, "x"]) == {"x": 2, "z": 1, MISSING: 2}


def test_categories_are_ordered_by_name_whatever_they_are_called_and_missing_ones_come_last():
    cells = ["up to date", None, "above average", "late", "zero"]

    assert list(found("kind", cells)) == ["above average", "late", "up to date", "zero", MISSING]


def test_a_category_called_missing_is_not_that_of_missing_cells():
    parts = found("kind", ["missing", None, "missing"])

    assert parts == {"missing": 2, MISSING: 1}


def test_dates_are_taken_by_month():
    cells = pd.to_datetime(["2024-02-01", "2024-01-31", None, "2024-01-01"])

    assert found("at", cells) == {"2024-01": 2, "2024-02": 1, MISSING: 1}


def test_every_row_is_in_exactly_one_slice_of_a_column():
    random = np.random.default_rng(7)
    cells = np.where(random.random(200) < 0.1, np.nan, random.normal(50, 30, 200))

    parts = list(slices(BEFORE, holdout(price=cells), ("price",), SCHEMA))

    assert (np.sum([part.rows for part in parts], axis=0) == 1).all()


@pytest.mark.parametrize("name", ["price", "kind", "at", "sex"])
def test_columns_that_no_model_sees_can_be_scored_too(name):
    check_slices((name,), SCHEMA, key="gate.slices")


@pytest.mark.parametrize(
    ("name", "what"), [("colour", "no column of this scenario"), ("note", "a text column"), ("y", "no column")]
)
def test_a_column_that_cannot_be_cut_is_refused_and_those_that_can_are_named(name, what):
    with pytest.raises(BadInput, match=rf"gate.protected names '{name}', which is {what}.*price.*sex"):
        check_slices((name,), SCHEMA, key="gate.protected")
