"""The trial of a foreign model: everything that is checked before it may enter the store.

It runs where a crash, a hang or a flood of memory harms nobody: see `sandbox.py`.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.brought.newer_trees import with_newer_trees
from releve.adapters.brought.onnx_file import OnnxFile, first_line, named_classes, one_line, quiet_options, read_onnx
from releve.adapters.brought.wrapping import FOREIGN, with_our_inputs, with_our_output
from releve.adapters.models.brought_pipeline import block_columns
from releve.adapters.models.model_runtime import Runner, onnx_runner
from releve.adapters.models.timing import median_milliseconds
from releve.core.documents import DocumentPart
from releve.core.errors import BadInput
from releve.domain.brought.mapping import MappingFile, MatchedInput, column_of, match_inputs
from releve.domain.brought.meaning import Floats, OutputMeaning, RawOutput, check_finite, understand
from releve.domain.evaluation.evaluation import Sanity
from releve.domain.gate import sanity
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.cells import MISSING_TEXT
from releve.domain.schema.columns import KEPT_AS_TEXT
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label

if TYPE_CHECKING:
    import pandas as pd

ALONE = 20  # rows that are asked one by one, too
BATCH_TOLERANCE = 1e-4  # between a row alone and among others: sums in another order; a share of the largest answer
ORDER_TYPES = {"tensor(int64)", "tensor(int32)", "tensor(string)"}  # of labels
NUMBER_TYPES = {"tensor(float)", "tensor(double)", "tensor(float16)"}


class TrialReport(DocumentPart):
    """What a file that passed is, and what was measured."""

    digest: str
    bytes: int
    producer: str
    opsets: dict[str, int]
    inputs: dict[str, tuple[str, ...]]
    output: str
    means: str
    classes: tuple[Label, ...]
    rows: int  # that it was tried on
    latency_ms: float  # CPU time of one row
    sanity: Sanity


def try_model(content: bytes, schema: Schema, mapping: MappingFile, rows: "pd.DataFrame") -> tuple[bytes, TrialReport]:
    """Check a file on `rows`, checked ones, and give it our inputs and output. Raise BadInput with what is wrong."""
    file = read_onnx(content)
    matched = match_inputs(file.inputs, schema, mapping)
    widths = {block: len(names) for block, names in block_columns(schema).items()}
    with_inputs = _joined(lambda: with_our_inputs(file.model, matched, widths=widths))
    arrays = arrays_of_frame(schema, rows)
    outputs = _raw_outputs(file, with_inputs, arrays)
    meaning = understand(outputs, schema.target, mapping, rows=len(rows))
    graph = _joined(lambda: with_our_output(with_inputs, meaning))
    graph = _with_newer_trees(graph, arrays)
    ask = _checked_runner(graph, arrays, meaning)
    _check_missing_cells(ask, schema, rows, meaning)

    def answer(frame: "pd.DataFrame") -> Floats:
        found = np.asarray(ask(arrays_of_frame(schema, frame)), dtype=np.float64)
        check_finite(found, name=meaning.name)
        return found

    one = {name: block[:1] for name, block in arrays.items()}
    report = TrialReport(
        digest=file.digest,
        bytes=file.bytes,
        producer=file.producer,
        opsets=file.opsets,
        inputs={one_line(each.tensor.name): _named_columns(each, schema) for each in matched},
        output=one_line(meaning.name),
        means=meaning.means,
        classes=meaning.classes,
        rows=len(rows),
        latency_ms=median_milliseconds(lambda: ask(one)),
        sanity=sanity.check(rows, schema, answer),
    )
    return graph, report


def _with_newer_trees(graph: bytes, arrays: Mapping[str, Any]) -> bytes:
    """Return the graph with the trees that our own graphs have, where it then answers as before."""
    try:
        newer = with_newer_trees(graph)
        if newer is None:
            return graph
        before, after = (np.asarray(onnx_runner(each)(dict(arrays)), dtype=np.float64) for each in (graph, newer))
    except Exception:  # a form of trees that we do not know is served as it came
        return graph
    is_same = before.shape == after.shape and np.abs(after - before).max() <= BATCH_TOLERANCE * np.abs(before).max()
    return newer if is_same else graph


def _joined(make: Callable[[], Any]) -> Any:
    """Put a graph and our parts together; onnx has errors of its own for a graph that is not whole."""
    try:
        return make()
    except BadInput:
        raise
    except Exception as error:
        raise BadInput(f"its graph is not whole: {first_line(error)}; export the model again") from None


def _raw_outputs(file: OnnxFile, model: Any, arrays: Mapping[str, Any]) -> list[RawOutput]:
    """Run the file's own graph, and return what it answers."""
    session = _session(model.SerializeToString())
    kinds = {each.name: each.type for each in session.get_outputs()}
    read = {name: kind for name, kind in kinds.items() if kind in ORDER_TYPES | NUMBER_TYPES}
    if not read:
        names = ", ".join(f"{name.removeprefix(FOREIGN)!r} ({kind})" for name, kind in kinds.items())
        raise BadInput(f"no output has numbers or labels: {names}; export the model's probabilities or values")
    found = _run(session.run, list(read), dict(arrays))
    return [
        RawOutput(
            name.removeprefix(FOREIGN),
            np.asarray(values),
            is_label=read[name] in ORDER_TYPES,
            classes=named_classes(file.model, name.removeprefix(FOREIGN)),
        )
        for name, values in zip(read, found, strict=True)
    ]


