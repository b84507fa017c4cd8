"""Judge the ensemble, and turn it into what is served: a folder that answers alone and says what it is."""

import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.adapters.brought.folder import read_brought
from releve.adapters.files import read_inputs, write_bytes, write_document, write_json, write_parquet
from releve.adapters.models.description import DESCRIPTION, GoldenRows, ModelDescription, ModelSummary
from releve.adapters.models.memory_files import MemoryFolder
from releve.adapters.models.model_runtime import HISTORY, REFERENCE_ROWS_FILE, Model, load
from releve.adapters.vectors.embedder_files import text_files
from releve.adapters.vectors.encoders import encodes_images, import_model, open_image_model, open_text_model
from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.ensemble.memory import Memory
from releve.domain.ensemble.wrong_labels import telling
from releve.domain.evaluation.conformal import ConformalIntervals, conformal_intervals
from releve.domain.evaluation.evaluation import Sanity
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.explanation.references import ReferenceRows
from releve.domain.features.known import KnownValues
from releve.domain.gate.sanity import check
from releve.domain.neighbours.embedding import Embedder
from releve.domain.neighbours.text_vectors import NgramVectors
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows, rows_of_frame
from releve.domain.schema.target import REGRESSION
from releve.domain.training.learning import REFERENCE_ROWS, as_kept, is_outside, window
from tasks.pipeline.decisions import learned_policy, money_inputs
from tasks.pipeline.evaluate import doubted_rows, evaluate, judged
from tasks.pipeline.export import write_export
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.stage import Stage, run
from tasks.places import HOLDOUT, REFERENCE

if TYPE_CHECKING:
    import pandas as pd

GOLDEN_ROWS = 5  # rows with known answers that travel with the model and are asked before every release
MADE_WITH = ("scikit-learn", "numpy", "pandas", "onnxruntime", "skl2onnx")


def package(stage: Stage) -> None:
    """Write results/<scenario>/, and scenarios/<scenario>/build/model/."""
    # gather
    rows, folder = stage_rows(stage).rows, MemoryFolder(stage.files.memory)
    memory, started = folder.memory, read_inputs(stage.files.inputs)
    windows = folder.windows(memory)
    doubted = doubted_rows(stage, memory, windows)
    money = money_inputs(stage, rows, folder, doubted=doubted, rejected=bool(started.rejected))
    plain = next(member for member in memory.pool.members if member.name == memory.plain)
    left_out = [each.rows for each in memory.left_out]
    learned = window(rows, end=memory.learned, last_batches=plain.last_batches, left_out=left_out)
    reference = learned.tail(REFERENCE_ROWS)

    # decide
    evaluation = evaluate(stage, rows, money)
    intervals = _intervals(stage, memory, windows)
    kept = _holdout(stage, rows, memory, windows, doubted)

    # apply
    shutil.rmtree(stage.files.model, ignore_errors=True)
    exported, classes = write_export(stage, memory, rows, reference)
    embedder = _write_embedder(stage, reference)
    write_parquet(stage.files.model / REFERENCE, reference)
    write_parquet(stage.files.model / HOLDOUT, kept)
    write_document(stage.files.model / REFERENCE_ROWS_FILE, ReferenceRows.of(reference, stage.schema))
    if stage.schema.derived and stage.schema.derived.lags:
        write_document(stage.files.model / HISTORY, KnownValues.of(stage.schema, rows))
    description = ModelDescription(
        scenario=stage.files.scenario,
        runtime=exported.runtime,
        parity=exported.reason,
        task=stage.schema.target.task,
        classes=classes,
        schema=stage.schema.as_dict(),
        embedder=embedder.describe(),
        ensemble=folder.description,
        brought=read_brought(stage.files.brought, started.alone).description if started.alone else None,
        environment={  # in the model alone: results are the same everywhere
            "python": platform.python_version(),
            "platform": platform.platform(),
            **{name: version(name) for name in MADE_WITH},
        },
        rows=len(rows),
        learned_rows=len(learned),
        evaluation=evaluation,
        intervals=intervals,
        decision=learned_policy(money) if money else None,
    )
    write_json(stage.files.model / DESCRIPTION, description.to_json())
    model = load(stage.files.model, tag="the packaged model")
    asked = {"sanity": try_slight_changes(model, learned), "golden": _golden(model, rows)}
    described = description.model_copy(update=asked)
    write_json(stage.files.model / DESCRIPTION, described.to_json())
    write_document(stage.files.model_summary, ModelSummary.of(described))
    print(f"served by {exported.runtime}" + (f": {exported.reason}" if exported.reason else ""))


