"""What an ONNX file says of itself, checked before anything runs it."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from releve.adapters.models.onnx_graphs import all_graphs, all_nodes
from releve.core.errors import BadInput
from releve.core.formatting import printable
from releve.domain.brought.mapping import TensorInput
from releve.domain.schema.target import Label

STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml"})  # domains whose operators every runtime of ONNX has
MAIN, TREES = "ai.onnx", "ai.onnx.ml"
OLDEST_OPSET = 9  # below, operators that we put around a graph are missing; onnxmltools writes LightGBM as 8
ZIPMAP = "ZipMap"
FIRST_LINE = 200  # letters of an error of onnx or onnxruntime


@dataclass(frozen=True)
class OnnxFile:
    """A file that can be tried: its graph, and what it says of itself."""

    model: Any  # onnx.ModelProto, its own functions put in place
    digest: str  # sha256 of the file
    bytes: int
    producer: str
    opsets: dict[str, int]
    inputs: tuple[TensorInput, ...]


def read_onnx(content: bytes) -> OnnxFile:
    """Parse and check a file. Raise BadInput naming what was found, and what to do."""
    model = _parsed(content)
    _check_contents(model)
    opsets = {each.domain or MAIN: each.version for each in model.opset_import}
    _check_opsets(opsets)
    _check_operators(model)
    if opsets.get(MAIN, OLDEST_OPSET) < OLDEST_OPSET:
        model = _raised(model)
    model.ir_version = min(model.ir_version, newest_format())
    producer = " ".join(each for each in (model.producer_name, model.producer_version) if each)
    constants = {each.name for each in model.graph.initializer}
    inputs = tuple(_tensor_input(each) for each in model.graph.input if each.name not in constants)
    if not inputs:
        raise BadInput("the graph has no input, so that it answers every row alike; export the whole model")
    return OnnxFile(model, hashlib.sha256(content).hexdigest(), len(content), one_line(producer), opsets, inputs)


def _parsed(content: bytes) -> Any:
    import onnx

    try:
        model = onnx.load_from_string(content)
    except Exception:  # protobuf's own error, which onnx does not name
        raise BadInput(
            "it is no ONNX file, or a part of one: it cannot be parsed; copy it again, or export the model again"
        ) from None
    if not model.graph.node or not model.graph.output:
        raise BadInput(
            "it holds no graph that answers anything, as a file does that is no ONNX; export the model again"
        )
    if model.functions:
        from onnx import inliner

        try:
            model = inliner.inline_local_functions(model)
        except Exception as error:
            raise BadInput(
                f"its functions cannot be put in place: {first_line(error)}; export it without any"
            ) from None
    return model


def _check_contents(model: Any) -> None:
    outside = sorted({each.name for each in _tensors(model) if each.data_location or each.external_data})
    if outside:
        raise BadInput(
            f"{len(outside)} of its tensors, the first {outside[0]!r}, lie in another file (external data), which is "
            "not read; save it as one file (onnx.save_model(..., save_as_external_data=False))"
        )
    if model.training_info:
        raise BadInput("it holds a training graph; export it for inference alone")


def _check_opsets(opsets: dict[str, int]) -> None:
    for domain in (MAIN, TREES):
        if domain not in opsets:
            continue
        newest = newest_opset(domain)
        if opsets[domain] > newest:
            raise BadInput(
                f"it wants opset {opsets[domain]} of {domain}, and the installed onnxruntime knows it up to {newest}; "
                f"export it with opset {newest} or less"
            )


def _raised(model: Any) -> Any:
    """Return the model by the operators of OLDEST_OPSET."""
    from onnx import version_converter

    try:
        return version_converter.convert_version(model, OLDEST_OPSET)
    except Exception as error:
        raise BadInput(
            f"it cannot be raised to opset {OLDEST_OPSET}: {first_line(error)}; export it with that or a newer one"
        ) from None


def _check_operators(model: Any) -> None:
    from onnx import defs

    foreign = sorted(
        {f"{node.domain}.{node.op_type}" for node in all_nodes(model.graph) if node.domain not in STANDARD}
    )
    if foreign:
        raise BadInput(
            f"it has operators that are not ONNX's own: {', '.join(foreign[:5])}; export it with those of ai.onnx and "
            "ai.onnx.ml alone"
        )
    for node in all_nodes(model.graph):
        if not defs.has(node.op_type, node.domain if node.domain != MAIN else ""):
            raise BadInput(f"it has the operator {node.op_type!r}, which ONNX does not know; export it without")


def newest_opset(domain: str) -> int:
    """Return the newest opset of a domain that the installed ONNX Runtime runs, by trying."""
    from onnx import defs

    known = "" if domain == MAIN else domain
    newest = max(each.since_version for each in defs.get_all_schemas_with_history() if each.domain == known)
    return next((opset for opset in range(newest + 2, 0, -1) if _loads({domain: opset})), 0)


def newest_format() -> int:
    """Return the newest version of the file format that the installed ONNX Runtime reads."""
    import onnx

    return next(each for each in range(onnx.IR_VERSION + 1, 0, -1) if _loads({}, format=each))


def _loads(opsets: dict[str, int], *, format: int = 8) -> bool:
    import onnxruntime
    from onnx import TensorProto, helper

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "probe", value[:1], value[1:])
    imports = [helper.make_opsetid("" if name == MAIN else name, each) for name, each in ({MAIN: 13} | opsets).items()]
    made = helper.make_model(graph, opset_imports=imports, ir_version=format)
    try:
        onnxruntime.InferenceSession(made.SerializeToString(), quiet_options(), providers=["CPUExecutionProvider"])
    except Exception:  # onnxruntime has an error class for each kind of refusal
        return False
    return True


def quiet_options() -> Any:
    """Make session options of one thread that log nothing: what fails is an exception as well."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return options


