from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows, date_parts
from releve.domain.schema.schema import DATE_PARTS, Schema
from releve.domain.schema.validation import check_frame
from tests.tables import SHOP_TABLE, shop_rows, shop_schema


@pytest.mark.parametrize(
    ("moment", "parts"),
    [
        ("1970-01-01T00:00:00", [0, 1, 1, 3, 0]),  # a Thursday
        ("1969-12-31T18:00:00", [-0.25, 12, 31, 2, 18]),
        ("2024-02-29T14:30:00", [19782 + 14.5 / 24, 2, 29, 3, 14.5]),
        ("2024-03-03T23:59:59", [19785 + 86399 / 86400, 3, 3, 6, 23 + 3599 / 3600]),
    ],
)
def test_the_parts_of_a_date(moment, parts):
    found = date_parts(np.array([moment], dtype="datetime64[us]"))

    assert found.tolist() == [pytest.approx(parts)]


def test_the_parts_agree_with_pythons_calendar():
    random = np.random.default_rng(7)
    seconds = random.integers(-60_000_000_000, 200_000_000_000, 2000)
    moments = [datetime(1970, 1, 1) + timedelta(seconds=int(second)) for second in seconds]

    found = date_parts(np.array(moments, dtype="datetime64[us]"))

    expected = [[each.month, each.day, each.weekday()] for each in moments]
    assert found[:, 1:4].tolist() == expected
    np.testing.assert_allclose(found[:, 4], [each.hour + each.minute / 60 + each.second / 3600 for each in moments])
    np.testing.assert_allclose(found[:, 0], seconds / 86400)


def test_a_missing_date_has_missing_parts():
    found = date_parts(np.array(["NaT", "2024-01-31"], dtype="datetime64[us]"))

    assert np.isnan(found).tolist() == [[True] * 5, [False] * 5]


def test_no_dates_have_no_parts():
    assert date_parts(np.array([], dtype="datetime64[us]")).shape == (0, len(DATE_PARTS))


@pytest.mark.parametrize(("minutes", "told_apart"), [(1, False), (3, True), (4, True)])
def test_days_tell_moments_apart_by_three_minutes_in_float32(minutes, told_apart):
    moments = pd.date_range("2044-12-31", periods=500, freq=f"{minutes}min").to_numpy("datetime64[us]")

    days = date_parts(moments).astype(np.float32)[:, 0]

    assert bool((np.diff(days) > 0).all()) is told_apart


def test_parts_are_named_after_their_column():
    schema = Schema.from_dict({"columns": {"day": {"type": "date"}}, "target": {"name": "y", "task": "regression"}})

    assert schema.model_numbers == ["day.days", "day.month", "day.day", "day.weekday", "day.hour"]


@pytest.mark.parametrize("kept", [["price", "weight", "kind"], ["price"], ["kind"]])
def test_rows_and_frames_give_the_model_the_same_input(kept):
    schema = Schema.from_dict({**SHOP_TABLE, "columns": {name: SHOP_TABLE["columns"][name] for name in kept}})
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
