"""What the decisions of each policy would have cost, and its retrainings, in one unit.

Each window is decided by thresholds that were chosen on the windows whose labels had arrived, as production does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from releve.domain.backtest.jobs import Floats
from releve.domain.backtest.played import PlayedPolicy
from releve.domain.backtest.walk_forward import WalkForward
from releve.domain.decision.choices import Choices
from releve.domain.decision.money import AnsweredPart, cells_of, together
from releve.domain.decision.policy import DecisionTable
from releve.domain.decision.rules import RuleBook

HOUR = 3600  # seconds


@dataclass(frozen=True, eq=False)
class PricedPolicies:
    """In the unit of decision.unit."""

    unit: str
    costs: tuple[Floats, ...]  # of each policy, by answered row
    spent: tuple[float, ...]  # on retrainings, per answered row
    constant: Floats  # of the decision that had cost least by the labels that had arrived, by row


def priced(plan: WalkForward, played: Sequence[PlayedPolicy]) -> PricedPolicies | None:
    """Price policies as they were played; None where no costs are known."""
    context, rows = plan.context, plan.rows - plan.start
    params = context.params.decision
    table = DecisionTable.of(params, context.schema, source="the scenario's params.yaml")
    if table is None:
        return None
    book = RuleBook(table.rules, context.schema, table.costs.decisions)
    cells, truth = cells_of(context.rows.iloc[plan.start : plan.rows]), plan.truth[plan.start : plan.rows]

    def charged(choices: Choices) -> Floats:
        return table.costs.charge(book.apply(choices, cells)[0], truth)

    same = [
        table.costs.best_constant(plan.truth, np.full(each.end - each.start, plan.known_before(each)))
        for each in plan.windows
    ]
    return PricedPolicies(
        unit=params.unit,
        costs=tuple(charged(_decided(plan, table, each.answers)) for each in played),
        spent=tuple(
            (params.retraining * len(each.refreshed_at) + params.cpu_hour * each.fit_seconds / HOUR) / rows
            for each in played
        ),
        constant=charged(Choices.joined(same)),
    )


def _decided(plan: WalkForward, table: DecisionTable, answers: Floats) -> Choices:
    parts = [
        AnsweredPart(answers[each.start - plan.start : each.end - plan.start], plan.truth[each.start : each.end])
        for each in plan.windows
    ]
    made = []
    for window, part in zip(plan.windows, parts, strict=True):
        known = plan.known_before(window)
        arrived = [each for other, each in zip(plan.windows, parts, strict=True) if other.end <= known]
        answered, truth = together(arrived, like=part)
        made.append(table.fit(answered, np.asarray(truth)).choose(part.outputs))
    return Choices.joined(made)
