"""Fitted pipelines as ONNX, and the check that the exported model answers like the one it came from.

Some conversions are silently wrong, so none is trusted: labels must be equal (but for ties) and probabilities
close on real rows, or the scikit-learn pipeline is served and the reason recorded.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from releve.adapters.model_runtime import onnx_runner, pipeline_runner
from releve.rules.embedding import Arrays
from releve.rules.schema import Schema

OPSET = 18
ONNX, SKLEARN = "onnx", "sklearn"


@dataclass(frozen=True)
class Export:
    """The runtime that will serve. `onnx` is None and `reason` says why where the conversion was not good enough."""

    runtime: str
    onnx: bytes | None
    reason: str | None


def export_checked(pipeline: Any, schema: Schema, arrays: Arrays, *, tolerance: float) -> Export:
    """Export, and compare on `arrays` (`Schema.frame_input` of real rows). No export is no error."""
    try:
        exported = export(pipeline, schema)
        reason = parity_problem(exported, pipeline, arrays, tolerance=tolerance)
    except Exception as error:  # the converter raises its own kinds, one per unsupported operator
        return Export(SKLEARN, None, f"it cannot be exported: {_first_line(error)}")
    return Export(ONNX, exported, None) if reason is None else Export(SKLEARN, None, reason)


def export(pipeline: Any, schema: Schema) -> bytes:
    """An ONNX model with the inputs `numbers` and `categories` (where there are any) and the output `probabilities`."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType

    blocks = [("numbers", FloatTensorType, schema.numbers), ("categories", StringTensorType, schema.categories)]
    inputs = [(name, kind([None, len(columns)])) for name, kind, columns in blocks if columns]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the converter reads attributes that scikit-learn is about to rename
        converted: Any = to_onnx(pipeline, initial_types=inputs, options={"zipmap": False}, target_opset=OPSET)
    # The converter lists them in the order of a set, which differs between processes: the same model, other bytes.
    converted.opset_import.sort(key=lambda each: each.domain)
    return bytes(converted.SerializeToString())


def parity_problem(exported: bytes, pipeline: Any, arrays: Arrays, *, tolerance: float) -> str | None:
    """How the exported model differs on these rows, as a sentence part; None when it does not."""
    found, expected = onnx_runner(exported)(arrays), pipeline_runner(pipeline)(arrays)
    chosen = np.take_along_axis(expected, found.argmax(axis=1)[:, None], axis=1)[:, 0]
    # Two classes that are as probable, as in a forest of an even number of trees, are no difference.
    other_labels = int((expected.max(axis=1) - chosen > tolerance).sum())
    gap = float(np.abs(found - expected).max())
    if not other_labels and gap <= tolerance:
        return None
    return (
        f"the exported model gives another label on {other_labels} of {len(expected)} rows and probabilities up to "
        f"{gap:.2g} apart; {tolerance:g} is allowed (params.yaml: package.parity_tolerance)"
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
