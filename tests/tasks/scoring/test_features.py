"""A table that is scored by a model whose features nobody sends."""

from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from releve import api
from releve.adapters.known_values import known_values_path, write_known_values
from releve.adapters.models.model_runtime import ModelAltered
from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.core.errors import BadInput
from releve.domain.arms.arms import Arm
from releve.domain.features.completion import complete_rows, history_of
from releve.domain.features.known import KnownValues
from releve.domain.schema.arrays import arrays_of_rows, rows_of_frame
from releve.reporting.messages.scoring import describe_scoring
from releve.serving.feedback import write_labels
from releve.serving.prediction import predict, sent_numbers
from tasks.scoring.answers import score_piece
from tests.domain.features.tables import PANEL, RIDES, panel, panel_schema, rides, rides_schema


@pytest.fixture
def project(scored, tmp_path):
    return scored(RIDES, tmp_path)


@pytest.fixture
def newer():
    """The rows that came after those that the model learned from."""
    return rides(260).iloc[len(rides(200)) :].reset_index(drop=True)


def answered(project):
    return pd.read_parquet(project.out)["value"].tolist()


def expected(project, rows, past):
    """What the service would answer, were it told of `past`."""
    schema = rides_schema()
    model = ModelStore(project.settings.home).load("rides:one")
    asked = complete_rows(schema, rows_of_frame(schema.sent, rows), history_of(schema, past))
    return sent_numbers(predict(model, arrays_of_rows(schema, asked), asked).labels)


def test_the_rows_of_a_file_are_answered_as_the_service_would(project, newer):
    project.score(project.put("newer.csv", newer[["at", "warmth", "sky"]]))

    assert answered(project) == expected(project, newer, rides(200))


@pytest.mark.parametrize("rows", [1, 20, 25, 40])
def test_rows_whose_lags_nobody_knows_yet_are_counted_and_told_where_they_are_many(project, newer, rows):
    asked = newer.iloc[:rows]

    done = project.score(project.put("newer.csv", asked[["at", "warmth", "sky"]]))

    schema = rides_schema()
    completed = complete_rows(schema, rows_of_frame(schema.sent, asked), history_of(schema, rides(200)))
    names = [lag.name for lag in schema.derived.lags]
    counts = {name: sum(row[name] is None for row in completed) for name in names}
    assert done.manifest.unknown_lags == {name: count for name, count in counts.items() if count}
    lines = describe_scoring(str(project.out), done.manifest, resumed_rows=0, newer_model="")
    told = [name for name in names if any(f"{name} for {counts[name]} row" in line for line in lines)]
    assert told == [name for name in names if counts[name] > 0.1 * len(asked)]


@pytest.fixture
def several(project):
    """A file of more rows than a piece may have, the newest first."""
    frame = rides(900).iloc[len(rides(200)) :].iloc[::-1].reset_index(drop=True)
    return project.put("several.csv", frame[["at", "warmth", "sky"]]), frame


@pytest.mark.parametrize(("rows", "workers"), [(100, 1), (250, 1), (100, 2), (10_000, 1)])
def test_a_row_s_lags_do_not_end_where_a_piece_does(project, several, monkeypatch, rows, workers):
    path, frame = several
    if workers > 1:
        project.edit("workers: 1", f"workers: {workers}")
    cut(monkeypatch, rows)

    project.score(path)

    assert answered(project) == expected(project, frame, rides(200))


@pytest.mark.parametrize(("rows", "order"), [(100, "at"), (100, "shop"), (10_000, "at")])
def test_each_shop_has_its_own_lags_wherever_a_piece_ends(scored, tmp_path, monkeypatch, rows, order):
    project, schema = scored(PANEL, tmp_path), panel_schema()
    newer = newer_panel().sort_values(order, kind="stable", ignore_index=True)
    names = [column.name for column in schema.asked]
    cut(monkeypatch, rows)

    project.score(project.put("newer.csv", newer[names]))

    asked = complete_rows(schema, rows_of_frame(schema.sent, newer, names=names), history_of(schema, panel(200)))
    model = ModelStore(project.settings.home).load(f"{PANEL}:one")
    assert {row["warmth.lag_1"] is None for row in asked} == {True, False}
    assert answered(project) == sent_numbers(predict(model, arrays_of_rows(schema, asked), asked).labels)


def newer_panel():
    whole = panel(300)
    return whole[whole["at"] > panel(200)["at"].max()]


