import math

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows
from releve.domain.schema.cells import LARGEST_NUMBER, is_missing
from releve.domain.schema.columns import Column
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_columns, check_frame, row_problems
from tests.tables import SHOP_TABLE, shop_row, shop_rows, shop_schema

NOTHING = [None, math.nan, np.nan, np.float32("nan"), pd.NA, pd.NaT]


def a_number(**changes):
    return Column("price", "number", **changes)


def a_category(**changes):
    return Column("kind", "category", **changes)


def frame_of(*rows, dtype=object):
    return pd.DataFrame([{**shop_row(), "bought": "yes", **row} for row in rows], dtype=dtype)


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        (" 2.5 ", 2.5),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        ("+.5", 0.5),
        ("7.", 7.0),
        (".", "."),
        ("1_000", "1_000"),
        ("nan", "nan"),
        ("infinity", "infinity"),
        ("-inf", "-inf"),
        ("\u0661", "\u0661"),
        ("", None),
        ("  ", None),
        ("abc", "abc"),
        ("1,5", "1,5"),
        (None, None),
    ],
)
def test_text_becomes_a_number_where_it_reads_as_one_and_stays_otherwise(text, value):
    frame = pd.DataFrame({"price": [text]}, dtype=object)

    found = read_cells(frame, shop_schema(), CellFormats(), is_text=True).frame["price"].tolist()

    assert found == [value] or (value is None and is_missing(found[0]))


@pytest.mark.parametrize(("text", "value"), [("a", "a"), ("", None), (" \ufeff", None), ("NA", "NA"), ("null", "null")])
def test_only_an_empty_text_is_a_missing_category(text, value):
    frame = pd.DataFrame({"kind": [text]}, dtype=object)

    found = read_cells(frame, shop_schema(), CellFormats(), is_text=True).frame["kind"].tolist()

    assert found == [value] or (value is None and is_missing(found[0]))


def test_reading_text_leaves_the_callers_frame_and_unknown_columns_alone():
    frame = pd.DataFrame({"price": ["1"], "other": ["2"]}, dtype=object)

    found = read_cells(frame, shop_schema(), CellFormats(), is_text=True).frame

    assert found["other"].tolist() == ["2"]
    assert frame["price"].tolist() == ["1"]


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        (shop_row(), []),
        (shop_row(weight=None, kind=None), []),
        (shop_row(price=None), ["row 0: price is missing: it holds nothing"]),
        ({"kind": "bread", "weight": 1}, ["row 0: price is missing"]),
        ({"kind": "bread", "price": 1}, ["row 0: weight is missing"]),  # a nullable feature is sent as null
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

    assert problems == ["row 1: price is missing", "row 1: prise is not a feature; did you mean 'price'?"]


@pytest.mark.parametrize("kept", [["price", "weight", "kind"], ["price"], ["kind"]])
def test_rows_and_frames_give_the_model_the_same_input(kept):
    schema = described(columns={name: SHOP_TABLE["columns"][name] for name in kept})
    frame = shop_rows(50)

    from_rows = arrays_of_rows(schema, frame[kept].to_dict("records"))
    from_frame = arrays_of_frame(schema, check_frame(schema, frame).accepted)

    assert from_rows.keys() == from_frame.keys()
    for name, block in from_rows.items():
        assert block.dtype == from_frame[name].dtype
        np.testing.assert_array_equal(block, from_frame[name])


def test_no_rows_give_blocks_of_no_rows():
    blocks = arrays_of_rows(shop_schema(), [])

    assert {name: block.shape for name, block in blocks.items()} == {"numbers": (0, 2), "categories": (0, 1)}


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
