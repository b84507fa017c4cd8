"""The process that tries a foreign model: what it found comes back, and what it does harms nobody else."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import pytest
from onnx import helper

from releve.adapters.brought.sandbox import TrialLimits, tried
from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile
from releve.domain.schema.validation import check_frame
from tests.foreign_models import FLOAT, INT64, graph, linear
from tests.mixed_tables import mixed_rows, mixed_schema
from tests.processes import is_at_work
from tests.tables import ROOT

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


def test_a_trial_ends_with_the_process_that_asked_for_it():
    script = (
        "from tests.adapters.brought.test_sandbox import FRAME, MAPPING, SCHEMA, endless, tried\n"
        "tried(endless().SerializeToString(), SCHEMA, MAPPING, FRAME)"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) as asking:
        process = psutil.Process(asking.pid)
        trial = wait_for(lambda: next((each for each in process.children() if each.cpu_times().user > 4), None))
        asking.kill()

    assert wait_for(lambda: not is_at_work(trial.pid))


def wait_for(look: Callable[[], Any], *, seconds: float = 60) -> Any:
    """What is seen, once it is."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def test_a_model_that_wants_too_much_memory_is_refused():
    before = os.sysconf("SC_AVPHYS_PAGES")

    with pytest.raises(BadInput, match="it wants more memory than a model may have"):
        tried(greedy().SerializeToString(), SCHEMA, MAPPING, FRAME)

    assert os.sysconf("SC_AVPHYS_PAGES") > before / 4
