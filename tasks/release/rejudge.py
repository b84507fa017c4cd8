"""Judge a model against another champion, without a fit: by what travels with both of them."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from releve.adapters.fairness import find_unfairness, group_scores
from releve.adapters.models.model_runtime import Model
from releve.adapters.models.model_store import ModelStore
from releve.core.formatting import counted
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.decision.money import MoneyInputs, evaluate_money
from releve.domain.evaluation import holdout_evaluation
from releve.domain.evaluation.evaluation import Evaluation, Money
from releve.domain.evaluation.holdout_evaluation import EvaluationInputs
from releve.domain.evaluation.paired import BootstrapConfig
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.evaluation.scored_predictions import Floats, ScoredPredictions, in_classes
from releve.domain.gate.gate import GateInputs, as_judged, decide
from releve.domain.registry.events import Challenger
from releve.domain.registry.release import Release
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import BATCH, ROW
from releve.domain.schema.target import Target
from releve.reporting.messages.gate import explain
from tasks.monitoring.champion import read_holdout, read_reference
from tasks.pipeline.evaluate import all_rounded

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class NotComparable:
    """Why no gate can compare the two, for people."""

    why: str


def rejudge(
    settings: Settings, challenger: Challenger, champion: Release | None, params: Params, *, today: date
) -> Challenger | NotComparable:
    """Return the gate's judgement against `champion`, None for nothing that serves.

    The champion is asked the rows of the challenger's holdout that came after all that it learned; the challenger's own
    answers, which knew none of them, travel with it. Raises NotFound, ModelAltered.
    """
    store = ModelStore(settings.home)
    model = store.load(challenger.model, digest=challenger.model_digest)
    schema, rows = model.schema, read_reference(settings, model.tag)
    there = _holdout_answers(settings, model, rows, quantile=params.gate.quantile)
    if isinstance(there, NotComparable):
        return there
    start = len(rows) - len(there)
    begin = max(start, _learned_until(settings, rows, champion)) if champion else start
    least = max(1, params.statistics.min_rows)
    if len(rows) - begin < least:
        return NotComparable(
            f"{counted(len(rows) - begin, 'row')} of those that {model.tag} was judged on came after what the "
            f"champion learned, and statistics.min_rows asks for {least}"
        )
    mine, theirs = there.take(slice(begin - start, None)), None
    if champion:
        other = store.load(champion.model, digest=champion.model_digest)
        unknown = [name for name in other.schema.names if name not in rows]
        if unknown or other.schema.target.task != schema.target.task:
            return NotComparable(f"{other.tag} {f'asks for {unknown[0]}' if unknown else 'answers another question'}")
        theirs = mine.with_outputs(_answers(other, rows.iloc[begin:], schema.target))
    bootstrap, folds = BootstrapConfig.of(params.statistics), (Fold(begin, len(rows)),)
    inputs = EvaluationInputs(rows, folds, mine, theirs, schema, params.gate, bootstrap)
    policy = model.description.decision
    money = evaluate_money(MoneyInputs.of(policy.table, inputs)) if policy else None
    evaluation = _evaluate(inputs, challenger.evaluation, money)
    gate = GateInputs(
        as_judged(evaluation, params),
        champion is not None,
        challenger.latency_ms,
        challenger.sanity,
        model.description.parity or "",
    )
    decision = decide(gate, params, today=today)
    reasons, notes = explain(decision, gate, params)
    return challenger.model_copy(
        update={
            "champion": champion.model if champion else "",
            "evaluation": evaluation,
            "promote": decision.promote,
            "inconclusive": decision.is_inconclusive,
            "reasons": reasons,
            "notes": notes,
            "overrides": decision.overrides,
        }
    )


def _holdout_answers(
    settings: Settings, model: Model, rows: "pd.DataFrame", *, quantile: float
) -> ScoredPredictions | NotComparable:
    """The model's own answers to its holdout, which is the end of `rows`."""
    target = model.schema.target
    kept = read_holdout(settings, model.tag, model.schema, quantile=quantile)
    if kept is None or len(kept.scored) >= len(rows):
        return NotComparable(f"too few rows travel with {model.tag}")
    labels = rows[target.name].tolist()[len(rows) - len(kept.scored) :]
    there = ScoredPredictions.of(kept.scored.outputs, labels, target, quantile=quantile)
    packaged = model.description.evaluation
    is_whole = packaged is not None and len(kept.scored) == packaged.holdout_rows
    if not is_whole or not np.array_equal(there.y_true, kept.scored.y_true):  # rows in doubt do not travel
        return NotComparable(f"the labels of some rows that {model.tag} was judged on are in doubt")
    return there


def _evaluate(inputs: EvaluationInputs, known: Evaluation, money: Money | None) -> Evaluation:
    """Evaluate anew what depends on the opponent; the rest is `known` from the first judgement."""
    fairness, unknown_groups = find_unfairness(inputs)
    evaluation = holdout_evaluation.evaluate(inputs).model_copy(
        update={
            "rows": known.rows,
            "fairness": fairness,
            "unknown_groups": unknown_groups,
            "groups": group_scores(inputs),
            "importances": known.importances,
            "naive": known.naive,
            "money": money,
        }
    )
    return Evaluation.model_validate(all_rounded(evaluation.model_dump(mode="json")))


def _answers(model: Model, rows: "pd.DataFrame", target: Target) -> Floats:
    """In the order of the target's classes."""
    answered = model.answer(arrays_of_frame(model.schema, rows))
    if answered.probabilities is None:
        return np.asarray(answered.labels, dtype=np.float64)
    return in_classes(answered.probabilities, model.schema.target.classes, target.classes)


def _learned_until(settings: Settings, rows: "pd.DataFrame", champion: Release) -> int:
    """Return the place after the last of `rows` that the champion learned."""
    reference = read_reference(settings, champion.model)
    learned = set(zip(reference[BATCH], reference[ROW], strict=True))
    known = [place for place, key in enumerate(zip(rows[BATCH], rows[ROW], strict=True)) if key in learned]
    return known[-1] + 1 if known else 0
