"""Models that somebody else fitted, as their own tools export them, and small graphs for odd cases."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from onnx import TensorProto, helper, numpy_helper

from releve.domain.schema.schema import Schema

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
Declared = tuple[str, int, Sequence[Any]]  # name, type, shape


def network(frame: pd.DataFrame, schema: Schema, columns: Sequence[str], *, opset: int = 17, **options: Any) -> bytes:
    """A scikit-learn network over number columns with its imputer, as skl2onnx writes it: one input `X`.

    `options`: of `to_onnx`, such as zipmap=False.
    """
    from skl2onnx import to_onnx
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    features = frame[list(columns)].to_numpy(np.float32)
    layers = MLPClassifier if schema.target.classes else MLPRegressor
    fitted = layers(hidden_layer_sizes=(24,), max_iter=300, tol=1e-3, learning_rate_init=0.02, random_state=1)
    model = make_pipeline(SimpleImputer(), StandardScaler(), fitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # good enough before it has converged
        model.fit(features, frame[schema.target.name].tolist())
    return bytes(to_onnx(model, features[:1], target_opset=opset, options=options or None).SerializeToString())


def graph(
    *nodes: Any,
    inputs: Sequence[Declared] = (("x", FLOAT, ("rows", 2)),),
    outputs: Sequence[Declared] = (("y", FLOAT, ("rows", 1)),),
    constants: Mapping[str, Any] | None = None,
    opsets: Mapping[str, int] | None = None,
) -> Any:
    """A model of one graph, to be changed or serialised."""
    made = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(*each) for each in inputs],
        [helper.make_tensor_value_info(*each) for each in outputs],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in (constants or {}).items()],
    )
    imports = [helper.make_opsetid(domain, version) for domain, version in (opsets or {"": 17}).items()]
    return helper.make_model(made, opset_imports=imports, ir_version=8, producer_name="hand")


def linear(weights: Any, *, output: str = "y", **declared: Any) -> Any:
    """Numbers of a row, from the input `x`, times weights."""
    return graph(helper.make_node("MatMul", ["x", "w"], [output]), constants={"w": np.float32(weights)}, **declared)
