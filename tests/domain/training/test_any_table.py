"""The schema of a table with every type of column, whole frames against single cells."""

import json
import time
from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.domain.ingestion.cell_formats import CellFormats, read_cells
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows, rows_of_frame
from releve.domain.schema.columns import TYPES
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_columns, check_frame, row_problems
from tests.tables import RENTALS_TABLE, rentals_row, rentals_rows, rentals_schema, shop_schema

FEATURES = ["temperature", "day", "season", "note", "sky"]


def described(**changes):
    return Schema.from_dict({**RENTALS_TABLE, **changes}, source="rentals.yaml")


def as_csv(frame):
    """Cells as a CSV file holds them: text, empty where missing."""
    return frame.astype(object).where(frame.notna(), "").map(str)


def test_the_table_of_these_tests_has_every_type():
    assert {column.type for column in rentals_schema().columns} == set(TYPES)


def test_features_come_by_type_and_other_columns_last():
    schema = rentals_schema()

    by_type = (schema.numbers, schema.dates, schema.categories, schema.texts, schema.images)
    assert schema.names == FEATURES
    assert [column.name for column in schema.columns] == [*FEATURES, "casual", "station"]
    assert by_type == tuple([name] for name in FEATURES)
    assert (schema.time, schema.id) == ("day", "station")


def test_a_model_sees_the_parts_of_a_date_and_an_image_among_the_numbers():
    schema = rentals_schema()

    date, image = ("day.days", "day.month", "day.day", "day.weekday", "day.hour"), ("sky.0_0", "sky.0_1")
    assert schema.model_numbers == ["temperature", *date, *image]
    assert schema.model_names == [*schema.model_numbers, "season", "note"]


@pytest.mark.parametrize("schema", [shop_schema(), rentals_schema(), rentals_schema(note={"max_length": None})])
def test_a_schema_is_read_back_from_json_as_it_was_written(schema):
    assert Schema.from_dict(json.loads(json.dumps(schema.as_dict()))) == schema


def test_a_checked_frame_is_typed():
    accepted = check_frame(rentals_schema(), rentals_rows(50)).accepted

    assert accepted.dtypes.astype(str).to_dict() == {
        "temperature": "float64",
        "day": "datetime64[us]",
        "season": "object",
        "note": "object",
        "sky": "object",
        "casual": "float64",
        "station": "object",
        "rented": "float64",
    }
    assert accepted["note"].isna().sum() == 0


@pytest.mark.parametrize("form", ["datetime64[s]", "datetime64[ms]", "datetime64[us]", "datetime64[ns]"])
def test_a_date_column_of_any_unit_is_accepted_alike(form):
    frame = rentals_rows(50)

    checked = check_frame(rentals_schema(), frame.astype({"day": form}))

    assert checked.problems == ()
    assert checked.accepted["day"].tolist() == frame["day"].tolist()


def test_a_date_column_with_a_zone_becomes_utc():
    frame = rentals_rows(50)

    zoned = frame.assign(day=frame["day"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))

    assert check_frame(rentals_schema(), zoned).accepted["day"].tolist() == frame["day"].tolist()


def test_every_form_of_a_table_is_accepted_alike():
    schema, frame = rentals_schema(), rentals_rows(200)
    expected = check_frame(schema, frame).accepted
    jsonl = frame.assign(day=frame["day"].map(lambda day: day.isoformat())).astype(object)

    read = read_cells(as_csv(frame), schema, CellFormats(), is_text=True).frame
    for form in (read, jsonl.where(frame.notna(), None), expected):
        checked = check_frame(schema, form)

        assert checked.problems == ()
        pd.testing.assert_frame_equal(checked.accepted, expected)


def test_absent_columns_that_are_no_features_are_filled_with_missing_cells():
    schema, frame = rentals_schema(), rentals_rows(30).drop(columns=["casual", "station"])

    check_columns(schema, list(frame.columns), source="today.csv")
    accepted = check_frame(schema, frame).accepted

    assert accepted["casual"].isna().all() and accepted["casual"].dtype == "float64"
    assert accepted["station"].tolist() == [""] * 30
    assert check_frame(schema, accepted).problems == ()


