"""Foreign models as their tools export them are understood, and each fault of one gets a sentence of its own."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper

from releve.adapters.brought.onnx_file import MAIN, newest_opset
from releve.adapters.brought.trial import try_model
from releve.adapters.models.model_runtime import onnx_runner
from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from tests.foreign_models import FLOAT, INT64, STRING, graph, linear, network
from tests.mixed_tables import mixed_rows, mixed_schema

NUMBERS = ("length", "width")
BY_NAME = MappingFile(inputs={"x": list(NUMBERS)})


def table(task: str, *kinds: str) -> tuple[Schema, pd.DataFrame]:
    schema = mixed_schema(task, kinds or ("numbers",))
    return schema, check_frame(schema, mixed_rows(task)[[*schema.names, "y"]]).accepted


def asked(content: bytes, schema: Schema, frame: pd.DataFrame) -> Any:
    return onnx_runner(content)(arrays_of_frame(schema, frame))


def trial(model: Any, schema: Schema, frame: pd.DataFrame, **mapping: Any) -> Any:
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return try_model(
        content, schema, MappingFile(**{"inputs": {"x": list(NUMBERS)}, "missing": {"width": 0}} | mapping), frame
    )


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_network_of_scikit_learn_answers_with_its_probabilities_in_the_targets_order(task: str, zipmap: bool):
    schema, frame = table(task)
    content = network(frame, schema, NUMBERS, **({} if zipmap else {"zipmap": False}))

    made, report = try_model(content, schema, MappingFile(inputs={"X": list(NUMBERS)}), frame)

    assert (report.classes, report.means) == (schema.target.classes, "probabilities of the classes")
    assert report.inputs == {"X": NUMBERS}
    assert report.producer.startswith("skl2onnx")
    answers = asked(made, schema, frame)
    labels = np.array(schema.target.classes, dtype=object)[answers.argmax(axis=1)]
    assert (labels == frame["y"].to_numpy()).mean() > 0.6


@pytest.mark.parametrize("shape", [("rows", 1), ("rows",)])
def test_a_regression_answers_one_number_of_a_row_in_either_shape(shape: tuple[Any, ...]):
    schema, frame = table("regression")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["product"]), helper.make_node("Reshape", ["product", "s"], ["y"])]
    constants = {"w": np.float32([[1], [2]]), "s": np.int64([-1, 1][: len(shape)])}

    made, report = trial(graph(*nodes, outputs=[("y", FLOAT, shape)], constants=constants), schema, frame)

    expected = frame["length"] + 2 * frame["width"].fillna(0)
    assert np.allclose(asked(made, schema, frame), expected.to_numpy()[:, None], atol=1e-5)
    assert (report.means, report.output, report.classes) == ("value", "y", ())


def test_logits_become_probabilities_of_the_classes_that_the_mapping_names():
    schema, frame = table("multiclass")
    weights = [[1, 0, -1], [0.5, -1, 0]]

    made, report = trial(linear(weights, outputs=[("y", FLOAT, ("rows", 3))]), schema, frame, classes=[2, 0, 1])

    logits = frame[list(NUMBERS)].fillna(0).to_numpy() @ np.array(weights)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(asked(made, schema, frame), expected[:, [1, 2, 0]], atol=1e-5)
    assert (report.means, report.classes) == ("logits of the classes", (0, 1, 2))


@pytest.mark.parametrize("ends", ["Sigmoid", "Identity"])
@pytest.mark.parametrize("classes", [["no", "yes"], ["yes", "no"]])
def test_a_single_number_is_the_probability_or_the_logit_of_the_last_class_named(ends: str, classes: list[str]):
    schema, frame = table("binary")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["product"]), helper.make_node(ends, ["product"], ["y"])]

    made, report = trial(graph(*nodes, constants={"w": np.float32([[0.5], [1]])}), schema, frame, classes=classes)

    logit = frame["length"] * 0.5 + frame["width"].fillna(0)
    own = asked(made, schema, frame)[:, ["no", "yes"].index(classes[-1])]
    assert np.allclose(own, 1 / (1 + np.exp(-logit.to_numpy())), atol=1e-5)
    assert report.means == ("probability" if ends == "Sigmoid" else "logit") + " of one class"


def test_an_input_for_each_column_is_matched_by_name_whatever_its_type_and_shape():
    schema, frame = table("regression", "numbers", "dates", "categories", "texts")
    cast = {"to": FLOAT}
    nodes = [
        helper.make_node("Cast", ["size"], ["unused"], to=STRING),
        helper.make_node("Equal", ["colour", "red"], ["is_red"]),
        helper.make_node("Cast", ["is_red"], ["red_number"], **cast),
        helper.make_node("Cast", ["length"], ["length_number"], **cast),
        helper.make_node("ReduceSum", ["day", "last"], ["day_sum"], keepdims=1),
        helper.make_node("Equal", ["title", "none"], ["is_none"]),
        helper.make_node("Cast", ["is_none"], ["none_number"], **cast),
        helper.make_node("Reshape", ["none_number", "column"], ["none_column"]),
        helper.make_node("Sum", ["red_number", "length_number", "day_sum", "none_column"], ["y"]),
    ]
    inputs = [
        ("colour", STRING, ("rows", 1)),
        ("size", STRING, ("rows", 1)),
        ("length", TensorProto.DOUBLE, (None, 1)),
        ("day", FLOAT, (None, 5)),
        ("title", STRING, ("rows",)),
    ]
    constants = {
        "red": np.array(["colour 1"]),
        "none": np.array([""]),
        "last": np.int64([1]),
        "column": np.int64([-1, 1]),
    }
    model = graph(*nodes, inputs=inputs, constants=constants, opsets={"": 19})

    made, report = try_model(model.SerializeToString(), schema, MappingFile(missing={"day": 0}), frame)

    parts = np.nan_to_num(arrays_of_frame(schema, frame)["numbers"][:, 2:])
    expected = (frame["colour"] == "colour 1") + frame["length"] + parts.sum(axis=1) + (frame["title"] == "")
    assert np.allclose(asked(made, schema, frame)[:, 0], expected.to_numpy(np.float64), rtol=1e-4)
    assert report.inputs["day"] == ("day",)


def test_the_label_that_a_model_gives_tells_the_order_of_its_classes():
    schema, frame = table("binary")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Softmax", ["product"], ["probabilities"], axis=1),
        helper.make_node("ArgMax", ["product"], ["place"], axis=1, keepdims=0),
        helper.make_node("Gather", ["names", "place"], ["label"]),
    ]
    outputs = [("label", STRING, ("rows",)), ("probabilities", FLOAT, ("rows", 2))]
    constants = {"w": np.float32([[1, -1], [0, 0]]), "names": np.array(["yes", "no"]), "middle": np.float32([0])}
    centred = [helper.make_node("Sub", ["x", "usual"], ["centred"])]
    nodes[0].input[0] = "centred"
    model = graph(*centred, *nodes, outputs=outputs, constants={**constants, "usual": np.float32([10, 0])})

    made, report = trial(model, schema, frame)

    assert report.classes == ("no", "yes")
    is_yes = asked(made, schema, frame)[:, 1] > 0.5
    assert (is_yes == (frame["length"] > 10).to_numpy()).mean() > 0.99
    with pytest.raises(BadInput, match="output 'label' says 'yes' where the numbers are highest for 'no'"):
        trial(model, schema, frame, classes=["no", "yes"])


@pytest.mark.parametrize("opset", [7, 9, 13, 21])
def test_opsets_old_and_new_answer_alike(opset: int):
    schema, frame = table("regression")

    made, report = trial(linear([[1], [2]], opsets={"": opset}), schema, frame)

    assert report.opsets == {"ai.onnx": opset}
    expected = frame["length"] + 2 * frame["width"].fillna(0)
    assert np.allclose(asked(made, schema, frame)[:, 0], expected, atol=1e-5)


def test_a_graph_within_a_graph_and_names_of_our_own_are_no_matter():
    schema, frame = table("regression")
    branches = {}
    for name, sign in (("then_branch", 1.0), ("else_branch", -1.0)):
        constant = helper.make_tensor("sign", FLOAT, [1], [sign])
        node = helper.make_node("Mul", ["values", "sign"], [f"{name}_result"])
        result = helper.make_tensor_value_info(f"{name}_result", FLOAT, ["rows", 1])
        branches[name] = helper.make_graph([node], name, [], [result], [constant])
    nodes = [
        helper.make_node("MatMul", ["numbers", "w"], ["values"]),
        helper.make_node("If", ["always"], ["probabilities"], **branches),
    ]
    model = graph(
        *nodes,
        inputs=[("numbers", FLOAT, ("rows", 2))],
        outputs=[("probabilities", FLOAT, ("rows", 1))],
        constants={"w": np.float32([[1], [1]]), "always": np.array(True)},
    )

    made, _ = trial(model, schema, frame, inputs={"numbers": list(NUMBERS)})

    assert np.allclose(asked(made, schema, frame)[:, 0], frame["length"] + frame["width"].fillna(0), atol=1e-5)


def with_external_data(model: Any) -> Any:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"
    return model


def fault(name: str) -> Any:
    """A file with one fault."""
    whole, node, axis = linear([[1], [1]]), helper.make_node, {"a": np.int64([1])}
    return {
        "truncated": lambda: whole.SerializeToString()[:-20],
        "noise": lambda: b"\x99" * 500,
        "letters": lambda: b"this is no model at all",
        "external": lambda: with_external_data(whole),
        "custom": lambda: graph(
            node("Gelu", ["x"], ["y"], domain="com.microsoft"), opsets={"": 17, "com.microsoft": 1}
        ),
        "unknown": lambda: graph(node("Guess", ["x"], ["y"])),
        "opset": lambda: linear([[1], [1]], opsets={"": newest_opset(MAIN) + 1}),
        "one row": lambda: linear([[1], [1]], inputs=[("x", FLOAT, (1, 2))], outputs=[("y", FLOAT, (1, 1))]),
        "width": lambda: linear([[1], [1], [1]], inputs=[("x", FLOAT, ("rows", 3))]),
        "no input": lambda: graph(node("Identity", ["c"], ["y"]), inputs=[], constants={"c": np.float32([[1]])}),
        "shapes": lambda: graph(node("Reshape", ["x", "s"], ["y"]), constants={"s": np.int64([-1])}),
        "broken": lambda: linear([[1], [1], [1]]),
        "nan": lambda: graph(
            node("Log", ["x"], ["l"]), node("ReduceSum", ["l", "a"], ["y"]), constants={"a": np.int64([1])}
        ),
        "random": lambda: graph(
            node("RandomNormalLike", ["x"], ["r"]), node("ReduceSum", ["r", "a"], ["y"]), constants=axis
        ),
        "mixes rows": lambda: graph(
            node("ReduceMean", ["x"], ["m"], axes=[0], keepdims=1),
            node("Sub", ["x", "m"], ["d"]),
            node("ReduceSum", ["d", "a"], ["y"]),
            constants=axis,
        ),
        "labels alone": lambda: graph(node("Cast", ["x"], ["y"], to=INT64), outputs=[("y", INT64, ("rows", 2))]),
        "two numbers": lambda: graph(
            node("Identity", ["x"], ["y"]), node("Neg", ["x"], ["z"]), outputs=[("y", FLOAT, None), ("z", FLOAT, None)]
        ),
    }[name]()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("truncated", "it is no ONNX file, or a part of one: it cannot be parsed"),
        ("noise", "it is no ONNX file, or a part of one|it holds no graph"),
        ("letters", "it is no ONNX file, or a part of one|it holds no graph"),
        ("external", "1 of its tensors, the first 'w', lie in another file"),
        ("custom", "operators that are not ONNX's own: com.microsoft.Gelu"),
        ("unknown", "it has the operator 'Guess', which ONNX does not know"),
        ("opset", r"it wants opset \d+ of ai.onnx, and the installed onnxruntime knows it up to \d+"),
        ("one row", r"input 'x' takes exactly 1 at a time; export it with an open first dimension \(torch"),
        ("width", "input 'x' takes 3 cells of a row, and 2 columns are named for it"),
        ("no input", "the graph has no input"),
        ("shapes", r"output 'y' has the shape \(300,\) for 150 rows; expected \(150,\) or \(150, classes\)"),
        ("broken", "onnxruntime cannot (load|run) it: "),
        ("nan", "output 'y' answers [0-9]+ of 150 rows with NaN or infinity"),
        ("random", "output 'y' is another one when the same rows are asked again: the graph draws random numbers"),
        ("mixes rows", "a row alone is answered 0, and among others .*: the graph mixes the rows of a request"),
        ("labels alone", r"the file has no output with numbers \('y'\); export the probabilities, too"),
        ("two numbers", r"several outputs with numbers \('y', 'z'\); name one in the mapping file"),
    ],
)
def test_a_fault_of_a_file_gets_one_sentence(name: str, said: str):
    schema, frame = table("regression")

    with pytest.raises(BadInput, match=said) as refused:
        trial(fault(name), schema, frame)

    assert "\n" not in str(refused.value)


def test_a_model_that_knows_nothing_of_missing_cells_is_told_what_to_say():
    schema, frame = table("regression")
    model = linear([[1], [1]]).SerializeToString()
    whole = frame.assign(width=frame["width"].fillna(0.0))

    with pytest.raises(BadInput, match=r"with NaN or infinity.*say what takes its place"):
        try_model(model, schema, BY_NAME, frame)
    with pytest.raises(
        BadInput, match=r"where 'width' is missing, output 'y' is no finite number.*missing: \{width: 0\}"
    ):
        try_model(model, schema, BY_NAME, whole)
    with pytest.raises(BadInput, match="takes whole numbers, and cells of 'width' may be missing"):
        integers = graph(
            helper.make_node("Cast", ["x"], ["f"], to=FLOAT),
            helper.make_node("MatMul", ["f", "w"], ["y"]),
            inputs=[("x", INT64, ("rows", 2))],
            constants={"w": np.float32([[1], [1]])},
        )
        try_model(integers.SerializeToString(), schema, BY_NAME, whole)


def test_an_answer_that_a_slight_change_upsets_is_reported():
    schema, frame = table("regression")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["far"]),
        helper.make_node("Sin", ["far"], ["y"]),
    ]

    _, calm = trial(linear([[1], [1]]), schema, frame)
    _, upset = trial(graph(*nodes, constants={"w": np.float32([[1e4], [1e4]])}), schema, frame)

    assert calm.sanity.tried > 0
    assert (calm.sanity.broken, len(upset.sanity.broken) > 0) == ((), True)


def test_names_in_a_file_of_anybodys_steer_no_terminal_and_begin_no_line():
    schema, frame = table("regression")
    model = linear([[1], [2]], outputs=[("y", FLOAT, ("rows", 1))])
    model.producer_name = "a tool\x1b[2J\nINFO released"

    _, report = trial(model, schema, frame)

    assert report.producer == "a tool\N{REPLACEMENT CHARACTER}[2J INFO released"


def test_a_column_whose_name_has_a_point_is_named_whole():
    columns = {"size.cm": {"type": "number"}, "width": {"type": "number"}}
    schema = Schema.from_dict({"target": {"name": "y", "task": "regression"}, "columns": columns})
    rows = np.random.default_rng(3).normal(size=(60, 3)).round(3)
    frame = check_frame(schema, pd.DataFrame(rows, columns=["size.cm", "width", "y"])).accepted

    _, report = trial(linear([[1], [2]], outputs=[("y", FLOAT, ("rows", 1))]), schema, frame, inputs={"x": [*columns]})

    assert report.inputs == {"x": ("size.cm", "width")}
