"""Conversions to ONNX that skl2onnx lacks or does otherwise: used by `onnx_export`.

- Rare and unseen categories share one column (`infrequent_if_exist`): skl2onnx refuses that.
- Numbers are kept within the bounds of `BoundedScaler`, so that float32 sums of the largest numbers stay finite too.
- Names come in the order of the graph: skl2onnx counts in a way that depends on what was exported before.
- A regressor of a scaled target is folded into the regressor: skl2onnx has no conversion of the wrapper.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np


def conversions() -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Converters and shape calculators by scikit-learn class."""
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.preprocessing import OneHotEncoder

    from releve.domain.training.transformers import BoundedScaler

    def one_hot_shape(operator: Any) -> None:
        width = len(operator.raw_operator.get_feature_names_out())
        operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])

    def same_shape(operator: Any) -> None:
        operator.outputs[0].type = FloatTensorType(list(operator.inputs[0].type.shape[:2]))

    return {OneHotEncoder: _one_hot, BoundedScaler: _scale}, {OneHotEncoder: one_hot_shape, BoundedScaler: same_shape}


def folded(pipeline: Any) -> Any:
    """The same pipeline, or an equal one of classes that skl2onnx knows, in the target's own unit."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import Pipeline

    model = pipeline.steps[-1][1]
    if isinstance(model, TransformedTargetRegressor):
        unit = model.transformer_
        plain = deepcopy(model.regressor_)
        if isinstance(plain, MLPRegressor):
            plain.coefs_[-1] = plain.coefs_[-1] * unit.scale_[0]
            plain.intercepts_[-1] = plain.intercepts_[-1] * unit.scale_[0] + unit.mean_[0]
        else:  # a support vector machine
            for name in ("dual_coef_", "_dual_coef_"):
                setattr(plain, name, getattr(plain, name) * unit.scale_[0])
            for name in ("intercept_", "_intercept_"):
                setattr(plain, name, getattr(plain, name) * unit.scale_[0] + unit.mean_[0])
        model = plain
    for kind in (MLPClassifier, MLPRegressor):
        if isinstance(model, kind):
            known = kind()
            known.__dict__.update(model.__dict__)
            model = known
    return pipeline if model is pipeline.steps[-1][1] else Pipeline([*pipeline.steps[:-1], ("model", model)])


def constant_graph(answer: Any, *, inputs: Mapping[str, int], output: str) -> Any:
    """A model that answers (n,) numbers to every row: `inputs` are the columns of each block, of which it sees none."""
    from onnx import TensorProto, helper, numpy_helper

    kinds = {"numbers": TensorProto.FLOAT, "categories": TensorProto.STRING}
    first = next(iter(inputs))
    row = np.asarray(answer, dtype=np.float32)[None]
    constants = {"zero": np.array([0]), "width": np.array([len(answer)]), "answer": row}
    nodes = [
        helper.make_node("Shape", [first], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["rows"], axis=0),
        helper.make_node("Concat", ["rows", "width"], ["wanted"], axis=0),
        helper.make_node("Expand", ["answer", "wanted"], [output]),
    ]
    return helper.make_graph(
        nodes,
        "pipeline",
        [helper.make_tensor_value_info(name, kinds[name], [None, width]) for name, width in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, len(answer)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )


def name_in_order(graph: Any) -> None:
    """Rename, in place, everything inside a graph but its inputs and outputs: the same pipeline is the same bytes."""
    kept = {each.name for each in (*graph.input, *graph.output)}
    _rename(graph, {name: name for name in kept})


def _rename(graph: Any, names: dict[str, str]) -> None:
    def new(name: str) -> str:
        return name and names.setdefault(name, f"v{len(names)}")  # an empty name is an input left out

    for each in (*graph.input, *graph.initializer, *graph.value_info):
        each.name = new(each.name)
    for position, node in enumerate(graph.node):
        node.name = f"n{position}"
        node.input[:] = [new(name) for name in node.input]
        for inner in (each.g for each in node.attribute if each.HasField("g")):
            _rename(inner, names)
        node.output[:] = [new(name) for name in node.output]
    for each in graph.output:
        each.name = new(each.name)


def _one_hot(scope: Any, operator: Any, container: Any) -> None:
    """Per column a 0/1 column for each frequent category and, where there are rare ones, 1 - their sum."""
    encoder, source = operator.raw_operator, operator.inputs[0].full_name
    graph = _Graph(scope, container)
    blocks = []
    for place, known in enumerate(encoder.categories_):
        rare = encoder.infrequent_categories_[place]
        frequent = [each for each in known if rare is None or each not in set(rare)]
        column = graph.node("Gather", source, graph.whole([place]), axis=1)
        each_known = graph.node(
            "OneHotEncoder",
            column,
            op_domain="ai.onnx.ml",
            zeros=1,
            cats_strings=[str(each).encode() for each in frequent],
        )
        block = graph.node("Reshape", each_known, graph.whole([-1, len(frequent)]))
        blocks.append(block)
        if rare is not None:
            found = graph.node("ReduceSum", block, graph.whole([1]), keepdims=1)
            blocks.append(graph.node("Sub", graph.number(1.0), found))
    container.add_node(
        "Concat", blocks, operator.outputs[0].full_name, axis=1, name=scope.get_unique_operator_name("Concat")
    )


def _scale(scope: Any, operator: Any, container: Any) -> None:
    scaler, source = operator.raw_operator, operator.inputs[0].full_name
    graph = _Graph(scope, container)
    above = graph.node("Max", source, graph.numbers(scaler.low_))
    bounded = graph.node("Min", above, graph.numbers(scaler.high_))
    centred = [graph.node("Sub", bounded, graph.numbers(scaler.mean_)), graph.numbers(scaler.scale_)]
    container.add_node("Div", centred, operator.outputs[0].full_name, name=scope.get_unique_operator_name("Div"))


class _Graph:
    """Nodes and constants under names that nobody else has."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output: str = self._scope.get_unique_variable_name(kind.lower())
        self._container.add_node(
            kind, list(inputs), output, name=self._scope.get_unique_operator_name(kind), **attributes
        )
        return output

    def whole(self, values: list[int]) -> str:
        return self._constant("INT64", values, [len(values)])

    def number(self, value: float) -> str:
        return self._constant("FLOAT", [value], [])

    def numbers(self, values: Any) -> str:
        return self._constant("FLOAT", np.asarray(values, dtype=np.float32).tolist(), [1, len(values)])

    def _constant(self, kind: str, values: list[Any], shape: list[int]) -> str:
        from skl2onnx.proto import onnx_proto

        name: str = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(name, getattr(onnx_proto.TensorProto, kind), shape, values)
        return name
