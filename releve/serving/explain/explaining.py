"""One answer explained: computed in a thread of its own, written as values for JSON and for the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from releve.adapters.models.model_runtime import Model, ModelOutput
from releve.core.errors import NotFound
from releve.domain.explanation.explanation import Explanation, Wanted, explain
from releve.domain.explanation.hybrids import HybridRows, changeable, moved_along
from releve.domain.explanation.shapley import Floats
from releve.domain.neighbours.embedding import Arrays
from releve.domain.neighbours.index_design import DistanceMetric
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION, Label
from releve.serving.explain.patient import PatientModel, short_turns
from releve.serving.explain.questions import ExplainQuestion
from releve.serving.prediction import check_answered
from releve.serving.scenarios.scenario import Scenario

MOST_ROWS = 131_072  # of the model in one explanation: all coalitions of a dozen features against 32 reference rows
SECONDS = 8.0  # that one may take
NEAREST = 5  # labelled rows
SEED = 20170522  # of the orders that are drawn: asked again, the answer is the same


class NotExplainable(NotFound):
    """The model has no rows that its answers could be explained against."""

    code = "not_explainable"


@dataclass(frozen=True)
class Explained:
    """An explanation, with what it is about."""

    model: Model
    explanation: Explanation
    question: ExplainQuestion
    arrays: Arrays  # of the row
    label: Label | None  # whose probability is explained; None of a regression
    by: float | None  # that a number has to move to count as changed; None of classes


def explain_row(
    model: Model,
    question: ExplainQuestion,
    arrays: Arrays,
    *,
    hidden: frozenset[str],
    answered: Callable[[], int],
    seconds: float = SECONDS,
) -> Explained:
    """Explain what `model` answers to one row, given as `check_rows` makes it; in so many seconds at most.

    `hidden`: see `hidden_columns`; `answered`: counts rows that others were answered meanwhile, to which it gives way.

    Raises NotExplainable, Refused, TooLarge, TimedOut, BadInput.
    """
    if not model.references.rows:
        raise NotExplainable(
            f"{model.tag} has no reference rows, against which answers are explained: it was made before models had "
            f"any. The next version has them: make retrain SCENARIO={model.description.scenario}"
        )
    output = model.answer(arrays)
    check_answered(output)
    schema, rows = model.schema, HybridRows(model.schema, arrays, model.reference_arrays)
    [answer], references = (model.outputs(each).astype(np.float64) for each in (arrays, model.reference_arrays))
    label, by = None, None
    if schema.target.task == REGRESSION:
        by = question.by if question.by is not None else _doubt(model, output, references)
    else:
        label = output.labels[0] if question.label is None else question.label
    place = 0 if label is None else schema.target.classes.index(label)
    with short_turns():
        patient = PatientModel(model, rows, seconds, answered)
        most_rows = max(0, min(MOST_ROWS, patient.affordable() - rows.differs.size))
        wanted = Wanted(place, by or 0.0, changeable(schema) - hidden, most_rows, SEED)
        found = explain(patient, rows, wanted, answer=answer, references=references)
    return Explained(model, found, question, arrays, label, by)


def _doubt(model: Model, output: ModelOutput, references: Floats) -> float:
    """Return the half width of the answer's own interval; where it has none, how much answers differ by."""
    if intervals := model.intervals(output):
        low, high = intervals[0]
        return (high - low) / 2
    return float(references.std())


def hidden_columns(scenario: Scenario, schema: Schema) -> frozenset[str]:
    """Return the columns whose cells no explanation tells, be they of the row or of others: what the ledger hides, and
    what is personal.

    The one place that decides it: `written` and `explain_row` go by this.
    """
    return scenario.ledger.hidden.names | schema.personal


def nearest_references(explained: Explained) -> list[dict[str, object]]:
    """Return the reference rows nearest to the row, as neighbours of /search are written; L2 between embeddings."""
    model, references, schema = explained.model, explained.model.references.rows, explained.model.schema
    images = [[str(each.cells.get(name) or "") for each in references] for name in schema.images]
    vectors = model.embedder.embed(model.reference_arrays, images)
    own = model.embedder.embed(
        explained.arrays, [[str(explained.question.row.get(name) or "")] for name in schema.images]
    )
    distances = ((vectors - own) ** 2).sum(axis=1)
    nearest = np.argsort(distances, kind="stable")[:NEAREST].tolist()
    return [
        {
            "label": references[place].label,
            "distance": float(distances[place]),
            "batch": references[place].batch,
            "row": references[place].row,
            "row_id": references[place].row_id or None,
        }
        for place in nearest
    ]


def written(
    explained: Explained,
    nearest: Sequence[dict[str, object]],
    *,
    index: str | None,
    metric: DistanceMetric,
    hidden: frozenset[str],
) -> dict[str, Any]:
    """Write an explanation as JSON holds it, the strongest feature first.

    `index`: where the nearest rows were found; None for the reference rows.
    """
    schema, found = explained.model.schema, explained.explanation
    moved = found.contributions
    errors = [None] * len(moved.values) if moved.errors is None else moved.errors.tolist()
    features = [
        {"feature": name, "moved": value, "standard_error": error}
        for name, value, error in zip(schema.names, moved.values.tolist(), errors, strict=True)
        if name not in moved_along(schema)
    ]
    return {
        "label": explained.label,
        "answer": moved.answer,
        "reference": moved.reference,
        "reference_rows": len(explained.model.references.rows),
        "exact": moved.errors is None,
        "features": sorted(features, key=lambda each: -abs(each["moved"])),
        "changed_by": explained.by,
        "changes": [
            _change(explained, each.feature, each.reference, each.size, each.outputs) for each in found.changes
        ],
        "nearest_in": index or "reference rows",
        "metric": metric,
        "nearest": [{**each, "row_id": None} for each in nearest] if schema.id in hidden else list(nearest),
        "asked_rows": found.asked,
    }


def _change(explained: Explained, feature: int, reference: int, size: float, outputs: Floats) -> dict[str, Any]:
    model, target = explained.model, explained.model.schema.target
    name = model.schema.names[feature]
    is_value = target.task == REGRESSION
    return {
        "feature": name,
        "to": model.references.rows[reference].cells[name],
        "size": size,
        "label": None if is_value else target.classes[int(outputs.argmax())],
        "answer": float(outputs[0]) if is_value else float(outputs.max()),
    }
