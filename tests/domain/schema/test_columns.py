import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.schema.cells import LARGEST_NUMBER, is_missing
from releve.domain.schema.columns import LONGEST_TEXT, TYPES, Column, read_column, write_column

START = datetime(2024, 1, 1)


def a_text(**changes):
    return Column("note", "text", **changes)


def a_date(**changes):
    return Column("day", "date", **changes)


def read(**spec):
    return read_column("day", spec, source="shop.yaml")


def a_number(**changes):
    return Column("price", "number", **changes)


def a_category(**changes):
    return Column("kind", "category", **changes)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize(
    ("value", "held"),
    [
        *((nothing, "empty") for nothing in (None, pd.NA, pd.NaT, np.datetime64("NaT"))),
        *((number, "NaN") for number in (math.nan, np.nan, np.float32("nan"))),
    ],
)
def test_a_missing_cell_is_allowed_where_the_column_says_so_or_is_no_feature(kind, value, held):
    assert Column("x", kind, nullable=True).problem(value) is None
    assert Column("x", kind, feature=False).problem(value) is None
    assert Column("x", kind).problem(value) == f"is {held}, expected a value"


@pytest.mark.parametrize("value", [None, np.nan, pd.NaT, np.datetime64("NaT")])
def test_a_missing_text_is_held_as_an_empty_one_and_a_missing_date_as_none(value):
    assert (a_text().typed(value), a_date().typed(value)) == ("", None)


@pytest.mark.parametrize("value", ["", 0, 0.0, False, "nan", [], math.inf])
def test_nothing_else_is_missing(value):
    assert not is_missing(value)


@pytest.mark.parametrize(
    "value", [0, 1, -1, 2.5, np.int8(-128), np.int64(3), np.uint8(3), np.float16(1), np.float32(2)]
)
def test_numbers_of_python_and_numpy_are_numbers(value):
    assert a_number().problem(value) is None


@pytest.mark.parametrize(
    ("kind", "expected", "values"),
    [
        ("number", "a number", [True, False, np.True_, "1", "", b"1", [1], {}, 1j, pd.Timestamp("2024-01-31")]),
        ("category", "text or a whole number", [1.5, True, ["a"], b"a", np.float64(1.5)]),
        ("text", "text", [1, 1.5, True, ["a"], b"a", pd.Timestamp(0)]),
    ],
)
def test_a_cell_of_another_type_is_refused_with_what_was_expected(kind, expected, values):
    assert [Column("x", kind).problem(value) for value in values] == [
        f"is {value!r}, expected {expected}" for value in values
    ]


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
def test_a_category_is_one_of_those_that_are_listed_or_any_text_where_none_is(value, allowed):
    problem = a_category(categories=("a", "b")).problem(value)

    assert problem == (None if allowed else f"is {value!r}, expected one of a, b")
    assert a_category().problem(value) is None


@pytest.mark.parametrize(("limit", "spec"), [(2, {"min": 2, "max": 2}), (0, {"min": 0}), (0, {"max": 0})])
def test_a_limit_of_zero_or_a_single_allowed_number_counts(limit, spec):
    column = read(type="number", **spec)

    assert column.problem(limit) is None
    assert column.problem(limit + 1 if "max" in spec else limit - 1) is not None


@pytest.mark.parametrize(
    ("limits", "longest", "problem"),
    [
        ({"max_length": 5}, 5, "has 6 characters, expected at most 5"),
        ({}, LONGEST_TEXT, f"has {LONGEST_TEXT + 1} characters, expected at most {LONGEST_TEXT}"),
    ],
)
def test_a_text_has_a_longest_length_whether_one_is_given_or_not(limits, longest, problem):
    assert a_text(**limits).problem("é" * (longest - 1)) is None
    assert a_text(**limits).problem("é" * longest) is None
    assert a_text(**limits).problem("é" * (longest + 1)) == problem


@pytest.mark.parametrize("text", ["a", "\x00", "null", "日本", "👩‍🚀", "'; DROP TABLE"])
def test_any_text_is_a_text(text):
    assert a_text().problem(text) is None


