"""Lags are looked up alike in training and at predict, and read nothing that is not known by then."""

import numpy as np
import pandas as pd
import pytest

from releve.domain.features.completion import complete_frame, complete_rows, history_of, row_times
from releve.domain.features.history import LagHistory, values_of
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows, rows_of_frame
from releve.domain.schema.schema import BATCH
from releve.domain.schema.validation import row_problems
from tests.domain.features.tables import RIDES_TABLE, rides, rides_schema

STEP = np.timedelta64(1, "h")


def naive_lag(frame, place, column, steps):
    """A lag as its definition has it, row by row."""
    at = frame["at"].to_numpy()
    seen = (at <= at[place] - steps * STEP) & (at > at[place] - (steps + 1) * STEP)
    seen &= (frame[BATCH] <= frame[BATCH].iloc[place]).to_numpy()
    cells = [cell for cell in frame[column][seen].tolist() if cell == cell and cell != ""]
    return cells[-1] if cells else None


def test_a_lag_is_the_value_so_many_steps_before_or_missing():
    schema, frame = rides_schema(), rides()
    found = complete_frame(schema, frame)

    for lag in schema.derived.lags:
        expected = [naive_lag(frame, place, lag.column, lag.steps) for place in range(len(frame))]
        assert [None if cell != cell or cell == "" else cell for cell in found[lag.name].tolist()] == expected
    assert found["rented.lag_24"].notna().sum() > 100


def test_a_table_without_features_stays_as_it_is():
    frame = rides(30)

    assert complete_frame(rides_schema(features=None), frame) is frame


def test_the_table_that_was_given_is_not_changed():
    frame = rides(30)
    before = frame.copy()

    complete_frame(rides_schema(), frame)

    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_is_not_known_by_then_changes_a_row(seed):
    """Change a value: only rows that are at least its lag's steps newer, and of no earlier batch, may notice."""
    random = np.random.default_rng(seed)
    delay = int(random.integers(1, 30))
    schema = rides_schema(
        features={"lags": {"rented": [delay, delay + 5.5], "warmth": [1]}, "step": "hour", "delay": {"rented": delay}}
    )
    frame = rides(120, seed=seed, batches=int(random.integers(1, 8)))
    order = random.permutation(len(frame))  # late files: any row may come in any batch
    late = frame.assign(**{BATCH: frame[BATCH].to_numpy()[order]}).sort_values([BATCH, "at"], ignore_index=True)
    before = complete_frame(schema, late)

    place = int(random.integers(len(late)))
    changed = late.copy()
    changed.loc[place, ["rented", "warmth"]] = [1e6, -1e6]
    after = complete_frame(schema, changed)

    at, batch = late["at"].to_numpy(), late[BATCH].to_numpy()
    for column, earliest in (("rented", delay), ("warmth", 1)):
        names = [lag.name for lag in schema.derived.lags if lag.column == column]
        may_know = (at >= at[place] + earliest * STEP) & (batch >= batch[place])
        pd.testing.assert_frame_equal(before.loc[~may_know, names], after.loc[~may_know, names])


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_within_a_batch_does_not_matter(seed):
    schema, frame = rides_schema(), rides(seed=seed)
    order = np.random.default_rng(seed).permutation(len(frame))
    shuffled = frame.iloc[order].sort_values(BATCH, kind="stable")

    found = complete_frame(schema, shuffled.reset_index(drop=True)).set_index(shuffled.index).sort_index()

    pd.testing.assert_frame_equal(found, complete_frame(schema, frame))


def test_of_rows_of_one_time_the_one_that_came_last_counts():
    schema = rides_schema(features={"lags": {"rented": [1]}, "step": "hour"})
    frame = rides(3, gaps=0)
    frame["at"] = frame["at"].iloc[[0, 0, 1]].to_numpy()
    frame["rented"], frame[BATCH] = [1.0, 2.0, 3.0], "0001"

    assert complete_frame(schema, frame)["rented.lag_1"].tolist()[2] == 2.0


