"""What is served of members that were weighed anew: their answers with the new weights, however they are served."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from releve.adapters.files import MEMORY, NO_MEMORY, PipelineInputs, write_inputs, write_parquet
from releve.adapters.models.memory_files import MemoryFolder
from releve.adapters.models.model_runtime import load
from releve.adapters.models.model_store import ModelStore
from releve.core.settings import Settings
from releve.domain.ensemble.weights import Serves
from releve.domain.schema.arrays import arrays_of_frame
from releve.domain.schema.target import REGRESSION
from releve.domain.training.learning import answer
from tasks.pipeline.package import package
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.stage import Stage
from tasks.pipeline.train import train
from tasks.places import ScenarioFiles
from tests.mixed_tables import MIXES, mixed_table
from tests.tables import make_params


def make_served(root: Path, task: str, kinds: tuple[str, ...]) -> Stage:
    """A model of members with like weights is in the store as mixed:one, and its refresh the memory; more rows came."""
    schema, frame = mixed_table(task, kinds)
    files = ScenarioFiles(root, "mixed")
    params = make_params(train={"recipe": ["linear", "k_neighbors"]}, compute={"workers": 1})
    stage = Stage(Settings(project=root, home=root / "var", registry_url="", milvus_uri=""), params, schema, files)
    write_inputs(files.inputs, PipelineInputs("batches", "", NO_MEMORY))
    edge = len(frame) * 2 // 3
    write_parquet(files.batches / "1.parquet", frame[:edge])
    train(stage)
    folder = MemoryFolder(files.memory)
    alike = {name: 1 / len(folder.memory.files) for name in folder.memory.files}
    memory = folder.memory.model_copy(update={"weights": alike, "exported": tuple(alike), "serves": Serves.ENSEMBLE})
    folder.write_documents(memory, folder.description, folder.importances)
    package(stage)
    ModelStore(stage.settings.home).save(files.model, scenario="mixed", version="one", labels={})
    shutil.copytree(files.memory, files.folder / MEMORY)
    write_inputs(files.inputs, PipelineInputs("batches", "mixed:one", MEMORY, reweighs="mixed:one"))
    write_parquet(files.batches / "2.parquet", frame[edge:])
    return stage


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize(("kinds", "runtime"), [("tabular", "onnx"), ("all", "sklearn")])
def test_the_model_answers_as_its_old_members_with_their_new_weights(task, kinds, runtime, tmp_path):
    stage = make_served(tmp_path, task, MIXES[kinds])
    before = MemoryFolder(stage.files.folder / MEMORY).memory

    train(stage)
    package(stage)

    folder, model = MemoryFolder(stage.files.memory), load(stage.files.model, tag="mixed:two")
    rows = stage_rows(stage).rows
    answers = model.answer(arrays_of_frame(stage.schema, rows))
    found = np.array(answers.labels)[:, None] if task == REGRESSION else answers.probabilities
    members = folder.ensemble(folder.memory, stage.schema.target.classes)
    assert model.description.runtime == runtime
    assert folder.memory.weights != before.weights
    assert found == pytest.approx(answer(members, rows, stage.schema).to_numpy(float), abs=1e-4, rel=1e-4)
    assert (model.description.rows, model.description.ensemble.learned) == (len(rows), before.learned)
