"""What decisions cost, once it is known what is true: a matrix of classes, or prices of a unit of a number.

A cost is money lost; a gain is a negative cost. Only differences between decisions count: Elkan 2001, "The foundations
of cost-sensitive learning".
"""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from releve.core.documents import DocumentPart
from releve.core.errors import BadInput
from releve.core.formatting import listed
from releve.domain.decision.choices import NUMBER, Choices, Floats
from releve.domain.schema.target import REGRESSION, Target

UNDER, OVER = "under", "over"  # prices of a unit that is decided too little, or too much


class CostMatrix(DocumentPart):
    """Costs of decisions, by the true class."""

    kind: Literal["matrix"] = "matrix"
    decisions: tuple[str, ...]
    costs: tuple[tuple[float, ...], ...]  # of each decision, by class in the target's order

    @property
    def array(self) -> Floats:
        """(decisions, classes)."""
        return np.array(self.costs, dtype=np.float64)

    def charge(self, choices: Choices, truth: NDArray[Any]) -> Floats:
        """Return what each row cost (rows,); `truth`: places of the true classes."""
        return np.asarray(self.array[choices.places, truth.astype(np.intp)])

    def best_constant(self, truth: NDArray[Any], known: NDArray[np.intp]) -> Choices:
        """Decide rows without a model: what would have cost least for the first `known` (rows,) of `truth`."""
        counts = np.cumsum(np.eye(self.array.shape[1])[truth.astype(np.intp)], axis=0)
        return choose(self, counts[known - 1] / known[:, None])

    def never_decided(self) -> tuple[str, ...]:
        """Name decisions that cost more than another one whatever is true: no probability leads to them."""
        costs = self.array
        beaten = [
            any((other <= own).all() and (other < own).any() for other in costs) for own in costs
        ]  # what a mix of others alone beats is rare, and told by how often it was decided
        return tuple(name for name, is_beaten in zip(self.decisions, beaten, strict=True) if is_beaten)


class UnitPrices(DocumentPart):
    """Prices of a unit of a number, and of decisions that are no number."""

    kind: Literal["prices"] = "prices"
    decisions: tuple[str, ...] = ()  # that are no number, such as review
    prices: tuple[float, ...] = ()  # of these
    under: float  # of a unit that the number was below the truth
    over: float
    least: float | None = None  # that the target can be, and so a number that is decided
    most: float | None = None

    @property
    def quantile(self) -> float:
        """The quantile of the truth that costs least: the critical fractile of the newsvendor (Arrow, Harris &
        Marschak 1951)."""
        return self.under / (self.under + self.over)

    def cost_of(self, short: Floats) -> Floats:
        """Return what numbers cost that were `short` of the truth, (rows,)."""
        return np.asarray(np.where(short > 0, self.under * short, -self.over * short))

    def charge(self, choices: Choices, truth: NDArray[Any]) -> Floats:
        """Return what each row cost (rows,); `truth`: true values."""
        fixed = np.array([*self.prices, 0.0])[choices.places]  # NUMBER takes the last one
        return np.asarray(np.where(choices.places == NUMBER, self.cost_of(truth - choices.numbers), fixed))

    def best_constant(self, truth: NDArray[Any], known: NDArray[np.intp]) -> Choices:
        """Decide rows without a model: what would have cost least for the first `known` (rows,) of `truth`."""
        counts, places = np.unique(known, return_inverse=True)
        numbers = np.array([np.quantile(truth[:count], self.quantile) for count in counts])
        expected = np.array(
            [self.cost_of(truth[:count] - number).mean() for count, number in zip(counts, numbers, strict=True)]
        )
        return Choices.of_numbers(numbers[places], expected[places], self.prices)

    def never_decided(self) -> tuple[str, ...]:
        """Name none: what a number costs depends on how well it is known."""
        return ()


CostTable = CostMatrix | UnitPrices


def choose(matrix: CostMatrix, probabilities: Floats) -> Choices:
    """Decide what is expected to cost least, the first of equals. `probabilities` (rows, classes): calibrated ones."""
    expected = probabilities @ matrix.array.T
    return Choices(expected.argmin(axis=1), np.full(len(expected), np.nan), expected, expected.min(axis=1))


def read_costs(costs: Mapping[str, Any], target: Target, *, source: str) -> CostTable | None:
    """Read decision.costs; None where there are none. Raises BadInput naming the decision and the class."""
    if not costs:
        return None
    if target.task == REGRESSION:
        return _read_prices(costs, target, source)
    return _read_matrix(costs, target, source)


def _read_prices(costs: Mapping[str, Any], target: Target, source: str) -> UnitPrices:
    for key, price in costs.items():
        if isinstance(price, Mapping):
            raise BadInput(
                f"{source}: decision.costs.{key} has several prices, and a regression has no classes; give one"
            )
        if price < 0:
            raise BadInput(f"{source}: decision.costs.{key} is {price:g}; a price is not below 0")
    for key, what in ((UNDER, "little"), (OVER, "much")):
        if not costs.get(key):
            raise BadInput(
                f"{source}: decision.costs has no price above 0 for '{key}', a unit too {what}; without it the "
                "cheapest number has no end"
            )
    fixed = {name: price for name, price in costs.items() if name not in (UNDER, OVER)}
    return UnitPrices(
        decisions=tuple(fixed),
        prices=tuple(fixed.values()),
        under=costs[UNDER],
        over=costs[OVER],
        least=target.min,
        most=target.max,
    )


def _read_matrix(costs: Mapping[str, Any], target: Target, source: str) -> CostMatrix:
    if len(costs) < 2:
        raise BadInput(f"{source}: decision.costs names {listed(costs)} alone; there is nothing to decide with one")
    rows = {}
    for decision, given in costs.items():
        if not isinstance(given, Mapping):
            if given < 0:
                raise BadInput(
                    f"{source}: decision.costs.{decision} is {given:g} whatever turns out true; a price is not below 0"
                )
            rows[decision] = [float(given)] * len(target.classes)
            continue
        by_class = {target.parse(name): float(cost) for name, cost in given.items()}
        if unknown := [name for name in given if target.parse(name) is None]:
            quotes = " (YAML reads yes, no, on and off as true and false: put them in quotes)"
            raise BadInput(
                f"{source}: decision.costs.{decision} has a cost for {unknown[0]!r}; the classes are "
                f"{listed(map(str, target.classes))}{quotes if unknown[0] in ('true', 'false') else ''}"
            )
        if missing := [str(name) for name in target.classes if name not in by_class]:
            raise BadInput(f"{source}: decision.costs.{decision} has no cost for the class {missing[0]!r}")
        rows[decision] = [by_class[name] for name in target.classes]
    matrix = CostMatrix(decisions=tuple(rows), costs=tuple(map(tuple, rows.values())))
    always = [
        name
        for name, own in zip(matrix.decisions, matrix.array, strict=True)
        if all((own <= other).all() for other in matrix.array)
    ]
    if always:
        raise BadInput(
            f"{source}: by decision.costs '{always[0]}' costs least whatever turns out true, so that no answer "
            "changes the decision; look for two costs that changed places"
        )
    return matrix
