from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.schema.validation import check_columns, check_frame, row_problems
from tests.tables import shop_row, shop_rows, shop_schema


def frame_of(*rows, dtype=object):
    return pd.DataFrame([{**shop_row(), "bought": "yes", **row} for row in rows], dtype=dtype)


def cellwise(schema, frame):
    return [
        (row, column.name)
        for row in range(len(frame))
        for column in schema.columns
        if column.problem(frame[column.name].to_numpy(object)[row]) is not None
    ]


def random_cells(random, *, rows=400):
    """Machine numbers, a fifth of them bad: missing, infinite, too large, just outside and just inside the limits."""
    bad = [np.nan, np.inf, -np.inf, 1e39, -1e39, -0.0, 0.0, 100.0, np.nextafter(100, 101), np.nextafter(0, -1)]
    return np.where(random.random(rows) < 0.2, random.choice(bad, rows), random.uniform(-1, 101, rows))


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "object"])
@pytest.mark.parametrize("seed", range(5))
def test_whole_columns_get_the_same_verdict_as_single_cells(dtype, seed):
    random = np.random.default_rng(seed)
    schema = shop_schema()
    frame = shop_rows(400, seed=seed).assign(price=random_cells(random), weight=random_cells(random))
    with np.errstate(over="ignore"):
        frame = frame.astype({"price": dtype, "weight": dtype})

    checked = check_frame(schema, frame)

    assert len(checked.problems) > 40
    assert sorted((problem.row, problem.column) for problem in checked.problems) == sorted(cellwise(schema, frame))


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint16", "Int64", "Float64"])
def test_whole_numbers_and_nullable_columns_are_judged_alike(dtype):
    cells = [0, 50, 100, 101, 127] + ([None] if dtype[0].isupper() else [])
    frame = frame_of(*({} for _ in cells)).assign(price=pd.array(cells, dtype=dtype))

    checked = check_frame(shop_schema(), frame)

    assert checked.rejected_rows == [3, 4] + ([5] if len(cells) > 5 else [])
    assert checked.accepted["price"].tolist() == [0.0, 50.0, 100.0]


@pytest.mark.parametrize("seed", range(5))
def test_accepted_and_rejected_rows_add_up(seed):
    random = np.random.default_rng(seed)
    frame = shop_rows(400, seed=seed).assign(price=random_cells(random))
    frame.loc[random.random(400) < 0.1, "bought"] = "perhaps"

    checked = check_frame(shop_schema(), frame)

    assert len(checked.accepted) + len(checked.rejected_rows) == 400
    assert 0 < len(checked.rejected_rows) < 400
    kept = frame.drop(index=checked.rejected_rows)
    assert checked.accepted["price"].tolist() == kept["price"].tolist()


def test_a_row_with_several_problems_is_one_rejected_row():
    checked = check_frame(shop_schema(), frame_of({}, {"price": -1, "kind": "stone", "bought": None}))

    assert checked.rejected_rows == [1]
    assert [str(problem) for problem in checked.problems] == [
        "row 1: price is -1, expected at least 0",
        "row 1: kind is 'stone', expected one of apple, bread, cheese",
        "row 1: bought is missing: every ingested row needs its label",
    ]


def test_problems_come_in_the_order_of_the_rows():
    checked = check_frame(shop_schema(), frame_of({"bought": "x"}, {"price": -1}, {"kind": "x"}))

    assert [problem.row for problem in checked.problems] == [0, 1, 2]


def test_rows_are_counted_from_0_whatever_index_the_frame_has():
    frame = frame_of({}, {"price": -1}, {}).set_index(pd.Index([7, 7, 7]))

    checked = check_frame(shop_schema(), frame)

    assert checked.rejected_rows == [1]
    assert list(checked.accepted.index) == [0, 1]


