"""What may be asked to be explained."""

import math
from dataclasses import dataclass
from typing import Any

from releve.core.errors import BadInput
from releve.domain.prediction_log.records import Row
from releve.domain.schema.cells import format_value
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION, Label
from releve.serving.requests import describe_kind, label_problem, parsed_label, read_fields

FIELDS = {"row", "label", "by"}


@dataclass(frozen=True)
class ExplainQuestion:
    """A row, and what of its answer is to be explained."""

    row: Row  # as it was sent; `check_rows` judges it
    label: Label | None = None  # the class whose probability is explained; None for the one that is answered
    by: float | None = None  # how far a number has to move to count as changed; None for what its own doubt is


def explain_question(body: bytes, schema: Schema) -> ExplainQuestion:
    """Read a question. Raises BadInput, Refused."""
    values = read_fields(body, FIELDS)
    row = values.get("row")
    if not isinstance(row, dict):
        given = "missing" if "row" not in values else describe_kind(row)
        raise BadInput(f"'row' is {given}; send the one row as an object of feature names and values")
    return ExplainQuestion(row, _label(values.get("label"), schema), _amount(values.get("by"), schema))


def _label(label: Any, schema: Schema) -> Label | None:
    if label is None:
        return None
    if schema.target.task == REGRESSION:
        raise BadInput(f"'label' is for classes, and '{schema.target.name}' is a number; leave it out")
    if problem := label_problem(label, schema):
        raise BadInput(f"'label' {problem}")
    return parsed_label(label, schema)


def _amount(by: Any, schema: Schema) -> float | None:
    if by is None:
        return None
    if schema.target.task != REGRESSION:
        raise BadInput(f"'by' is for numbers, and '{schema.target.name}' has classes; leave it out")
    if isinstance(by, bool) or not isinstance(by, int | float) or not math.isfinite(by) or by <= 0:
        raise BadInput(f"'by' is {format_value(by)}, expected a finite number above 0")
    return float(by)
