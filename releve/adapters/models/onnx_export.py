"""Fitted pipelines as ONNX, and the check that the exported model answers like the one it came from.

Some conversions are silently wrong, so none is trusted: answers must be equal (but for ties) within a tolerance, on
real rows and on rows made to be hard, or the scikit-learn pipeline is served and the reason recorded.
"""

import warnings
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.models.brought_pipeline import BroughtPipeline, block_columns
from releve.adapters.models.model_runtime import PROBABILITIES, VALUES, Runner, onnx_runner, pipeline_runner
from releve.adapters.models.onnx_converters import conversion_options, conversions, folded
from releve.adapters.models.onnx_graphs import constant_graph, keep_one_output, name_in_order, nodes_of, unzip
from releve.adapters.models.onnx_merge import ExportedMember, merged
from releve.adapters.models.onnx_trees import TREES_DOMAIN, TREES_OPSET
from releve.domain.ensemble.ensemble import WeightedEnsemble
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.training.parity import made_rows, probabilities_problem, values_problem

if TYPE_CHECKING:
    import pandas as pd

OPSET = 18
IR_VERSION = 8  # of the file format, as skl2onnx writes it for this OPSET
ONNX, SKLEARN = "onnx", "sklearn"
MERGED_STEP = 10  # of the rows that members are compared on, their ensemble is on every tenth
TEXT_REASON = "the table has texts: hashed n-grams have no ONNX form, so scikit-learn turns texts into numbers"


@dataclass(frozen=True)
class Limits:
    """What one member may cost, and how many real rows it is compared on: docs/decisions/0031-ensemble-export.md.

    Nothing here is a time, so that the same fit makes the same bytes on any machine: the gate judges latency.
    """

    nodes: int = 1_000_000  # of its graph, those of its trees included
    bytes: int = 32_000_000
    rows: int = 2_000  # spread over all


LIMITS = Limits()


@dataclass(frozen=True)
class Export:
    """The runtime that will serve. `onnx` is None and `reason` says why where the conversion was not good enough."""

    runtime: str
    onnx: bytes | None
    reason: str | None


def export_checked(
    model: Any, schema: Schema, frame: "pd.DataFrame", *, tolerance: float, limits: Limits = LIMITS
) -> Export:
    """Export a pipeline, or a WeightedEnsemble, and compare on rows of `frame` (checked) and on `made_rows`.

    Each member is exported and compared by itself, then all are merged and compared as one. What cannot be exported
    makes the whole native. No export is no error.
    """
    from threadpoolctl import threadpool_limits

    alone = model.pipelines[0] if isinstance(model, WeightedEnsemble) and len(model.pipelines) == 1 else model
    if isinstance(alone, BroughtPipeline):
        return Export(ONNX, alone.onnx, None)
    if schema.texts:
        return Export(SKLEARN, None, TEXT_REASON)
    spread = np.linspace(0, len(frame) - 1, min(limits.rows, len(frame))).astype(int)
    rows = frame.iloc[spread]
    with threadpool_limits(limits=1):  # threads that wait for each other would cost most of the time
        if not isinstance(model, WeightedEnsemble):
            exported, reason = _try_export(model, schema, rows, tolerance=tolerance, limits=limits)
            return Export(SKLEARN, None, reason) if exported is None else Export(ONNX, exported, None)
        members: dict[bytes, ExportedMember] = {}
        for name, pipeline, weight in model.members():
            exported, reason = _try_export(pipeline, schema, rows, tolerance=tolerance, limits=limits, known=members)
            if exported is None:
                return Export(SKLEARN, None, f"of the member {name}, {reason}")
            classes = tuple(pipeline.classes_.tolist()) if model.classes else ()
            first = members.get(exported, ExportedMember(name, exported, classes, 0.0))
            members[exported] = replace(first, weight=first.weight + weight)
        whole = merged(list(members.values()), classes=model.classes)
        # Members were compared on all rows: what is left to go wrong is their places and weights.
        ask, compared = onnx_runner(whole), rows.iloc[::MERGED_STEP]
        is_ours = not any(isinstance(each, BroughtPipeline) for each in model.pipelines)
        problem = parity_problem(ask, model, schema, compared, tolerance=tolerance, finite=is_ours)
    return Export(ONNX, whole, None) if problem is None else Export(SKLEARN, None, problem)


