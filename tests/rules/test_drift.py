import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from releve.rules import drift
from releve.rules.drift import BROKEN, DRIFT, INSUFFICIENT, MIN_PRESENT, NO_DRIFT, Change, ColumnDrift
from releve.rules.schema import Schema
from tests.tables import make_params, rentals_rows, rentals_schema, shop_rows, shop_schema

RULE = make_params().monitor


def monitor_rule(**changes):
    return make_params(monitor=changes).monitor


def a_column(name="price", *, drifted=True, effect=0.5):
    return ColumnDrift(name, "KS", Change(0.001, effect), 0.01, drifted)


def columns_of(reference, current, schema, rule=RULE):
    """What the report does for each column, without the report."""
    threshold = rule.alpha / len(schema.names)
    changes = {
        name: (drift.number_change if name in schema.numbers else drift.category_change)(
            reference[name].dropna(), current[name].dropna()
        )
        for name in schema.names
    }
    return [
        ColumnDrift(
            name,
            drift.method_of(schema, name).name,
            change,
            threshold,
            drift.has_drifted(change, threshold=threshold, min_effect=rule.min_effect),
        )
        for name, change in changes.items()
    ]


def compared(rows=300, **changes):
    return drift.as_compared(shop_rows(rows, **changes), shop_schema())


def checked(reference, current, **changes):
    return drift.check_data(reference, current, shop_schema(), monitor_rule(**changes))


def test_numbers_are_compared_by_kolmogorov_and_smirnov():
    random = np.random.default_rng(1)
    before, now = random.normal(0, 1, 300), random.normal(0.3, 1, 250)

    change = drift.number_change(before, now)

    statistic, p_value = ks_2samp(before, now, method="asymp")
    assert (change.effect, change.p_value) == pytest.approx((statistic, p_value))


def test_categories_are_compared_by_chi_square_and_total_variation():
    before, now = ["a"] * 60 + ["b"] * 40, ["a"] * 30 + ["b"] * 70

    change = drift.category_change(before, now)

    assert change.p_value == pytest.approx(chi2_contingency([[60, 40], [30, 70]], correction=False)[1])
    assert change.effect == pytest.approx(0.3)


def test_rare_categories_are_pooled_before_the_test():
    before = ["a"] * 50 + ["b"] * 46 + ["x", "y", "z", "z"]
    now = ["a"] * 50 + ["b"] * 42 + ["u", "v", "w", "w", "x", "y", "z", "z"]

    change = drift.category_change(before, now)

    pooled = [[50, 46, 4], [50, 42, 8]]
    assert change.p_value == pytest.approx(chi2_contingency(pooled, correction=False)[1])
    assert change.effect == pytest.approx(0.04)


@pytest.mark.parametrize(("count", "cells"), [(4, 3), (5, 4), (6, 4)])
def test_a_category_stands_alone_from_five_expected_cells_on(count, cells):
    before = ["a"] * 50 + ["b"] * count + ["c"] * 4 + ["d"] * (46 - count)

    table = drift._pooled_table(before, before)

    assert table.shape == (2, cells)
    assert table.sum() == 200


@pytest.mark.parametrize("cells", [["a"] * 50, ["a"] * 30 + ["b"]])
def test_where_nothing_but_one_category_is_left_nothing_has_changed(cells):
    assert drift.category_change(["a"] * 30, cells[:30]) == Change(1.0, 0.0)


def test_a_category_that_replaces_another_has_changed_entirely():
    change = drift.category_change(["a"] * 100, ["b"] * 100)

    assert change.effect == 1.0
    assert change.p_value < 1e-20


@pytest.mark.parametrize(
    ("p_value", "effect", "drifted"),
    [
        (0.009, 0.2, True),
        (0.01, 0.2, False),  # the threshold itself is chance
        (0.011, 0.2, False),
        (0.009, 0.1, True),  # the least effect itself matters
        (0.009, 0.0999, False),
        (0.0, 1.0, True),
        (1.0, 0.0, False),
    ],
)
def test_a_change_has_to_be_both_unlikely_and_large(p_value, effect, drifted):
    assert drift.has_drifted(Change(p_value, effect), threshold=0.01, min_effect=0.1) is drifted


