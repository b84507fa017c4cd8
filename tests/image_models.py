"""Tiny image encoders: a convolution of 3 x 3 pixels, and the mean over what it found, or of the colours alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np

DIMENSION = 6
CONFIG = {"size": 8, "image_mean": [0.5], "image_std": [0.25]}


def make_image_model(
    folder: Path,
    *,
    axes: tuple[str | int, ...] = ("images", "channels", "height", "width"),
    channels: int = 1,
    seed: int | None = 7,
    gives: str = "vectors",
    **config: Any,
) -> Path:
    """The folder. `seed`: of the convolution, none without; `gives`: vectors, parts of an image, or a map of it."""
    from onnx import TensorProto, helper, numpy_helper

    made = ["pixels"]

    def node(operator: str, *inputs: str, **attributes: Any) -> Any:
        made.append(f"{operator}_{len(made)}")
        return helper.make_node(operator, [made[-2], *inputs], [made[-1]], **attributes)

    constants = {}
    nodes = [node("Transpose", perm=[0, 3, 1, 2])] if axes[-1] == channels else []
    if seed is not None:
        normal = np.random.default_rng(seed).normal(size=(DIMENSION, channels, 3, 3))
        constants["weights"] = normal.astype(np.float32)
        nodes += [node("Conv", "weights", pads=[1, 1, 1, 1]), node("Relu")]
    if gives == "vectors":
        nodes += [node("GlobalAveragePool"), node("Flatten")]
    if gives == "parts":
        constants["flat"] = np.array([0, 0, -1])
        nodes += [node("Reshape", "flat"), node("Transpose", perm=[0, 2, 1])]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, axes)],
        [helper.make_tensor_value_info(made[-1], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    (folder / "preprocessor_config.json").write_text(json.dumps({**CONFIG, **config}))
    return folder
