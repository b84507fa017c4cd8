"""ONNX graphs by hand: nodes for skl2onnx's converters, and graphs without it.

Names come in the order of the graph: skl2onnx counts in a way that depends on what was exported before.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def nodes_of(exported: bytes) -> int:
    """Count the nodes of an exported model, and those of its trees."""
    import onnx

    graph = onnx.load_from_string(exported).graph
    trees = [each for node in graph.node if node.op_type == "TreeEnsemble" for each in node.attribute]
    of_trees = [len(each.ints) for each in trees if each.name in ("nodes_featureids", "leaf_targetids")]
    return len(graph.node) + sum(of_trees)


def unzip(graph: Any, output: str) -> None:
    """Give, in place, probabilities (rows, classes) as `output` where the converter made a map of each row.

    To ask it for none, it walks through every attribute of every step, which costs more than all else.
    """
    from onnx import TensorProto, helper

    place = next(place for place, node in enumerate(graph.node) if node.op_type == "ZipMap")
    source = graph.node[place].input[0]
    del graph.node[place]
    if source != output:
        graph.node.append(helper.make_node("Identity", [source], [output]))
    graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, None]))


def keep_one_output(graph: Any, output: str) -> None:
    """Take out, in place, every other output, and what only these needed."""
    needed = {output}
    for place in reversed(range(len(graph.node))):
        node = graph.node[place]
        if not needed & {*node.output}:
            del graph.node[place]
            continue
        inner = [each for body in graphs_within(node) for each in all_nodes(body)]
        needed |= {name for each in (node, *inner) for name in each.input}
    for field, kept in ((graph.output, {output}), (graph.initializer, needed)):
        for place in reversed(range(len(field))):
            if field[place].name not in kept:
                del field[place]


def all_nodes(graph: Any) -> Iterator[Any]:
    """List the nodes of a graph, those of the graphs within it included."""
    return (node for each in all_graphs(graph) for node in each.node)


def all_graphs(graph: Any) -> Iterator[Any]:
    """List a graph and those within it."""
    yield graph
    for node in graph.node:
        for inner in graphs_within(node):
            yield from all_graphs(inner)


def graphs_within(node: Any) -> Iterator[Any]:
    """List the graphs that a node holds: the branches of an `If`, the body of a `Loop`."""
    for attribute in node.attribute:
        yield from [attribute.g, *attribute.graphs] if attribute.HasField("g") else attribute.graphs


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


class GraphWriter:
    """Add nodes and constants to what skl2onnx converts, under names that nobody else has."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container

    def node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        output = output or self._scope.get_unique_variable_name(kind.lower())
        name = self._scope.get_unique_operator_name(kind)
        self._container.add_node(kind, list(inputs), output, name=name, **attributes)
        return output

    def newer_node(self, kind: str, *inputs: str, output: str, domain: str, **attributes: Any) -> str:
        """Add a node that skl2onnx does not know yet, and return the name of its output.

        skl2onnx refuses the domain's version that has it: `export` declares that one.
        """
        from onnx import helper

        output = output or self._scope.get_unique_variable_name(kind.lower())
        name = self._scope.get_unique_operator_name(kind)
        self._container.nodes.append(
            helper.make_node(kind, list(inputs), [output], name=name, domain=domain, **attributes)
        )
        self._container.node_domain_version_pair_sets.add((domain, 1))
        return output

    def whole(self, values: list[int]) -> str:
        return self._constant("INT64", values, [len(values)])

    def number(self, value: float) -> str:
        return self._constant("FLOAT", [value], [])

    def numbers(self, values: Any) -> str:
        return self._constant("FLOAT", np.asarray(values, dtype=np.float32).tolist(), [1, len(values)])

    def table(self, values: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name: str = self._scope.get_unique_variable_name("table")
        content = numpy_helper.from_array(values.astype(np.float32))
        self._container.add_initializer(name, content.data_type, [*values.shape], content)
        return name

    def _constant(self, kind: str, values: list[Any], shape: list[int]) -> str:
        from skl2onnx.proto import onnx_proto

        name: str = self._scope.get_unique_variable_name("constant")
        self._container.add_initializer(name, getattr(onnx_proto.TensorProto, kind), shape, values)
        return name
