"""Cells as files write them become plain ones, as params say and not otherwise."""

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.ingestion.cell_formats import CellFormats, Unit, read_cells
from releve.domain.schema.schema import Schema
from tests.tables import make_params

TABLE: dict[str, Any] = {
    "columns": {
        "n": {"type": "number", "nullable": True},
        "d": {"type": "date", "nullable": True},
        "c": {"type": "category", "nullable": True},
        "t": {"type": "text", "nullable": True},
    },
    "target": {"name": "y", "classes": ["no", "yes"]},
}
DEFAULT = make_params().ingest.missing


def read(name: str, *cells: Any, is_text: bool = True, target: Any = None, **ingest: Any) -> list[Any]:
    """The plain cells of one column; missing ones are None."""
    schema = Schema.from_dict(TABLE | ({"target": target} if target else {}))
    reading = CellFormats.of(make_params(ingest=ingest).ingest)
    found = read_cells(pd.DataFrame({name: list(cells)}, dtype=object), schema, reading, is_text=is_text).frame[name]
    return [None if pd.isna(cell) else cell for cell in found.tolist()]


@pytest.mark.parametrize("marker", [*DEFAULT, *map(str.lower, DEFAULT), " NA\u00a0", "", "  ", "\ufeff"])
@pytest.mark.parametrize("is_text", [True, False])
def test_a_marker_is_missing_among_numbers_and_dates(marker: str, is_text: bool) -> None:
    one = "1.5" if is_text else 1.5

    assert read("n", one, marker, is_text=is_text) == [1.5, None]
    assert read("d", "2024-01-31", marker, is_text=is_text) == ["2024-01-31", None]


@pytest.mark.parametrize("is_text", [True, False])
@pytest.mark.parametrize("name", ["c", "t"])
def test_a_category_and_a_text_keep_their_markers_and_lose_their_edges(name: str, is_text: bool) -> None:
    cells = ["NA", " a\u00a0", "\u200b", "-"]

    assert read(name, *cells, is_text=is_text) == ["NA", "a", None, "-"]


def test_a_text_among_typed_numbers_is_told_as_it_came() -> None:
    assert read("n", "1,5", "1.5", 2.5, is_text=False, csv_decimal=",") == ["1,5", "1.5", 2.5]


def test_a_marker_that_is_a_number_is_missing_in_any_form() -> None:
    assert read("n", "-999", "-999.0", "5", missing=[-999]) == [None, None, 5.0]
    assert read("n", -999, 5, is_text=False, missing=[-999]) == [None, 5]
    assert read("n", "-999", "NA", "5", missing=[-999, "NA"]) == [None, None, 5.0]


@pytest.mark.parametrize("other", [[1, 2], np.array([1, 2]), {"a": 1}, "x", True], ids=str)
def test_a_marker_that_is_a_number_is_looked_for_among_numbers_alone(other: Any) -> None:
    schema, reading = Schema.from_dict(TABLE), CellFormats.of(make_params(ingest={"missing": [-999]}).ingest)

    found = read_cells(pd.DataFrame({"n": pd.Series([other, -999], dtype=object)}), schema, reading, is_text=False)

    assert found.frame["n"].iloc[0] is other and pd.isna(found.frame["n"].iloc[1])


def test_markers_are_counted_by_column() -> None:
    frame = pd.DataFrame({"n": ["1", "NA", " na", "?"], "c": ["NA"] * 4, "y": ["no", "NA", "yes", "NA"]}, dtype=object)
    reading = CellFormats.of(make_params().ingest)

    read = read_cells(frame, Schema.from_dict(TABLE), reading, is_text=True)

    assert read.marked == {("n", "NA"): 1, ("n", "na"): 1, ("n", "?"): 1, ("y", "NA"): 2}
    assert frame["n"].tolist() == ["1", "NA", " na", "?"]  # the caller's frame is left alone


@pytest.mark.parametrize(
    ("target", "cells", "labels"),
    [
        ({"classes": ["no", "yes"]}, ["no", "NA", " yes"], ["no", None, "yes"]),
        ({"classes": [0, 1]}, ["0", "?", "1.0"], ["0", None, "1.0"]),
        ({"classes": ["NA", "ZA"]}, ["NA", "ZA", "-"], ["NA", "ZA", None]),
        ({"classes": ["+", "-"]}, ["+", "-", "NA"], ["+", "-", None]),
        ({"task": "regression"}, ["1.5", "NA", "-"], ["1.5", None, None]),
    ],
)
def test_in_the_target_a_marker_is_no_label_unless_it_is_a_class(
    target: dict[str, Any], cells: list[str], labels: list[str | None]
) -> None:
    assert read("y", *cells, target={"name": "y"} | target) == labels