def _intervals(stage: Stage, memory: Memory, windows: Sequence[ForwardWindow]) -> ConformalIntervals | None:
    """Learn from the forward answers how far truth lies from an answer; None where classes are predicted."""
    if stage.schema.target.task != REGRESSION:
        return None
    known = telling(windows, [each.rows for each in memory.windows], memory.left_out)
    forward = [(each.refreshed[:, 0], each.truth) for each in known]
    return conformal_intervals(forward, confidence=stage.params.statistics.confidence)


def _holdout(
    stage: Stage,
    rows: "pd.DataFrame",
    memory: Memory,
    windows: Sequence[ForwardWindow],
    doubted: Sequence[Fold],
) -> "pd.DataFrame":
    """Return the judged rows with their forward answers. Estimates are held to no label that is wrong, or in doubt."""
    folds, left_out = judged(memory), [each.rows for each in memory.left_out]
    answers = np.concatenate([each.refreshed for each in windows[-len(folds) :]])
    is_true = is_outside([*left_out, *doubted], len(rows))[folds[0].start :]
    return as_kept(rows.iloc[folds[0].start :][is_true], answers[is_true], stage.schema)


def _write_embedder(stage: Stage, reference: "pd.DataFrame") -> Embedder:
    """Fit what makes vectors of rows, and write the files that it needs."""
    _copy_encoder(stage)
    of_texts = open_text_model(stage.files.model)
    embedder = Embedder.fit(
        arrays_of_frame(stage.schema, reference),
        encoder=NgramVectors.fit if of_texts is None else lambda _: of_texts,
        pixels=[len(stage.schema.feature_parts[name]) for name in stage.schema.images],
        image_encoder=open_image_model(stage.files.model),
    )
    _write_all(stage.files.model, text_files(embedder))
    return embedder


def _golden(model: Model, rows: "pd.DataFrame") -> GoldenRows:
    """Ask the model rows that are spread evenly over time."""
    schema, spread = model.schema, np.linspace(0, len(rows) - 1, min(GOLDEN_ROWS, len(rows))).astype(int)
    names = dict.fromkeys([*schema.names, *(column.name for column in schema.asked)])
    asked = rows_of_frame(schema, rows.iloc[spread], names=[*names])
    return GoldenRows(rows=tuple(asked), labels=tuple(model.answer(arrays_of_rows(schema, asked)).labels))


def try_slight_changes(model: Model, known: "pd.DataFrame") -> Sanity:
    """Ask the model, as it will be served, slightly altered rows of those that it learned from.

    In one thread: with more, those that wait for each other would cost most of the time.
    """
    from threadpoolctl import threadpool_limits

    def ask(rows: "pd.DataFrame") -> NDArray[np.float64]:
        answers = model.answer(arrays_of_frame(model.schema, rows))
        if answers.probabilities is None:
            return np.array(answers.labels, dtype=np.float64)[:, None]
        return answers.probabilities

    began = time.process_time()
    with threadpool_limits(limits=1):
        sanity = check(known, model.schema, ask)
    print(
        f"{sanity.tried} slight changes, each of {sanity.rows} rows: {len(sanity.broken)} of them change the answers "
        f"too much ({time.process_time() - began:.1f} s CPU)"
    )
    return sanity


def _copy_encoder(stage: Stage) -> None:
    """Put the files of a folder's encoder beside the model, where the table has columns that it reads."""
    schema, name = stage.schema, stage.params.neighbours.model
    if not name or not (schema.texts or schema.images):
        return
    source = stage.settings.home / name
    if schema.images if encodes_images(source) else schema.texts:
        _write_all(stage.files.model, import_model(source))


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        write_bytes(folder / name, content)


if __name__ == "__main__":
    run(package)
