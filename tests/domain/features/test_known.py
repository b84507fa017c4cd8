"""What travels of known values is enough to answer newer rows as if everything were known."""

import numpy as np
import pytest

from releve.core.documents import parse_document
from releve.domain.features.completion import complete_later_frame, history_of, later_values, row_times
from releve.domain.features.history import LagHistory
from releve.domain.features.known import KnownTicks, KnownValues
from tests.domain.features.tables import rides, rides_schema


def travelled(schema, frame):
    """A history as it is after it was written and read."""
    text = KnownValues.of(schema, frame).model_dump_json()
    history = LagHistory(schema)
    parse_document(text, KnownValues, source="history.json").add_to(history)
    return history


def completed(schema, frame, history):
    history.add(*later_values(schema, frame))
    return complete_later_frame(schema, frame, history)


@pytest.mark.parametrize("target", [None, {"name": "rented", "classes": [0, 1]}])
def test_newer_rows_find_what_they_need(target):
    schema = rides_schema(**({"target": target} if target else {}))
    frame = rides(600)
    if target:
        frame["rented"] = (frame["rented"] > 50).astype(int)
    past, newer = frame.iloc[:500], frame.iloc[500:]

    found = completed(schema, newer, travelled(schema, past))

    assert found.equals(completed(schema, newer, history_of(schema, past)))
    assert found["rented.lag_48"].iloc[:40].ne("" if target else np.nan).any()


def test_what_no_lag_reaches_stays_behind():
    schema, frame = rides_schema(), rides(3000, gaps=0, missing=0)
    known = KnownValues.of(schema, frame)

    half_of_the_newest, reached = 500, 2 * 49
    assert {len(each.values) for each in known.columns.values()} == {half_of_the_newest + reached}


def test_a_row_of_a_far_future_takes_no_other_s_place():
    schema, frame = rides_schema(), rides(600, gaps=0, missing=0)
    frame.loc[599, "at"] = np.datetime64("9999-12-31", "us")

    known = KnownValues.of(schema, frame).columns["rented"]

    assert known.values[-2] == frame["rented"].iloc[598]


def test_another_kind_of_time_or_of_column_says_nothing():
    schema, frame = rides_schema(), rides(100)
    known = KnownValues.of(schema, frame)
    columns = {"at": {"type": "number"}, "warmth": {"type": "number"}}
    by_number = rides_schema(columns=columns, features={"lags": {"rented": [24]}})
    by_class = rides_schema(
        target={"name": "rented", "classes": ["a", "b"]}, features={"lags": {"rented": 1}, "step": "day"}
    )

    for other in (by_number, by_class):
        history = LagHistory(other)
        known.add_to(history)
        assert not history.series


def test_an_empty_table_has_no_known_values():
    schema = rides_schema()

    assert not any(len(each.ticks) for each in travelled(schema, rides(20).iloc[:0]).series.values())


@pytest.mark.parametrize("rows", [0, 100])
def test_a_whole_history_travels_as_it_is(rows):
    schema = rides_schema()
    history = history_of(schema, rides(100).iloc[:rows])

    series = parse_document(KnownTicks.of(history).model_dump_json(), KnownTicks, source="_known.json").series(schema)

    assert series.keys() == history.series.keys()
    for name, each in history.series.items():
        np.testing.assert_array_equal(series[name].ticks, each.ticks)
        np.testing.assert_array_equal(series[name].values, each.values)
        assert series[name].values.dtype == each.values.dtype


def test_what_a_part_of_the_rows_reaches_is_enough_for_its_lags():
    schema, frame = rides_schema(), rides(400)
    history, part = history_of(schema, frame), frame.iloc[200:230]
    rows = row_times(schema, part)

    reached = LagHistory(schema, history.reached(int(rows.ticks.min()), int(rows.ticks.max()), [""]))

    for name, values in history.lags(rows).items():
        np.testing.assert_array_equal(reached.lags(rows)[name], values)
    assert 0 < len(reached.series["rented", ""].ticks) < 30 + 50