@pytest.mark.parametrize(
    ("unit", "cell", "number"),
    [
        ("$", "$1,799.50", 1799.5),
        ("$", "-$3", -3.0),
        ("$", "$-3", -3.0),
        ("$", "5 $", 5.0),
        ("$", "5", 5.0),
        ("%", "27%", 27.0),
        ("%", "1.2e-5 %", 1.2e-5),
        ("kg", "51.2\u00a0kg", 51.2),
        ("()", "(12.50)", -12.5),
        ("($)", "($12.50)", -12.5),
        ("($)", "$ (12.50)", -12.5),
        ("-", "12.50-", -12.5),
        ("CHF", "CHF 1,200.-", 1200.0),
        ("1.234,5 €", "1.234,50 €", 1234.5),
        ("1.234,5 €", "12,5 €", 12.5),
        ("1234,5", "12,5", 12.5),
        ("1'234.5 CHF", "CHF 1\u2019200.-", 1200.0),
        ("kg", "500 g", "500 g"),
        ("$", "($12.50)", "($12.50)"),
        ("$", "12 $ 5", "12 $ 5"),
        ("$", "$", "$"),
        ("m2", "12 m2", 12.0),
        ("l/100km", "5.5 l/100km", 5.5),
    ],
)
@pytest.mark.parametrize("is_text", [True, False])
def test_numbers_beside_a_unit(unit: str, cell: str, number: Any, is_text: bool) -> None:
    assert read("n", cell, is_text=is_text, csv_thousands=",", units={"n": unit}) == [number]


@pytest.mark.parametrize(
    "text", ["$", "%", "()", "($)", "-", "$-", "1.234,5 €", "1234,5", "(1,234.5 $)", "m2", "kg/m3", "1234,5 m2"]
)
def test_a_unit_is_written_as_it_is_read(text: str) -> None:
    assert str(Unit.read(text)) == text


@pytest.mark.parametrize("text", ["12 €", "1,234", "1'234 CHF"])
def test_an_example_that_leaves_two_readings_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"expected one with a fraction, such as 1\.234,5 €"):
        Unit.read(text)


@pytest.mark.parametrize(("cell", "number"), [("\u22125", -5.0), ("\u20135.5", -5.5), ("+3", 3.0), ("(5)", "(5)")])
def test_a_minus_may_be_the_typesetters_and_parentheses_are_none_unless_said(cell: str, number: Any) -> None:
    assert read("n", cell) == [number]


@pytest.mark.parametrize(
    ("formats", "cell", "moment"),
    [
        ("%d.%m.%Y", "31.01.2024", datetime(2024, 1, 31)),
        ("%d.%m.%Y", " 31.1.2024\u00a0", datetime(2024, 1, 31)),
        ("%d.%m.%Y", "2024-01-31T01:00:00+01:00", datetime(2024, 1, 31)),
        (["%d.%m.%Y", "%m/%d/%Y %I:%M %p"], "1/31/2024 1:05 PM", datetime(2024, 1, 31, 13, 5)),
        ("%d/%b/%Y:%H:%M:%S %z", "31/Jan/2024:13:00:00 +0100", datetime(2024, 1, 31, 12)),
        ("%Y-%m", "2000-01", datetime(2000, 1, 1)),
        ("%d.%m.%y", "31.01.68", datetime(2068, 1, 31)),
        ("%d.%m.%y", "31.01.69", datetime(1969, 1, 31)),
        ("%Y%m%d", 20240131, datetime(2024, 1, 31)),
        ("%Y%m%d", 20240131.0, datetime(2024, 1, 31)),
        ("%d.%m.%Y", "31.02.2024", "31.02.2024 (not as ingest.dates says)"),
        ("%d.%m.%Y %H:%M", "31.01.2024 24:00", "31.01.2024 24:00 (not as ingest.dates says)"),
    ],
)
def test_dates_are_read_by_the_formats_that_are_said_and_as_iso(formats: Any, cell: Any, moment: Any) -> None:
    assert read("d", cell, is_text=False, dates={"d": formats}) == [moment]


@pytest.mark.parametrize("said", ["%d.%m", "soon", "%Q", 5, []])
def test_a_format_that_reads_no_dates_is_refused_with_its_key(said: Any) -> None:
    with pytest.raises(BadInput, match=r"ingest\.dates\.d"):
        make_params(ingest={"dates": {"d": said}})


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
def test_text_becomes_a_number_where_it_reads_as_one_and_stays_otherwise(text: str | None, value: object) -> None:
    assert read("n", text, missing=[]) == [value]


@pytest.mark.parametrize(("text", "value"), [("a", "a"), ("", None), (" \ufeff", None), ("NA", "NA"), ("null", "null")])
def test_only_an_empty_text_is_a_missing_category(text: str, value: str | None) -> None:
    assert read("c", text) == [value]


def test_reading_text_leaves_the_callers_frame_and_unknown_columns_alone() -> None:
    frame = pd.DataFrame({"n": ["1"], "other": ["2"]}, dtype=object)

    plain = read_cells(frame, Schema.from_dict(TABLE), CellFormats(), is_text=True).frame

    assert plain["other"].tolist() == ["2"]
    assert frame["n"].tolist() == ["1"]