@pytest.mark.parametrize("column", [a_text, lambda **changes: Column("kind", "category", **changes)])
def test_half_a_character_is_refused_where_any_text_may_stand(column):
    assert "half a character" in column().problem("broken \ud83d")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("", "is '', expected a date such as 2024-01-31 or 2024-01-31T12:00:00+01:00 (ISO 8601)"),
        (7, "is 7, expected a date such as 2024-01-31 or 2024-01-31T12:00:00+01:00 (ISO 8601)"),
        ("2024-02-30", "is '2024-02-30', which is no date: day is out of range for month"),
    ],
)
def test_a_cell_that_is_no_date_is_told(value, problem):
    assert a_date(nullable=True).problem(value) == problem


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ("2023-12-31T23:59:59.999999", False),
        ("2024-01-01", True),
        ("2024-01-01T00:30:00+01:00", False),  # it is still last year in UTC
        (START, True),
        (START - timedelta(microseconds=1), False),
        (date(2024, 1, 2), True),
        (datetime(2024, 1, 2, tzinfo=UTC), True),
        ("2024-01-02T00:00:00.000001", False),
    ],
)
def test_dates_have_limits_that_belong_to_them(value, fits):
    column = a_date(min=START, max=START + timedelta(days=1))

    assert (column.problem(value) is None) is fits


@pytest.mark.parametrize("kind", TYPES)
def test_a_column_that_is_no_feature_is_judged_where_it_is_present(kind):
    assert Column("casual", kind, feature=False).problem([1]) is not None


@pytest.mark.parametrize("value", [1, 2.5, True, np.float64(3.5), datetime(2024, 1, 31)])
def test_a_category_that_is_no_feature_and_lists_nothing_keeps_any_value_as_its_text(value):
    column = Column("source", "category", feature=False)

    assert column.problem(value) is None
    assert column.typed(value) == str(value)
    assert Column("source", "category", feature=False, categories=("web",)).problem(value) is not None


def test_a_long_value_is_cut_in_its_reason():
    assert len(a_date().problem("x" * 1000)) < 200


@pytest.mark.parametrize(
    "spec",
    [
        {"type": "number", "min": 0, "max": 1.5, "nullable": True},
        {"type": "category", "categories": ["a", "b"]},
        {"type": "text", "max_length": 5000},
        {"type": "date", "min": "2020-01-01T00:00:00", "feature": False},
        {"type": "text"},
    ],
)
def test_a_column_is_read_back_as_it_was_written(spec):
    assert write_column(read(**spec)) == spec


@pytest.mark.parametrize("limit", ["2020-01-01", date(2020, 1, 1), datetime(2020, 1, 1)])
def test_yaml_may_write_the_limit_of_a_date_as_text_or_as_its_own_date(limit):
    assert read(type="date", min=limit).min == datetime(2020, 1, 1)


def test_a_key_that_is_null_counts_as_left_out():
    assert read(type="text", max_length=None, nullable=None, feature=None) == Column("day", "text")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, ".*expected {type: number} or {type: date} or {type: category} or {type: text}"),
        ({"type": "colour"}, ".*expected {type: number} or {type: date} or {type: category} or {type: text}"),
        ("number", ".*expected {type: number} or {type: date} or {type: category} or {type: text}"),
        (None, ".*expected {type: number} or {type: date} or {type: category} or {type: text}"),
        ({"type": "number", "maximum": 1}, r"has the unknown \['maximum'\]; known are"),
        ({"type": "number", "min": "a"}, "has min: 'a'; expected a number"),
        ({"type": "number", "max": True}, "has max: True; expected a number"),
        ({"type": "number", "min": 3, "max": 2}, "has min 3 above max 2; no number fits"),
        ({"type": "number", "nullable": "yes"}, "has nullable: 'yes'; expected true or false"),
        ({"type": "category", "categories": "blue"}, "has categories: 'blue'; expected a list"),
        ({"type": "category", "categories": []}, r"has categories: \[\]; expected a list"),
        ({"type": "category", "categories": [True, False]}, "put yes, no, on and off in quotes"),
        ({"type": "category", "categories": ["a", ""]}, "expected a list of texts"),
        ({"type": "date", "min": "first of May"}, "has min: 'first of May'; expected a date such as"),
        ({"type": "date", "min": 2020}, "has min: 2020; expected a date such as"),
        ({"type": "date", "min": "2024-01-02", "max": "2024-01-01"}, "has min .* above max .*; no date fits"),
        ({"type": "date", "categories": ["a"]}, r"has the unknown \['categories'\]; known are .* for type date"),
        ({"type": "text", "min": 1}, r"has the unknown \['min'\]; known are .* for type text"),
        ({"type": "text", "max_length": 0}, "has max_length: 0; expected a whole number of characters"),
        ({"type": "text", "max_length": True}, "has max_length: True; expected a whole number"),
        ({"type": "text", "max_length": 1.5}, "has max_length: 1.5; expected a whole number"),
        ({"type": "number", "categories": ["a"]}, r"has the unknown \['categories'\]"),
        ({"type": "number", "feature": "no"}, "has feature: 'no'; expected true or false"),
    ],
)
def test_a_column_that_is_described_wrongly_is_named(spec, said):
    with pytest.raises(BadInput, match=f"shop.yaml: columns.day .*{said}"):
        read_column("day", spec, source="shop.yaml")


