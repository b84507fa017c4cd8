"""Rows judged column by column: they are let pass only where the exact rule lets them pass, with the same arrays."""

import numpy as np
import pytest

from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.plain_rows import arrays_of_plain_rows
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import row_problems
from tests.tables import rentals_row, rentals_schema

COLUMNS = {
    "free": {"type": "number"},
    "bounded": {"type": "number", "min": -1, "max": 2**53 - 1},
    "sparse": {"type": "number", "nullable": True, "max": 0.1},
    "day": {"type": "date", "min": "2020-01-01", "max": "2030-12-31"},
    "seen": {"type": "date", "nullable": True},
    "colour": {"type": "category", "categories": ["red", "blue", "1", "true"]},
    "shade": {"type": "category", "categories": ["Light", "dark"], "ignore_case": True, "nullable": True},
    "town": {"type": "category"},
    "street": {"type": "category", "ignore_case": True, "nullable": True},
    "note": {"type": "text", "max_length": 8},
    "remark": {"type": "text", "nullable": True},
    "amount": {"type": "number", "feature": False, "max": 5},
    "code": {"type": "category", "feature": False},
}
NUMBERS = [0, 1, -1, 0.1, 0.5, -0.0, 1e300, -1e39, 3.4028234663852886e38, 2**53, 2**53 + 1, 10**400]
NUMBERS += [float("nan"), float("inf"), True, None, "1", "", [1], {}]
DATES = ["2024-01-31", "2019-12-31", "2031-01-01", "2024-01-31T12:00:00+01:00", " 2024-02-29 ", "2023-02-29"]
DATES += ["9999-12-31T23:59:59-01:00", "20240131", "", None, 5, True, ["2024-01-31"]]
TEXTS = ["red", "blue", " red ", "RED", "1", "true", "TRUE", "light", "Light", "dark ", "Straße", "STRASSE", "", " "]
TEXTS += ["\u200b", "half \ud800", "far too long a note", 1, 1.0, 1.5, True, False, 2**60, float("nan"), None, [], {}]
CELLS = {"number": NUMBERS, "date": DATES, "category": TEXTS, "text": TEXTS}
GOOD = {"free": 1.5, "bounded": 3, "sparse": None, "day": "2024-01-31", "seen": None, "colour": "red", "shade": "Light",
        "town": "Bern", "street": None, "note": "short", "remark": None}  # fmt: skip


def schema_of(columns: dict) -> Schema:
    return Schema.from_dict({"columns": columns, "target": {"name": "y", "task": "regression"}})


def same_verdict(schema: Schema, rows: list) -> bool:
    """Check that plain rows are right ones with the arrays of the exact way; return whether they were plain."""
    arrays = arrays_of_plain_rows(schema, rows)
    if arrays is None:
        return False
    assert row_problems(schema, rows) == []
    exact = arrays_of_rows(schema, rows)
    assert arrays.keys() == exact.keys()
    for name, block in exact.items():
        assert arrays[name].dtype == block.dtype
        assert arrays[name].shape == block.shape
        assert arrays[name].flags.c_contiguous
        np.testing.assert_array_equal(arrays[name], block)
    return True


@pytest.mark.parametrize("name", COLUMNS)
def test_every_cell_alone_and_among_good_ones_gets_the_verdict_of_the_exact_rule(name):
    schema = schema_of(COLUMNS)

    for cell in CELLS[COLUMNS[name]["type"]]:
        row = {**GOOD, name: cell}
        plain = [same_verdict(schema, rows) for rows in ([row], [GOOD, row, GOOD])]
        assert plain[0] == plain[1]
        assert plain[0] or row_problems(schema, [row]) or type(cell) is not str, f"{cell!r} is right, and took long"


def test_random_rows_get_the_verdict_of_the_exact_rule_and_most_good_ones_are_plain():
    random, schema = np.random.default_rng(7), schema_of(COLUMNS)
    right, plain = 0, 0
    for _ in range(3000):
        rows = [dict(GOOD) for _ in range(int(random.integers(1, 6)))]
        for _ in range(int(random.integers(0, 4))):
            name = str(random.choice(list(COLUMNS)))
            cells = CELLS[COLUMNS[name]["type"]]
            rows[int(random.integers(len(rows)))][name] = cells[int(random.integers(len(cells)))]
        was_plain = same_verdict(schema, rows)
        right += not row_problems(schema, rows)
        plain += was_plain
    assert 500 < plain <= right < 2500
    assert plain > 0.9 * right


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [None],
        [[1, 2]],
        ["free"],
        [{}],
        [{**GOOD, "more": 1}],
        [{name: cell for name, cell in GOOD.items() if name != "town"}],
        [{**{name: cell for name, cell in GOOD.items() if name != "town"}, "more": 1}],
        [GOOD, {**GOOD, "more": 1}],
        [{**GOOD, "amount": 6}],
        [{**GOOD, "amount": 1, "more": 1}],
    ],
)
def test_rows_of_another_form_are_left_to_the_exact_rule(rows):
    assert arrays_of_plain_rows(schema_of(COLUMNS), rows) is None


@pytest.mark.parametrize("name", GOOD)
def test_a_table_of_one_column_has_the_same_arrays(name):
    schema = schema_of({name: COLUMNS[name]})

    assert same_verdict(schema, [{name: GOOD[name]}, {name: GOOD[name]}])


def test_columns_that_are_no_features_may_come_along():
    rows = [rentals_row(), {**rentals_row(), "station": "north", "casual": 3}]

    assert same_verdict(rentals_schema(), rows)


def test_a_limit_that_no_float_holds_is_left_to_the_exact_rule():
    schema = schema_of({"n": {"type": "number", "max": 2**53 + 1}})

    assert arrays_of_plain_rows(schema, [{"n": 1}]) is None
