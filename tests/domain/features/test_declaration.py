"""What a scenario may say at `features`, and what becomes of it."""

import pytest

from releve.core.errors import BadInput
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import row_problems
from tests.domain.features.tables import rides_schema

PHASES = [f"at.{cycle}_{wave}" for cycle in ("day", "half_day", "week", "year") for wave in ("sin", "cos")]


def test_lags_and_calendar_become_columns_that_may_be_missing():
    schema = rides_schema()

    assert schema.numbers == ["warmth", *PHASES, "rented.lag_24", "rented.lag_48", "warmth.lag_1", "sold.lag_24"]
    assert schema.categories == ["sky", "sky.lag_2"]
    assert all(schema.column(name).nullable for name in schema.derived_names)
    assert schema.column("rented.lag_24").min == 0  # as the target's


def test_the_table_that_is_sent_has_none_of_them():
    schema = rides_schema()

    assert schema.sent == rides_schema(features=None)
    assert schema.sent.sent is schema.sent
    assert schema.derived_names == {*schema.by_name} - {*schema.sent.by_name}


def test_a_schema_without_features_is_itself_what_is_sent():
    schema = rides_schema(features=None)

    assert schema.sent is schema


@pytest.mark.parametrize(
    "features",
    [
        {"lags": {"rented": [24]}, "step": "hour"},
        {"calendar": "month", "timezone": "Europe/Paris"},
        {"lags": {"rented": [1.5, 24], "sky": [3]}, "calendar": "hour", "delay": {"rented": 1}},
        {"lags": {"rented": [7]}, "calendar": "hour", "step": "day"},
    ],
)
def test_features_are_read_back_as_they_were_written(features):
    schema = rides_schema(features=features)

    assert schema.as_dict()["features"] == features
    assert Schema.from_dict(schema.as_dict()) == schema


def test_the_lag_of_classes_is_a_category_of_their_names():
    schema = rides_schema(target={"name": "rented", "classes": [0, 1]}, features={"lags": {"rented": 1}, "step": "day"})

    assert schema.column("rented.lag_1").categories == ("0", "1")


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([], "'features' is .*expected lags, a calendar or both"),
        ({"delay": {}}, "expected lags, a calendar or both"),
        ({"calendar": "hour", "lag": {}}, r"unknown \['lag'\]"),
        ({"calendar": "week"}, "features.calendar is 'week'; expected hour, day, month"),
        ({"lags": {}, "calendar": "day"}, "expected columns with their steps"),
        ({"lags": {"rentd": [1]}, "step": "hour"}, "names 'rentd', which is no column.*did you mean 'rented'"),
        ({"lags": {"at": [1]}, "step": "hour"}, "names the date 'at'; expected a number, a category or the target"),
        ({"lags": {"rented": [0]}, "step": "hour"}, "features.lags.rented has 0; .*not known when it is answered"),
        ({"lags": {"rented": [-24]}, "step": "hour"}, "has -24; expected steps above 0"),
        ({"lags": {"rented": ["1h"]}, "step": "hour"}, "has '1h'; expected steps above 0"),
        ({"lags": {"rented": [True]}, "step": "hour"}, "has True; expected steps"),
        ({"lags": {"rented": [100_001]}, "step": "hour"}, "up to 100,000"),
        ({"lags": {"rented": []}, "step": "hour"}, "features.lags.rented is empty"),
        ({"lags": {"rented": [1, 1.0]}, "step": "hour"}, "expected each lag once"),
        ({"lags": {"rented": [*range(1, 102)]}, "step": "hour"}, "names 101 lags; expected 100 at most"),
        ({"lags": {"rented": [1.5]}, "calendar": "day"}, "expected whole numbers of days"),
        ({"lags": {"rented": [1]}}, "nothing says how long one is: add `step: hour`"),
        (
            {"lags": {"rented": [12]}, "step": "hour", "delay": {"rented": 24}},
            "known 24 steps later .*Expected lags of 24",
        ),
        (
            {"lags": {"rented": [12]}, "step": "hour", "delay": {"sky": 1}},
            "features.delay names 'sky', which has no lags",
        ),
        ({"calendar": "day", "timezone": "Mars"}, "features.timezone is 'Mars'; expected a name of the IANA database"),
    ],
)
def test_features_that_cannot_be_are_refused_by_name(features, said):
    with pytest.raises(BadInput, match=f"rides.yaml: .*{said}"):
        rides_schema(features=features)


def test_a_lag_of_exactly_the_delay_may_be_known():
    schema = rides_schema(features={"lags": {"rented": [24]}, "step": "hour", "delay": {"rented": 24}})

    assert "rented.lag_24" in schema.names


def test_features_need_the_time_of_a_row():
    with pytest.raises(BadInput, match="needs the time of a row, and the scenario has none: say which column"):
        rides_schema(time=None)


@pytest.mark.parametrize("key", ["calendar", "step"])
def test_a_calendar_needs_dates(key):
    features = {"lags": {"rented": [1]}, key: "day"}
    with pytest.raises(BadInput, match=f"features.{key} is for dates, and the time 'warmth' is a number"):
        rides_schema(time="warmth", features=features)


def test_a_column_that_is_called_as_a_feature_would_be_is_named():
    columns = {"at": {"type": "date"}, "rented.lag_24": {"type": "number"}}
    with pytest.raises(BadInput, match=r"'rented\.lag_24' is a column, and what one of the 'features' is called"):
        rides_schema(columns=columns, features={"lags": {"rented": [24]}, "step": "hour"})


def test_a_row_without_its_time_is_told_so_once():
    schema = rides_schema()
    problems = row_problems(schema, [{"warmth": 1.0, "sky": None}])

    assert [(each.column, each.reason.partition(";")[0]) for each in problems] == [("at", "is missing")]