def test_a_piece_is_given_the_history_of_its_own_shops_alone(scored, tmp_path, monkeypatch):
    project, given, own = scored(PANEL, tmp_path), [], []
    newer = newer_panel().sort_values("shop", kind="stable", ignore_index=True)
    cut(monkeypatch, 20)

    def scoring(scorer, item):
        given.append({shop for _, shop in item.reached})
        own.append({line.rpartition(",")[2] for line in item.piece.text.splitlines()} - {""})
        return score_piece(scorer, item)

    monkeypatch.setattr("tasks.scoring.parts.score_piece", scoring)
    project.score(project.put("newer.csv", newer[[column.name for column in panel_schema().asked]]))

    assert given == own
    assert {len(shops) for shops in own} >= {1, 2}


def test_a_run_that_goes_on_gives_the_bytes_of_one_that_was_never_ended(project, several, monkeypatch):
    path, _ = several
    cut(monkeypatch, 100)
    project.score(path, project.root / "whole")

    def ended(reached):
        if reached.rows > 250:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.score(path, progress=ended)
    write_known_values(
        known_values_path(project.settings.home, RIDES), KnownValues.of(rides_schema(), rides(260, seed=8))
    )
    done = project.score(path)

    assert done.resumed_rows == 200
    assert parts(project.out) == parts(project.root / "whole")


def test_what_was_asked_and_told_today_is_known_as_the_service_knows_it(project, newer):
    first = rows_of_frame(rides_schema().sent, newer)[0]
    with closing(LedgerWriter(project.state.ledger, RIDES, clock=lambda: datetime.now(UTC))) as ledger:
        answers = {"labels": [1.0], "probabilities": None, "intervals": None, "latency_ms": 1.0}
        line = ledger.answer(model="rides:one", index=None, arm=Arm.CHAMPION, rows=[first], **answers)
        write_labels(ledger, rides_schema(), [(f"{line}.0", 12.0)])

    project.score(project.put("newer.csv", newer.iloc[1:][["at", "warmth", "sky"]]))

    past = pd.concat([rides(200), newer.iloc[:1].assign(rented=12.0, sold=np.nan)])
    assert answered(project) == expected(project, newer.iloc[1:].assign(sold=np.nan), past)


def cut(monkeypatch, rows):
    """Cut inputs into pieces and parts of so many rows, and work side by side from the first one on."""
    monkeypatch.setattr("releve.adapters.tables.chunks.MOST_ROWS_PER_CHUNK", rows)
    monkeypatch.setattr("tasks.scoring.parts.ROWS_PER_PART", rows)
    monkeypatch.setattr("tasks.scoring.score.ROWS_PER_PART", rows)
    monkeypatch.setattr("tasks.scoring.parts.WORTH_SECONDS", 0.0)


def parts(folder):
    return {path.name: path.read_bytes() for path in folder.glob("part-*")}


def test_what_is_ingested_meanwhile_changes_no_scoring_that_has_begun(project, newer):
    path = project.put("newer.csv", newer[["at", "warmth", "sky"]])
    whole = pd.concat([rides(200), newer.iloc[:30]])
    project.score(path)
    before = answered(project)
    ingested = known_values_path(project.settings.home, RIDES)

    write_known_values(ingested, KnownValues.of(rides_schema(), whole))
    project.score(path)
    assert answered(project) == before

    project.score(path, again=True)
    assert answered(project) == expected(project, newer, whole) != before


def test_lags_that_the_file_brings_itself_count(project, newer):
    frame = newer[["at", "warmth", "sky"]].assign(**{"rented.lag_24": 50.0})

    project.score(project.put("newer.csv", frame))

    assert len(set(answered(project))) > 1
    assert answered(project) != expected(project, newer, rides(200))


def test_a_file_without_the_time_is_refused(project, newer):
    with pytest.raises(BadInput, match="is missing 'at'"):
        project.score(project.put("newer.csv", newer[["warmth", "sky"]]))


def test_python_answers_as_the_service_would(project, newer, monkeypatch):
    monkeypatch.setenv("RELEVE_HOME", str(project.settings.home))
    monkeypatch.delenv("RELEVE_REGISTRY_URL", raising=False)

    answers = api.predict(RIDES, newer[["at", "warmth", "sky"]], project=project.root)

    assert answers["value"].tolist() == expected(project, newer, rides(200))


def test_python_does_not_ask_a_model_whose_files_were_altered(project, newer, monkeypatch):
    monkeypatch.setenv("RELEVE_HOME", str(project.settings.home))
    monkeypatch.delenv("RELEVE_REGISTRY_URL", raising=False)
    description = ModelStore(project.settings.home).folder("rides:one") / "model.json"
    description.chmod(0o644)
    description.write_bytes(description.read_bytes() + b"\n")

    with pytest.raises(ModelAltered, match="was registered; nothing was loaded"):
        api.predict(RIDES, newer, project=project.root)
