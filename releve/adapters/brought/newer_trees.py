"""Trees of older files by the operator that our own trees are of, so that one graph can hold both.

`TreeEnsembleClassifier` and `TreeEnsembleRegressor`, which onnxmltools and skl2onnx write, were given up in
ai.onnx.ml 5, and all nodes of one graph are of one version.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.models.onnx_graphs import GraphWriter
from releve.adapters.models.onnx_trees import TREES_DOMAIN, TREES_OPSET, ForestTree, add_trees

OLD = {"TreeEnsembleClassifier": "class", "TreeEnsembleRegressor": "target"}  # what the weights of a leaf are called
LEAF, AT_MOST, BELOW = "LEAF", "BRANCH_LEQ", "BRANCH_LT"


def with_newer_trees(content: bytes) -> bytes | None:
    """Return the graph with newer trees; None where it has no older ones.

    Raises ValueError for what has no newer form here; whether the answers are the same is for the caller to see.
    """
    import onnx

    model = onnx.load_from_string(content)
    places = [place for place, node in enumerate(model.graph.node) if node.op_type in OLD]
    if not places:
        return None
    nodes = list(model.graph.node)
    for place in reversed(places):
        added = _Added(prefix=f"trees_{place}_")
        _convert(nodes[place], added)
        nodes[place : place + 1] = added.nodes
        model.graph.initializer.extend(added.constants)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for each in model.opset_import:
        each.version = TREES_OPSET if each.domain == TREES_DOMAIN else each.version
    return bytes(model.SerializeToString())


def _convert(node: Any, added: "_Added") -> None:
    from onnx import helper

    values = {each.name: helper.get_attribute_value(each) for each in node.attribute}
    graph, kind = GraphWriter(added, added), OLD[node.op_type]
    is_classifier = kind == "class"
    labels = values.get("classlabels_strings") or values.get("classlabels_int64s") or []
    count = len(labels) if is_classifier else values.get("n_targets", 1)
    ids = np.array(values[f"{kind}_ids"])
    is_one = is_classifier and count == 2 and len(set(ids.tolist())) == 1  # the second class alone has weights
    trees, targets = zip(*_trees(values, kind), strict=True)
    if values.get("aggregate_function", b"SUM") != b"SUM":
        raise ValueError("trees that are not summed up")
    outputs = 1 if is_one else count
    total = add_trees(graph, node.input[0], trees, [0 if is_one else target for target in targets], outputs=outputs)
    if base := values.get("base_values"):
        total = graph.node("Add", total, graph.numbers(base))
    ends = values.get("post_transform", b"NONE").decode()
    if not is_classifier:
        if ends != "NONE":
            raise ValueError(f"a regression by trees that ends in {ends}")
        graph.node("Identity", total, output=node.output[0])
        return
    answer = node.output[1]
    if is_one:
        if ends not in ("LOGISTIC", "NONE"):
            raise ValueError(f"two classes by trees that end in {ends}")
        second = graph.node("Sigmoid", total) if ends == "LOGISTIC" else total
        graph.node("Concat", graph.node("Sub", graph.number(1.0), second), second, output=answer, axis=1)
    elif ends == "SOFTMAX":
        graph.node("Softmax", total, output=answer, axis=1)
    elif ends in ("LOGISTIC", "NONE"):
        graph.node("Sigmoid" if ends == "LOGISTIC" else "Identity", total, output=answer)
    else:
        raise ValueError(f"several classes by trees that end in {ends}")


def _trees(values: dict[str, Any], kind: str) -> Iterator[tuple[ForestTree, int]]:
    """Read trees with the target of each; one whose leaves have weights of several targets comes once for each."""
    of_tree, modes = np.array(values["nodes_treeids"]), np.array([each.decode() for each in values["nodes_modes"]])
    if strange := {*modes.tolist()} - {LEAF, AT_MOST, BELOW}:
        raise ValueError(f"trees with {', '.join(sorted(strange))}")
    thresholds = np.array(values["nodes_values"], dtype=np.float32)
    below = np.nextafter(thresholds, np.float32(-np.inf))
    thresholds = np.where(modes == BELOW, below, thresholds)
    missing = np.array(values.get("nodes_missing_value_tracks_true") or np.zeros(len(modes), dtype=np.int64))
    nodes, true, false, feature = (
        np.array(values[f"nodes_{name}"]) for name in ("nodeids", "truenodeids", "falsenodeids", "featureids")
    )
    leaf_tree, leaf_node, target, weight = (
        np.array(values[f"{kind}_{name}"]) for name in ("treeids", "nodeids", "ids", "weights")
    )
    for number in dict.fromkeys(of_tree.tolist()):
        own = np.flatnonzero(of_tree == number)
        leaf = modes[own] == LEAF
        place = dict(zip(nodes[own].tolist(), range(len(own)), strict=True))
        children = {*true[own][~leaf].tolist(), *false[own][~leaf].tolist()}
        if [each for each in nodes[own].tolist() if each not in children] != [nodes[own[0]]]:
            raise ValueError("trees whose root is not their first node")

        def places(of: NDArray[Any], own: Any = own, leaf: Any = leaf, place: Any = place) -> NDArray[np.int64]:
            return np.array([-1 if end else place[each] for each, end in zip(of[own].tolist(), leaf, strict=True)])

        weights = leaf_tree == number
        for one in dict.fromkeys(target[weights].tolist()):
            held = np.zeros(len(own))
            is_held = weights & (target == one)
            for each, value in zip(leaf_node[is_held], weight[is_held], strict=True):
                held[place[int(each)]] += value
            tree = ForestTree(
                left=places(true),
                right=places(false),
                feature=feature[own],
                threshold=thresholds[own].astype(np.float64),
                missing_left=missing[own],
                leaf=leaf,
                values=held,
            )
            yield tree, one


@dataclass
class _Added:
    """What `GraphWriter` writes into, in the place of skl2onnx's scope and container."""

    prefix: str

    def __post_init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.node_domain_version_pair_sets: set[tuple[str, int]] = set()

    def get_unique_variable_name(self, name: str) -> str:
        return f"{self.prefix}{name}_{len(self.nodes)}_{len(self.constants)}"

    get_unique_operator_name = get_unique_variable_name

    def add_node(self, kind: str, inputs: list[str], output: str, *, name: str, **attributes: Any) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], name=name, **attributes))

    def add_initializer(self, name: str, kind: int, shape: list[int], content: Any) -> None:
        from onnx import helper

        self.constants.append(helper.make_tensor(name, kind, shape, content))
