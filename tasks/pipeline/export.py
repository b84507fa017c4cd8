"""The file that answers: the members as one ONNX graph, or as scikit-learn has them."""

from typing import TYPE_CHECKING

from releve.adapters.files import read_inputs, write_bytes
from releve.adapters.models.memory_files import MemoryFolder
from releve.adapters.models.model_runtime import ONNX_FILE, SKOPS_FILE, onnx_runner
from releve.adapters.models.model_store import ModelStore
from releve.adapters.models.onnx_export import ONNX, Export, export_checked
from releve.adapters.models.onnx_merge import reweighted
from releve.adapters.models.skops_files import dump_pipeline
from releve.core.errors import BadInput
from releve.domain.ensemble.memory import Memory
from releve.domain.ensemble.weights import mix
from releve.domain.evaluation.scored_predictions import in_classes
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.target import Label
from releve.domain.training.parity import probabilities_problem, values_problem
from tasks.pipeline.stage import Stage, say

if TYPE_CHECKING:
    import pandas as pd

PARITY_TOLERANCE = 1e-4  # between exported and trained model: of a probability, or of a value in standard deviations


def write_export(
    stage: Stage, memory: Memory, rows: "pd.DataFrame", reference: "pd.DataFrame"
) -> tuple[Export, tuple[Label, ...]]:
    """Write the model's file; return what was exported, and the classes that it knows.

    Members that were only weighed anew are in the graph of the model before, so that one constant of it is replaced.
    """
    folder, schema = MemoryFolder(stage.files.memory), stage.schema
    if reused := _reweighted(stage, folder, memory, rows):
        exported, classes = reused
    else:
        ensemble = folder.ensemble(memory, schema.target.classes)
        exported, classes = (
            export_checked(ensemble, schema, reference, tolerance=PARITY_TOLERANCE),
            tuple(ensemble.classes),
        )
        if exported.onnx is None:
            write_bytes(stage.files.model / SKOPS_FILE, dump_pipeline(ensemble))
    if exported.onnx is not None:
        write_bytes(stage.files.model / ONNX_FILE, exported.onnx)
    return exported, classes


def _reweighted(
    stage: Stage, folder: MemoryFolder, memory: Memory, rows: "pd.DataFrame"
) -> tuple[Export, tuple[Label, ...]] | None:
    """Put the new weights into the graph of the model before; None where its members have to be exported again.

    It has to answer the newest window as the fitted members did, with these weights. An export makes the same bytes.
    """
    tag, target = read_inputs(stage.files.inputs).reweighs, stage.schema.target
    store = ModelStore(stage.settings.home)
    if not tag or tag not in store.tags(stage.files.scenario):
        return None
    model = store.get(tag).path
    described = store.describe(tag)
    if described.runtime != ONNX:
        return None
    try:
        graph = reweighted(
            (model / ONNX_FILE).read_bytes(), {name: weight for name, (_, weight) in memory.multiplied_out.items()}
        )
    except BadInput as error:  # equal members are one in the graph, with the name of the first
        say(f"the members are exported again: {error}")
        return None
    block = memory.windows[-1].rows
    expected = mix(folder.windows(memory)[-1].answers, memory.weighing.serving)
    found = onnx_runner(graph)(arrays_of_frame(stage.schema, rows.iloc[block.start : block.end]))
    if target.classes:
        found = in_classes(found, described.classes, target.classes)
        problem = probabilities_problem(found, expected, tolerance=PARITY_TOLERANCE)
    else:
        problem = values_problem(found, expected, usual=expected, tolerance=PARITY_TOLERANCE)
    if problem:
        say(f"the members are exported again: the graph of {tag} with new weights {problem}")
        return None
    return Export(ONNX, graph, None), described.classes
