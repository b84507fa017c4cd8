"""What makes an ONNX file one that cannot be released."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx


def with_custom_operator(path: Path) -> None:
    """Its first operator is of a domain that no runtime knows."""
    network = onnx.load(str(path))
    network.graph.node[0].domain = "our.own"
    network.opset_import.append(onnx.helper.make_opsetid("our.own", 1))
    path.write_bytes(network.SerializeToString())


def with_weights_elsewhere(path: Path) -> None:
    """Its weights lie in a file beside it, of a name that says nothing."""
    network = onnx.load(str(path))
    onnx.save_model(
        network, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0, convert_attribute=True
    )


def with_nan(path: Path) -> None:
    """Its first weights are no numbers."""
    network = onnx.load(str(path))
    weights = network.graph.initializer[0]
    weights.CopyFrom(
        onnx.numpy_helper.from_array(np.full_like(onnx.numpy_helper.to_array(weights), np.nan), weights.name)
    )
    path.write_bytes(network.SerializeToString())


def with_fewer_tokens(path: Path) -> None:
    """Its table has vectors for the first five tokens alone."""
    network = onnx.load(str(path))
    table = next(each for each in network.graph.initializer if each.name == "table")
    table.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(table)[:5], table.name))
    path.write_bytes(network.SerializeToString())


def with_sizes(*sizes: int | str) -> Callable[[Path], None]:
    """It takes texts and tokens in these numbers alone; a name stands for any."""

    def spoil(path: Path) -> None:
        network = onnx.load(str(path))
        for taken in network.graph.input:
            shape = [onnx.TensorShapeProto.Dimension(**{"dim_value" if isinstance(each, int) else "dim_param": each})
                     for each in sizes]  # fmt: skip
            taken.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto(dim=shape))
        path.write_bytes(network.SerializeToString())

    return spoil
