import re
from datetime import date

import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.decision.policy import DecisionPolicy
from releve.domain.decision.rules import cells_of_requests
from releve.domain.schema.schema import Schema
from tests.domain.decision.tables import CHURN, a_rule, answered, churn, make_table

ROW = {"amount": 5, "plan": "basic", "since": "2024-01-31", "note": "hello"}
SURE, UNSURE = [0.99, 0.01], [0.85, 0.15]  # kept; offered


def decided(rules, rows, outputs, schema=None):
    schema = schema or churn()
    policy: DecisionPolicy = make_table(rules=rules, schema=schema).fit(*(each[:0] for each in answered(1)))
    found = policy.decide(np.array(outputs), cells_of_requests(rows), policy.rule_book(schema))
    return list(zip(found.decisions, found.rules, strict=True))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"column": "amout"}, "names 'amout', which is no column of the table; did you mean 'amount'?"),
        ({"column": "churn"}, "asks for the target 'churn', which nobody knows yet"),
        ({"decision": "call"}, "names the decision 'call'; decision.costs has keep, offer, review"),
        ({"instead_of": ["call"]}, "names the decision 'call'"),
        ({"instead_of": ["review"]}, "decides 'review' instead of itself"),
        ({"value": "many"}, "compares the number 'amount' with 'many'"),
        ({"value": True}, "compares the number 'amount' with True"),
        ({"value": [1, 2]}, "compares the number 'amount' with [1, 2]"),
        ({"value": None}, "compares the number 'amount' with None"),
        ({"operator": "in", "value": 3}, "has the value 3; 'in' needs a list of values"),
        ({"operator": "in", "value": []}, "has the value []; 'in' needs a list of values"),
        ({"operator": "missing", "value": 3}, "has the value 3, and 'missing' compares with none"),
        ({"column": "plan", "operator": ">", "value": "gold"}, "compares the category 'plan' by >; it knows ==, !="),
        ({"column": "plan", "operator": "==", "value": "silver"}, "expected one of basic, gold"),
        ({"column": "since", "value": "soon"}, "compares the date 'since' with 'soon'"),
        ({"value": -5, "operator": "<"}, "(amount < -5) never holds: the schema allows no such cell in 'amount'"),
        ({"operator": "missing", "value": None}, "(amount missing) never holds"),
    ],
)
def test_a_rule_that_does_not_fit_the_table_is_refused_with_what_is_wrong(change, problem):
    with pytest.raises(BadInput, match="rule 1 of decision.rules .*" + re.escape(problem)):
        make_table(rules=[a_rule(**change)])


def test_the_table_of_rules_has_known_keys_and_operators_alone():
    with pytest.raises(BadInput, match=re.escape("decision.rules.0.operator")):
        make_table(rules=[a_rule(operator="matches")])
    with pytest.raises(BadInput, match=re.escape("'decision.rules.0.code' is not a known key")):
        make_table(rules=[a_rule(code="import os")])


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ({"value": 100}, {"value": 1000}, "rule 2 of decision.rules (amount > 1000) never decides"),
        ({"value": 100}, {"value": 100, "decision": "keep"}, "the first is (amount > 100), and decides 'review'"),
        ({"operator": ">=", "value": 0}, {"operator": "==", "value": 7}, "(amount == 7) never decides"),
        ({"value": 100}, {"value": 1000, "instead_of": ["keep"]}, "rule 2"),
        ({"value": 100, "instead_of": ["keep", "offer"]}, {"value": 101, "instead_of": ["offer"]}, "rule 2"),
        (
            {"column": "plan", "operator": "!=", "value": "gold"},
            {"column": "plan", "operator": "in", "value": ["basic"]},
            "(plan in (basic)) never decides",
        ),
    ],
)
def test_a_rule_that_earlier_ones_leave_nothing_is_refused(first, second, problem):
    with pytest.raises(BadInput, match=re.escape(problem)):
        make_table(rules=[a_rule(**first), a_rule(reason="second", **second)])


