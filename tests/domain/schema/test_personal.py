"""No sentence about a personal cell repeats it, or a part of it."""

import base64

import numpy as np
import pandas as pd
import pytest

from releve.core.errors import BadInput
from releve.core.params import LedgerRules
from releve.domain.drift.data_quality import DataIssue, DataIssueKind
from releve.domain.evaluation.slices import slices
from releve.domain.prediction_log.hidden import hidden_columns
from releve.domain.schema.columns import TYPES, Column
from releve.domain.schema.personal import HIDDEN
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_columns, check_frame, row_problems
from releve.reporting.messages.monitoring import describe_issue

SECRET = "Zoe48151"
WRONG = {
    "number": [SECRET, f"{SECRET}5", 10**60 + 48151, -48151],
    "date": [SECRET, "48151-01-01", 48151],
    "category": [SECRET, f" {SECRET} ", 48151, 48151.5, 2.0**60 + 48151],
    "text": [SECRET, 48151, f"{SECRET}\ud800"],
    "image": [SECRET, base64.b64encode(SECRET.encode()).decode(), 48151],
}
LIMITS = {
    "number": {"min": 0, "max": 100},
    "date": {},
    "category": {"categories": ("a", "b")},
    "text": {"max_length": 3},
    "image": {},
}


def ledger(**rules):
    return LedgerRules(**{"keep_days": 0, "hash": (), "drop": (), "keep_clear": (), "push": False, **rules})


def schema_with(**columns) -> Schema:
    spec = {"target": {"name": "bought", "classes": ["no", "yes"]}, "columns": {"price": {"type": "number"}, **columns}}
    return Schema.from_dict(spec)


def test_every_type_has_wrong_cells_here():
    assert WRONG.keys() == LIMITS.keys() == TYPES.keys()


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in WRONG.items() for value in values])
def test_a_reason_says_what_is_expected_and_not_what_was_found(kind, value):
    open_reason = Column("name", kind, **LIMITS[kind]).problem(value)
    reason = Column("name", kind, personal=True, **LIMITS[kind]).problem(value)

    assert open_reason, "it is wrong in any column"
    assert reason.startswith(f"is {HIDDEN}, expected ")
    assert "48151" not in reason and "Zoe" not in reason


def test_an_allowed_or_missing_cell_is_judged_as_in_any_column():
    column = Column("age", "number", min=0, personal=True, nullable=True)

    assert column.problem(5) is column.problem(None) is None
    assert Column("age", "number", personal=True).problem(None) == "is empty, expected a value"
    assert column.expected == "a number, at least 0"


def test_neither_a_request_nor_a_frame_hands_the_cell_on():
    schema = schema_with(age={"type": "number", "personal": True})

    [asked] = row_problems(schema, [{"price": 1, "age": SECRET}])
    found = check_frame(schema, pd.DataFrame({"price": [1.0], "age": [SECRET], "bought": ["no"]}))

    assert asked.value == HIDDEN and SECRET not in str(asked)
    assert found.problems[0].value == HIDDEN and found.rejected_rows == [0]


def test_a_first_row_that_stands_for_the_names_is_not_repeated():
    schema = schema_with(name={"type": "text", "personal": True})

    with pytest.raises(BadInput, match="the unknown 'column 1', 'column 3'") as refused:
        check_columns(schema, [SECRET, "price", SECRET], source="today.csv")

    assert SECRET not in str(refused.value)


def test_a_personal_column_is_hashed_unless_the_rules_say_otherwise():
    schema = schema_with(
        id={"type": "category", "feature": False, "personal": True},
        mail={"type": "text", "feature": False, "personal": True},
        till={"type": "text", "feature": False},
    )

    assert [*hidden_columns(ledger(), schema, source="p")[0]] == ["id", "mail"]
    hashed, dropped = hidden_columns(ledger(drop=("mail",), hash=("till",)), schema, source="p")
    assert ([*hashed], dropped) == (["id", "till"], {"mail"})
    assert [*hidden_columns(ledger(keep_clear=("mail",)), schema, source="p")[0]] == ["id"]


