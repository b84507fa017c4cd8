import json

import numpy as np
import pandas as pd
import pytest

from releve.adapters.files import PipelineInputs, write_inputs, write_parquet
from releve.adapters.models.model_runtime import check_golden, load
from releve.adapters.models.onnx_export import TEXT_REASON
from releve.adapters.vectors.encoders import open_image_model
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.ensemble.pool import DEFAULT, Member
from releve.domain.evaluation.evaluation import Sanity
from releve.domain.evaluation.rolling_origin import Fold
from releve.domain.schema.arrays import arrays_of_rows
from releve.domain.schema.validation import row_problems
from releve.domain.training.learning import answer, answers_of, learn, truth_of
from releve.domain.training.recipes import Candidate
from tasks.pipeline.package import package
from tasks.pipeline.rows import read_rows
from tasks.pipeline.stage import Stage
from tasks.places import HOLDOUT, ScenarioFiles
from tasks.release.index import as_entries
from tests.image_models import DIMENSION, make_image_model
from tests.mixed_tables import MIXES, mixed_table, small_options
from tests.refreshes import write_refresh
from tests.sentence_models import WIDTH, make_sentence_model
from tests.tables import DARK, make_params

NEWEST = (Fold(100, 150),)  # the window on record


def make_stage(folder, *, task="binary", kinds=MIXES["tabular"], last_batches=0, neighbours=None, blocks=NEWEST):
    """A stage whose earlier steps have run: two members, of which one learned from the newer batch alone."""
    schema, frame = mixed_table(task, kinds)
    files = ScenarioFiles(folder, "mixed")
    for name, part in {"1-first": frame[:90], "2-second": frame[90:]}.items():
        write_parquet(files.batches / f"{name}.parquet", part)
    write_inputs(files.inputs, PipelineInputs("batches", champion=""))
    rows = read_rows(files.batches, schema).rows
    plain = Member.of(Candidate("linear", "standard", small_options("linear", schema)), origin=DEFAULT)
    pipelines = {
        name: learn(part, schema, plain.candidate, seed=7)
        for name, part in {"linear": rows, "newer": rows[90:]}.items()
    }
    write_refresh(
        files.memory,
        rows,
        schema,
        blocks=list(blocks),
        answers=answer(pipelines["linear"], rows.iloc[blocks[0].start :], schema).to_numpy(float),
        pipelines=pipelines,
        plain=plain.model_copy(update={"last_batches": last_batches}),
    )
    settings = Settings(project=folder, home=folder / "var", registry_url="", milvus_uri="")
    return Stage(settings, make_params(neighbours=neighbours or {}), schema, files)


def rows_of(stage):
    return read_rows(stage.files.batches, stage.schema).rows


def packaged(stage):
    package(stage)
    return load(stage.files.model, tag="mixed:one")


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize(("kinds", "runtime", "reason"), [("tabular", "onnx", None), ("all", "sklearn", TEXT_REASON)])
def test_the_folder_answers_alone_and_says_how_and_why(task, kinds, runtime, reason, tmp_path):
    stage = make_stage(tmp_path, task=task, kinds=MIXES[kinds])

    model = packaged(stage)

    check_golden(model)
    summary = json.loads(stage.files.model_summary.read_text())
    assert (summary["task"], summary["runtime"], summary["parity"]) == (task, runtime, reason)
    assert set(summary["weights"]) <= {member.name for member in model.description.ensemble.members}
    assert sum(summary["weights"].values()) == pytest.approx(1, abs=0.01)
    assert Sanity.model_validate(summary["sanity"]) == model.description.sanity
    assert summary["sanity"]["tried"] >= 4
    assert summary["sanity"]["broken"] == []
    assert {path.suffix for path in stage.files.model.glob("model.*")} == {
        ".json",
        f".{'onnx' if reason is None else 'skops'}",
    }


def test_golden_rows_are_rows_as_predict_receives_them(tmp_path):
    model = packaged(make_stage(tmp_path, kinds=MIXES["all"]))

    rows = model.description.golden.rows

    assert row_problems(model.schema, rows) == []
    assert {type(row["day"]) for row in rows} <= {str, type(None)}
    assert len(model.description.golden.labels) == len(rows) == 5


