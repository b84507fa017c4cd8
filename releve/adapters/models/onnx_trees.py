"""Trees as one ONNX node each forest, written from scikit-learn's arrays: used by `onnx_converters`.

skl2onnx walks every node in Python: a forest of 100 trees over 10,000 rows took it 7 s and 36 MB. Here a class that a
leaf has not seen takes no place, and two classes need one number: docs/decisions/0031-ensemble-export.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.models.onnx_graphs import GraphWriter


@dataclass(frozen=True)
class _Tree:
    """Nodes of one tree, the root first; `leaf` (nodes,) bool, `values` (nodes, outputs) count at leaves alone."""

    left: NDArray[Any]
    right: NDArray[Any]
    feature: NDArray[Any]
    threshold: NDArray[Any]
    missing_left: NDArray[Any]
    leaf: NDArray[Any]
    values: NDArray[Any]


def convert_forest(scope: Any, operator: Any, container: Any) -> None:
    """Convert a decision tree, or a forest of them: the mean of its trees."""
    model = operator.raw_operator
    estimators, is_classifier = getattr(model, "estimators_", [model]), hasattr(model, "classes_")

    def read(tree: Any) -> _Tree:
        values = tree.value[:, 0, :]
        if is_classifier:
            values = values / values.sum(axis=1, keepdims=True)
            values = values[:, 1:] if values.shape[1] == 2 else values
        return _Tree(
            left=tree.children_left,
            right=tree.children_right,
            feature=tree.feature,
            threshold=tree.threshold,
            missing_left=tree.missing_go_to_left,
            leaf=tree.children_left < 0,
            values=values / len(estimators),
        )

    trees, graph = [read(each.tree_) for each in estimators], GraphWriter(scope, container)
    source, base = operator.inputs[0].full_name, np.zeros(trees[0].values.shape[1])
    if not is_classifier:
        _add_trees(graph, source, trees, base, output=operator.outputs[0].full_name)
    elif len(base) == 1:
        _add_two_classes(graph, operator, _add_trees(graph, source, trees, base))
    else:
        _add_trees(graph, source, trees, base, output=operator.outputs[1].full_name)
        _add_label(graph, operator)


def convert_boosting(scope: Any, operator: Any, container: Any) -> None:
    """Convert histogram gradient boosting. Raises ValueError where it has native categories."""
    model, outputs = operator.raw_operator, len(operator.raw_operator._predictors[0])

    def read(predictor: Any, place: int) -> _Tree:
        nodes = predictor.nodes
        if nodes["is_categorical"].any():
            raise ValueError("boosting with native categories: encode them before")
        return _Tree(
            left=nodes["left"].astype(np.int64),
            right=nodes["right"].astype(np.int64),
            feature=nodes["feature_idx"],
            threshold=nodes["num_threshold"],
            missing_left=nodes["missing_go_to_left"],
            leaf=nodes["is_leaf"].astype(bool),
            values=nodes["value"][:, None] * (np.arange(outputs) == place),
        )

    trees = [read(each, place) for iteration in model._predictors for place, each in enumerate(iteration)]
    graph, source = GraphWriter(scope, container), operator.inputs[0].full_name
    base = np.asarray(model._baseline_prediction, dtype=np.float64).reshape(-1)
    if hasattr(model, "classes_"):
        raw = _add_trees(graph, source, trees, base)
        if outputs == 1:
            _add_two_classes(graph, operator, graph.node("Sigmoid", raw))
        else:
            graph.node("Softmax", raw, output=operator.outputs[1].full_name, axis=1)
            _add_label(graph, operator)
    elif model.loss in ("poisson", "gamma"):
        graph.node("Exp", _add_trees(graph, source, trees, base), output=operator.outputs[0].full_name)
    else:
        _add_trees(graph, source, trees, base, output=operator.outputs[0].full_name)


def _add_trees(
    graph: GraphWriter, source: str, trees: Sequence[_Tree], base: NDArray[np.float64], *, output: str = ""
) -> str:
    """Add one node that sums `base` and a leaf of every tree, (rows, outputs)."""
    sizes = [len(tree.leaf) for tree in trees]
    leaf = np.concatenate([tree.leaf for tree in trees])
    tree_ids = np.repeat(np.arange(len(trees)), sizes)
    node_ids = np.concatenate([np.arange(size) for size in sizes])
    values = np.concatenate([tree.values for tree in trees])
    counts = values != 0
    counts[:, 0] |= ~counts.any(axis=1)  # ONNX Runtime knows a leaf by a value that it has, be it 0
    rows, targets = np.nonzero(counts & leaf[:, None])

    def inner(name: str) -> NDArray[Any]:
        return np.where(leaf, 0, np.concatenate([getattr(tree, name) for tree in trees]))

    return graph.node(
        "TreeEnsembleRegressor",
        source,
        output=output,
        op_domain="ai.onnx.ml",
        op_version=1,
        n_targets=len(base),
        base_values=base.tolist(),
        nodes_treeids=tree_ids.tolist(),
        nodes_nodeids=node_ids.tolist(),
        nodes_featureids=inner("feature").tolist(),
        nodes_values=_at_most(inner("threshold")).tolist(),
        nodes_modes=np.where(leaf, "LEAF", "BRANCH_LEQ").tolist(),
        nodes_truenodeids=inner("left").tolist(),
        nodes_falsenodeids=inner("right").tolist(),
        nodes_missing_value_tracks_true=inner("missing_left").astype(np.int64).tolist(),
        target_treeids=tree_ids[rows].tolist(),
        target_nodeids=node_ids[rows].tolist(),
        target_ids=targets.tolist(),
        target_weights=values[rows, targets].tolist(),
    )


def _at_most(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest float32 that is no larger: a float32 cell lies on the same side of both."""
    largest = np.finfo(np.float32).max
    near = thresholds.clip(-largest, largest).astype(np.float32)
    return np.where(near > thresholds, np.nextafter(near, np.float32(-np.inf)), near)


def _add_two_classes(graph: GraphWriter, operator: Any, second: str) -> None:
    """Add the probabilities of both classes, given that of the second."""
    first = graph.node("Sub", graph.number(1.0), second)
    graph.node("Concat", first, second, output=operator.outputs[1].full_name, axis=1)
    _add_label(graph, operator)


def _add_label(graph: GraphWriter, operator: Any) -> None:
    """Add the label that skl2onnx expects of a classifier; nobody reads it, and the export takes it out again."""
    label, probabilities = (output.full_name for output in operator.outputs)
    graph.node("ArgMax", probabilities, output=label, axis=1, keepdims=0)