def test_rules_that_leave_nothing_only_together_are_found_too():
    rules = [a_rule(operator="<", value=10, reason="1"), a_rule(operator=">", value=5, reason="2")]

    with pytest.raises(BadInput, match=re.escape("rule 3 of decision.rules (amount <= 7) never decides")):
        make_table(rules=[*rules, a_rule(operator="<=", value=7, reason="3")])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"value": 1000}, {"value": 100}),
        ({"value": 100}, {"operator": ">=", "value": 100}),
        ({"value": 100, "instead_of": ["offer"]}, {"value": 100, "instead_of": ["keep", "offer"]}),
        ({"value": 100, "instead_of": ["offer"]}, {"value": 1000}),
        ({"value": 100}, {"column": "plan", "operator": "==", "value": "gold"}),
    ],
)
def test_rules_that_share_rows_in_part_stand_side_by_side(first, second):
    table = make_table(rules=[a_rule(**first), a_rule(reason="second", **second)])

    assert len(table.rules) == 2


def test_two_rules_do_not_share_a_reason():
    with pytest.raises(BadInput, match="has the reason of another rule"):
        make_table(rules=[a_rule(), a_rule(column="plan", operator="==", value="gold")])


@pytest.mark.parametrize(
    ("operator", "value", "holds"),
    [
        (">", 5, []),
        (">=", 5, [5]),
        ("<", 5, [4.9]),
        ("<=", 5, [4.9, 5]),
        ("==", 5, [5]),
        ("!=", 5, [4.9]),
        ("in", [5, 6], [5]),
        ("not in", [5, 6], [4.9]),
        ("missing", None, [None]),
    ],
)
def test_a_missing_cell_fulfils_missing_alone(operator, value, holds):
    table = {**CHURN, "columns": {**CHURN["columns"], "amount": {"type": "number", "nullable": True}}}
    cells = [4.9, 5, None]

    found = decided(
        [a_rule(operator=operator, value=value)],
        [{**ROW, "amount": cell} for cell in cells],
        [SURE] * 3,
        Schema.from_dict(table),
    )

    assert [cell for cell, (_, fired) in zip(cells, found, strict=True) if fired] == holds


def test_dates_categories_and_texts_are_compared_as_the_schema_reads_them():
    rules = [
        a_rule(column="since", operator="<", value=date(2000, 1, 1), reason="old"),
        a_rule(column="plan", operator="==", value="gold", reason="gold"),
        a_rule(column="note", operator="missing", value=None, reason="no note"),
    ]
    rows = [{**ROW, "since": "1999-12-31T23:00:00+00:00"}, {**ROW, "plan": " gold "}, {**ROW, "note": ""}, ROW]

    assert [fired for _, fired in decided(rules, rows, [SURE] * 4)] == ["old", "gold", "no note", None]


def test_rules_before_the_model_come_first_and_those_after_it_replace_what_it_decided():
    rules = [
        a_rule(column="plan", operator="==", value="gold", decision="keep", reason="no offers", instead_of=["offer"]),
        a_rule(),
    ]
    rows = [ROW, {**ROW, "plan": "gold"}, {**ROW, "plan": "gold"}, {**ROW, "plan": "gold", "amount": 10001}]

    found = decided(rules, rows, [UNSURE, UNSURE, SURE, UNSURE])

    assert found == [("offer", None), ("keep", "no offers"), ("keep", None), ("review", "large amounts")]


def test_the_expected_cost_is_that_of_what_the_rule_decides():
    policy = make_table(rules=[a_rule(decision="keep")]).fit(*(each[:0] for each in answered(1)))
    rows = [{**ROW, "amount": 20000}, ROW]

    found = policy.decide(np.array([UNSURE] * 2), cells_of_requests(rows), policy.rule_book(churn()))

    assert found.expected_costs == pytest.approx([30, 26])


def test_a_column_that_no_row_brings_is_missing():
    table = {**CHURN, "columns": {**CHURN["columns"], "branch": {"type": "category", "feature": False}}}
    rule = a_rule(column="branch", operator="==", value="north")

    assert decided([rule], [ROW, {**ROW, "branch": "north"}], [SURE] * 2, Schema.from_dict(table)) == [
        ("keep", None),
        ("review", "large amounts"),
    ]
