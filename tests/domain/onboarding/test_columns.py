"""What a column's cells say of its type, its bounds and its values."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.onboarding.columns import column_issues, column_spec, constant_issues, missing_issues, seen
from releve.domain.onboarding.profiles import MOST_LISTED
from releve.domain.schema.schema import Schema
from tests.domain.onboarding.tables import column


@pytest.mark.parametrize(
    ("cells", "type"),
    [
        (["1.5", "-2", "3e4"], "number"),
        (["2024-01-31", "2024-02-01T12:00:00+01:00"], "date"),
        (["red", "blue", "red"], "category"),
        (["the first of many words", "another long message here", "and a third one too"], "text"),
        ([*(f"message number {n} of many" for n in range(20)), "007"], "text"),
        (["New York", "San Francisco", "Rome"], "category"),
        (["1_000", "nan", "inf"], "category"),
        (["01234", "99999"], "category"),  # digits with a leading zero are names
        (["007", "12"], "category"),
        ([str(2**53), "17"], "number"),
        ([str(2**53 + 1), "17"], "category"),  # digits that a number cannot keep
        *(([number, number.replace("1", "2")], "category") for number in ("6,718", "1.234.567,5", "12 000", "1,5")),
    ],
)
def test_the_type_is_what_the_cells_are(cells: list[str], type: str) -> None:
    assert column_spec(column(*cells))["type"] == type


@pytest.mark.parametrize(
    ("cells", "spec"),
    [
        ([1, 2.5, 3], {"type": "number"}),
        ([2**70, 1.5], {"type": "number"}),
        ([Decimal("1.50"), Decimal("2.5")], {"type": "number"}),
        ([datetime(2024, 1, 31), datetime(2024, 2, 1)], {"type": "date"}),
        (["a", 5.0] * 3, {"type": "category", "categories": ["5", "a"]}),  # as ingestion names them
        (["01234", "99999"] * 3, {"type": "category", "categories": ["01234", "99999"]}),
        (["red", "red", "blue", "blue", "green"], {"type": "category"}),  # seen once, it leaves the list open
    ],
)
def test_cells_with_types_keep_them(cells: list[Any], spec: dict[str, Any]) -> None:
    assert column_spec(column(*cells, as_text=False)) == spec


@pytest.mark.parametrize(("strange", "type"), [(5, "number"), (6, "category")])
def test_a_few_cells_that_are_no_numbers_do_not_make_a_column_of_words(strange: int, type: str) -> None:
    cells = ["7.25"] * (100 - strange) + ["n/a"] * strange

    assert column_spec(column(*cells))["type"] == type


def test_numbers_in_quotes_are_names_where_the_file_knows_numbers() -> None:
    profile = column("1", "2", "1", "2", as_text=False)

    assert column_spec(profile) == {"type": "category", "categories": ["1", "2"]}
    assert "numbers written as text ('1')" in column_issues(profile)[0].text


def test_true_and_false_are_two_categories_that_every_form_of_them_fits() -> None:
    profile = column(True, False, True, None, as_text=False)

    assert column_spec(profile) == {"type": "category", "categories": ["False", "True"], "nullable": True}
    assert column_issues(profile) == []


@pytest.mark.parametrize("value", [[1, 2], {"a": 1}, b"bytes", timedelta(seconds=1)])
def test_cells_that_no_type_can_hold_are_issues(value: Any) -> None:
    (issue,) = column_issues(column(value, value, "x", as_text=False))

    assert "and a cell is a number, a date or a text. Leave the column out" in issue.text


@pytest.mark.parametrize("kind", [int, np.int64, Decimal])
@pytest.mark.parametrize(("number", "type"), [(2**53, "number"), (2**53 + 1, "category"), (-(2**53) - 1, "category")])
def test_whole_numbers_that_a_float_cannot_keep_are_names(number: int, type: str, kind: Callable[[int], Any]) -> None:
    assert column_spec(column(kind(number), kind(17), as_text=False))["type"] == type


@pytest.mark.parametrize("odd", [datetime(2024, 1, 1), Decimal("NaN"), True, "?", b"x"])
def test_one_odd_cell_among_large_whole_numbers_is_no_error(odd: object) -> None:
    assert column_spec(column(*[2**53 + 1, 17] * 20, odd, as_text=False))["type"] in ("number", "category")


@pytest.mark.parametrize(("number", "is_issue"), [(2.0**53, False), (2.0**53 + 2, True)])
def test_whole_numbers_that_are_not_kept_are_issues(number: float, is_issue: bool) -> None:
    found = [issue.text for issue in column_issues(column(number, 17, as_text=False))]

    assert any("of more than 15 digits" in text for text in found) is is_issue


@pytest.mark.parametrize("kind", ["number", "date", "category"])
def test_a_blank_cell_is_missing_where_ingestion_takes_it_so(kind: str) -> None:
    cells = {"number": ["1", "2"], "date": ["2024-01-31", "2024-02-01"], "category": ["a", "b"]}[kind] + ["  "]

    schema = Schema.from_dict({"columns": {"x": {"type": kind}}, "target": {"name": "y", "task": "regression"}})
    read = read_cells(pd.DataFrame({"x": cells}, dtype=object), schema, CellFormats(), is_text=True).frame["x"]

    assert column_spec(column(*cells))["type"] == kind
    assert column(*cells).missing == read.isna().sum()


def test_an_empty_cell_makes_a_column_nullable() -> None:
    assert column_spec(column("1.5", "", "2.5"))["nullable"] is True
    assert "nullable" not in column_spec(column("1.5", "2.5"))


@pytest.mark.parametrize(
    ("cells", "bounds"),
    [
        (["0", "5", "9"], {"min": 0}),
        (["1", "5", "9"], {"min": 0}),
        (["2", "5", "9"], {}),
        (["-1", "5", "9"], {}),
        (["0.0", "0.5", "0.0", "2.5"], {"min": 0}),
        (["0.1", "0.5", "0.1", "2.5"], {}),
        (["0.0", "1.0", "0.5", "0.0", "1.0"], {"min": 0, "max": 1}),
        (["0.0", "0.2", "0.5", "0.8", "1.0"], {}),  # a clock scaled to 0..1
        (["0", "0", "1", "1"], {"min": 0}),  # a year that has only two values yet
        (["0", "1", "0", "1"], {"min": 0, "max": 1}),
    ],
)
def test_only_natural_bounds_are_written(cells: list[str], bounds: dict[str, int]) -> None:
    assert column_spec(column(*cells)) == {"type": "number", **bounds}


@pytest.mark.parametrize(("values", "is_listed"), [(MOST_LISTED, True), (MOST_LISTED + 1, False)])
def test_few_categories_are_listed_and_many_are_open(values: int, is_listed: bool) -> None:
    names = [f"kind {number}" for number in range(values)]

    assert ("categories" in column_spec(column(*names, *names))) is is_listed


@pytest.mark.parametrize(("longest", "limit"), [(100, 200), (101, 500), (250, 500), (251, 1000)])
def test_a_text_may_become_twice_as_long_as_any_seen(longest: int, limit: int) -> None:
    texts = ["a b c", "d e f", "g h " + "i" * (longest - 4)]

    assert column_spec(column(*texts)) == {"type": "text", "max_length": limit}


@pytest.mark.parametrize("date", ["31/12/2024", "12.31.24", "2024/12/31"])
def test_a_date_in_another_form_is_an_issue_and_left_out_not_guessed(date: str) -> None:
    profile = column(date, date.replace("31", "30"))
    (issue,) = column_issues(profile)

    assert column_spec(profile)["type"] == "category"
    assert issue.leaves_out == ("x",)
    assert repr(date) in issue.text and "2024-12-31" in issue.text


@pytest.mark.parametrize(("cells", "what"), [(["7", "7"], "is always '7'"), (["", ""], "is empty in every row")])
def test_a_constant_column_is_no_feature(cells: list[str], what: str) -> None:
    (issue,) = constant_issues([column(*cells)])

    assert issue.leaves_out == ("x",)
    assert what in issue.text


def test_many_constant_columns_are_one_sentence() -> None:
    columns = [column("7", "7", name="a"), column("7", "8", name="b"), column("", "", name="c")]

    (issue,) = constant_issues(columns)

    assert issue.leaves_out == ("a", "c")
    assert issue.text.startswith("a is always '7', c is empty in every row: nothing to learn from these 2 columns")


@pytest.mark.parametrize(("missing", "is_issue"), [(5, False), (6, True)])
def test_a_column_that_is_mostly_missing_is_an_issue(missing: int, is_issue: bool) -> None:
    cells = ["1.5", "2.5"] * 5

    found = missing_issues([column(*[*cells[: 10 - missing], *[""] * missing]), column(*cells, name="y")])

    assert [issue.text for issue in found] == ["x is missing in 60% of the rows"] * is_issue


def test_what_was_seen_is_described_in_a_few_words() -> None:
    assert seen(column("1.5", "20", "")) == "1.5 to 20 seen, 1 cell missing"
    assert seen(column("2024-01-31", "2024-02-01T12:30:00")) == "2024-01-31 to 2024-02-01 12:30:00 seen"
    assert seen(column("red", "blue")) == "2 values seen"
    assert seen(column("")) == "nothing seen, 1 cell missing"


def test_numbers_written_for_people_in_a_file_that_knows_numbers_are_fixed_in_the_file() -> None:
    (issue,) = column_issues(column("1,5", "2,5", as_text=False))

    assert "write them as numbers into the file" in issue.text
    assert "SET" not in issue.text


@pytest.mark.parametrize(("sentence", "is_issue"), [("a parcel came too late", True), ("a parcel came late", False)])
def test_sentences_that_repeat_may_be_texts(sentence: str, is_issue: bool) -> None:
    profile = column(*[f"{sentence} {mark}" for mark in ("!", "?")][: 2 if is_issue else 0], *[sentence] * 30)

    found = [issue.text for issue in column_issues(profile) if issue.kind == "type"]

    assert bool(found) is is_issue
    assert all("put {type: text, max_length: 200}" in text for text in found)
