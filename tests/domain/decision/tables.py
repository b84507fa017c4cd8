"""A table of customers who stay or leave, one of demands, and what decisions about them cost."""

from typing import Any

import numpy as np

from releve.domain.decision.policy import DecisionTable
from releve.domain.schema.schema import Schema
from tests.tables import make_params

CHURN = {
    "target": {"name": "churn", "classes": ["stays", "leaves"]},
    "columns": {
        "amount": {"type": "number", "min": 0},
        "plan": {"type": "category", "categories": ["basic", "gold"]},
        "since": {"type": "date"},
        "note": {"type": "text", "nullable": True},
    },
}
COSTS = {"keep": {"stays": 0, "leaves": 200}, "offer": {"stays": 20, "leaves": 60}, "review": 30}
DEMAND = {"target": {"name": "sold", "task": "regression"}, "columns": {"price": {"type": "number"}}}
PRICES = {"under": 3, "over": 1}


def make_table(
    *, costs: Any = COSTS, rules: Any = (), schema: Schema | None = None, unit: str = "EUR"
) -> DecisionTable:
    """The costs and rules of a scenario's params.yaml."""
    params = make_params(decision={"costs": costs, "rules": list(rules), "unit": unit})
    table = DecisionTable.of(params.decision, schema or churn(), source="params.yaml")
    assert table is not None
    return table


def churn() -> Schema:
    return Schema.from_dict(CHURN)


def demand() -> Schema:
    return Schema.from_dict(DEMAND)


def a_rule(**changes: Any) -> dict[str, Any]:
    """A rule that fits the table of customers."""
    rule = {"column": "amount", "operator": ">", "value": 10000, "decision": "review", "reason": "large amounts"}
    return {**rule, **changes}


def answered(rows: int, *, seed: int = 7, twist: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of two classes and the true ones; with another `twist` than 1 they are too sure, or too unsure."""
    random = np.random.default_rng(seed)
    chance = random.uniform(0.01, 0.99, rows)
    truth = (random.uniform(size=rows) < chance).astype(np.intp)
    odds = (chance / (1 - chance)) ** twist
    said = odds / (1 + odds)
    return np.column_stack([1 - said, said]), truth
