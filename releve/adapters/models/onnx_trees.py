"""Trees as one ONNX node each forest, written from scikit-learn's arrays: used by `onnx_converters`.

skl2onnx walks every node in Python: a forest of 100 trees over 10,000 rows took it 7 s and 36 MB. Here two classes need
one number a leaf, and several a row of a table: docs/decisions/0031-ensemble-export.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.models.onnx_graphs import GraphWriter

TREES_DOMAIN = "ai.onnx.ml"
TREES_OPSET = 5  # of ai.onnx.ml: splits and leaves as arrays of bytes
AT_MOST, SUM, INT64 = 0, 1, 7  # how ONNX numbers a split by "at most", a sum of leaves, a type


@dataclass(frozen=True)
class ForestTree:
    """Nodes of one tree, the root first: arrays (nodes,); `values` count at leaves alone."""

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
    estimators = [each.tree_ for each in getattr(model, "estimators_", [model])]
    graph, source = GraphWriter(scope, container), operator.inputs[0].full_name

    def read(tree: Any, values: NDArray[Any]) -> ForestTree:
        return ForestTree(
            left=tree.children_left,
            right=tree.children_right,
            feature=tree.feature,
            threshold=tree.threshold,
            missing_left=tree.missing_go_to_left,
            leaf=tree.children_left < 0,
            values=values,
        )

    if not hasattr(model, "classes_"):
        trees = [read(each, each.value[:, 0, 0] / len(estimators)) for each in estimators]
        add_trees(graph, source, trees, [0] * len(trees), outputs=1, output=operator.outputs[0].full_name)
        return
    shares = [each.value[:, 0] / each.value[:, 0].sum(axis=1, keepdims=True) / len(estimators) for each in estimators]
    if shares[0].shape[1] == 2:
        trees = [read(each, share[:, 1]) for each, share in zip(estimators, shares, strict=True)]
        _add_two_classes(graph, operator, add_trees(graph, source, trees, [0] * len(trees), outputs=1))
        return
    # A leaf holds one number: of several classes it is the row of a table, which float32 holds exactly below 2**24.
    is_leaf = np.concatenate([each.children_left < 0 for each in estimators])
    rows = np.split(np.cumsum(is_leaf) - 1.0, np.cumsum([len(share) for share in shares])[:-1])
    trees = [read(each, places) for each, places in zip(estimators, rows, strict=True)]
    leaves = add_trees(graph, source, trees, range(len(trees)), outputs=len(trees))
    of_trees = graph.node(
        "Gather", graph.table(np.concatenate(shares)[is_leaf]), graph.node("Cast", leaves, to=INT64), axis=0
    )
    probabilities = operator.outputs[1].full_name
    graph.node("ReduceSum", of_trees, graph.whole([1]), output=probabilities, keepdims=0)
    _add_label(graph, operator)


def convert_boosting(scope: Any, operator: Any, container: Any) -> None:
    """Convert histogram gradient boosting. Raises ValueError where it has native categories."""
    model, outputs = operator.raw_operator, len(operator.raw_operator._predictors[0])

    def read(predictor: Any) -> ForestTree:
        nodes = predictor.nodes
        if nodes["is_categorical"].any():
            raise ValueError("boosting with native categories: encode them before")
        return ForestTree(
            left=nodes["left"].astype(np.int64),
            right=nodes["right"].astype(np.int64),
            feature=nodes["feature_idx"],
            threshold=nodes["num_threshold"],
            missing_left=nodes["missing_go_to_left"],
            leaf=nodes["is_leaf"].astype(bool),
            values=nodes["value"],
        )

    trees = [read(each) for iteration in model._predictors for each in iteration]
    targets = [place for iteration in model._predictors for place in range(len(iteration))]
    graph, result = GraphWriter(scope, container), operator.outputs[-1].full_name
    added = add_trees(graph, operator.inputs[0].full_name, trees, targets, outputs=outputs)
    base = graph.numbers(model._baseline_prediction.reshape(-1))
    if not hasattr(model, "classes_"):
        if model.loss in ("poisson", "gamma"):
            graph.node("Exp", graph.node("Add", added, base), output=result)
        else:
            graph.node("Add", added, base, output=result)
    elif outputs == 1:
        _add_two_classes(graph, operator, graph.node("Sigmoid", graph.node("Add", added, base)))
    else:
        graph.node("Softmax", graph.node("Add", added, base), output=result, axis=1)
        _add_label(graph, operator)


def add_trees(
    graph: GraphWriter,
    source: str,
    trees: Sequence[ForestTree],
    targets: Sequence[int],
    *,
    outputs: int,
    output: str = "",
) -> str:
    """Add one node that gives (rows, outputs): a leaf of every tree, added to the target of its tree."""
    from onnx import numpy_helper

    trees = [_with_a_split(tree) if tree.leaf[0] else tree for tree in trees]
    sizes = [len(tree.leaf) for tree in trees]
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    leaf = np.concatenate([tree.leaf for tree in trees])
    inner = ~leaf
    place = np.where(leaf, np.cumsum(leaf), np.cumsum(inner)) - 1  # leaves and splits are numbered apart
    split = {
        name: np.concatenate([getattr(tree, name) for tree in trees])[inner]
        for name in ("feature", "threshold", "missing_left")
    }
    missing = split["missing_left"]
    true, false = (
        np.concatenate([getattr(tree, name) + start for tree, start in zip(trees, starts, strict=True)])[inner]
        for name in ("left", "right")
    )
    return graph.newer_node(
        "TreeEnsemble",
        source,
        output=output,
        domain=TREES_DOMAIN,
        n_targets=outputs,
        aggregate_function=SUM,
        tree_roots=place[starts].tolist(),
        nodes_featureids=split["feature"].tolist(),
        nodes_splits=numpy_helper.from_array(_at_most(split["threshold"]), "splits"),
        nodes_modes=numpy_helper.from_array(np.full(inner.sum(), AT_MOST, dtype=np.uint8), "modes"),
        **({"nodes_missing_value_tracks_true": missing.astype(np.int64).tolist()} if missing.any() else {}),
        nodes_truenodeids=place[true].tolist(),
        nodes_trueleafs=leaf[true].astype(np.int64).tolist(),
        nodes_falsenodeids=place[false].tolist(),
        nodes_falseleafs=leaf[false].astype(np.int64).tolist(),
        leaf_targetids=np.repeat(targets, [tree.leaf.sum() for tree in trees]).tolist(),
        leaf_weights=numpy_helper.from_array(
            np.concatenate([tree.values for tree in trees])[leaf].astype(np.float32), "leaves"
        ),
    )


def _with_a_split(tree: ForestTree) -> ForestTree:
    """Return the tree of a single leaf as a split with that leaf on both sides: ONNX knows no other form."""
    return ForestTree(
        left=np.array([1, 0]),
        right=np.array([1, 0]),
        feature=np.array([0, 0]),
        threshold=np.zeros(2),
        missing_left=np.zeros(2),
        leaf=np.array([False, True]),
        values=np.repeat(tree.values, 2),
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