def test_a_personal_feature_stays_in_the_ledger_only_where_somebody_said_so():
    schema = schema_with(age={"type": "number", "personal": True})

    with pytest.raises(BadInput, match=r"'age' is personal, and the model learns from it: .* ledger\.keep_clear"):
        hidden_columns(ledger(), schema, source="p")

    assert hidden_columns(ledger(keep_clear=("age",)), schema, source="p") == ({}, frozenset())


@pytest.mark.parametrize("rules", [{"hash": ("till",)}, {"drop": ("till",)}])
@pytest.mark.parametrize("features", [{"lags": {"till": [1]}, "step": "day"}, {"calendar": "day"}])
def test_what_the_ledger_hides_is_not_kept_there_as_a_feature_that_is_made_of_it(rules, features):
    columns = {
        "born": {"type": "date", "feature": False, "personal": True},
        "age": {"type": "number"},
        "till": {"type": "number", "feature": False},
    }
    spec = {"target": {"name": "bought", "classes": ["no", "yes"]}, "time": "born", "columns": columns}
    schema = Schema.from_dict({**spec, "features": features})

    says = "'till', which the model learns from as till.lag_1" if "lags" in features else "'born.week_sin' is personal"
    with pytest.raises(BadInput, match=says):
        hidden_columns(ledger(**rules), schema, source="p")


@pytest.mark.parametrize("key", ["shop", "day"])
def test_a_personal_column_that_lags_are_looked_up_by_is_not_hashed_unasked(key):
    columns = {
        "day": {"type": "date", "feature": False},
        "shop": {"type": "category", "feature": False},
        "price": {"type": "number"},
    }
    columns[key]["personal"] = True
    spec = {"target": {"name": "bought", "classes": ["no", "yes"]}, "time": "day", "columns": columns}
    schema = Schema.from_dict({**spec, "features": {"lags": {"price": [1]}, "step": "day", "by": "shop"}})

    says = rf"'{key}' is personal, and 'features' are looked up by it: .* ledger\.keep_clear"
    with pytest.raises(BadInput, match=says):
        hidden_columns(ledger(), schema, source="p")

    assert hidden_columns(ledger(keep_clear=(key,)), schema, source="p") == ({}, frozenset())


def test_what_may_stay_in_clear_may_be_looked_back_at():
    columns = {"day": {"type": "date", "feature": False}, "age": {"type": "number", "personal": True}}
    spec = {"target": {"name": "bought", "classes": ["no", "yes"]}, "time": "day", "columns": columns}
    schema = Schema.from_dict({**spec, "features": {"lags": {"age": [1]}, "step": "day"}})

    assert schema.personal == {"age", "age.lag_1"}
    assert hidden_columns(ledger(keep_clear=("age",)), schema, source="p") == ({}, frozenset())


@pytest.mark.parametrize(
    ("spec", "cells", "names"),
    [
        ({"type": "category"}, ["Ann", "Bo", ""], ["part 1 of 2", "part 2 of 2", ""]),
        ({"type": "category", "categories": ["f", "m"]}, ["f", "m", ""], ["f", "m", ""]),
        ({"type": "number"}, [48151.5, 3.0, np.nan], ["part 1 of 2", "part 2 of 2", ""]),
    ],
)
def test_groups_are_counted_unless_the_schema_lists_their_words(spec, cells, names):
    schema, rows = schema_with(who={"personal": True, "nullable": True, **spec}), pd.DataFrame({"who": cells})

    assert [each.value for each in slices(rows, rows, ("who",), schema)] == names


def test_what_a_drift_report_says_of_a_personal_column_has_no_cell_and_no_end():
    issue = DataIssue(DataIssueKind.OUTSIDE, ("age",), 0.95, low=18.0, high=48151.0)
    example = DataIssue(DataIssueKind.NEW_CATEGORIES, ("town",), 0.6, example=SECRET)
    personal = Column("age", "number", personal=True)

    assert "18 to 4.815e+04" in describe_issue(issue)
    assert describe_issue(issue.as_shown(personal)) == ("age: 95% of the values lie outside the range of the reference")
    assert f"such as '{HIDDEN}'" in describe_issue(example.as_shown(personal))
    assert issue.as_shown(Column("age", "number")) == issue
