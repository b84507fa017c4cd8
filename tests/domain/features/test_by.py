"""Lags of a table of several shops: each shop has its own, alike in training, at predict and where they travel."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from releve.core.documents import parse_document
from releve.core.errors import BadInput
from releve.domain.features import clock, known
from releve.domain.features.completion import complete_frame, complete_rows, history_of, row_times
from releve.domain.features.history import LagHistory
from releve.domain.features.known import KnownTicks, KnownValues, check_reach
from releve.domain.schema.arrays import HOUR_US, rows_of_frame
from releve.domain.schema.schema import BATCH, Schema
from releve.domain.schema.validation import row_problems
from tests.domain.features.tables import PANEL_FEATURES, panel, panel_schema, rides

LAGS = [lag.name for lag in panel_schema().derived.lags]
ALONE = {key: value for key, value in PANEL_FEATURES.items() if key != "by"}


def test_a_shop_has_the_lags_of_a_table_of_its_own():
    frame = panel()
    found = complete_frame(panel_schema(), frame)

    for shop in ("north", "south", "east"):
        own = (frame["shop"] == shop).to_numpy()
        expected = complete_frame(panel_schema(features=ALONE), frame[own].reset_index(drop=True))
        pd.testing.assert_frame_equal(found[own][LAGS].reset_index(drop=True), expected[LAGS])
        assert expected["rented.lag_24"].notna().sum() > 50


def test_a_row_of_no_shop_has_no_lags():
    frame = panel()

    found = complete_frame(panel_schema(), frame)[frame["shop"] == ""]

    assert found["rented.lag_24"].isna().all()
    assert (found["sky.lag_2"] == "").all()


def test_what_the_rows_of_a_shop_reach_is_of_that_shop_and_enough_for_their_lags():
    schema, frame = panel_schema(), panel(400)
    history, part = history_of(schema, frame), frame[frame["shop"] == "north"].iloc[200:230]
    rows = row_times(schema, part)

    reached = LagHistory(schema, history.reached(int(rows.ticks.min()), int(rows.ticks.max()), ["north", "nowhere"]))

    for name, values in history.lags(rows).items():
        np.testing.assert_array_equal(reached.lags(rows)[name], values)
    assert {entity for _, entity in reached.series} == {"north"}
    assert 0 < len(reached.series["rented", "north"].ticks) < 30 + 50


@pytest.mark.parametrize("seed", range(10))
def test_no_row_learns_anything_of_another_shop_nor_of_what_is_not_known_by_then(seed):
    random = np.random.default_rng(seed)
    frame = panel(120, batches=4)
    before = complete_frame(panel_schema(), frame)
    place = int(random.integers(len(frame)))
    changed = frame.copy()
    changed.loc[place, ["rented", "warmth"]] = [1e6, -1e6]

    after = complete_frame(panel_schema(), changed)

    at, batch, shop = (frame[name].to_numpy() for name in ("at", BATCH, "shop"))
    for name, steps in (("rented.lag_24", 24), ("rented.lag_48", 48), ("warmth.lag_1", 1)):
        may_know = (at >= at[place] + np.timedelta64(steps, "h")) & (batch >= batch[place]) & (shop == shop[place])
        pd.testing.assert_series_equal(before.loc[~may_know, name], after.loc[~may_know, name])


def test_a_row_is_asked_with_what_it_was_learned_with():
    schema, frame = panel_schema(), panel()
    trained = complete_frame(schema, frame)
    newest = frame["at"] > frame["at"].max() - np.timedelta64(1, "h")  # of which no label is needed
    names = [column.name for column in schema.asked]
    past, asked = history_of(schema, frame[~newest]), rows_of_frame(schema.sent, frame[newest], names=names)

    rows = complete_rows(schema, asked, past)

    assert not row_problems(schema, rows)
    for name in ("rented.lag_24", "rented.lag_48"):
        expected = [None if cell != cell else cell for cell in trained.loc[newest, name].tolist()]
        assert [row[name] for row in rows] == expected


@pytest.mark.parametrize("shop", ["west", None])
def test_a_shop_that_nobody_knows_has_no_lags(shop):
    schema = panel_schema()
    asked = {"at": "2024-02-25T09:00", "warmth": 1, "sky": "rain", "shop": shop}

    [row] = complete_rows(schema, [asked], history_of(schema, panel()))

    assert not row_problems(schema, [row])
    assert {row[name] for name in LAGS} == {None}


def test_a_row_has_to_say_of_which_shop_it_is():
    schema = panel_schema()
    rows = complete_rows(schema, [{"at": "2024-02-25T09:00", "warmth": 1, "sky": "rain"}], LagHistory(schema))

    [problem] = row_problems(schema, rows)

    assert str(problem) == "row 0: shop is missing, and lags are looked up by it; send null if it is not known"
    assert "shop" in [column.name for column in schema.asked]


def test_what_travels_is_enough_for_each_shop():
    schema, frame = panel_schema(), panel(600)
    past, newer = frame.iloc[:1200], frame.iloc[1200:]
    travelled = LagHistory(schema)
    text = KnownValues.of(schema, past).model_dump_json()
    parse_document(text, KnownValues, source="history.json").add_to(travelled)

    rows = row_times(schema, newer)
    for name, expected in history_of(schema, past).lags(rows).items():
        np.testing.assert_array_equal(travelled.lags(rows)[name], expected)


def test_what_was_kept_apart_otherwise_says_nothing():
    history = LagHistory(panel_schema(features=ALONE))

    KnownValues.of(panel_schema(), panel()).add_to(history)

    assert not history.series


def test_a_whole_history_travels_shop_by_shop():
    schema = panel_schema()
    history = history_of(schema, panel())

    series = parse_document(KnownTicks.of(history).model_dump_json(), KnownTicks, source="_known.json").series(schema)

    assert {key[1] for key in series} == {"north", "south", "east"}
    for key, each in history.series.items():
        np.testing.assert_array_equal(series[key].ticks, each.ticks)
        np.testing.assert_array_equal(series[key].values, each.values)


def at_the_same_hours(rows=200):
    one = rides(rows, gaps=0, missing=0)
    each = [one.assign(shop=shop) for shop in ("north", "south", "east")]
    return pd.concat(each).sort_values("at", kind="stable", ignore_index=True)


@pytest.mark.parametrize("is_told_twice", [False, True])
def test_the_oldest_values_go_first_and_those_of_all_shops_reach_equally_far(is_told_twice):
    schema, frame = panel_schema(), at_the_same_hours()
    history = history_of(schema, frame[(frame["shop"] != "east") | (frame["at"].dt.hour % 4 == 0)])
    if is_told_twice:
        history.add_series(dict(history.series))

    assert history.keep_newest(100) == ["rented"]  # which has a lag of 48 hours

    kept = {key[1]: each.ticks for key, each in history.series.items() if key[0] == "rented"}
    assert 100 <= sum(map(len, kept.values())) <= 102
    assert len(kept["north"]) > 3 * len(kept["east"])
    assert np.ptp([ticks[0] for ticks in kept.values()]) < 4 * HOUR_US


@pytest.mark.parametrize(("most", "goes"), [(299, True), (300, False), (301, False)])
def test_nothing_goes_up_to_twice_the_limit(most, goes):
    history = history_of(panel_schema(), at_the_same_hours())
    before = dict(history.series)

    history.keep_newest(most)

    assert (history.series != before) is goes


@pytest.mark.parametrize(("most", "holds"), [(147, False), (148, True), (149, True)])
def test_all_shops_keep_what_the_farthest_lag_needs_or_it_is_refused(monkeypatch, most, holds):
    """A lag of 48 hours reads what is less than 49 hours old: 3 x 49 values, and one that is as old as that."""
    monkeypatch.setattr(known, "MOST_VALUES", most)
    monkeypatch.setattr(clock, "NEWEST_ROWS", 1)
    schema, past = panel_schema(), at_the_same_hours()
    travelled, rows = LagHistory(schema), row_times(schema, past.tail(3))

    KnownValues.of(schema, past).add_to(travelled)

    for name, expected in history_of(schema, past).lags(rows).items():
        np.testing.assert_array_equal(travelled.lags(rows)[name], expected)
    with nullcontext() if holds else pytest.raises(BadInput, match="no more are kept"):
        check_reach(schema, past)


def test_it_says_how_far_the_values_reach_and_what_to_do(monkeypatch):
    monkeypatch.setattr(known, "MOST_VALUES", 100)
    monkeypatch.setattr(clock, "NEWEST_ROWS", 1)

    assert KnownValues.of(panel_schema(), at_the_same_hours()).too_short(panel_schema()) == (
        "features.lags.rented reaches 49 steps back, and the newest 100 values (of 3 different cells of shop) reach "
        "33; no more are kept, so what training looks up would be missing at answers. Expected shorter lags "
        "(scenarios/<name>/params.yaml), or fewer rows in the time that they reach back"
    )


def test_it_is_read_back_as_it_was_written():
    schema = panel_schema()

    assert schema.as_dict()["features"]["by"] == "shop"
    assert Schema.from_dict(schema.as_dict()) == schema


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"by": "town"}, "features.by names 'town', which is no column of the table"),
        ({"by": "warmth"}, "features.by names 'warmth', which is no category"),
        ({"by": "rented"}, "features.by names 'rented', which is no category"),
        ({"by": ["shop"]}, r"features.by is \['shop'\]; expected one column"),
        ({"lags": None}, "features.by is 'shop'; expected one column, whose values have lags of their own"),
    ],
)
def test_what_cannot_tell_rows_apart_is_refused(features, said):
    with pytest.raises(BadInput, match=said):
        panel_schema(features=PANEL_FEATURES | features)


def test_the_ledger_may_not_hide_by_what_lags_are_looked_up():
    with pytest.raises(BadInput, match=r"ledger\.hash names 'shop', which the model learns from"):
        panel_schema().check_not_learned("ledger.hash", ["shop"], source="params.yaml")
