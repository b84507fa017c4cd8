"""What makes an ONNX file one that cannot be released."""

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