@pytest.mark.parametrize("rows", [199, 200, 201])
@pytest.mark.parametrize("side", ["answered rows", "rows of reference"])
def test_a_verdict_needs_enough_rows_on_both_sides(rows, side):
    few, enough = compared(rows), compared(300)

    verdict = checked(enough, few) if side == "answered rows" else checked(few, enough)

    if rows < 200:
        assert verdict.state == INSUFFICIENT
        assert verdict.reasons == (f"199 {side}; a drift verdict needs 200 (params.yaml: monitor.min_rows)",)
        assert verdict.columns == ()
    else:
        assert verdict is None


@pytest.mark.parametrize(("missing", "broken"), [(29, False), (30, False), (31, True), (300, True)])
@pytest.mark.parametrize("name", ["weight", "kind"])
def test_cells_that_went_missing_are_broken_data_and_no_drift(name, missing, broken):
    reference = compared().fillna({"weight": 1.0, "kind": "apple"})
    current = reference.copy()
    current.loc[: missing - 1, name] = np.nan

    verdict = checked(reference, current, max_missing_rise=0.1)

    assert (verdict is not None and verdict.state == BROKEN) is broken
    if broken:
        assert f"{name}: {missing / 300:.0%} of the cells are missing, 0% were before" in verdict.reasons[0]


def test_cells_that_were_always_missing_are_not_broken():
    often = compared().assign(weight=lambda frame: frame["weight"].where(frame.index % 2 == 0))

    assert checked(often, often) is None


@pytest.mark.parametrize(("present", "takes_part"), [(0, False), (19, False), (MIN_PRESENT, True), (21, True)])
def test_a_column_that_is_always_nearly_empty_is_left_out_and_holds_nothing_back(present, takes_part):
    rare = compared()
    rare["weight"] = 1.0
    rare.loc[present:, "weight"] = np.nan

    verdict = checked(rare, rare)
    compared_columns = drift.comparable(rare, rare, shop_schema()).names

    assert verdict is None
    assert ("weight" in compared_columns) is takes_part
    assert set(shop_schema().names) - {"weight"} <= set(compared_columns)


def test_a_table_of_nearly_empty_columns_alone_gets_no_verdict():
    empty = compared()
    empty[:] = np.nan

    assert checked(empty, empty).state == INSUFFICIENT


@pytest.mark.parametrize("missing", [None, "", float("nan")])
def test_a_missing_category_is_missing_in_every_form_it_travels_in(missing):
    frame = shop_rows(10).assign(kind=[missing] * 5 + ["apple"] * 5)

    found = drift.as_compared(frame, shop_schema())

    assert found["kind"].isna().tolist() == [True] * 5 + [False] * 5


def test_answers_without_a_column_are_compared_as_missing_and_the_callers_frame_is_left():
    frame = shop_rows(10).drop(columns="weight")
    frame["price"] = frame["price"].astype(object)
    before = frame.copy()

    found = drift.as_compared(frame, shop_schema())

    assert found["weight"].isna().all()
    assert found["price"].dtype == "float64"
    assert list(found.columns) == shop_schema().names
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(("drifted", "state"), [(0, NO_DRIFT), (1, NO_DRIFT), (2, DRIFT), (3, DRIFT)])
def test_a_table_has_drifted_when_enough_of_its_columns_have(drifted, state):
    columns = [a_column(f"c{number}", drifted=number < drifted) for number in range(5)]

    verdict = drift.judge(columns, rows=300, reference_rows=400, params=monitor_rule(min_columns=2))

    assert verdict.state == state
    assert f"{drifted} of 5 columns drifted" in verdict.reasons[0]
    assert (verdict.rows, verdict.reference_rows, len(verdict.drifted)) == (300, 400, drifted)


