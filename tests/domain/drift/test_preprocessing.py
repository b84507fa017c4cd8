"""Whatever a window holds, it ends in a verdict; what could not be judged is named."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from releve.domain.drift.verdict import ALARMS, DriftState, compare
from releve.domain.schema.schema import Schema
from releve.reporting.messages.monitoring import describe_drift
from tests.tables import make_params

INSUFFICIENT, BROKEN, NO_DRIFT, SUSPECTED, DRIFT = DriftState

RULE = make_params().monitor
SCHEMA = Schema.from_dict(
    {
        "target": {"name": "y", "task": "regression"},
        "columns": {
            "x": {"type": "number", "nullable": True},
            "z": {"type": "number"},
            "kind": {"type": "category", "nullable": True},
            "flag": {"type": "category"},
            "note": {"type": "text", "nullable": True},
            "at": {"type": "date", "nullable": True},
        },
    }
)


def table(rows=300, *, seed=1):
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": random.normal(10, 2, rows),
            "z": random.integers(0, 9, rows).astype(float),
            "kind": random.choice(np.array(["a", "b", "c"], dtype=object), rows),
            "flag": random.integers(0, 2, rows),
            "note": random.choice(np.array(["rain today", "sun and wind", "snow"], dtype=object), rows),
            "at": pd.date_range("2024-01-01", periods=rows, freq="h"),
        }
    )


REFERENCE, CURRENT = table(1000), table(seed=2)


def cells(name, make):
    """The window with one column made anew from its old cells."""
    return lambda: (REFERENCE, CURRENT.assign(**{name: make(CURRENT[name])}))


def both(name, make):
    return lambda: (REFERENCE.assign(**{name: make(REFERENCE[name])}), CURRENT.assign(**{name: make(CURRENT[name])}))


def first(value):
    return lambda column: pd.Series([value, *column.astype(object)[1:]], dtype=object)


def each(value):
    return lambda column: pd.Series([value] * len(column), dtype=object)


def ids(start):
    return lambda column: [f"id-{number}" for number in range(start, start + len(column))]


CASES = {  # what came, the state, and a part of a sentence where there is one
    "no rows": (lambda: (REFERENCE, CURRENT[:0]), INSUFFICIENT, "0 answered rows"),
    "no reference": (lambda: (REFERENCE[:0], CURRENT), INSUFFICIENT, "0 rows of reference"),
    "one row": (lambda: (REFERENCE, CURRENT[:1]), INSUFFICIENT, "1 answered rows"),
    "five rows": (lambda: (REFERENCE, CURRENT[:5]), INSUFFICIENT, "5 answered rows"),
    "number all NaN": (cells("x", each(np.nan)), BROKEN, "x: 100% of the cells are missing"),
    "number all NaN before": (
        lambda: (REFERENCE.assign(x=np.nan), CURRENT),
        NO_DRIFT,
        "fewer than 20 cells are present on one side: x",
    ),
    "category all None": (cells("kind", each(None)), BROKEN, "kind: 100% of the cells are missing"),
    "half of a number missing": (cells("x", lambda x: x.where(x.index % 2 == 0)), BROKEN, "x: 50% of the cells"),
    "half of a number always missing": (both("x", lambda x: x.where(x.index % 2 == 0)), NO_DRIFT, None),
    "dates missing": (cells("at", each(None)), BROKEN, "at: 100% of the cells are missing"),
    "constant on both sides": (both("x", each(5.0)), NO_DRIFT, None),
    "another constant": (
        lambda: (REFERENCE.assign(x=1.0), CURRENT.assign(x=1.0001)),
        DRIFT,
        "1 of 5 columns drifted: x",
    ),
    "became constant": (cells("x", each(10.0)), BROKEN, "x: every cell is 10 now"),
    "one in a hundred a new category": (
        cells("kind", lambda kind: kind.where(kind.index % 100 > 0, "new")),
        NO_DRIFT,
        None,
    ),
    "new names for all categories": (cells("kind", lambda kind: kind.str.upper() * 2), BROKEN, "never had, such as"),
    "missing column": (lambda: (REFERENCE, CURRENT.drop(columns="z")), BROKEN, "z: the column is missing"),
    "missing before": (
        lambda: (REFERENCE.drop(columns="z"), CURRENT),
        NO_DRIFT,
        "not compared, as it is missing in the reference: z",
    ),
    "column more": (
        lambda: (REFERENCE, CURRENT.assign(more=1)),
        NO_DRIFT,
        "not compared, as the scenario does not describe it: more",
    ),
    "column twice": (
        lambda: (REFERENCE, pd.concat([CURRENT, CURRENT[["x"]]], axis=1)),
        BROKEN,
        "x: the column is there 2 times",
    ),
    "column twice before": (
        lambda: (pd.concat([REFERENCE, REFERENCE[["x"]]], axis=1), CURRENT),
        NO_DRIFT,
        "not compared, as it is there 2 times in the reference: x",
    ),
    "numbers as text": (cells("x", lambda x: x.astype(str).astype(object)), NO_DRIFT, None),
    "one text among numbers": (cells("x", first("oops")), NO_DRIFT, "x: 1 of 300 cells of the window cannot be read"),
    "texts for numbers": (cells("x", each("oops")), BROKEN, "cannot be read as a number, such as 'oops'"),
    "numbers as objects": (cells("x", lambda x: x.astype(object)), NO_DRIFT, None),
    "decimals": (cells("x", lambda x: [Decimal(str(cell)) for cell in x]), NO_DRIFT, None),
    "huge whole number": (cells("x", first(10**400)), NO_DRIFT, "x: 1 of 300 cells of the window cannot be read"),
    "infinity": (
        cells("x", lambda x: x.where(x.index > 0, np.inf)),
        NO_DRIFT,
        "x: 1 of 300 cells of the window cannot be read as a number (the first is inf)",
    ),
    "one far outlier": (
        cells("x", lambda x: x.where(x.index > 0, 1e12)),
        NO_DRIFT,
        "x: 1 of 300 values lie far outside the reference, such as 1e+12",
    ),
    "a tenth far outside": (
        cells("x", lambda x: x.where(x.index % 10 > 0, 1e6)),
        BROKEN,
        "x: 10% of the values lie far outside",
    ),
    "other unit": (cells("x", lambda x: x * 1000), BROKEN, "median and spread are 1000 times what they were"),
    "smaller unit": (cells("x", lambda x: x / 60), BROKEN, "median and spread are 1/60 of what they were"),
    "other zero": (cells("x", lambda x: x + 40), BROKEN, "of the values lie outside the"),
    "whole numbers": (cells("z", lambda z: z.astype(int)), NO_DRIFT, None),
    "nullable numbers": (cells("x", lambda x: x.astype("Float64")), NO_DRIFT, None),
    "pyarrow numbers": (cells("x", lambda x: x.astype("float64[pyarrow]")), NO_DRIFT, None),
    "nullable whole numbers": (cells("z", lambda z: z.astype("Int64")), NO_DRIFT, None),
    "pyarrow texts": (cells("kind", lambda kind: kind.astype("string[pyarrow]")), NO_DRIFT, None),
    "truth values as numbers": (both("z", lambda z: z > 4), NO_DRIFT, None),
    "dates as numbers": (
        cells("x", lambda x: pd.date_range("2024", periods=len(x))),
        BROKEN,
        "cannot be read as a number",
    ),
    "durations as numbers": (cells("x", lambda x: [dt.timedelta(1)] * len(x)), BROKEN, "cannot be read as a number"),
    "complex numbers": (cells("x", lambda x: x.astype(complex)), BROKEN, "cannot be read as a number"),
    "categories 0 and 1 as text": (cells("flag", lambda flag: flag.astype(str)), NO_DRIFT, None),
    "categories 0 and 1 as floats": (cells("flag", lambda flag: flag.astype(float)), NO_DRIFT, None),
    "categories 0 and 1 as floats in text": (cells("flag", lambda flag: flag.map("{}.0".format)), NO_DRIFT, None),
    "categories 0 and 1 as truth values": (cells("flag", lambda flag: flag.astype(bool)), NO_DRIFT, None),
    "categories 0 and 1 as true and false": (cells("flag", lambda f: f.map({0: "false", 1: "TRUE"})), NO_DRIFT, None),
    "numbers for categories": (cells("kind", lambda kind: kind.map({"a": 1, "b": 2, "c": 3})), BROKEN, "such as '"),
    "lists for categories": (cells("kind", lambda kind: kind.map(lambda cell: [cell])), BROKEN, "such as '['"),
    "one list among categories": (cells("kind", first(["a"])), NO_DRIFT, None),
    "pandas categories": (cells("kind", lambda kind: kind.astype("category")), NO_DRIFT, None),
    "an unused level": (
        cells("kind", lambda kind: pd.Categorical(kind, categories=["a", "b", "c", "d"])),
        NO_DRIFT,
        None,
    ),
    "names of rows": (
        lambda: (REFERENCE.assign(kind=ids(0)(REFERENCE)), CURRENT.assign(kind=ids(5000)(CURRENT))),
        NO_DRIFT,
        "not compared, as nearly every row has a value of its own: kind",
    ),
    "index twice": (lambda: (REFERENCE, CURRENT.set_index(pd.Index([0] * len(CURRENT)))), NO_DRIFT, None),
    "dates with a zone": (cells("at", lambda at: at.dt.tz_localize("Europe/Paris")), NO_DRIFT, None),
    "dates as text": (cells("at", lambda at: at.astype(str)), NO_DRIFT, None),
    "dates of all kinds": (
        cells("at", first(dt.datetime(2024, 1, 1, tzinfo=dt.UTC))),
        NO_DRIFT,
        "as time always moves: at",
    ),
    "no dates at all": (cells("at", each("soon")), BROKEN, "cannot be read as a date, such as 'soon'"),
    "numbers for texts": (cells("note", each(7)), BROKEN, "cannot be read as a text, such as 7"),
    "one text only": (both("note", each("the")), NO_DRIFT, None),
    "texts without letters": (both("note", each("..")), NO_DRIFT, None),
    "very long texts": (both("note", each("x" * 100_000)), NO_DRIFT, None),
    "other texts": (cells("note", each("buy gold")), DRIFT, "columns drifted: note"),
}


@pytest.mark.parametrize(("make", "state", "sentence"), CASES.values(), ids=CASES.keys())
def test_whatever_comes_ends_in_a_verdict_that_names_it(make, state, sentence):
    reference, current = make()

    verdict = compare(reference, current, SCHEMA, RULE).verdict

    sentences = describe_drift(verdict)
    assert verdict.state == state, sentences
    assert sentence is None or any(sentence in each for each in sentences), sentences


def test_the_window_itself_has_not_drifted():
    assert compare(REFERENCE, CURRENT, SCHEMA, RULE).verdict.state not in ALARMS


def test_columns_called_by_numbers_are_compared():
    schema = Schema.from_dict({"target": {"name": "y", "task": "regression"}, "columns": {"0": {"type": "number"}}})
    reference, current = (frame[["x"]].rename(columns={"x": 0}) for frame in (REFERENCE, CURRENT))

    assert [column.name for column in compare(reference, current, schema, RULE).verdict.columns] == ["0"]


def steps(*slips):
    """A running number with windows of typing errors."""
    numbers = np.arange(3000.0)
    for number in slips:
        numbers[300 + 900 * number : 600 + 900 * number] += 5000
    return numbers


STILL = np.random.default_rng(7).normal(size=2300)
LEVELS = np.repeat([1.0, 2.0, 3.0], [1400, 1300, 300])  # of quarters: no two adjacent windows differ entirely
NUMBERS = {  # reference, window, states
    "a count goes on": (np.arange(2000.0), np.arange(300.0) + 2000, {NO_DRIFT}),
    "a long count goes on": (np.arange(5000.0), np.arange(300.0) + 5000, {NO_DRIFT}),
    "a count goes on after a gap": (np.arange(2000.0), np.arange(300.0) + 102_000, {NO_DRIFT, SUSPECTED, DRIFT}),
    "a count with one slip goes on": (steps(0), np.arange(300.0) + 100_000, {NO_DRIFT}),
    "a count with many slips goes on": (steps(0, 1, 2), np.arange(300.0) + 100_000, {BROKEN}),
    "a count turns back": (np.arange(2000.0), np.arange(300.0) - 100_000, {BROKEN}),
    "a number that stood still is far away": (STILL[:2000], STILL[2000:] + 1000, {BROKEN}),
    "a new level where levels followed each other": (LEVELS[:2700], LEVELS[2700:], {NO_DRIFT, SUSPECTED, DRIFT}),
}


@pytest.mark.parametrize(("before", "now", "states"), NUMBERS.values(), ids=NUMBERS.keys())
def test_what_past_windows_did_too_is_not_broken(before, now, states):
    schema = Schema.from_dict({"target": {"name": "y", "task": "regression"}, "columns": {"x": {"type": "number"}}})

    verdict = compare(pd.DataFrame({"x": before}), pd.DataFrame({"x": now}), schema, RULE).verdict

    assert verdict.state in states


def test_months_that_come_one_after_the_other_are_not_broken():
    rows = table(3000)
    month = pd.Series(np.repeat([f"m{number}" for number in range(10)], 300))

    verdict = compare(
        rows[:2700].assign(kind=month[:2700]), rows[2700:].assign(kind=month[2700:]), SCHEMA, RULE
    ).verdict

    assert verdict.state != BROKEN


def test_a_recoding_is_broken_where_past_windows_brought_a_few_new_values():
    cities = np.random.default_rng(7).zipf(1.5, size=3300).clip(max=400)
    kind = pd.Series([f"city {number}" for number in cities])
    rows = table(3300).assign(kind=kind)

    verdict = compare(rows[:3000], rows[3000:].assign(kind=kind[3000:].str.upper()), SCHEMA, RULE).verdict

    assert verdict.state == BROKEN


def test_a_column_that_is_nearly_empty_beside_a_lone_season_is_judged():
    """No pair of its windows can be compared, and one column alone lends no strength."""
    schema = Schema.from_dict(
        {
            "target": {"name": "sold", "task": "binary", "classes": ["no", "yes"], "positive": "yes"},
            "columns": {"warm": {"type": "number"}, "rare": {"type": "number", "nullable": True}},
        },
        source="a test",
    )
    before = pd.DataFrame({"warm": np.sin(np.arange(1200) / 100), "rare": np.nan, "sold": "no"})
    before.loc[::50, "rare"] = np.arange(24.0)
    now = before.iloc[:300].assign(rare=np.where(np.arange(300) % 12, np.nan, np.arange(300) % 24))

    verdict = compare(before, now, schema, make_params().monitor).verdict

    assert {column.name for column in verdict.columns} == {"warm", "rare"}