@pytest.mark.parametrize("target", [None, {"name": "rented", "classes": ["few", "many"]}])
@pytest.mark.parametrize("timezone", [None, "America/New_York"])
def test_the_service_gives_a_model_exactly_what_training_gave_it(target, timezone):
    """Replay the newest rows in time order, each label known a day later, and compare with training to the last bit."""
    features = {"lags": {"rented": [24, 48], "warmth": 1, "sky": [2]}, "calendar": "hour"}
    features |= {"timezone": timezone} if timezone else {}
    schema = rides_schema(features=features, **({"target": target} if target else {}))
    frame = rides(300, first="2024-03-05")
    if target:
        frame["rented"] = np.where(frame["rented"] > 50, "many", "few")
    trained = complete_frame(schema, frame)
    start = 150
    history = history_of(schema, frame.iloc[:start])
    rows = rows_of_frame(schema.sent, frame)
    at = frame["at"].to_numpy()

    def note(places, names):
        cells = frame.iloc[places]
        history.add(
            row_times(schema, cells), {name: values_of(schema, name, cells[name].to_numpy(object)) for name in names}
        )

    labelled = start
    for place in range(start, len(frame)):
        while at[labelled] <= at[place] - 24 * STEP:
            note([labelled], ["rented"])
            labelled += 1
        [asked] = complete_rows(schema, [rows[place]], history)
        assert not row_problems(schema, [asked])
        expected = arrays_of_frame(schema, trained.iloc[[place]])
        for block, found in arrays_of_rows(schema, [asked]).items():
            np.testing.assert_array_equal(found, expected[block])
        note([place], ["warmth", "sky"])
    assert trained["rented.lag_24"].iloc[start:].notna().any()


def test_rows_of_one_request_know_of_each_other_what_was_sent():
    schema, frame = rides_schema(), rides(60, gaps=0, missing=0)
    trained = complete_frame(schema, frame)
    asked = complete_rows(schema, rows_of_frame(schema.sent, frame.iloc[30:]), history_of(schema, frame.iloc[:30]))

    assert [row["warmth.lag_1"] for row in asked] == trained["warmth.lag_1"].iloc[30:].tolist()
    assert [row["rented.lag_24"] for row in asked][24:] == [None] * 6  # no request says what turned out true


def test_what_a_wider_schema_let_in_is_missing_and_refuses_nobody():
    frame = rides(60, gaps=0, missing=0)
    known = history_of(rides_schema(), frame.iloc[:30])
    narrow = rides_schema(
        target={"name": "rented", "task": "regression", "max": 50},
        columns={**RIDES_TABLE["columns"], "sky": {"type": "category", "categories": ["clear"], "nullable": True}},
    )
    history = LagHistory(narrow, known.series)

    rows = complete_rows(narrow, [{"at": str(at), "warmth": 1, "sky": "clear"} for at in frame["at"][30:50]], history)

    assert row_problems(narrow, rows) == []
    assert {row["rented.lag_24"] is None for row in rows} == {True, False}
    assert rows[0]["sky.lag_2"] == ("clear" if frame["sky"][28] == "clear" else None)


def test_what_a_caller_sends_of_the_features_counts():
    schema = rides_schema()
    [row] = complete_rows(
        schema, [{"at": "2024-02-20", "warmth": 1, "sky": "rain", "rented.lag_24": 7}], LagHistory(schema)
    )

    assert (row["rented.lag_24"], row["rented.lag_48"]) == (7, None)


@pytest.mark.parametrize("row", [{}, {"at": "no date"}, {"at": None}, "no row", None, {"at": ["2024-01-01"]}])
def test_a_row_whose_time_cannot_be_read_is_left_to_the_check(row):
    schema = rides_schema()
    good = {"at": "2024-02-20", "warmth": 1, "sky": "rain"}

    first, second = complete_rows(schema, [row, good], LagHistory(schema))

    assert first == row
    assert second["at.day_sin"] == 0
    assert row_problems(schema, [first])


def test_cells_that_do_not_fit_are_no_history():
    schema = rides_schema()
    rows = [
        {"at": "2024-02-20T00:00", "warmth": "hot", "sky": "hail"},
        {"at": "2024-02-20T01:00", "warmth": 1, "sky": "rain"},
    ]

    assert complete_rows(schema, rows, LagHistory(schema))[1]["warmth.lag_1"] is None


def test_no_lag_is_so_short_that_a_row_sees_itself():
    columns = {**RIDES_TABLE["columns"], "at": {"type": "number"}}
    schema = rides_schema(columns=columns, features={"lags": {"rented": [1e-7]}})
    frame = rides(30, gaps=0).assign(at=np.arange(30.0))

    found = complete_frame(schema, frame)["rented.lag_1e-07"]

    assert found.tolist()[1:] == frame["rented"].tolist()[:-1]


def test_an_empty_table_gets_the_columns_too():
    schema = rides_schema()

    assert {*schema.derived_names} <= {*complete_frame(schema, rides(20).iloc[:0])}