@pytest.mark.parametrize(("last_batches", "rows"), [(0, 150), (1, 60), (2, 150)])
def test_the_reference_is_what_the_model_learned_from(last_batches, rows, tmp_path):
    stage = make_stage(tmp_path, last_batches=last_batches)

    model = packaged(stage)

    assert len(pd.read_parquet(stage.files.model / "reference.parquet")) == rows
    assert (model.description.rows, model.description.learned_rows) == (150, rows)


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_the_answers_to_the_holdout_and_their_labels_travel_with_the_model(task, tmp_path):
    stage = make_stage(tmp_path, task=task, kinds=MIXES["all"])

    model = packaged(stage)

    kept, rows = pd.read_parquet(stage.files.model / HOLDOUT), rows_of(stage).iloc[100:]
    truth, answers = truth_of(kept), answers_of(kept, task=task)
    classes = model.schema.target.classes
    assert (list(truth) if task == "regression" else [classes[place] for place in truth]) == rows["y"].tolist()
    assert answers.shape == ((50,) if task == "regression" else (50, len(classes)))
    assert set(model.schema.names) <= set(kept) or task != "regression"


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_a_regression_gets_intervals_by_the_errors_of_answers_to_rows_not_yet_learned(task, tmp_path):
    stage = make_stage(tmp_path, task=task)

    intervals = packaged(stage).description.intervals

    assert (intervals is not None) == (task == "regression")
    if intervals:
        kept = pd.read_parquet(stage.files.model / HOLDOUT)
        errors = np.abs(truth_of(kept) - answers_of(kept, task=task))
        assert (intervals.rows, intervals.confidence, intervals.edges) == (50, 0.95, ())
        assert intervals.half_widths == pytest.approx([np.sort(errors)[-2]], rel=1e-6)  # floor(.05 * 51) of them above


def test_each_window_on_record_tries_the_intervals_of_the_windows_before_it(tmp_path):
    stage = make_stage(tmp_path, task="regression", blocks=[Fold(40, 70), Fold(70, 110), Fold(110, 150)])

    intervals = packaged(stage).description.intervals

    assert [window.rows for window in intervals.windows] == [40, 40]
    assert 0 < sum(window.covered for window in intervals.windows) <= 80
    assert intervals.rows == 110
    assert intervals.alpha != pytest.approx(0.05)


def test_images_are_numbers_of_an_exported_model_and_one_column_of_its_index(tmp_path):
    stage = make_stage(tmp_path, kinds=("numbers", "images"))

    model = packaged(stage)

    vectors = model.embedder.embed(arrays_of_rows(model.schema, [{"length": 1, "width": 0, "photo": DARK}]))
    tried = {each.column for each in model.description.sanity.worst}
    assert (model.description.runtime, model.description.parity) == ("onnx", None)
    assert vectors.shape == (1, 2 + 4)
    assert tried == {"length", "width", "photo"}
    assert {str(row["photo"])[:11] for row in model.description.golden.rows} <= {"iVBORw0KGgo", "None"}


def test_texts_are_searched_by_their_ngrams(tmp_path):
    stage = make_stage(tmp_path, kinds=MIXES["texts"])

    model = packaged(stage)

    entries = as_entries(pd.read_parquet(stage.files.model / "reference.parquet"), model)
    one = model.embedder.embed(arrays_of_rows(model.schema, [{"title": "red apple car"}]))
    nearest = rows_of(stage)["title"][((entries.vectors - one) ** 2).sum(axis=1).argmin()]
    assert len(entries.vectors) == 150
    assert set(nearest.split()) & {"red", "apple", "car"}


def test_a_sentence_model_travels_with_the_model_and_is_part_of_its_version(tmp_path):
    make_sentence_model(tmp_path / "var" / "sentences")
    stage = make_stage(tmp_path, kinds=MIXES["all"], neighbours={"model": "sentences"})
    plain = packaged(make_stage(tmp_path / "plain", kinds=MIXES["all"]))

    model = packaged(stage)

    assert model.embedder.texts[0].dimension == WIDTH
    assert {"sentence.onnx", "sentence_tokenizer.json"} <= {path.name for path in stage.files.model.iterdir()}
    assert model.embedder.version != plain.embedder.version
    assert np.isfinite(model.embedder.embed(arrays_of_rows(model.schema, model.description.golden.rows))).all()


def test_an_image_encoder_travels_with_the_model_in_place_of_pixels_in_the_index_alone(tmp_path):
    make_image_model(tmp_path / "var" / "photos")
    stage = make_stage(tmp_path, kinds=("numbers", "images"), neighbours={"model": "photos"})

    model = packaged(stage)

    entries = as_entries(pd.read_parquet(stage.files.model / "reference.parquet"), model)
    again = open_image_model(stage.files.model)
    photos = rows_of(stage)["photo"].tolist()
    assert model.description.embedder.images == (again.version,)
    assert entries.vectors.shape == (150, 2 + DIMENSION)
    np.testing.assert_allclose(entries.vectors[:, 2:], again.encode(photos) * np.sqrt(0.5), atol=1e-6)
    assert len(model.schema.model_numbers) == 2 + 4  # of which the answers are made


def test_a_sentence_model_that_is_not_there_is_reported(tmp_path):
    stage = make_stage(tmp_path, kinds=MIXES["texts"], neighbours={"model": "sentences"})

    with pytest.raises(BadInput, match=r"neighbours\.model is .*sentences, and there is no such folder"):
        package(stage)


def test_a_table_without_texts_or_images_needs_no_encoder(tmp_path):
    assert packaged(make_stage(tmp_path, neighbours={"model": "sentences"})).embedder.texts == ()