def first_line(error: BaseException) -> str:
    """Return what a library says, on one line and not too long."""
    text = printable(" ".join(str(error).split())) or type(error).__name__
    for part in ("[ONNXRuntimeError] :", "FAIL :", "INVALID_GRAPH :"):
        text = text.partition(part)[2].strip() or text
    return text[:FIRST_LINE]


def one_line(text: str) -> str:
    """Return what a file calls something as people may read it: on one line, not too long, steering no terminal."""
    return printable(" ".join(text.split()))[:FIRST_LINE]


def _tensors(model: Any) -> Iterator[Any]:
    for graph in all_graphs(model.graph):
        yield from graph.initializer
        for each in graph.sparse_initializer:
            yield from (each.values, each.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield from [attribute.t, *attribute.tensors] if attribute.HasField("t") else attribute.tensors
                sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
                for each in [*sparse, *attribute.sparse_tensors]:
                    yield from (each.values, each.indices)


def _tensor_input(value: Any) -> TensorInput:
    from onnx import TensorProto

    if not value.type.HasField("tensor_type"):
        kind = str(value.type.WhichOneof("value")).replace("_", " ")
        raise BadInput(f"input {value.name!r} is a {kind}; expected a tensor: export it with plain tensors")
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return TensorInput(value.name, TensorProto.DataType.Name(tensor.elem_type).lower(), (None, None))
    sizes = tuple(each.dim_value if each.dim_value > 0 else None for each in tensor.shape.dim)
    return TensorInput(value.name, TensorProto.DataType.Name(tensor.elem_type).lower(), sizes)


def named_classes(model: Any, output: str) -> tuple[Label, ...]:
    """Return the classes that the graph names for an output: those of its ZipMap, else of the one classifier."""
    maker = maker_of(model.graph, output)
    makers = [maker] if maker is not None and maker.op_type == ZIPMAP else list(all_nodes(model.graph))
    found = {classes for node in makers if (classes := _classes_of(node))}
    return next(iter(found)) if len(found) == 1 else ()


def maker_of(graph: Any, output: str) -> Any:
    """Return the node that makes an output; None where there is none."""
    return next((node for node in graph.node if output in node.output), None)


def _classes_of(node: Any) -> tuple[Label, ...]:
    for attribute in node.attribute:
        if attribute.name in ("classlabels_int64s", "classlabels_ints"):
            return tuple(attribute.ints)
        if attribute.name == "classlabels_strings" and attribute.strings:
            return tuple(each.decode(errors="replace") for each in attribute.strings)
    return ()