def _try_export(
    pipeline: Any,
    schema: Schema,
    rows: "pd.DataFrame",
    *,
    tolerance: float,
    limits: Limits,
    known: Collection[bytes] = (),
) -> tuple[bytes | None, str]:
    """Export one pipeline; None and the reason where it cannot be, costs too much or answers otherwise."""
    try:
        exported = as_member(pipeline, schema) if isinstance(pipeline, BroughtPipeline) else export(pipeline, schema)
        if exported in known:  # the same fit, kept twice: it was compared before
            return exported, ""
        ask = onnx_runner(exported)
        problem = _limit_problem(exported, limits)
        is_ours = not isinstance(pipeline, BroughtPipeline)
        problem = problem or parity_problem(ask, pipeline, schema, rows, tolerance=tolerance, finite=is_ours)
    except Exception as error:  # the converter raises its own kinds, one per unsupported operator
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        return None, f"it cannot be exported: {first_line}"
    return (exported, "") if problem is None else (None, problem)


def as_member(brought: BroughtPipeline, schema: Schema) -> bytes:
    """Return a brought graph by the operators that all members of one graph have to be of, OPSET and TREES_OPSET, and
    with the inputs of the table as it is now.

    Raises what onnx raises where it knows no such form of an operator.
    """
    import onnx
    from onnx import helper, version_converter

    model = onnx.load_from_string(brought.onnx)
    opsets = {each.domain: each.version for each in model.opset_import}
    if opsets[""] != OPSET:
        model = version_converter.convert_version(model, OPSET)
    del model.opset_import[:]
    trees = [helper.make_opsetid(TREES_DOMAIN, TREES_OPSET)] if TREES_DOMAIN in opsets else []
    model.opset_import.extend([helper.make_opsetid("", OPSET), *trees])
    model.ir_version = IR_VERSION
    for block, names in block_columns(schema).items():
        if (own := brought.columns.get(block)) is not None and own != names:
            _take_columns(model.graph, block, [names.index(name) for name in own], of=len(names))
    return bytes(model.SerializeToString())


def _take_columns(graph: Any, block: str, places: list[int], *, of: int) -> None:
    """Have a graph take a block of `of` columns, and use those at `places`."""
    from onnx import helper, numpy_helper

    own = f"{block}_own"
    for node in graph.node:
        node.input[:] = [own if each == block else each for each in node.input]
    graph.node.insert(0, helper.make_node("Gather", [block, f"{own}_places"], [own], axis=1))
    graph.initializer.append(numpy_helper.from_array(np.array(places, dtype=np.int64), f"{own}_places"))
    declared = next(each for each in graph.input if each.name == block)
    declared.type.tensor_type.shape.dim[1].dim_value = of


def _limit_problem(exported: bytes, limits: Limits) -> str | None:
    """How the exported model costs more than a member may, as a sentence part; None where it does not."""
    if len(exported) > limits.bytes:
        return f"the exported model has {len(exported)} bytes; {limits.bytes} are allowed"
    if (nodes := nodes_of(exported)) > limits.nodes:
        return f"the exported model has {nodes} nodes; {limits.nodes} are allowed"
    return None


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
            options=conversion_options(pipeline.steps[-1][1]),
            custom_conversion_functions=converters,
            custom_shape_calculators=shapes,
            **outputs,
        )
    if not is_regression:
        unzip(converted.graph, PROBABILITIES)
    keep_one_output(converted.graph, VALUES if is_regression else PROBABILITIES)
    name_in_order(converted.graph)
    for each in converted.opset_import:
        each.version = TREES_OPSET if each.domain == TREES_DOMAIN else each.version
    # The converter lists them in the order of a set, which differs between processes: the same model, other bytes.
    converted.opset_import.sort(key=lambda each: each.domain)
    return bytes(converted.SerializeToString())


def parity_problem(
    ask_exported: Runner,
    pipeline: Any,
    schema: Schema,
    frame: "pd.DataFrame",
    *,
    tolerance: float,
    finite: bool = True,
) -> str | None:
    """How the exported model differs on `frame` or on rows made from it, as a sentence part; None when it does not.

    `finite`: every answer has to be; of a brought model some to extreme rows are not, and the service refuses those.
    """
    ask_pipeline = pipeline_runner(pipeline, schema)
    real = arrays_of_frame(schema, frame)
    usual = ask_pipeline(real)
    made = arrays_of_rows(schema, made_rows(frame, schema))
    for where, arrays in (("", real), (", for extreme, missing or unseen values,", made)):
        with np.errstate(over="ignore", invalid="ignore"):  # the largest numbers are meant to be too much
            expected, found = usual if arrays is real else ask_pipeline(arrays), ask_exported(arrays)
        if not finite:
            is_asked = np.isfinite(expected).all(axis=1) | np.isfinite(found).all(axis=1)
            expected, found = expected[is_asked], found[is_asked]
        if schema.target.task == REGRESSION:
            problem = values_problem(found, expected, usual=usual, tolerance=tolerance)
        else:
            problem = probabilities_problem(found, expected, tolerance=tolerance)
        if problem:
            return f"the exported model{where} {problem}; {tolerance:g} is allowed"
    return None
