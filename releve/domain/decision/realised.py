"""What decisions that were sent have cost, by the labels that came, beside what they were expected to cost."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.documents import DocumentPart
from releve.domain.decision.choices import NUMBER, Choices, Floats
from releve.domain.decision.costs import CostTable, UnitPrices
from releve.domain.decision.money import A_NUMBER
from releve.domain.decision.policy import DecisionTable
from releve.domain.evaluation.baselines import labels_as_places
from releve.domain.evaluation.intervals import Interval, difference
from releve.domain.evaluation.paired import BootstrapConfig, mean_interval
from releve.domain.prediction_log.records import AnsweredRows, LabelledRows
from releve.domain.schema.target import Label, Target


class RealisedCost(DocumentPart):
    """Per row, in the unit of decision.unit, of the newest answers whose label came."""

    unit: str
    rows: int
    cost: Interval | None  # None of too few rows
    expected: float | None  # that was sent with these very answers
    constant: float | None  # of the decision that costs least by the labels that the model learned, on the same rows
    promised: Interval | None = None  # at the release, as the gate judged it; None where it judged no decisions
    decided: dict[str, int]  # answers of the model by decision, labelled or not
    fired: dict[str, int]  # the same, by the reason of the rule that decided

    @property
    def change(self) -> Interval | None:
        """Return how much less a row costs than was promised, so that positive is better; None where nobody knows."""
        return difference(self.promised, self.cost) if self.promised and self.cost else None

    @property
    def is_dear(self) -> bool:
        """Whether labels show that a row costs more than was promised."""
        return self.change is not None and self.change.high < 0


def realised_cost(
    answers: AnsweredRows,
    labelled: LabelledRows,
    table: DecisionTable,
    target: Target,
    *,
    learned: Sequence[Label],
    rows: int,
    min_rows: int,
    bootstrap: BootstrapConfig,
    promised: Interval | None = None,
) -> RealisedCost:
    """Add up what the newest `rows` labelled answers have cost. `learned`: labels that the model learned; `promised`:
    what a row was to cost, as the gate judged it."""
    known = priced_rows(labelled, table.costs, target)[-rows:]
    counts = Counter(map(_named, filter(lambda each: each is not None, answers.decisions)))
    found = RealisedCost(
        unit=table.unit,
        rows=len(known),
        cost=None,
        expected=None,
        constant=None,
        promised=promised,
        decided={name: counts[name] for name in (A_NUMBER, *table.costs.decisions) if counts[name]},
        fired=_fired(answers.rules, [rule.reason for rule in table.rules]),
    )
    if len(known) < max(1, min_rows):
        return found
    cost, truth = _charged(labelled, known, table.costs, target)
    expected = [labelled.answers.expected_costs[place] for place in known]
    before = labels_as_places(learned, target)
    constant = None
    if len(before):
        same = table.costs.best_constant(before, np.full(len(truth), len(before)))
        constant = float(table.costs.charge(same, truth).mean())
    return found.model_copy(
        update={
            "cost": mean_interval(cost, bootstrap),
            "expected": float(np.mean([each for each in expected if each is not None])),
            "constant": constant,
        }
    )


def priced_rows(labelled: LabelledRows, costs: CostTable, target: Target) -> list[int]:
    """Return the places of the rows whose decision has a price, and whose label the target knows."""
    places = {name: place for place, name in enumerate(costs.decisions)}
    pairs = zip(labelled.labels, labelled.answers.decisions, strict=False)  # no decisions where nobody asked for them
    return [
        row
        for row, (label, decision) in enumerate(pairs)
        if target.parse(label) is not None and _place_of(decision, costs, places) is not None
    ]


def cost_per_row(
    labelled: LabelledRows, costs: CostTable, target: Target, *, min_rows: int, bootstrap: BootstrapConfig
) -> Interval | None:
    """Return what decisions of labelled answers have cost, at these prices; None of too few rows."""
    rows = priced_rows(labelled, costs, target)
    if len(rows) < max(1, min_rows):
        return None
    return mean_interval(_charged(labelled, rows, costs, target)[0], bootstrap)


def _charged(
    labelled: LabelledRows, rows: Sequence[int], costs: CostTable, target: Target
) -> tuple[Floats, NDArray[Any]]:
    """Return what the rows have cost, and the truth."""
    truth = labels_as_places([target.parse(labelled.labels[row]) for row in rows], target)
    return costs.charge(choices_of([labelled.answers.decisions[row] for row in rows], costs), truth), truth


def choices_of(decisions: Sequence[Any], costs: CostTable) -> Choices:
    """Return decisions as they were sent in the form that prices are known for."""
    places = {name: place for place, name in enumerate(costs.decisions)}
    numbers = [float(each) if isinstance(each, float | int) else np.nan for each in decisions]
    nothing = np.full((len(decisions), len(places)), np.nan)
    return Choices(
        np.array([_place_of(each, costs, places) for each in decisions], dtype=np.intp),
        np.array(numbers, dtype=np.float64),
        nothing,
        np.full(len(decisions), np.nan),
    )


def _place_of(decision: Any, costs: CostTable, places: dict[str, int]) -> int | None:
    """Return the place of a decision among those with a price; None of one that has none."""
    if isinstance(decision, float | int) and not isinstance(decision, bool):
        return NUMBER if isinstance(costs, UnitPrices) else None
    return places.get(decision)


def _named(decision: Any) -> str:
    return decision if isinstance(decision, str) else A_NUMBER


def _fired(rules: Iterable[str | None], reasons: Sequence[str]) -> dict[str, int]:
    counts = Counter(rules)
    return {reason: counts[reason] for reason in reasons}
