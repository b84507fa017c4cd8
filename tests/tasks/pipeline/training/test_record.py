"""Which release answered which rows, as the next refreshes are judged by it."""

import shutil

import numpy as np
import pytest

from releve.adapters.files import MEMORY, PipelineInputs, write_inputs
from releve.adapters.models.memory_files import MemoryFolder
from releve.adapters.models.model_store import ModelStore
from releve.domain.ensemble.forward import ForwardWindow
from releve.domain.schema.arrays import arrays_of_frame
from tasks.pipeline.package import package
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.stage import Stage
from tasks.pipeline.train import train
from tests.tables import SHOP, shop_rows
from tests.tasks.pipeline.test_train import make_stage, receive


def release(stage: Stage, version: str) -> str:
    """Make a model of the rows that there are, and put it into the store; its refresh is the memory of the next."""
    train(stage)
    package(stage)
    ModelStore(stage.settings.home).save(stage.files.model, scenario=SHOP, version=version, labels={})
    shutil.rmtree(stage.files.folder / MEMORY, ignore_errors=True)
    shutil.copytree(stage.files.memory, stage.files.folder / MEMORY)
    return f"{SHOP}:{version}"


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> tuple[Stage, str, str]:
    """A model of 400 rows was released, then a refresh of 500; 200 rows came since."""
    stage = make_stage(tmp_path_factory.mktemp("replaced"))
    receive(stage, shop_rows(400))
    first = release(stage, "first")
    write_inputs(stage.files.inputs, PipelineInputs("batches", first, MEMORY))
    receive(stage, shop_rows(100, seed=8), start=5)
    second = release(stage, "second")
    receive(stage, shop_rows(200, seed=9), start=6)
    return stage, first, second


def newest_window(stage: Stage) -> ForwardWindow:
    train(stage)
    folder = MemoryFolder(stage.files.memory)
    return folder.windows(folder.memory)[-1]


def answers_of(stage: Stage, model: str) -> np.ndarray:
    """What a model answers to the newest 200 rows."""
    served = ModelStore(stage.settings.home).load(model)
    return served.answer(arrays_of_frame(stage.schema, stage_rows(stage).rows.iloc[500:])).probabilities


@pytest.mark.parametrize(("at", "rows"), [(450, 0), (500, 0), (600, 100), (700, 200), (800, 200)])
def test_before_labels_took_it_back_a_release_served_and_from_then_on_the_one_before_it(at, rows, replaced):
    stage, first, second = replaced
    write_inputs(stage.files.inputs, PipelineInputs("batches", first, MEMORY, taken_back=second, taken_back_at=at))

    window = newest_window(stage)

    assert not np.allclose(window.refreshed, answers_of(stage, first), atol=1e-3)
    assert (window.served[:rows] == window.refreshed[:rows]).all()
    assert window.served[rows:] == pytest.approx(answers_of(stage, first)[rows:], abs=1e-6)


def test_what_labels_took_back_is_asked_itself_where_a_refresh_was_refused_after_it(replaced):
    stage, first, second = replaced
    write_inputs(stage.files.inputs, PipelineInputs("batches", second, MEMORY, taken_back=first, taken_back_at=600))

    window = newest_window(stage)

    assert window.served[:100] == pytest.approx(answers_of(stage, first)[:100], abs=1e-6)
    assert (window.served[100:] == window.refreshed[100:]).all()
