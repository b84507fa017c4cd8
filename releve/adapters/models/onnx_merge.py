"""Exported members as one ONNX graph: their answers, weighted by one constant that can be replaced alone.

Names of the members, in the order of their weights, travel in the file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from releve.adapters.models.model_runtime import PROBABILITIES, VALUES
from releve.core.errors import BadInput
from releve.domain.schema.target import Label

WEIGHTS = "weights"  # the constant, (members, 1)
MEMBERS = "members"  # key of the names, as a JSON list, in what the file says of itself


@dataclass(frozen=True)
class ExportedMember:
    """A fitted member as a graph of its own. `classes`: that it knows, in the order of its output; none of values."""

    name: str
    onnx: bytes
    classes: tuple[Label, ...]
    weight: float


def merged(members: Sequence[ExportedMember], *, classes: Sequence[Label]) -> bytes:
    """Merge members into one graph: inputs as theirs, output their weighted mean.

    `classes`: of the output, in its order; none of a regression.
    """
    import onnx
    from onnx import TensorProto, compose, helper, numpy_helper

    models = [onnx.load_from_string(member.onnx) for member in members]
    output, width = (PROBABILITIES, len(classes)) if classes else (VALUES, 1)
    inputs: dict[str, Any] = {}
    nodes, constants, answers = [], [], []
    for place, (member, model) in enumerate(zip(members, models, strict=True)):
        prefix = f"m{place}_"
        graph = compose.add_prefix_graph(model.graph, prefix, rename_inputs=False, inplace=True)
        inputs |= {each.name: each for each in graph.input}
        nodes += [*graph.node]
        constants += [*graph.initializer]
        answer = graph.output[0].name
        if classes and member.classes != tuple(classes):
            put = np.zeros((len(member.classes), width), dtype=np.float32)
            put[np.arange(len(member.classes)), [list(classes).index(label) for label in member.classes]] = 1
            constants.append(numpy_helper.from_array(put, f"{prefix}places"))
            nodes.append(helper.make_node("MatMul", [answer, f"{prefix}places"], [f"{prefix}placed"]))
            answer = f"{prefix}placed"
        answers.append(answer)
    weights = np.array([[member.weight] for member in members])
    shape, axis = np.array([-1, len(members), width]), np.array([1])
    constants += [
        numpy_helper.from_array(weights.astype(np.float32), WEIGHTS),
        numpy_helper.from_array(shape, "shape"),
        numpy_helper.from_array(axis, "axis"),
    ]
    nodes += [
        helper.make_node("Concat", answers, ["side_by_side"], axis=1),
        helper.make_node("Reshape", ["side_by_side", "shape"], ["apart"]),
        helper.make_node("Mul", ["apart", WEIGHTS], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "axis"], [output], keepdims=0),
    ]
    opsets: dict[str, int] = {}
    for model in models:
        for each in model.opset_import:
            opsets[each.domain] = max(each.version, opsets.get(each.domain, 1))
    graph = helper.make_graph(
        nodes,
        "ensemble",
        [inputs[name] for name in sorted(inputs, reverse=True)],  # numbers, categories
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, width])],
        constants,
    )
    whole = helper.make_model(
        graph,
        ir_version=max(model.ir_version for model in models),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in sorted(opsets.items())],
    )
    helper.set_model_props(whole, {MEMBERS: json.dumps([member.name for member in members])})
    return bytes(whole.SerializeToString())


def weights_of(exported: bytes) -> dict[str, float]:
    """Read the members of a merged graph with their weights. Raises BadInput where it is no ensemble."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(exported)
    constant = next((each for each in model.graph.initializer if each.name == WEIGHTS), None)
    if constant is None:
        raise BadInput("this model is a single one and has no weights; train it with train.ensemble: true")
    names = json.loads(next(each.value for each in model.metadata_props if each.key == MEMBERS))
    return dict(zip(names, numpy_helper.to_array(constant)[:, 0].tolist(), strict=True))


def reweighted(exported: bytes, weights: Mapping[str, float]) -> bytes:
    """Replace the weights of a merged graph, and nothing else. A member without one gets 0.

    Raises BadInput where a weight belongs to no member of the graph, or the weights are no shares of 1.
    """
    import onnx
    from onnx import numpy_helper

    known = weights_of(exported)
    if foreign := sorted({*weights} - {*known}):
        raise BadInput(
            f"the model has no member {', '.join(foreign)}; it has {', '.join(known)}. A member that was left out at "
            "export comes back with the next refresh"
        )
    values = np.array([[weights.get(name, 0.0)] for name in known])
    if not (values >= 0).all() or abs(values.sum() - 1) > 1e-6:
        raise BadInput(f"weights {values[:, 0].tolist()} are no shares of 1: each at least 0, their sum 1")
    model = onnx.load_from_string(exported)
    for each in model.graph.initializer:
        if each.name == WEIGHTS:
            each.CopyFrom(numpy_helper.from_array(values.astype(np.float32), WEIGHTS))
    return bytes(model.SerializeToString())
