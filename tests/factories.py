"""Small real things to test with: a table, a schema, a model folder, a project, a release."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.model_runtime import REFERENCE_ROWS_FILE
from releve.adapters.models.model_store import ModelStore, StoredModel
from releve.core.params import ArmLimits
from releve.domain.evaluation.intervals import Interval
from releve.domain.explanation.references import REFERENCES, ReferenceRow, ReferenceRows
from releve.domain.neighbours.embedding import Embedder
from releve.domain.neighbours.vectors import Entries
from releve.domain.registry.release import ExpectedPerformance, Release
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.schema import Schema
from tests.repositories import commit

PROJECT = Path(__file__).parent.parent
SCENARIO = "flowers"
TABLE = {
    "target": {"name": "kind", "classes": [0, 1, 2]},
    "columns": {
        "length": {"type": "number", "min": 0, "max": 10},
        "width": {"type": "number", "min": 0, "max": 10},
        "weight": {"type": "number", "nullable": True},
        "colour": {"type": "category", "categories": ["blue", "red", "white"]},
    },
}


def make_schema() -> Schema:
    """Three numbers, of which one may be missing, and one category."""
    return Schema.from_dict(TABLE)


def make_row(**changes: Any) -> dict[str, Any]:
    """A row that the schema allows."""
    return {"length": 4.0, "width": 2.5, "weight": 1.0, "colour": "red", **changes}


def make_table(rows: int = 120, *, seed: int = 7) -> tuple[list[dict[str, Any]], list[int]]:
    """Rows and their labels, which follow from the length."""
    random = np.random.default_rng(seed)
    table = [
        make_row(
            length=round(float(random.uniform(0, 10)), 3),
            width=round(float(random.uniform(0, 10)), 3),
            weight=None if random.random() < 0.1 else round(float(random.normal()), 3),
            colour=str(random.choice(["blue", "red", "white"])),
        )
        for _ in range(rows)
    ]
    return table, [min(2, int(row["length"] // 3.4)) for row in table]


def make_model_folder(
    parent: Path, *, scenario: str = SCENARIO, name: str = "model", seed: int = 7, decision: Any = None
) -> Path:
    """A fitted and exported logistic regression, in the form that `model_runtime.load` reads."""
    from releve.adapters.models.description import ModelDescription
    from releve.adapters.models.onnx_export import export
    from releve.domain.training.pipeline import build, model_frame

    schema = make_schema()
    rows, labels = make_table(seed=seed)
    arrays = arrays_of_rows(schema, rows)
    pipeline = build(schema, recipe="linear", scale="standard", options={}, seed=seed)
    pipeline.fit(model_frame(arrays, schema), labels)
    description = {
        "scenario": scenario,
        "runtime": "onnx",
        "classes": [0, 1, 2],
        "schema": schema.as_dict(),
        "embedder": Embedder.fit(arrays).describe().model_dump(mode="json"),
        "decision": decision and decision.model_dump(mode="json"),
    }
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(export(pipeline, schema))
    kept = [
        ReferenceRow(cells=row, label=label, batch="first.csv", row=place, row_id="")
        for place, (row, label) in enumerate(zip(rows[:REFERENCES], labels[:REFERENCES], strict=True))
    ]
    (folder / REFERENCE_ROWS_FILE).write_text(ReferenceRows(rows=tuple(kept)).model_dump_json())
    (folder / "model.json").write_text(json.dumps(ModelDescription.model_validate(description).to_json()))
    return folder


def make_project(parent: Path, *, scenario: str = SCENARIO, **service: Any) -> Path:
    """This repository's params.yaml and one scenario, committed; `service` overrides that section."""
    folder = parent / "project"
    (folder / "scenarios" / scenario).mkdir(parents=True)
    shutil.copy(PROJECT / "params.yaml", folder)
    described = {**TABLE, "service": service}
    (folder / "scenarios" / scenario / "params.yaml").write_text(yaml.safe_dump(described))
    git(folder, "init", "--quiet", "--initial-branch=main")
    commit(folder, "the project")
    return folder


def make_arm_limits(**changes: Any) -> ArmLimits:
    """The settings of arms in this repository's params.yaml, with changes."""
    return ArmLimits(**{**yaml.safe_load((PROJECT / "params.yaml").read_text())["arms"], **changes})


def make_stored_model(
    home: Path, version: str, *, scenario: str = SCENARIO, seed: int = 7, decision: Any = None
) -> StoredModel:
    """A model version in the store below `home`; `decision`: the policy that it decides by."""
    folder = make_model_folder(home / "made" / scenario, scenario=scenario, name=version, seed=seed, decision=decision)
    return ModelStore(home).save(folder, scenario=scenario, version=version, labels={})


def make_release(model: StoredModel, /, **changes: Any) -> Release:
    """A release of a stored model."""
    return Release(
        **{
            "scenario": model.tag.partition(":")[0],
            "model": model.tag,
            "model_digest": model.digest,
            "index": "releve_flowers_one",
            "index_rows": 120,
            "data_version": "d" * 32,
            "revision": "r" * 40,
            "rows": 120,
            "expected": ExpectedPerformance("accuracy", Interval(0.9, 0.83, 0.95), 100),
            **changes,
        }
    )


def make_entries(embedder: Embedder, *, rows: int = 120, seed: int = 7) -> Entries:
    """The rows of `make_table` as an index holds them."""
    table, labels = make_table(rows, seed=seed)
    return Entries(
        ids=np.arange(rows, dtype=np.int64),
        vectors=embedder.embed(arrays_of_rows(make_schema(), table)),
        labels=[str(label) for label in labels],
        batches=["first.csv"] * rows,
        rows=np.arange(rows, dtype=np.int64),
    )
