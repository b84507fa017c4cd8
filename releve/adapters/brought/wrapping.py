"""A foreign graph between inputs and outputs of our own: then everything treats it as a model that was exported here.

Inputs are the table's blocks, `numbers`, `categories` and `texts`; the output is `probabilities` (rows, classes) in the
order of the target, or `values` (rows, 1).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from releve.adapters.brought.onnx_file import ZIPMAP, maker_of
from releve.adapters.models.model_runtime import PROBABILITIES, VALUES
from releve.adapters.models.onnx_export import OPSET
from releve.adapters.models.onnx_graphs import keep_one_output
from releve.domain.brought.mapping import NUMBERS, MatchedInput
from releve.domain.brought.meaning import Means, OutputMeaning

FOREIGN, OURS = "brought_", "releve_"  # before the names of the two parts, so that they never meet


def with_our_inputs(model: Any, inputs: Sequence[MatchedInput], *, widths: Mapping[str, int]) -> Any:
    """Return the model with the table's blocks as inputs, and its own outputs under FOREIGN names.

    `widths`: columns of each block. An output that is a map of each row becomes the numbers that it is made of.
    """
    import onnx
    from onnx import TensorProto, compose, helper

    foreign = onnx.GraphProto()
    foreign.CopyFrom(model.graph)
    for output in foreign.output:
        maker = maker_of(foreign, output.name)
        if maker is not None and maker.op_type == ZIPMAP:
            maker.op_type, maker.domain = "Identity", ""
            del maker.attribute[:]
            output.CopyFrom(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, [None, None]))
    del foreign.value_info[:]  # shapes that the exporter guessed
    graph = compose.add_prefix_graph(foreign, FOREIGN)
    parts = _GraphParts()
    for each in inputs:
        parts.feed(each, f"{FOREIGN}{each.tensor.name}")
    own = {f"{FOREIGN}{each.tensor.name}" for each in inputs}
    kinds = {name: TensorProto.FLOAT if name == NUMBERS else TensorProto.STRING for name in widths}
    declared = [helper.make_tensor_value_info(name, kinds[name], [None, count]) for name, count in widths.items()]
    rest = [each for each in graph.input if each.name not in own]  # constants, which older files list as inputs
    nodes = [*parts.nodes, *graph.node]
    made = helper.make_graph(nodes, "brought", [*declared, *rest], list(graph.output), list(graph.initializer))
    made.initializer.extend(parts.constants)
    made.sparse_initializer.extend(graph.sparse_initializer)
    imports = {"" if each.domain == "ai.onnx" else each.domain: each.version for each in model.opset_import}
    opsets = [helper.make_opsetid(domain, version) for domain, version in sorted(({"": OPSET} | imports).items())]
    return helper.make_model(made, opset_imports=opsets, ir_version=max(model.ir_version, 4))


def with_our_output(model: Any, meaning: OutputMeaning) -> bytes:
    """Return what `with_our_inputs` made with the one output that models here have."""
    import onnx
    from onnx import TensorProto, helper

    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    output, width = (VALUES, 1) if meaning.means == Means.VALUE else (PROBABILITIES, len(meaning.classes))
    keep_one_output(whole.graph, f"{FOREIGN}{meaning.name}")
    parts = _GraphParts(prefix=f"{OURS}answer_")
    parts.answer(meaning, f"{FOREIGN}{meaning.name}", output)
    whole.graph.node.extend(parts.nodes)
    whole.graph.initializer.extend(parts.constants)
    del whole.graph.output[:]
    whole.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [None, width]))
    return bytes(whole.SerializeToString())


class _GraphParts:
    """Nodes and constants around a graph, whose names begin with `prefix`."""

    def __init__(self, prefix: str = OURS) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._prefix = prefix

    def feed(self, matched: MatchedInput, name: str) -> None:
        """Make an input of the foreign graph from a block of our own."""
        from onnx import TensorProto

        cells = self._node("Gather", matched.block, self._constant(matched.places), axis=1)
        if matched.missing:
            fills = [[matched.missing.get(place, np.nan) for place in matched.places]]
            cells = self._node("Where", self._node("IsNaN", cells), self._constant(fills, np.float32), cells)
        if matched.block == NUMBERS:
            cells = self._node("Cast", cells, to=TensorProto.DataType.Value(matched.tensor.kind.upper()))
        self._node("Reshape", cells, self._constant([-1, *matched.tail]), output=name)

    def answer(self, meaning: OutputMeaning, source: str, output: str) -> None:
        """Make our own output from the one that is read."""
        from onnx import TensorProto

        is_one = meaning.means in (Means.ONE_PROBABILITY, Means.ONE_LOGIT)
        count = 1 if is_one or meaning.means == Means.VALUE else len(meaning.places)
        cells, shape = self._node("Cast", source, to=TensorProto.FLOAT), self._constant([-1, count])
        if meaning.means == Means.VALUE:
            self._node("Reshape", cells, shape, output=output)
            return
        numbers = self._node("Reshape", cells, shape)
        if meaning.means == Means.ONE_LOGIT:
            numbers = self._node("Sigmoid", numbers)
        if is_one:
            other = self._node("Sub", self._constant([1.0], np.float32), numbers)
            numbers = self._node("Concat", other, numbers, axis=1)
        if meaning.means == Means.LOGITS:
            numbers = self._node("Softmax", numbers, axis=1)
        self._node("Gather", numbers, self._constant(meaning.places), output=output, axis=1)

    def _node(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        from onnx import helper

        output = output or self._new_name()
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _constant(self, values: Any, kind: Any = np.int64) -> str:
        from onnx import numpy_helper

        name = self._new_name()
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=kind), name))
        return name

    def _new_name(self) -> str:
        return f"{self._prefix}{len(self.nodes)}_{len(self.constants)}"
