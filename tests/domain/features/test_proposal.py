"""What features a new table is offered, and what each is said to be worth."""

import numpy as np
import pandas as pd
import pytest

from releve.domain.features.proposal import propose, spacing
from releve.domain.schema.schema import Schema
from tests.tables import make_params

ROWS = 1600
TABLE = {
    "target": {"name": "sold", "task": "regression"},
    "time": "at",
    "columns": {"at": {"type": "date", "feature": False}, "noise": {"type": "number"}},
}


def hourly(signal, *, rows=ROWS, seed=7):
    random = np.random.default_rng(seed)
    at = np.datetime64("2024-01-01", "us") + np.arange(rows).astype("timedelta64[h]")
    noise = random.normal(size=rows)
    return pd.DataFrame({"at": at, "noise": random.normal(size=rows), "sold": signal(np.arange(rows)) + 0.3 * noise})


def of_the_day(hour):
    return 5 * np.sin(2 * np.pi * hour / 24)


def of_nothing(hour):
    return 0.0 * hour


def found(frame, table=TABLE):
    return {str(each.spec): each for each in propose(table, frame, make_params())}


def test_a_calendar_that_is_shown_to_be_better_is_chosen_and_lags_are_left_to_a_person():
    proposals = found(hourly(of_the_day))

    assert {spec: each.chosen for spec, each in proposals.items()} == {
        "{'calendar': 'hour'}": True,
        "{'lags': {'sold': [24, 168]}, 'calendar': 'hour'}": False,
        "{'lags': {'sold': [1, 24, 168]}, 'calendar': 'hour'}": False,
    }


def test_what_is_no_better_is_not_chosen_and_says_so():
    [calendar, *_] = found(hourly(of_nothing)).values()

    assert not calendar.chosen
    assert "without, gain +0.004" in calendar.worth
    assert "240 rows before the holdout; naive, usual value" in calendar.worth


def test_the_newest_half_of_the_rows_which_judges_models_is_not_looked_at():
    frame = hourly(of_the_day)
    other = frame.copy()
    other.loc[ROWS // 2 :, "sold"] = 1e6

    assert found(frame) == found(other)


def test_what_is_proposed_can_be_declared():
    for each in propose(TABLE, hourly(of_the_day), make_params()):
        assert Schema.from_dict({**TABLE, "features": each.spec}).as_dict()["features"] == each.spec


def test_rows_in_any_order_are_put_in_the_order_of_their_time():
    frame = hourly(of_the_day)

    assert found(frame.sample(frac=1, random_state=7)) == found(frame)


@pytest.mark.parametrize(
    "table",
    [
        {**TABLE, "time": None},
        {**TABLE, "target": {"name": "sold", "classes": [str(number) for number in range(21)]}},
    ],
)
def test_a_table_that_no_feature_fits_is_offered_none(table):
    assert propose(table, hourly(of_the_day), make_params()) == []


def test_too_few_rows_show_nothing():
    assert propose(TABLE, hourly(of_the_day, rows=598), make_params()) == []
    assert propose(TABLE, hourly(of_the_day, rows=600), make_params())


def test_labels_of_one_class_alone_show_nothing():
    table = {**TABLE, "target": {"name": "sold", "classes": ["no", "yes"]}}
    frame = hourly(of_nothing).assign(sold="no")

    assert propose(table, frame, make_params()) == []


def times(every, count=400):
    return np.datetime64("2020-01-01", "us") + np.arange(count) * np.timedelta64(*every)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ((30, "m"), ("hour", 0.5, (24,))),  # in eight days
        ((1, "h"), ("hour", 1, (24, 168))),
        ((1, "D"), ("day", 1, (7, 28))),
        ((7, "D"), ("day", 7, (28,))),
        ((30, "D"), ("month", 1, (12,))),
        ((365, "D"), ("month", 12, ())),
    ],
)
def test_steps_and_seasons_follow_from_how_far_rows_lie_apart(every, expected):
    assert spacing(Schema.from_dict(TABLE), times(every)) == expected


def test_rows_of_several_things_at_one_time_get_no_lags():
    assert spacing(Schema.from_dict(TABLE), np.repeat(times((1, "D")), 3)) == ("day", 0.0, ())


@pytest.mark.parametrize(
    ("gaps", "is_even"),
    [
        (np.full(400, 60.0), True),
        (60 + np.random.default_rng(7).uniform(-5, 5, 400), True),  # a clock that is not exact
        (np.tile([60.0, 60.0, 60.0, 240.0], 100), True),  # some rows are missing
        (np.tile([60.0, 240.0], 200), True),
        (np.tile([60.0, 240.0, 480.0], 140), False),
        (np.random.default_rng(7).exponential(60, 400), False),  # events
    ],
)
def test_rows_at_uneven_times_have_no_rows_so_many_steps_before(gaps: np.ndarray, is_even: bool) -> None:
    at = np.datetime64("2024-01-01", "us") + np.cumsum(gaps * 60e6).astype("timedelta64[us]")

    step, near, _ = spacing(Schema.from_dict(TABLE), at)

    assert step == "hour" and (near > 0) is is_even


def test_a_time_that_is_a_number_has_no_calendar():
    table = {**TABLE, "columns": {"at": {"type": "number"}, "noise": {"type": "number"}}}

    assert spacing(Schema.from_dict(table), np.arange(50) * 0.25) == (None, 0.25, ())


@pytest.mark.parametrize("count", [0, 1])
def test_one_row_has_no_neighbour(count):
    assert spacing(Schema.from_dict(TABLE), times((1, "D"), count)) == (None, 0.0, ())


def of_three_shops(*, known=True):
    """Rows of three shops at the same hours; what is sold at each follows what it sold a day before."""
    columns = {**TABLE["columns"], "shop": {"type": "category"}, "row": {"type": "category", "feature": False}}
    each = [hourly(lambda hour, level=level: of_the_day(hour) + level, rows=600) for level in (0, 20, 40)]
    frame = pd.concat([one.assign(shop=f"shop {number}") for number, one in enumerate(each)], ignore_index=True)
    frame["row"] = [f"row {number}" for number in range(len(frame))]
    frame["shop"] = frame["shop"] if known else "one"
    return frame, {**TABLE, "columns": columns}


def test_rows_of_several_shops_are_offered_lags_of_each():
    frame, table = of_three_shops()

    lags = [each.spec for each in propose(table, frame, make_params()) if "lags" in each.spec]

    assert [(spec["by"], spec["lags"]["sold"]) for spec in lags] == [("shop", [24]), ("shop", [1, 24])]
    for spec in lags:
        assert Schema.from_dict({**table, "features": spec}).as_dict()["features"] == spec


def test_no_lags_are_offered_where_nothing_tells_rows_of_one_time_apart():
    frame, table = of_three_shops(known=False)

    assert ["lags" in each.spec for each in propose(table, frame, make_params())] == [False]
