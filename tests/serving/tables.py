"""Services for tables of other kinds than the flowers: packed, stored, indexed and released as the steps do it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import skops.io
import yaml

from releve.adapters.files import write_bytes, write_document, write_json
from releve.adapters.models import model_runtime
from releve.adapters.models.description import ModelDescription
from releve.adapters.models.model_store import ModelStore, StoredModel
from releve.adapters.models.onnx_export import export_checked
from releve.adapters.vectors.embedder_files import text_files
from releve.adapters.vectors.encoders import import_model, open_image_model, open_text_model
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import LOOPBACK
from releve.domain.evaluation.conformal import ConformalIntervals
from releve.domain.explanation.references import ReferenceRows
from releve.domain.neighbours.embedding import Embedder
from releve.domain.neighbours.index_design import IndexDesign
from releve.domain.neighbours.text_vectors import NgramVectors
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.columns import CATEGORY
from releve.domain.schema.schema import BATCH, ROW, Schema
from releve.domain.schema.target import REGRESSION
from releve.domain.schema.validation import check_frame
from releve.domain.training.pipeline import build, model_frame
from tasks.release.index import as_entries
from tests.factories import PROJECT, make_release
from tests.serving.conftest import Running, registry_of
from tests.serving.process import serving, wait_until

# Of a regression: 50 to either side of answers up to 60, and 70 of larger ones
WIDE = ConformalIntervals(confidence=0.95, alpha=0.05, rows=500, edges=(60.0,), half_widths=(50.0, 70.0), windows=())


def packed(
    folder: Path, table: dict[str, Any], frame: pd.DataFrame, *, recipe: str = "linear", encoder: Path | None = None
) -> Path:
    """A model folder for a table, fitted on checked rows, in the form that `model_runtime.load` reads.

    encoder: a folder that `neighbours.model` may name.
    """
    schema = Schema.from_dict(table)
    arrays = arrays_of_frame(schema, frame)
    pipeline = build(schema, recipe=recipe, scale="standard", options={}, seed=7)
    pipeline.fit(model_frame(arrays, schema), frame[schema.target.name])
    exported = export_checked(pipeline, schema, frame, tolerance=1e-4)
    for name, content in (import_model(encoder) if encoder else {}).items():
        write_bytes(folder / name, content)
    shared = open_text_model(folder)
    learn = partial(NgramVectors.fit, dimensions=8, max_features=500) if shared is None else lambda texts: shared
    pixels = [len(schema.feature_parts[name]) for name in schema.images]
    embedder = Embedder.fit(arrays, encoder=learn, pixels=pixels, image_encoder=open_image_model(folder))
    described = {
        "scenario": folder.name,
        "runtime": exported.runtime,
        "classes": [] if schema.target.task == REGRESSION else pipeline.classes_.tolist(),
        "schema": schema.as_dict(),
        "embedder": embedder.describe().model_dump(mode="json"),
        "intervals": WIDE if schema.target.task == REGRESSION else None,
    }
    write_json(folder / "model.json", ModelDescription.model_validate(described).to_json())
    placed = frame.assign(**{BATCH: "first.csv", ROW: range(len(frame))})
    write_document(folder / model_runtime.REFERENCE_ROWS_FILE, ReferenceRows.of(placed, schema))
    model = skops.io.dumps(pipeline) if exported.onnx is None else exported.onnx
    write_bytes(folder / ("model.skops" if exported.onnx is None else "model.onnx"), model)
    for name, content in text_files(embedder).items():
        write_bytes(folder / name, content)
    return folder


@contextmanager
def table_served(
    home: Path,
    name: str,
    table: dict[str, Any],
    rows: pd.DataFrame,
    *,
    milvus: int,
    encoder: Path | None = None,
    **environ: str,
) -> Iterator[Running]:
    """A running service whose first release knows `rows`; `environ`: more of its environment."""
    frame = check_frame(Schema.from_dict(table), rows).accepted
    stored = ModelStore(home).save(
        packed(home / "made" / name, table, frame, encoder=encoder), scenario=name, version="one", labels={}
    )
    indexed = frame.assign(**{BATCH: "first.csv", ROW: range(len(frame))})
    collection = f"releve_{name}_one"
    index = VectorIndex(f"http://{LOOPBACK}:{milvus}")
    model = model_runtime.load(stored.path, tag=stored.tag)
    design = IndexDesign(filters=tuple(each.name for each in model.schema.columns if each.type == CATEGORY))
    index.build(collection, as_entries(indexed, model, filters=design.filters), scenario=name, design=design)
    index.close()
    release_table(home, name, stored, index=collection, index_rows=len(frame), index_design=design)
    with (
        serving(home, project_of(home, name, table), milvus=milvus, **{"RELEVE_SCENARIO": name, **environ}) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield Running(client, home)


def release_table(home: Path, name: str, stored: StoredModel, **changes: Any) -> None:
    registry = registry_of(home)
    payload = ModelReleased(release=make_release(stored, **changes))
    registry.move(name, payload, expected=None, reason="a test", actor="tests")
    registry.close()


def project_of(home: Path, name: str, table: dict[str, Any]) -> Path:
    folder = home / "project"
    (folder / "scenarios" / name).mkdir(parents=True)
    shutil.copy(PROJECT / "params.yaml", folder)
    described = {**table, "service": {"max_rows": 5}}
    (folder / "scenarios" / name / "params.yaml").write_text(yaml.safe_dump(described))
    return folder