def test_an_absent_feature_and_an_unknown_column_are_still_reported():
    with pytest.raises(
        BadInput, match=r"today.csv is missing 'day', 'sky', 'rented' and has the unknown 'other'; expected"
    ):
        check_columns(rentals_schema(), ["temperature", "season", "note", "other"], source="today.csv")


ODD = {
    "temperature": [np.nan, np.inf, 1e39, 1, True, "1", None, "warm", np.float32(2)],
    "day": [pd.NaT, None, "2024-02-30", "2019-12-31", datetime(2019, 12, 31), "2020-01-01", 7, "", [], "soon"],
    "season": ["warm", "cold", "Warm", "", None, np.nan, 1, ["warm"], True],
    "note": ["", None, np.nan, "x" * 40, "x" * 41, 1, b"note", "\ud83d"],
    "casual": [None, np.nan, "many", np.inf, 3],
    "station": [None, "", 7, "north"],
}


def spoiled(frame, seed):
    """A third of the cells become odd ones."""
    random = np.random.default_rng(seed)
    frame = frame.astype(object)
    for name, odd in ODD.items():
        for row in np.flatnonzero(random.random(len(frame)) < 0.3):
            frame.at[row, name] = odd[random.integers(len(odd))]
    return frame


@pytest.mark.parametrize("seed", range(4))
def test_whole_columns_get_the_verdict_and_the_words_of_single_cells(seed):
    schema, frame = rentals_schema(), spoiled(rentals_rows(200), seed)

    found = [(each.row, each.column, each.reason) for each in check_frame(schema, frame).problems]

    expected = [
        (row, column.name, reason)
        for row in range(len(frame))
        for column in schema.columns
        if (reason := column.problem(frame[column.name].to_numpy(object)[row])) is not None
    ]
    assert len(expected) > 100
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("seed", range(4))
def test_predict_and_ingest_judge_a_row_alike(seed):
    schema, frame = rentals_schema(), spoiled(rentals_rows(200), seed)

    at_predict = row_problems(schema, frame.drop(columns="rented").to_dict("records"))

    at_ingest = check_frame(schema, frame).problems
    assert sorted((each.row, each.column, each.reason) for each in at_predict) == sorted(
        (each.row, each.column, each.reason) for each in at_ingest
    )


@pytest.mark.parametrize(
    "moments", [["2019-12-31T23:59:59", "2020-01-01", "2020-01-02T00:00:01"], ["0001-01-01", "9999-12-31", "NaT"]]
)
def test_columns_of_machine_dates_are_judged_as_single_ones(moments):
    schema = rentals_schema(day={"max": "2020-01-02", "nullable": False})
    frame = rentals_rows(3).assign(day=np.array(moments, dtype="datetime64[us]"))

    found = [each.row for each in check_frame(schema, frame).problems]

    assert found == [row for row in range(3) if schema.column("day").problem(frame["day"].to_numpy(object)[row])]


def test_years_beyond_pythons_calendar_are_refused_not_wrapped():
    frame = rentals_rows(2).assign(day=np.array(["20000-01-01", "2024-01-01"], dtype="datetime64[s]"))

    checked = check_frame(rentals_schema(), frame)

    assert [each.row for each in checked.problems] == [0]


def test_rows_and_frames_give_the_model_the_same_input():
    schema = rentals_schema()
    accepted = check_frame(schema, rentals_rows(60)).accepted

    from_frame = arrays_of_frame(schema, accepted)
    from_rows = arrays_of_rows(schema, rows_of_frame(schema, accepted))

    assert from_rows.keys() == from_frame.keys() == {"numbers", "categories", "texts"}
    for name, block in from_rows.items():
        assert block.dtype == from_frame[name].dtype
        np.testing.assert_array_equal(block, from_frame[name])
    assert from_frame["numbers"].shape == (60, 8)


