import re

import numpy as np
import pytest

from releve.core.errors import BadInput
from releve.domain.decision.choices import Choices
from releve.domain.decision.costs import choose
from releve.domain.schema.schema import Schema
from tests.domain.decision.tables import COSTS, PRICES, churn, demand, make_table
from tests.tables import make_params


@pytest.mark.parametrize(
    ("costs", "problem"),
    [
        ({"keep": {"stays": 0}, "offer": 20}, "decision.costs.keep has no cost for the class 'leaves'"),
        ({"keep": {"stays": 0, "left": 9}, "offer": 20}, "keep has a cost for 'left'; the classes are stays, leaves"),
        (
            {"keep": {True: 0, "leaves": 9}, "offer": 20},
            "has a cost for 'true'; the classes are stays, leaves (YAML reads",
        ),
        ({"keep": {"stays": 0, "leaves": 9}}, "decision.costs names keep alone"),
        ({**COSTS, "review": -1}, "decision.costs.review is -1 whatever turns out true; a price is not below 0"),
        (
            {"keep": {"stays": 0, "leaves": 20}, "offer": {"stays": 20, "leaves": 60}},
            "by decision.costs 'keep' costs least whatever turns out true",
        ),
    ],
)
def test_a_matrix_that_decides_nothing_is_told_in_one_sentence(costs, problem):
    with pytest.raises(BadInput, match=re.escape(problem)):
        make_table(costs=costs)


@pytest.mark.parametrize(
    ("costs", "problem"),
    [
        ({"under": 3}, "decision.costs has no price above 0 for 'over', a unit too much"),
        ({"under": 0, "over": 1}, "no price above 0 for 'under', a unit too little"),
        ({"under": -3, "over": 1}, "decision.costs.under is -3; a price is not below 0"),
        ({"under": {"a": 1}, "over": 1}, "decision.costs.under has several prices, and a regression has no classes"),
    ],
)
def test_prices_without_which_no_number_is_cheapest_are_told(costs, problem):
    with pytest.raises(BadInput, match=re.escape(problem)):
        make_table(costs=costs, schema=demand())


def test_rules_and_the_metric_cost_ask_for_costs():
    rule = {"column": "amount", "operator": ">", "value": 1, "decision": "review", "reason": "large"}

    with pytest.raises(BadInput, match=re.escape("'decision.rules' decide, and 'decision.costs' says of no decision")):
        make_params(decision={"rules": [rule]})
    with pytest.raises(BadInput, match=re.escape("'gate.metric' is cost, and 'decision.costs' says of no decision")):
        make_params(gate={"metric": "cost"})


def test_classes_that_are_numbers_or_truth_values_are_named_as_yaml_reads_them():
    digits = Schema.from_dict({**{"target": {"name": "y", "classes": [0, 1]}}, "columns": {"a": {"type": "number"}}})
    said = Schema.from_dict(
        {**{"target": {"name": "y", "classes": ["true", "false"]}}, "columns": {"a": {"type": "number"}}}
    )

    by_number = make_table(costs={"a": {0: 1, 1: 0}, "b": {0: 0, 1: 5}}, schema=digits)
    by_truth = make_table(costs={"a": {True: 1, False: 0}, "b": {True: 0, False: 5}}, schema=said)

    assert by_number.costs.costs == by_truth.costs.costs == ((1, 0), (0, 5))


def test_what_is_expected_to_cost_least_is_decided():
    matrix = make_table().costs

    choices = choose(matrix, np.array([[0.95, 0.05], [0.85, 0.15], [0.6, 0.4]]))

    assert [matrix.decisions[place] for place in choices.places] == ["keep", "offer", "review"]
    assert choices.expected == pytest.approx([10, 26, 30])
    assert matrix.charge(choices, np.array([1, 0, 1])) == pytest.approx([200, 20, 30])


def test_of_two_decisions_that_cost_the_same_the_first_is_taken():
    matrix = make_table(costs={"first": {"stays": 0, "leaves": 10}, "second": {"stays": 10, "leaves": 0}}).costs

    assert choose(matrix, np.array([[0.5, 0.5]])).places.tolist() == [0]


def test_a_decision_that_is_worse_than_another_whatever_is_true_is_named():
    matrix = make_table(costs={**COSTS, "call": {"stays": 25, "leaves": 70}}).costs

    assert matrix.never_decided() == ("call",)


def test_a_number_costs_by_the_side_it_misses_on():
    prices = make_table(costs={**PRICES, "review": 5}, schema=demand()).costs
    choices = Choices.of_numbers(np.array([10.0, 10.0, 10.0]), np.array([1.0, 1.0, 9.0]), prices.prices)

    assert choices.places.tolist() == [-1, -1, 0]
    assert prices.charge(choices, np.array([12.0, 8.0, 99.0])) == pytest.approx([6, 2, 5])
    assert prices.quantile == 0.75


def test_the_best_constant_decision_is_chosen_by_known_labels_alone():
    matrix = make_table().costs

    assert matrix.best_constant(np.array([0] * 99 + [1]), np.array([100, 100])).places.tolist() == [0, 0]
    assert matrix.best_constant(np.array([1] * 9 + [0]), np.array([10])).places.tolist() == [2]
    prices = make_table(costs=PRICES, schema=demand()).costs
    assert prices.best_constant(np.arange(101.0), np.array([101])).numbers.tolist() == [75]

    assert prices.best_constant(np.arange(101.0), np.array([101, 1, 101])).numbers.tolist() == [75, 0, 75]


def test_a_scenario_without_costs_decides_nothing():
    from releve.domain.decision.policy import DecisionTable

    assert DecisionTable.of(make_params().decision, churn(), source="") is None