@pytest.mark.parametrize(("drifted", "state"), [(False, NO_DRIFT), (True, DRIFT)])
def test_a_table_of_one_column_has_drifted_when_that_one_has(drifted, state):
    verdict = drift.judge([a_column(drifted=drifted)], rows=300, reference_rows=300, params=monitor_rule(min_columns=2))

    assert verdict.state == state


def test_the_most_changed_columns_are_named_first_and_five_at_most():
    columns = [a_column(f"c{number}", effect=number / 10) for number in range(1, 8)]

    verdict = drift.judge(columns, rows=300, reference_rows=300, params=RULE)

    assert [column.name for column in verdict.drifted] == ["c7", "c6", "c5", "c4", "c3", "c2", "c1"]
    assert "c7 (KS 0.70, p 0.001), c6" in verdict.reasons[0]
    assert "c2" not in verdict.reasons[0]


def test_shuffled_data_raise_an_alarm_less_often_than_alpha():
    schema, alarms = shop_schema(), 0
    for seed in range(200):
        rows = compared(500, seed=seed)

        found = columns_of(rows[:250], rows[250:], schema)

        alarms += any(column.drifted for column in found)

    assert alarms / 200 <= RULE.alpha


def test_a_shifted_price_is_noticed_nearly_always():
    schema, noticed = shop_schema(), 0
    for seed in range(50):
        reference, current = compared(250, seed=seed), compared(250, seed=seed + 1000, price_shift=25.0)

        found = {column.name: column.drifted for column in columns_of(reference, current, schema)}

        noticed += found["price"]

    assert noticed >= 48


def test_the_method_follows_the_columns_type():
    schema: Schema = shop_schema()

    assert {name: drift.method_of(schema, name).name for name in schema.names} == {
        "price": "KS",
        "weight": "KS",
        "kind": "chi-square",
    }


def rentals(rows=300, **changes):
    return drift.as_compared(rentals_rows(rows).assign(**changes), rentals_schema())


def test_a_text_is_compared_by_its_number_of_characters():
    frame = rentals(4, note=["", "abc", None, "日本"])

    assert frame["note"].dtype == "float64"
    np.testing.assert_array_equal(frame["note"], [np.nan, 3, np.nan, 2])
    assert drift.method_of(rentals_schema(), "note").name == "KS of length"


def test_a_date_is_not_judged_and_the_verdict_says_so():
    schema = rentals_schema()

    judged = drift.comparable(rentals(), rentals(), schema)
    verdict = drift.judge([a_column()], rows=300, reference_rows=300, params=RULE, dates=schema.dates)

    assert judged.names == ["temperature", "season", "note"]
    assert verdict.reasons[1:] == ("not judged, as time always moves: day",)


def test_a_verdict_on_a_table_without_dates_does_not_speak_of_them():
    assert len(drift.judge([a_column()], rows=300, reference_rows=300, params=RULE).reasons) == 1


def test_a_column_that_is_no_feature_is_not_compared():
    assert list(rentals().columns) == rentals_schema().names


def test_dates_that_went_missing_are_broken_data():
    sparse = rentals_rows(300)["day"].where(np.arange(300) % 2 == 0)

    verdict = drift.check_data(rentals(), rentals(day=sparse), rentals_schema(), RULE)

    assert verdict.state == BROKEN
    assert verdict.reasons[0].startswith("day: 50% of the cells are missing, 0% were before")


def test_answers_as_json_brings_them_are_compared_as_files_are():
    schema = rentals_schema()
    accepted = schema.check_frame(rentals_rows(300)).accepted
    answered = pd.DataFrame(schema.as_rows(accepted))

    pd.testing.assert_frame_equal(
        drift.as_compared(answered, schema).drop(columns="day"),
        drift.as_compared(accepted, schema).drop(columns="day"),
        check_dtype=False,
    )


def test_a_category_that_was_sent_as_a_number_is_compared_as_its_text():
    schema = rentals_schema(season={"categories": ["1", "warm"]})

    found = drift.as_compared(rentals_rows(3).assign(season=pd.Series([1, "1", None], dtype=object)), schema)

    assert found["season"].tolist()[:2] == ["1", "1"]
    assert found["season"].isna().tolist() == [False, False, True]
