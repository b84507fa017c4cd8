"""What folders of encoders have in common: an ONNX network, and JSON beside it that says how it is used."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from releve.core.errors import MOST_LETTERS, BadInput

NETWORKS = ("onnx/model.onnx", "model.onnx")  # where a sentence-transformers folder keeps its export
FATAL = 4  # to ONNX Runtime; whatever is less raises, and would be printed as well


def network_file(source: Path) -> Path:
    """Find the network of a folder. Raise BadInput where there is none, or its weights lie in another file."""
    networks = [source / name for name in NETWORKS if (source / name).is_file()]
    if not networks:
        raise BadInput(
            f"{source} has neither {' nor '.join(NETWORKS)}; take a model that brings its ONNX export, "
            "or export it (optimum-cli export onnx --task feature-extraction)"
        )
    beside = [path.name for path in networks[0].parent.iterdir() if path.name.startswith(f"{networks[0].name}_data")]
    if beside or (networks[0].parent / f"{networks[0].name}.data").exists():
        raise BadInput(f"{networks[0]} keeps its weights in a file of their own; save it as one file (below 2 GB)")
    return networks[0]


def open_network(content: bytes) -> Any:
    """A session of ONNX Runtime; from bytes, so that nothing beside the file is ever read."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = FATAL
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def try_network(path: Path) -> Any:
    """Open a network that nobody has tried yet. Raise BadInput for operators that are not known, and the like."""
    try:
        return open_network(path.read_bytes())
    except Exception as error:
        raise BadInput(f"{path} cannot be run by ONNX Runtime: {reason_of(error)}") from None


def read_config(path: Path, kind: Any) -> Any:
    """Read a JSON file as a type that pydantic knows. Raise BadInput naming the file and the key."""
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(each) for each in first["loc"])
        raise BadInput(f"{path} cannot be used: {key + ': ' if key else ''}{first['msg']}") from None


def reason_of(error: Exception) -> str:
    """What a library said, as a part of a sentence."""
    return " ".join(str(error).split())[:MOST_LETTERS] or type(error).__name__
