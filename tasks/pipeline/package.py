"""Turn the fitted pipeline into what is served: a folder that answers alone and says what it is."""

import platform
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.files import read_document, write_bytes, write_json, write_parquet
from releve.adapters.models.description import DESCRIPTION, GoldenRows, ModelDescription
from releve.adapters.models.model_runtime import ONNX_FILE, SKOPS_FILE, load, load_pipeline
from releve.adapters.models.onnx_export import Export, export_checked
from releve.adapters.vectors.embedder_files import text_files
from releve.adapters.vectors.sentence_model import SentenceModel, import_model
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.neighbours.embedding import Embedder
from releve.domain.neighbours.text_vectors import NgramVectors, TextEncoder
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows, rows_of_frame
from releve.domain.schema.target import REGRESSION
from releve.domain.training.holdout import as_kept
from releve.domain.training.learning import REFERENCE_ROWS, window
from releve.domain.training.recipe_choice import RecipeChoice
from tasks.pipeline.sanity import try_slight_changes
from tasks.pipeline.stage import Stage, run
from tasks.places import HOLDOUT, POSITION, REFERENCE, ScenarioFiles

if TYPE_CHECKING:
    import pandas as pd

PARITY_TOLERANCE = 1e-4  # between exported and trained model: of a probability, or of a value in standard deviations
GOLDEN_ROWS = 5  # rows with known answers that travel with the model and are asked before every release
MADE_WITH = ("scikit-learn", "numpy", "pandas", "onnxruntime", "skl2onnx")


def package(stage: Stage) -> None:
    """Write scenarios/<scenario>/build/model/."""
    import pandas as pd

    # gather
    schema = stage.schema
    rows = pd.read_parquet(stage.files.rows)
    holdout = pd.read_parquet(stage.files.holdout)
    pipeline = load_pipeline(stage.files.pipeline)
    evaluation = read_document(stage.files.evaluation, Evaluation)
    chosen = read_document(stage.files.recipe, RecipeChoice)
    learned = window(rows, end=len(rows), last_batches=chosen.last_batches)
    reference = learned.tail(REFERENCE_ROWS)

    # decide
    kept = as_kept(rows.iloc[holdout[POSITION].to_numpy()], holdout, stage.schema)
    exported = export_checked(pipeline, schema, reference, tolerance=PARITY_TOLERANCE)

    # apply
    shutil.rmtree(stage.files.model, ignore_errors=True)
    _write_model(stage.files, exported, pipeline_file=stage.files.pipeline)
    embedder = Embedder.fit(arrays_of_frame(schema, reference), encoder=_text_encoder(stage))
    _write_all(stage.files.model, text_files(embedder))
    write_parquet(stage.files.model / REFERENCE, reference)
    write_parquet(stage.files.model / HOLDOUT, kept)
    description = ModelDescription(
        scenario=stage.files.scenario,
        runtime=exported.runtime,
        parity=exported.reason,
        task=schema.target.task,
        classes=() if schema.target.task == REGRESSION else pipeline.classes_.tolist(),
        schema=schema.as_dict(),
        embedder=embedder.as_dict(),
        recipe=chosen,
        environment=_environment(),
        rows=len(rows),
        learned_rows=len(learned),
        evaluation=evaluation,
    )
    write_json(stage.files.model / DESCRIPTION, description.to_json())
    model = load(stage.files.model, tag="the packaged model")
    sanity = try_slight_changes(model, learned)
    asked = rows_of_frame(schema, _spread(rows, GOLDEN_ROWS))
    golden = GoldenRows(rows=tuple(asked), labels=tuple(model.answer(arrays_of_rows(schema, asked)).labels))
    described = description.model_copy(update={"sanity": sanity, "golden": golden}).to_json()
    write_json(stage.files.model / DESCRIPTION, described)
    write_json(stage.files.model_summary, _summary(described))
    print(f"served by {exported.runtime}" + (f": {exported.reason}" if exported.reason else ""))


def _summary(description: dict[str, Any]) -> dict[str, Any]:
    """What people compare; the trials of the search stay with the model."""
    recipe = {name: value for name, value in description["recipe"].items() if name != "trials"}
    kept = ("task", "runtime", "parity", "sanity", "rows", "learned_rows", "classes")
    return {name: description[name] for name in kept} | {"recipe": recipe}


def _environment() -> dict[str, str]:
    """Where the model was made; in the model alone, since results are the same everywhere."""
    packages = {name: version(name) for name in MADE_WITH}
    return {"python": platform.python_version(), "platform": platform.platform(), **packages}


def _write_model(files: ScenarioFiles, exported: Export, *, pipeline_file: Path) -> None:
    if exported.onnx is not None:
        write_bytes(files.model / ONNX_FILE, exported.onnx)
    else:
        write_bytes(files.model / SKOPS_FILE, pipeline_file.read_bytes())


def _spread(rows: "pd.DataFrame", count: int) -> "pd.DataFrame":
    """`count` rows, or all where there are fewer, spread evenly over time."""
    return rows.iloc[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]


def _text_encoder(stage: Stage) -> Callable[[list[str]], TextEncoder]:
    """What learns from a column of texts; a sentence model has learned, and its files are put beside the model."""
    source = stage.params.search.model
    if not source or not stage.schema.texts:
        return NgramVectors.fit
    _write_all(stage.files.model, import_model(stage.settings.home / source))
    model = SentenceModel(stage.files.model)
    return lambda _: model


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        write_bytes(folder / name, content)


if __name__ == "__main__":
    run(package)