def _session(content: bytes) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(content, quiet_options(), providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has an error class for each kind of refusal
        raise _refused("load", error) from None


def _run(ask: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return ask(*arguments)
    except Exception as error:
        raise _refused("run", error) from None


def _refused(what: str, error: Exception) -> BadInput:
    text = first_line(error)
    if isinstance(error, MemoryError) or any(each in str(error) for each in ("bad_alloc", "llocate memory")):
        return BadInput("it wants more memory than a model may have; export a smaller one")
    return BadInput(f"onnxruntime cannot {what} it: {text}; export the model again, and try it there with onnxruntime")


def _checked_runner(graph: bytes, arrays: Mapping[str, Any], meaning: OutputMeaning) -> Runner:
    """Ask the graph twice, once more in another session, and some rows alone. Raise BadInput where answers differ."""
    sessions: list[Runner] = [_run(onnx_runner, graph) for _ in range(2)]
    first = _run(sessions[0], dict(arrays))
    check_finite(first, name=meaning.name)
    for ask, when in ((sessions[0], "asked again"), (sessions[1], "loaded again")):
        if not np.array_equal(first, ask(dict(arrays))):
            raise BadInput(
                f"output {meaning.name!r} is another one when the same rows are {when}: the graph draws random "
                "numbers, or keeps a state; export the model for inference (model.eval() in PyTorch)"
            )
    largest = float(np.abs(first).max())
    for row in range(min(ALONE, len(first))):
        alone = _run(sessions[0], {name: block[row : row + 1] for name, block in arrays.items()})
        if alone.shape != first[row : row + 1].shape or np.abs(alone - first[row]).max() > BATCH_TOLERANCE * largest:
            raise BadInput(
                f"a row alone is answered {_shown(alone)}, and among others {_shown(first[row])}: the graph mixes the "
                "rows of a request; export it so that each row is answered by itself"
            )
    return sessions[0]


def _check_missing_cells(ask: Runner, schema: Schema, rows: "pd.DataFrame", meaning: OutputMeaning) -> None:
    """Ask rows in which every cell that may be missing is missing, one column at a time."""
    asked = rows.head(ALONE)
    for column in schema.features:
        if not column.nullable:
            continue
        empty = MISSING_TEXT if column.type in KEPT_AS_TEXT else None
        cells = asked[column.name].where(np.zeros(len(asked), bool), empty)
        arrays = arrays_of_frame(schema, asked.assign(**{column.name: cells}))
        found = np.asarray(_run(ask, arrays), dtype=np.float64)
        if not np.isfinite(found).all():
            advice = f"export it with an imputer, or say in the mapping file: missing: {{{column.name}: 0}}"
            raise BadInput(f"where {column.name!r} is missing, output {meaning.name!r} is no finite number; {advice}")


def _named_columns(matched: MatchedInput, schema: Schema) -> tuple[str, ...]:
    """Name the columns of an input, an image or a date by its own name."""
    return tuple(dict.fromkeys(column_of(name, schema) for name in matched.columns))


def _shown(answers: Any) -> str:
    return ", ".join(f"{value:.4g}" for value in np.asarray(answers).reshape(-1)[:3])
