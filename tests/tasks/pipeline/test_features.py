"""A scenario with features that nobody sends, from batches to a packaged model."""

import json

import pytest

from releve.adapters.models.model_runtime import HISTORY, check_golden, load
from releve.adapters.models.onnx_export import ONNX
from releve.core.errors import BadInput
from releve.domain.features import known
from releve.domain.features.completion import complete_frame, complete_rows
from releve.domain.features.history import LagHistory
from releve.domain.schema.arrays import arrays_of_frame, arrays_of_rows, rows_of_frame
from tasks.pipeline.package import package
from tasks.pipeline.rows import read_rows, stage_rows
from tasks.pipeline.train import train
from tests.domain.features.tables import rides, rides_schema
from tests.tasks.pipeline.test_train import make_stage, receive


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    made = make_stage(tmp_path_factory.mktemp("rides"), schema=rides_schema(), train={"recipe": ["linear"]})
    receive(made, rides(500).drop(columns="_batch"))
    train(made)
    package(made)
    return made


@pytest.fixture(scope="module")
def model(stage):
    return load(stage.files.model, tag="rides:one")


def test_batches_are_read_with_their_features(stage):
    sent = read_rows(stage.files.batches, stage.schema.sent).rows

    assert stage_rows(stage).rows.equals(complete_frame(stage.schema, sent))


def test_the_model_knows_what_it_learned_with(stage, model):
    check_golden(model)
    assert model.schema == stage.schema
    assert model.description.runtime == ONNX
    assert {"rented.lag_24", "at.week_sin"} <= {*model.description.golden.rows[0]}


def test_it_answers_rows_as_they_are_sent_by_what_travels_with_it(stage, model):
    rows, schema = stage_rows(stage).rows, stage.schema
    history = LagHistory(schema)
    model.known.add_to(history)

    asked = complete_rows(schema, rows_of_frame(schema.sent, rows.tail(20)), history)

    expected = model.answer(arrays_of_frame(schema, rows.tail(20))).labels
    assert model.answer(arrays_of_rows(schema, asked)).labels == expected


def test_lags_that_answers_would_miss_are_not_learned(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "MOST_VALUES", 40)
    made = make_stage(tmp_path, schema=rides_schema(), train={"recipe": ["linear"]})
    receive(made, rides(500).drop(columns="_batch"))

    with pytest.raises(BadInput, match=r"features\.lags\.rented reaches 49 steps back, and the newest 40 values reach"):
        train(made)


def test_a_model_without_lags_brings_no_history(tmp_path):
    made = make_stage(tmp_path, schema=rides_schema(features={"calendar": "hour"}), train={"recipe": ["linear"]})
    receive(made, rides(500).drop(columns="_batch"))
    train(made)
    package(made)

    assert not (made.files.model / HISTORY).exists()
    assert "features" in json.loads((made.files.model / "model.json").read_text())["schema"]