def test_rows_of_a_frame_can_be_sent_and_are_accepted_at_predict():
    schema = rentals_schema(day={"nullable": True})
    frame = rentals_rows(20).assign(day=lambda frame: frame["day"].where(frame.index > 2))

    rows = json.loads(json.dumps(rows_of_frame(schema, check_frame(schema, frame).accepted), allow_nan=False))

    assert rows[0]["day"] is None
    assert rows[3]["day"] == "2024-01-01T03:00:00"
    assert row_problems(schema, rows) == []


def test_no_rows_give_blocks_of_no_rows():
    blocks = arrays_of_rows(rentals_schema(), [])

    assert {name: block.shape for name, block in blocks.items()} == {
        "numbers": (0, 8),
        "categories": (0, 1),
        "texts": (0, 1),
    }


@pytest.mark.parametrize(
    ("row", "problems"),
    [
        (rentals_row(), []),
        (rentals_row(casual=3, station="north"), []),
        (rentals_row(casual=None), []),
        (rentals_row(casual="x"), ["row 0: casual is 'x', expected a number"]),
        (rentals_row(day=None), ["row 0: day is empty, expected a value"]),
        (rentals_row(note=None), []),
        (rentals_row(nota=1), ["row 0: nota is not a feature; did you mean 'note'?"]),
        (
            {},
            [
                f"row 0: {column.name} is missing{'; send null if it is not known' if column.nullable else ''}"
                for column in rentals_schema().features
            ],
        ),
    ],
)
def test_at_predict_only_features_are_required(row, problems):
    assert [str(problem) for problem in row_problems(rentals_schema(), [row])] == problems


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("day", " 2024-01-31 ", "2024-01-31"),
        ("day", "", None),
        ("day", "  ", None),
        ("day", "soon", "soon"),
        ("note", " a\u00a0", "a"),
        ("note", "", None),
        ("note", "NA", "NA"),
        ("casual", "1.5", 1.5),
    ],
)
def test_cells_of_a_csv_file_are_read_by_their_columns_type(name, text, value):
    frame = pd.DataFrame({name: [text]}, dtype=object)

    found = read_cells(frame, rentals_schema(), CellFormats(), is_text=True).frame[name].tolist()

    assert found == [value]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time": "date"}, "'time' is 'date', which is none of the columns: temperature, day"),
        ({"time": "season"}, "'time' is the category column 'season'; expected a date or a number"),
        ({"id": "rented"}, "'id' is 'rented', which is none of the columns"),
        ({"time": 7}, "'time' is 7, which is none of the columns"),
        ({"columns": {"a": {"type": "number", "feature": False}}, "time": None, "id": None}, "a model needs one"),
        (
            {"columns": {"a": {"type": "date"}, "a.hour": {"type": "number"}}, "time": None, "id": None},
            "'a.hour' is also what a part of a date or image is called",
        ),
    ],
)
def test_a_table_that_is_described_wrongly_is_reported(changes, words):
    with pytest.raises(BadInput, match=f"rentals.yaml: .*{words}"):
        described(**changes)


@pytest.mark.parametrize("time", ["temperature", "day", "casual"])
def test_time_may_be_any_date_or_number(time):
    assert described(time=time).time == time


def test_texts_that_repeat_are_judged_once_and_all_their_rows_named():
    day = "2019-01-01"
    frame = rentals_rows(100).assign(day=[day] * 100)

    checked = check_frame(rentals_schema(), frame)

    assert checked.rejected_rows == list(range(100))
    assert {each.reason for each in checked.problems} == {f"is {day}, expected at least 2020-01-01T00:00:00"}


def test_many_rows_are_judged_in_seconds():
    frame = pd.concat([rentals_rows(2000)] * 50, ignore_index=True)
    text = frame.assign(day=frame["day"].map(lambda day: day.isoformat()))
    start = time.process_time()

    checked = check_frame(rentals_schema(), text)

    assert len(checked.accepted) == 100_000
    assert time.process_time() - start < 20
