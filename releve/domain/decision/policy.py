"""The decision policy of a model: costs, what was learned of its answers, and business rules; served with the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from releve.core.documents import DocumentPart
from releve.core.params import Decision
from releve.domain.decision.calibration import NumberShifts, ProbabilityScaling, two_classes_cut
from releve.domain.decision.choices import NUMBER, Choices, Floats
from releve.domain.decision.costs import CostMatrix, CostTable, UnitPrices, choose, read_costs
from releve.domain.decision.rules import Cells, Rule, RuleBook, read_rules
from releve.domain.evaluation.intervals import rounded
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Target

CENTS = 6  # decimals of an expected cost that is sent


@dataclass(frozen=True)
class Decided:
    """What is decided of each row, as it is sent and kept."""

    decisions: Sequence[str | float]
    expected_costs: Sequence[float]
    rules: Sequence[str | None]  # the reason of the rule that fired

    def take(self, part: slice) -> "Decided":
        """Select neighbouring rows."""
        return Decided(self.decisions[part], self.expected_costs[part], self.rules[part])


class Threshold(DocumentPart):
    """From this probability of the positive class on, as it is answered, this is decided."""

    probability: float
    decision: str


class DecisionTable(DocumentPart):
    """What a person said: costs and rules. The same of two models means that they decide by the same."""

    unit: str
    costs: Annotated[CostMatrix | UnitPrices, Field(discriminator="kind")]
    rules: tuple[Rule, ...]

    @classmethod
    def of(cls, params: Decision, schema: Schema, *, source: str) -> "DecisionTable | None":
        """Read the section `decision`; None where it has no costs. Raises BadInput naming what does not fit."""
        costs = read_costs(params.costs, schema.target, source=source)
        if costs is None:
            return None
        rules = read_rules(params.rules, schema, costs.decisions, source=source)
        return cls(unit=params.unit, costs=costs, rules=rules)

    def fit(self, outputs: Floats, truth: NDArray[Any]) -> "DecisionPolicy":
        """Learn from answers (rows, classes) or (rows,) and the truth, places of classes or values."""
        if isinstance(self.costs, UnitPrices):
            numbers = NumberShifts.fit(outputs.reshape(len(truth)), truth, self.costs)
            return DecisionPolicy(table=self, scaling=None, numbers=numbers)
        scaling = ProbabilityScaling.fit(outputs, truth.astype(np.intp))
        return DecisionPolicy(table=self, scaling=scaling, numbers=None)


class DecisionPolicy(DocumentPart):
    """A table, and what was learned of the answers that it decides by."""

    table: DecisionTable
    scaling: ProbabilityScaling | None  # None of a regression
    numbers: NumberShifts | None  # None of classes

    @property
    def costs(self) -> CostTable:
        return self.table.costs

    def choose(self, outputs: Floats) -> Choices:
        """Decide by answers alone (rows, classes) or (rows,), without rules."""
        if isinstance(self.costs, UnitPrices):
            assert self.numbers is not None, "a regression has them"
            return self.numbers.choose(outputs.reshape(len(outputs)), self.costs)
        assert self.scaling is not None, "classes have it"
        return choose(self.costs, self.scaling.scaled(outputs))

    def decide(self, outputs: Floats, cells: Cells, book: RuleBook) -> Decided:
        """Decide rows, rules included. `book`: of `rule_book`, made once."""
        choices, fired = self.choose(outputs), None
        if book.rules:
            choices, fired = book.apply(choices, cells)
        names, reasons = self.costs.decisions, [rule.reason for rule in book.rules]
        return Decided(
            [
                number if place == NUMBER else names[place]
                for place, number in zip(choices.places.tolist(), choices.numbers.tolist(), strict=True)
            ],
            choices.expected.round(CENTS).tolist(),
            [None] * len(choices)
            if fired is None
            else [None if each < 0 else reasons[each] for each in fired.tolist()],
        )

    def rule_book(self, schema: Schema) -> RuleBook:
        """Return the rules, ready for rows of the schema that the model knows."""
        return RuleBook(self.table.rules, schema, self.costs.decisions)

    def thresholds(self, target: Target) -> tuple[Threshold, ...]:
        """Return where the decision about two classes changes, from probability 0 on; () of other tasks."""
        matrix = self.costs
        if not isinstance(matrix, CostMatrix) or self.scaling is None or len(target.classes) != 2:
            return ()
        positive = target.classes.index(target.classes[-1] if target.positive is None else target.positive)
        costs = matrix.array
        at_zero, rise = costs[:, 1 - positive], costs[:, positive] - costs[:, 1 - positive]
        now, place = 0.0, int(np.lexsort((rise, at_zero))[0])
        found = [Threshold(probability=0.0, decision=matrix.decisions[place])]
        while True:  # along the lower envelope of straight lines
            with np.errstate(divide="ignore", invalid="ignore"):
                crossings = (at_zero - at_zero[place]) / (rise[place] - rise)
            ahead = np.where((rise < rise[place]) & (crossings < 1), np.maximum(crossings, now), np.inf)
            if not np.isfinite(ahead).any():
                return tuple(found)
            now = float(ahead.min())
            place = int(min(np.flatnonzero(ahead == now), key=lambda each: rise[each]))
            cut = two_classes_cut(self.scaling, now, positive=positive) if now else 0.0
            found.append(Threshold(probability=rounded(cut), decision=matrix.decisions[place]))
