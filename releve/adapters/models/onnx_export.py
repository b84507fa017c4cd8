"""Fitted pipelines as ONNX, and the check that the exported model answers like the one it came from.

Some conversions are silently wrong, so none is trusted: answers must be equal (but for ties) within a tolerance, on
real rows and on rows made to be hard, or the scikit-learn pipeline is served and the reason recorded.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.models.model_runtime import PROBABILITIES, VALUES, onnx_runner, pipeline_runner
from releve.adapters.models.onnx_converters import constant_graph, conversions, folded, name_in_order
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.training.parity import made_rows, probabilities_problem, values_problem

if TYPE_CHECKING:
    import pandas as pd

OPSET = 18
IR_VERSION = 8  # of the file format, as skl2onnx writes it for this OPSET
ONNX, SKLEARN = "onnx", "sklearn"
TEXT_REASON = "the table has texts: hashed n-grams have no ONNX form, so scikit-learn turns texts into numbers"


@dataclass(frozen=True)
class Export:
    """The runtime that will serve. `onnx` is None and `reason` says why where the conversion was not good enough."""

    runtime: str
    onnx: bytes | None
    reason: str | None


def export_checked(pipeline: Any, schema: Schema, frame: "pd.DataFrame", *, tolerance: float) -> Export:
    """Export, and compare on `frame` (checked rows) and on `made_rows`. No export is no error."""
    if schema.texts:
        return Export(SKLEARN, None, TEXT_REASON)
    try:
        exported = export(pipeline, schema)
        reason = parity_problem(exported, pipeline, schema, frame, tolerance=tolerance)
    except Exception as error:  # the converter raises its own kinds, one per unsupported operator
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        return Export(SKLEARN, None, f"it cannot be exported: {first_line}")
    return Export(ONNX, exported, None) if reason is None else Export(SKLEARN, None, reason)


def export(pipeline: Any, schema: Schema) -> bytes:
    """An ONNX model with the inputs `numbers` and `categories` (where there are any).

    Its output is `probabilities` (rows, classes), or `values` (rows, 1) of a regression.
    """
    from onnx import helper
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.dummy import DummyClassifier, DummyRegressor

    is_regression = schema.target.task == REGRESSION
    columns = {"numbers": schema.model_numbers, "categories": schema.categories}
    widths = {name: len(columns) for name, columns in columns.items() if columns}
    model = pipeline.steps[-1][1]
    constant = None
    if isinstance(model, DummyRegressor):
        constant = model.constant_[0]
    elif isinstance(model, DummyClassifier):
        constant = model.class_prior_
    elif not is_regression and len(model.classes_) == 1:
        constant = [1.0]
    if constant is not None:
        graph = constant_graph(constant, inputs=widths, output=VALUES if is_regression else PROBABILITIES)
        name_in_order(graph)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        return bytes(made.SerializeToString())
    kinds = {"numbers": FloatTensorType, "categories": StringTensorType}
    inputs = [(name, kinds[name]([None, width])) for name, width in widths.items()]
    pipeline, (converters, shapes) = folded(pipeline), conversions()
    outputs = {"final_types": [(VALUES, FloatTensorType([None, 1]))]} if is_regression else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter reads attributes that scikit-learn is about to rename
        converted: Any = convert_sklearn(
            pipeline,
            name="pipeline",  # else a name of chance
            initial_types=inputs,
            target_opset=OPSET,
            options=None if is_regression else {id(pipeline): {"zipmap": False}},
            custom_conversion_functions=converters,
            custom_shape_calculators=shapes,
            **outputs,
        )
    name_in_order(converted.graph)
    # The converter lists them in the order of a set, which differs between processes: the same model, other bytes.
    converted.opset_import.sort(key=lambda each: each.domain)
    return bytes(converted.SerializeToString())


def parity_problem(
    exported: bytes, pipeline: Any, schema: Schema, frame: "pd.DataFrame", *, tolerance: float
) -> str | None:
    """How the exported model differs on `frame` or on rows made from it, as a sentence part; None when it does not."""
    ask_exported, ask_pipeline = onnx_runner(exported), pipeline_runner(pipeline, schema)
    real = arrays_of_frame(schema, frame)
    usual = ask_pipeline(real)
    made = arrays_of_rows(schema, made_rows(frame, schema))
    for where, arrays in (("", real), (", for extreme, missing or unseen values,", made)):
        with np.errstate(over="ignore", invalid="ignore"):  # the largest numbers are meant to be too much
            expected, found = ask_pipeline(arrays), ask_exported(arrays)
        if schema.target.task == REGRESSION:
            problem = values_problem(found, expected, usual=usual, tolerance=tolerance)
        else:
            problem = probabilities_problem(found, expected, tolerance=tolerance)
        if problem:
            return f"the exported model{where} {problem}; {tolerance:g} is allowed"
    return None
