import itertools
import json

import numpy as np
import pytest
import yaml

from releve.domain.decision.calibration import LEAST_ROWS
from releve.domain.decision.policy import DecisionPolicy, DecisionTable
from releve.domain.decision.rules import cells_of_requests
from releve.domain.schema.schema import Schema
from tests.domain.decision.tables import CHURN, DEMAND, PRICES, answered, churn, demand, make_table
from tests.tables import ROOT, make_params

PLAN = {"type": "category", "categories": ["basic", "gold", "staff"]}


def cost_of(policy, outputs, truth):
    return policy.costs.charge(policy.choose(outputs), truth).mean()


def test_what_is_too_sure_is_calibrated_before_it_decides():
    table, newer = make_table(), answered(20_000, seed=8, twist=3)
    plain = table.fit(*(each[:0] for each in answered(1)))

    learned = table.fit(*answered(500, twist=3))

    assert 0.2 < learned.scaling.slope < 0.5
    assert cost_of(learned, *newer) < 0.97 * cost_of(plain, *newer)


def test_what_is_calibrated_already_costs_hardly_more_by_what_was_learned():
    table, newer = make_table(), answered(20_000, seed=8)
    plain = table.fit(*(each[:0] for each in answered(1)))

    learned = [cost_of(table.fit(*answered(500, seed=seed)), *newer) for seed in range(5)]

    assert max(learned) < 1.02 * cost_of(plain, *newer)


@pytest.mark.parametrize(("rows", "learns"), [(0, False), (LEAST_ROWS - 1, False), (LEAST_ROWS, True)])
def test_few_rows_change_no_threshold(rows, learns):
    policy = make_table().fit(*answered(rows, twist=3))

    assert (policy.scaling.slope != 1) == learns


def test_the_thresholds_are_where_the_decision_changes():
    policy = make_table().fit(*answered(300, twist=2))

    thresholds = policy.thresholds(churn().target)

    assert [each.decision for each in thresholds] == ["keep", "offer", "review"]
    assert thresholds[0].probability == 0
    for below, above in itertools.pairwise(thresholds):
        near = np.array([above.probability - 1e-4, above.probability + 1e-4])
        places = policy.choose(np.column_stack([1 - near, near])).places
        assert [policy.costs.decisions[place] for place in places] == [below.decision, above.decision]


def test_a_threshold_is_at_the_share_of_elkan_where_nothing_was_learned():
    costs = {"refuse": {"stays": 10, "leaves": 0}, "grant": {"stays": 0, "leaves": 40}}

    policy = make_table(costs=costs).fit(*(each[:0] for each in answered(1)))

    assert [(each.probability, each.decision) for each in policy.thresholds(churn().target)] == [
        (0.0, "grant"),
        (pytest.approx(0.2, abs=1e-6), "refuse"),
    ]


def test_a_number_is_moved_to_the_quantile_that_costs_least():
    random = np.random.default_rng(7)
    numbers = random.uniform(100, 1000, 1200)
    truth = numbers + random.normal(size=1200) * numbers / 10
    table = make_table(costs={**PRICES, "review": 100}, schema=demand())

    policy = table.fit(numbers[:600], truth[:600])
    shifted = policy.choose(numbers[600:])

    share_below = (truth[600:] <= shifted.numbers).mean()
    assert share_below == pytest.approx(0.75, abs=0.05)
    assert np.all(np.diff([each.shift for each in policy.numbers.bins]) > 0)  # larger numbers miss by more
    plain = table.fit(numbers[:0], truth[:0])
    assert cost_of(policy, numbers[600:], truth[600:]) < 0.9 * cost_of(plain, numbers[600:], truth[600:])


def test_a_number_that_is_known_too_badly_is_left_to_a_person_where_that_costs_less():
    random = np.random.default_rng(7)
    numbers = np.repeat([10.0, 1000.0], 300)
    truth = numbers + random.normal(size=600) * numbers / 10
    policy = make_table(costs={**PRICES, "review": 20}, schema=demand()).fit(numbers, truth)

    decided = policy.decide(np.array([10.0, 1000.0]), cells_of_requests([{}, {}]), policy.rule_book(demand()))

    assert isinstance(decided.decisions[0], float)
    assert decided.decisions[1] == "review"
    assert decided.expected_costs[1] == 20


def test_no_number_is_decided_that_the_target_cannot_be():
    never_below_0 = Schema.from_dict({**DEMAND, "target": {**DEMAND["target"], "min": 0, "max": 100}})
    table = make_table(costs=PRICES, schema=never_below_0)
    numbers = np.linspace(0, 100, 60)

    low = table.fit(numbers, numbers - 5).choose(np.array([1.0, 50.0]))
    high = table.fit(numbers, numbers + 5).choose(np.array([50.0, 99.0]))

    assert (low.numbers.tolist(), high.numbers.tolist()) == ([0, 45], [55, 100])


@pytest.mark.parametrize("policy", [
    make_table().fit(*answered(100)),
    make_table(costs=PRICES, schema=demand()).fit(np.arange(50.0), np.arange(50.0) + 1),
])  # fmt: skip
def test_a_policy_is_read_back_as_it_was_written(policy):
    assert DecisionPolicy.model_validate_json(policy.model_dump_json()) == policy


def test_the_worked_example_of_the_documentation_is_as_it_says():
    text = (ROOT / "docs/decide.md").read_text()
    described = yaml.safe_load(text.split("```yaml")[1].split("```")[0])
    sent = json.loads(text.split("```json")[1].split("```")[0])
    schema = Schema.from_dict(
        {**CHURN, "target": described["target"]} | {"columns": {**CHURN["columns"], "plan": PLAN}}
    )
    params = make_params(**{name: described[name] for name in ("decision", "gate")})
    table = DecisionTable.of(params.decision, schema, source="docs/decide.md")

    policy = table.fit(*(each[:0] for each in answered(1)))

    assert [(each.probability, each.decision) for each in policy.thresholds(schema.target)] == [
        (0.0, "keep"),
        (pytest.approx(0.125, abs=1e-6), "offer"),
        (pytest.approx(0.25, abs=1e-6), "review"),
    ]
    rows = [{"amount": 9_000, "plan": "basic"}, {"amount": 9_000, "plan": "staff"}, {"amount": 11_000, "plan": "basic"}]
    chances = np.array([list(sent["probabilities"].values())] * 3)
    found = policy.decide(chances, cells_of_requests(rows), policy.rule_book(schema))
    assert (found.decisions[0], found.expected_costs[0]) == (sent["decision"], sent["expected_cost"])
    assert found.decisions[1:] == ["keep", "review"]
