import pytest

from releve.core.errors import BadInput
from releve.core.names import SCENARIO_NAME
from releve.domain.experiment.experiment import (
    SECTIONS,
    ExperimentRecord,
    GateToday,
    check_settings,
    differing,
    name_experiment,
    why_outdated,
)
from releve.domain.schema.schema import Schema
from tests.tables import SHOP_TABLE, make_params, shop_schema

FEWER = {name: column for name, column in SHOP_TABLE["columns"].items() if name != "weight"}

RECORD = ExperimentRecord(
    scenario="shop",
    settings={"train.recipe": "linear"},
    head="a" * 40,
    data_version="1.dir",
    rows=200,
    champion="shop:one",
    search=False,
    model_digest="d",
    by="Ana",
    at="2026-01-05T09:00:00+00:00",
    cpu_seconds=1.5,
)


def today(**changes):
    known = {"champion": "shop:one", "data_version": "1.dir", "params": make_params(), "schema": shop_schema()}
    return GateToday(**{**known, **changes})


def test_the_same_things_have_the_same_name_and_any_other_thing_another():
    names = {name_experiment("shop", "head", settings) for settings in ({}, {"a": 1}, {"a": "1"}, {"a": 2})}

    assert len(names) == 4
    assert name_experiment("shop", "head", {"a": 1, "b": 2}) == name_experiment("shop", "head", {"b": 2, "a": 1})
    assert name_experiment("shop", "head", {}) != name_experiment("shops", "head", {})


@pytest.mark.parametrize("length", [1, 54, 55, 63])
def test_a_name_may_name_a_lock_and_a_ref_however_long_the_scenarios_is(length):
    assert SCENARIO_NAME.fullmatch(name_experiment("s" * length, "head"))


@pytest.mark.parametrize("section", SECTIONS)
def test_what_a_stage_reads_can_be_set(section):
    check_settings({f"{section}.anything": 1})


@pytest.mark.parametrize(
    "key", ["trigger.policy", "columns.price", "target.name", "compute.address", "release.approval"]
)
def test_what_no_stage_reads_cannot(key):
    with pytest.raises(BadInput, match=f"an experiment cannot set {key}: the pipeline does not read it; what it reads"):
        check_settings({"train.recipe": "linear", key: 1})


def test_settings_that_differ_are_named_with_both_values_and_no_others():
    mine, theirs = make_params(train={"ensemble": False}, trigger={"policy": "static"}), make_params()

    assert differing(mine, theirs) == {"train.ensemble": (False, True)}
    assert differing(theirs, theirs) == {}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"params": make_params(train={"ensemble": False})}, ""),  # the next refresh's, not the rules
        ({"champion": "shop:two"}, "it was compared with shop:one, and shop:two serves now"),
        ({"champion": ""}, "it was compared with shop:one, and nothing serves now"),
        ({"data_version": "2.dir"}, "newer rows have come since, which it has not learned"),
        ({"brought": ("brought_1",)}, "a model was brought since, which it does not have as a member"),
        ({"params": make_params(gate={"margin": 0.5})}, "it was judged by another gate.margin than is committed"),
        ({"params": make_params(statistics={"min_rows": 7})}, "by another statistics.min_rows than is committed"),
        (
            {"schema": shop_schema(price={"max": 90})},
            "it was made of a table that is described otherwise than is committed: columns.price",
        ),
        ({"schema": Schema.from_dict(SHOP_TABLE | {"id": "kind"})}, "described otherwise than is committed: id"),
        ({"schema": Schema.from_dict(SHOP_TABLE | {"columns": FEWER})}, "than is committed: columns.weight"),
    ],
)
def test_an_experiment_is_outdated_where_the_gate_would_judge_something_else_today(changes, why):
    found = why_outdated(RECORD, make_params(), shop_schema(), today(**changes))

    assert why in found and bool(found) == bool(why)


def test_one_that_loosens_the_gate_for_itself_never_reaches_it():
    assert "another gate.margin" in why_outdated(RECORD, make_params(gate={"margin": 1.0}), shop_schema(), today())