@pytest.mark.parametrize(
    ("value", "category"),
    [
        (1, "1"),
        (1.0, "1"),
        (np.int8(1), "1"),
        (np.float32(1), "1"),
        ("1", "1"),
        (True, "True"),
        (np.True_, "True"),
        (False, "false"),
        ("1.0", None),
        (1.5, None),
        (2, None),
        ("true", "True"),
        ("FALSE", "false"),
        (" 1\u00a0", "1"),
        (2.0**60, None),
        (np.inf, None),
        ([1], None),
    ],
)
def test_a_listed_category_is_named_in_any_form_that_files_and_requests_hold(value, category):
    column = Column("season", "category", categories=("1", "True", "false"))

    assert (column.problem(value) is None) is (category is not None)
    if category is not None:
        assert column.typed(value) == category


@pytest.mark.parametrize("value", [1, -(2**63), 2**64 - 1, 1.0, np.uint64(2**64 - 1), Decimal(10**30), Decimal("7.00")])
def test_a_category_that_is_not_listed_takes_whole_numbers_by_all_their_digits(value):
    column = Column("account", "category")

    assert column.problem(value) is None
    assert column.typed(value) == str(int(value))


@pytest.mark.parametrize("value", [1.5, True, np.True_, Decimal("1.5"), Decimal("NaN"), float("inf")])
def test_a_category_that_is_not_listed_takes_no_other_numbers(value):
    assert Column("account", "category").problem(value) is not None


@pytest.mark.parametrize("feature", [True, False])
@pytest.mark.parametrize(
    ("value", "is_exact"), [(2.0**53, True), (2.0**53 + 2, False), (np.float64(1e20), False), (2**60 + 1, True)]
)
def test_a_number_that_has_lost_its_last_digits_names_nothing(value, is_exact, feature):
    problem = Column("account", "category", feature=feature).problem(value)

    assert (problem is None) is is_exact
    assert is_exact or "has lost its last digits; write names of more than 15 digits as text" in problem


@pytest.mark.parametrize("value", ["Paris", "paris", " PARIS\u00a0", "New  York", "new york"])
def test_spellings_are_told_apart_unless_case_is_ignored(value):
    names = ("Paris", "New York")
    apart, one = (Column("city", "category", categories=names, ignore_case=each) for each in (False, True))

    assert (apart.problem(value) is None) is (value.strip() in names)
    assert one.problem(value) is None and one.typed(value) in names


def test_the_first_listed_of_several_spellings_is_the_category():
    city = Column("city", "category", categories=("Paris", "PARIS"), ignore_case=True)

    assert (city.typed("paris"), city.typed("PARIS")) == ("Paris", "PARIS")


def test_an_open_category_without_case_is_kept_folded():
    city = Column("city", "category", ignore_case=True)

    assert city.typed("Stra\u00dfe") == city.typed(" STRASSE") == "strasse"


@pytest.mark.parametrize("blank", ["", " ", "\u200b\ufeff\u00a0"])
@pytest.mark.parametrize(("kind", "limits"), [("category", {}), ("category", {"categories": ("a", "b")}), ("text", {})])
def test_a_blank_text_is_a_missing_cell(kind, limits, blank):
    assert Column("x", kind, **limits).problem(blank) == "is an empty text, expected a value"
    assert Column("x", kind, nullable=True, **limits).problem(blank) is None
    assert Column("x", kind, nullable=True, **limits).typed(blank) == ""


@pytest.mark.parametrize("kind", ["category", "text"])
def test_a_cell_is_kept_without_its_edges(kind):
    assert Column("x", kind).typed("\ufeff a b\u00a0") == "a b"
