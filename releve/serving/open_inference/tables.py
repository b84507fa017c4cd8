"""A scenario's table as tensors: which the model takes, rows out of them, and its answers as tensors."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from itertools import chain
from typing import Any

import numpy as np
import orjson

from releve.core.errors import BadInput
from releve.domain.decision.policy import Decided, DecisionTable
from releve.domain.schema.cells import SHOWN, format_value
from releve.domain.schema.columns import DATE, NUMBER, Column
from releve.domain.schema.examples import example_cells
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION, Label
from releve.serving.open_inference.tensors import BYTES, Tensor

MATRIX = "features"  # all features of a table of numbers as one tensor, in the schema's order
LABEL, PROBABILITIES, VALUE, INTERVAL = "label", "probabilities", "value", "interval"
DECISION, EXPECTED_COST, RULE = "decision", "expected_cost", "rule"
ROUNDED = ("FP16", "FP32")  # numbers in these are the nearest to what was meant

Description = dict[str, Any]  # of a tensor, to be sent as JSON


def describe_inputs(schema: Schema) -> list[Description]:
    """Describe what the model takes: a matrix for a table of numbers, else one tensor per feature.

    Values of `parameters` are plain, as the protocol wants; what is a list stands there as JSON text.
    """
    if not is_matrix(schema):
        return [_described(column) for column in schema.asked]
    rows = list(zip(*(example_cells(column) for column in schema.features), strict=True))
    parameters = {"columns": _json(schema.names), "examples": _json(rows)}
    return [{"name": MATRIX, "datatype": "FP64", "shape": [-1, len(schema.names)], "parameters": parameters}]


def describe_outputs(
    schema: Schema, *, confidence: float | None, table: DecisionTable | None = None
) -> list[Description]:
    """Describe what the model answers: a value and its interval, or a label and the probability of each class; then
    what is decided, where costs are known: texts, of a regression the number as JSON or the text of a rule.

    `confidence`: of the intervals; None for a model that has none.
    """
    answers = _describe_answers(schema, confidence=confidence)
    if table is None:
        return answers
    decisions = {"decisions": _json(table.costs.decisions)}
    return [
        *answers,
        {"name": DECISION, "datatype": BYTES, "shape": [-1, 1], "parameters": decisions},
        {"name": EXPECTED_COST, "datatype": "FP64", "shape": [-1, 1], "parameters": {"unit": table.unit}},
        {"name": RULE, "datatype": BYTES, "shape": [-1, 1]},
    ]


def _describe_answers(schema: Schema, *, confidence: float | None) -> list[Description]:
    target = schema.target
    if target.task == REGRESSION:
        interval = {"name": INTERVAL, "datatype": "FP64", "shape": [-1, 2], "parameters": {"confidence": confidence}}
        value = {"name": VALUE, "datatype": "FP64", "shape": [-1, 1]}
        return [value] if confidence is None else [value, interval]
    classes = {"classes": _json(target.classes)}
    return [
        {"name": LABEL, "datatype": _label_type(schema), "shape": [-1, 1], "parameters": classes},
        {"name": PROBABILITIES, "datatype": "FP64", "shape": [-1, len(target.classes)], "parameters": classes},
    ]


def is_matrix(schema: Schema) -> bool:
    """Whether every feature is a number, and sent."""
    return schema.derived is None and len(schema.numbers) == len(schema.names)


def rows_of(schema: Schema, inputs: Sequence[Tensor]) -> list[dict[str, Any]]:
    """Return rows as `predict` takes them; their cells are not checked. Raise BadInput for tensors of another table.

    A column is [n] or [n, 1]; a matrix is [n, features]. NaN, null and the empty text are missing.
    """
    first = inputs[0]
    names = list(schema.by_name)
    if len(inputs) == 1 and first.name == MATRIX and is_matrix(schema) and len(first.shape) == 2:
        if first.shape[1] != len(schema.names):
            raise BadInput(
                f"the input '{MATRIX}' has shape {list(first.shape)}, expected [n, {len(schema.names)}]: "
                f"{', '.join(schema.names[:10])}{', ...' if schema.names[10:] else ''}"
            )
        inputs = [
            Tensor(name, first.datatype, first.shape[:1], first.values[at :: len(schema.names)])
            for at, name in enumerate(schema.names)
        ]
    columns: dict[str, Sequence[Any]] = {}
    for tensor in inputs:
        if tensor.name not in schema.by_name:
            close = get_close_matches(tensor.name[:SHOWN], names, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"expected {', '.join(_expected(schema))}"
            raise BadInput(f"the input {format_value(tensor.name)} is none of the model's; {hint}")
        if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ((), (1,)):
            raise BadInput(f"the input '{tensor.name}' has shape {list(tensor.shape)}, expected [n, 1] or [n]")
        if tensor.shape[0] != inputs[0].shape[0]:
            raise BadInput(
                f"the input '{tensor.name}' has {tensor.shape[0]} rows, and '{inputs[0].name}' has "
                f"{inputs[0].shape[0]}; every input needs a value for each row"
            )
        columns[tensor.name] = _cells(schema.by_name[tensor.name], tensor)
    if missing := [column.name for column in schema.asked if column.name not in columns]:
        raise BadInput(f"the input '{missing[0]}' is missing; expected {', '.join(_expected(schema))}")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def answer_tensors(
    schema: Schema,
    labels: Sequence[Label],
    probabilities: Sequence[Sequence[float]] | None,
    intervals: Sequence[Sequence[float]] | None,
    decided: Decided | None = None,
) -> list[Tensor]:
    """Return the tensors that `describe_outputs` describes, one row per answer; a rule that did not fire is ""."""
    answers = _answer_tensors(schema, labels, probabilities, intervals)
    if decided is None:
        return answers
    shape = (len(labels), 1)
    return [
        *answers,
        Tensor(DECISION, BYTES, shape, [str(each) for each in decided.decisions]),
        Tensor(EXPECTED_COST, "FP64", shape, decided.expected_costs),
        Tensor(RULE, BYTES, shape, [each or "" for each in decided.rules]),
    ]


def _answer_tensors(
    schema: Schema,
    labels: Sequence[Label],
    probabilities: Sequence[Sequence[float]] | None,
    intervals: Sequence[Sequence[float]] | None,
) -> list[Tensor]:
    rows = len(labels)
    if probabilities is None:
        value = Tensor(VALUE, "FP64", (rows, 1), labels)
        return [value] if intervals is None else [value, _matrix(INTERVAL, intervals, columns=2)]
    label = Tensor(LABEL, _label_type(schema), (rows, 1), labels)
    return [label, _matrix(PROBABILITIES, probabilities, columns=len(schema.target.classes))]


def _matrix(name: str, rows: Sequence[Sequence[float]], *, columns: int) -> Tensor:
    return Tensor(name, "FP64", (len(rows), columns), list(chain.from_iterable(rows)))


def _expected(schema: Schema) -> list[str]:
    return [f"'{MATRIX}'"] if is_matrix(schema) else [f"'{column.name}'" for column in schema.asked]


def _label_type(schema: Schema) -> str:
    return "INT64" if schema.target.is_number else BYTES


def _cells(column: Column, tensor: Tensor) -> Sequence[Any]:
    """Return the cells as a row of JSON would hold them."""
    if column.type == DATE and tensor.datatype == BYTES:
        return [cell or None for cell in tensor.values]
    if column.type != NUMBER or not tensor.datatype.startswith("FP"):
        return tensor.values
    cells = [None if cell != cell else cell for cell in tensor.values]
    if tensor.datatype in ROUNDED:
        # 0.1 as FP32 is above .1: what is a limit, rounded, is meant as the limit
        rounding = np.float32 if tensor.datatype == "FP32" else np.float16
        limits = {float(rounding(limit)): limit for limit in (column.min, column.max) if isinstance(limit, int | float)}
        cells = [limits.get(cell, cell) if cell is not None else None for cell in cells] if limits else cells
    return cells


def _described(column: Column) -> Description:
    limits: Mapping[str, Any] = {
        "type": column.type,
        "nullable": column.nullable,
        "min": column.min.isoformat() if isinstance(column.min, datetime) else column.min,
        "max": column.max.isoformat() if isinstance(column.max, datetime) else column.max,
        "max_length": column.max_length,
        "categories": _json(column.categories) if column.categories else None,
        "examples": _json(example_cells(column)),
    }
    return {
        "name": column.name,
        "datatype": "FP64" if column.type == NUMBER else BYTES,
        "shape": [-1, 1],
        "parameters": {key: value for key, value in limits.items() if value is not None},
    }


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