def test_a_checked_frame_is_typed_and_the_callers_is_left_alone():
    frame = frame_of({"price": 3, "kind": None, "weight": None})
    before = frame.copy()

    accepted = check_frame(shop_schema(), frame).accepted

    assert list(accepted.columns) == ["price", "weight", "kind", "bought"]
    assert accepted["price"].dtype == accepted["weight"].dtype == "float64"
    assert accepted["kind"].tolist() == [""]
    pd.testing.assert_frame_equal(frame, before)


def test_what_was_accepted_once_is_accepted_again():
    schema = shop_schema()
    accepted = check_frame(schema, shop_rows(200)).accepted

    again = check_frame(schema, accepted)

    assert again.problems == ()
    pd.testing.assert_frame_equal(again.accepted, accepted)


def test_a_frame_of_bad_rows_alone_leaves_an_empty_one():
    checked = check_frame(shop_schema(), frame_of({"price": -1}, {"price": -2}))

    assert len(checked.accepted) == 0
    assert checked.rejected_rows == [0, 1]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["kind", "price", "bought"], "today.csv is missing 'weight'"),
        (["kind", "price", "weight"], "today.csv is missing 'bought'"),
        (["kind", "price", "weight", "bought", "colour"], "today.csv has the unknown 'colour'"),
        (["kind", "price", "weight", "bought", "kind"], "today.csv has twice 'kind'"),
        (["kind", "colour", 7], "today.csv is missing 'price', 'weight', 'bought' and has the unknown 'colour', '7'"),
        ([], "today.csv is missing 'price', 'weight', 'kind', 'bought'"),
    ],
)
def test_columns_that_are_not_the_described_ones_are_named(names, said):
    with pytest.raises(BadInput) as caught:
        check_columns(shop_schema(), names, source="today.csv")

    assert str(caught.value).startswith(f"{said}; expected the columns of scenarios/<name>/params.yaml")


def test_the_described_columns_may_come_in_any_order():
    check_columns(shop_schema(), ["bought", "weight", "kind", "price"], source="today.csv")


@pytest.mark.parametrize(("row_id", "by"), [("weight", "their weight"), (None, "the ids of their answers")])
def test_a_file_of_labels_alone_is_told_where_it_belongs(row_id, by):
    names = [name for name in (row_id, "bought") if name]

    with pytest.raises(BadInput) as refused:
        check_columns(replace(shop_schema(), id=row_id), names, source="labels.csv")

    assert (
        f"labels.csv holds labels alone. Send those of rows that were answered to /feedback, which finds them by {by}"
        in str(refused.value)
    )
    assert "bring other rows whole, with 'price'" in str(refused.value)


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        (shop_row(), []),
        (shop_row(weight=None, kind=None), []),
        (shop_row(price=None), ["row 0: price is empty, expected a value"]),
        ({"kind": "bread", "weight": 1}, ["row 0: price is missing"]),
        ({"kind": "bread", "price": 1}, ["row 0: weight is missing; send null if it is not known"]),
        (shop_row(pricy=1), ["row 0: pricy is not a feature; did you mean 'price'?"]),
        (shop_row(zzz=1), ["row 0: zzz is not a feature of this scenario"]),
        (shop_row(price=True), ["row 0: price is True, expected a number"]),
        ([1, 2], ["row 0: row expected an object of feature names and values"]),
        (None, ["row 0: row expected an object of feature names and values"]),
        ("text", ["row 0: row expected an object of feature names and values"]),
    ],
)
def test_the_problems_of_a_row_are_told_as_predict_receives_it(row, problems):
    assert [str(problem) for problem in row_problems(shop_schema(), [row])] == problems


def test_a_misspelt_feature_is_both_missing_and_unknown():
    row = {"kind": "bread", "weight": 1.0, "prise": 1.0}

    problems = [str(problem) for problem in row_problems(shop_schema(), [shop_row(), row])]

    assert problems == ["row 1: prise is not a feature; did you mean 'price'?", "row 1: price is missing"]
