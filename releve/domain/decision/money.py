"""What decisions cost on rows that no threshold was chosen on, beside the best constant decision and the champion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.decision.choices import NUMBER, Choices, Floats
from releve.domain.decision.costs import CostTable
from releve.domain.decision.policy import DecisionTable
from releve.domain.decision.rules import Cells, RuleBook
from releve.domain.evaluation.baselines import labels_as_places
from releve.domain.evaluation.evaluation import Comparison, Money
from releve.domain.evaluation.holdout_evaluation import EvaluationInputs
from releve.domain.evaluation.paired import BootstrapConfig, compare_costs, mean_interval
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import ScoredPredictions
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

A_NUMBER = "a number"  # decided, of a regression
MOST_CHANGES = 50  # of the constant decision in a window: one that is made anew with every label would take minutes


@dataclass(frozen=True, eq=False)
class AnsweredPart:
    """Answers (rows, classes) or (rows,) that were given before the labels were learned, and the truth."""

    outputs: Floats
    truth: NDArray[Any]  # places of classes, or values
    is_sound: bool = True  # whether thresholds may be chosen on it: its labels are not in doubt


@dataclass(frozen=True, eq=False)
class MoneyInputs:
    """Windows that are judged, the oldest first, and what is known before them."""

    table: DecisionTable
    schema: Schema
    earlier: Sequence[AnsweredPart]  # windows before, which thresholds may be chosen on
    served_earlier: Sequence[AnsweredPart]  # the same windows, as they were served
    challenger: Sequence[AnsweredPart]
    champion: Sequence[AnsweredPart] | None  # the same windows
    labels: NDArray[Any]  # the truth of all rows up to the end of the windows
    known: Sequence[NDArray[np.intp]]  # of each row of each window, how many of `labels` have come
    rows: "pd.DataFrame"  # of the windows
    bootstrap: BootstrapConfig

    @classmethod
    def of(cls, table: DecisionTable, evaluated: EvaluationInputs) -> "MoneyInputs":
        """Decide by the answers that are evaluated, and nothing before them."""
        schema, folds = evaluated.schema, evaluated.folds
        labels = labels_as_places(evaluated.rows[schema.target.name].tolist(), schema.target)
        ends = np.cumsum([fold.end - fold.start for fold in folds])[:-1]

        def parts(answers: ScoredPredictions) -> list[AnsweredPart]:
            pieces = zip(folds, np.split(answers.outputs, ends), np.split(answers.y_true, ends), strict=True)
            return [AnsweredPart(each, truth, fold not in evaluated.doubted) for fold, each, truth in pieces]

        return cls(
            table=table,
            schema=schema,
            earlier=(),
            served_earlier=(),
            challenger=parts(evaluated.challenger),
            champion=parts(evaluated.champion) if evaluated.champion else None,
            labels=labels,
            known=[known_labels(fold, evaluated.gate.label_delay_rows) for fold in folds],
            rows=evaluated.rows.iloc[[row for fold in folds for row in range(fold.start, fold.end)]],
            bootstrap=evaluated.bootstrap,
        )

    @property
    def truth(self) -> NDArray[Any]:
        return np.concatenate([part.truth for part in self.challenger])


def evaluate_money(inputs: MoneyInputs) -> Money:
    """Decide each window by what was known before it, and add up what that cost."""
    table, truth, bootstrap = inputs.table, inputs.truth, inputs.bootstrap
    book = RuleBook(table.rules, inputs.schema, table.costs.decisions)
    cells = cells_of(inputs.rows)

    def charged(choices: Choices) -> Floats:
        return table.costs.charge(book.apply(choices, cells)[0], truth)

    by_model = forward_choices(table, inputs.earlier, inputs.challenger)
    decided, fired = book.apply(by_model, cells)
    mine = table.costs.charge(decided, truth)
    same = [table.costs.best_constant(inputs.labels, known) for known in inputs.known]
    champion = charged(forward_choices(table, inputs.served_earlier, inputs.champion)) if inputs.champion else None
    return Money(
        unit=table.unit,
        rows=len(truth),
        cost=mean_interval(mine, bootstrap),
        expected=float(decided.expected.mean()),
        constant=compare_costs(mine, charged(Choices.joined(same)), bootstrap),
        champion=None if champion is None else compare_costs(mine, champion, bootstrap),
        decided=counts_of(decided, table.costs),
        fired={rule.reason: int((fired == place).sum()) for place, rule in enumerate(book.rules)},
        rules=mean_interval(mine - table.costs.charge(by_model, truth), bootstrap) if book.rules else None,
    )


def compare_tables(inputs: MoneyInputs, served: DecisionTable) -> Comparison | None:
    """Compare costs as they are now with those that serve, by the same answers and rules, paid at today's prices.

    What rules cost is a person's choice, and not judged. None where what serves decides what has no price today.
    """
    table, truth = inputs.table, inputs.truth
    names = served.costs.decisions
    if type(served.costs) is not type(table.costs) or not {*names} <= {*table.costs.decisions}:
        return None
    mine, theirs = (forward_choices(each, inputs.earlier, inputs.challenger) for each in (table, served))
    places = np.array([*(table.costs.decisions.index(name) for name in names), NUMBER], dtype=np.intp)
    in_today = Choices(places[theirs.places], theirs.numbers, theirs.each, theirs.expected)
    book, cells = RuleBook(table.rules, inputs.schema, table.costs.decisions), cells_of(inputs.rows)
    ours, _fired = book.apply(mine, cells)
    others, _ = book.apply(Choices(in_today.places, in_today.numbers, ours.each, ours.expected), cells)
    return compare_costs(table.costs.charge(ours, truth), table.costs.charge(others, truth), inputs.bootstrap)


def known_labels(fold: Fold, delay: int | None) -> NDArray[np.intp]:
    """Return how many labels have come when each row of a window is decided, (rows,): those before the window, as a
    model knows them; with `gate.label_delay_rows` those of the window, too, that are so many rows older."""
    rows = np.arange(fold.start, fold.end)
    if not delay:
        return np.full(len(rows), fold.start, dtype=np.intp)
    at_once = max(1, len(rows) // MOST_CHANGES)
    return np.asarray(fold.start + np.maximum(0, rows - delay + 1 - fold.start) // at_once * at_once, dtype=np.intp)


def forward_choices(table: DecisionTable, earlier: Sequence[AnsweredPart], parts: Sequence[AnsweredPart]) -> Choices:
    """Decide each of `parts` by what was learned of the parts before it, without rules."""
    before, made = list(earlier), []
    for part in parts:
        policy = table.fit(*together([each for each in before if each.is_sound], like=part))
        made.append(policy.choose(part.outputs))
        before.append(part)
    return Choices.joined(made)


def together(parts: Sequence[AnsweredPart], *, like: AnsweredPart) -> tuple[Floats, NDArray[Any]]:
    """Return answers and truth of all parts; none, shaped as those of `like`, where there is no part."""
    if not parts:
        return like.outputs[:0], like.truth[:0]
    return np.concatenate([part.outputs for part in parts]), np.concatenate([part.truth for part in parts])


def counts_of(decided: Choices, costs: CostTable) -> dict[str, int]:
    """Count rows by decision, in the order of the table."""
    counts: dict[str, int] = {name: int((decided.places == place).sum()) for place, name in enumerate(costs.decisions)}
    numbers = int((decided.places == NUMBER).sum())
    return {A_NUMBER: numbers, **counts} if numbers else counts


def cells_of(rows: "pd.DataFrame") -> Cells:
    """Return what takes the cells of a column; missing ones where rows have no such column."""
    return lambda name: rows[name].tolist() if name in rows else [None] * len(rows)
