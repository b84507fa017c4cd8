"""The process that tries a foreign model: what it found comes back, and what it does harms nobody else."""

import os
from typing import Any

import numpy as np
import pytest
from onnx import helper

from releve.adapters.brought.sandbox import TrialLimits, tried
from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile
from releve.domain.schema.validation import check_frame
from tests.foreign_models import FLOAT, INT64, graph, linear
from tests.mixed_tables import mixed_rows, mixed_schema

SCHEMA = mixed_schema("regression", ("numbers",))
FRAME = check_frame(SCHEMA, mixed_rows("regression", rows=40)[["length", "width", "y"]]).accepted
MAPPING = MappingFile(inputs={"x": ["length", "width"]}, missing={"width": 0})


def endless() -> Any:
    """A loop that never ends."""
    true = helper.make_tensor("true", 9, [], [True])
    body = helper.make_graph(
        [helper.make_node("Constant", [], ["go_on"], value=true), helper.make_node("Identity", ["seen"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("round", INT64, []),
            helper.make_tensor_value_info("before", 9, []),
            helper.make_tensor_value_info("seen", FLOAT, ["rows", 1]),
        ],
        [helper.make_tensor_value_info("go_on", 9, []), helper.make_tensor_value_info("next", FLOAT, ["rows", 1])],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["first"]),
        helper.make_node("Loop", ["", "always", "first"], ["y"], body=body),
    ]
    return graph(*nodes, constants={"w": np.float32([[1], [1]]), "always": np.array(True)})


def greedy() -> Any:
    """It makes 40 GB of numbers from a shape of two."""
    nodes = [
        helper.make_node("ConstantOfShape", ["large"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("MatMul", ["x", "w"], ["first"]),
        helper.make_node("Add", ["first", "sum"], ["y"]),
    ]
    return graph(*nodes, constants={"w": np.float32([[1], [1]]), "large": np.int64([100_000, 100_000])})


def test_a_good_model_comes_back_with_its_report(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RELEVE_OPERATOR_TOKEN", "sesame")  # which the process is not given

    content, report = tried(linear([[1], [1]]).SerializeToString(), SCHEMA, MAPPING, FRAME)

    assert content.startswith(b"\x08")
    assert (report.rows, report.output, report.inputs) == (40, "y", {"x": ("length", "width")})
    assert report.sanity.tried > 0


def test_a_model_without_an_end_is_ended():
    with pytest.raises(BadInput, match="it was not tried to its end within 4 s of CPU time"):
        tried(endless().SerializeToString(), SCHEMA, MAPPING, FRAME, limits=TrialLimits(cpu_seconds=4))


def test_a_model_that_wants_too_much_memory_is_refused():
    before = os.sysconf("SC_AVPHYS_PAGES")

    with pytest.raises(BadInput, match="it wants more memory than a model may have"):
        tried(greedy().SerializeToString(), SCHEMA, MAPPING, FRAME)

    assert os.sysconf("SC_AVPHYS_PAGES") > before / 4
