"""Newer labelled rows are found beside the same model."""

import signal
import subprocess
import sys

import pytest

from releve.adapters.models.model_store import ModelStore
from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.neighbours.index_check import IndexMismatch
from releve.domain.registry.chain import INDEX_MOVED, RELEASED
from tasks.ingestion.ingest import ingest
from tasks.release import index_refresh
from tasks.release.index_refresh import refresh_index, roll_back_index
from tasks.release.release import release
from tasks.release.rollback import rollback
from tasks.retraining.retrain import retrain
from tests.tables import ROOT, SHOP
from tests.tasks.shop import market_rows

pytestmark = pytest.mark.slow


def serving(shop):
    return shop.registry.current(SHOP).release


def batches_found(shop, wanted) -> set[str]:
    """The batches of all rows that searches of a release find."""
    dimension = ModelStore(shop.settings.home).load(wanted.model).embedder.dimension
    index = VectorIndex(shop.settings.milvus_uri)
    [found] = index.search(wanted.index, [0.0] * dimension, limit=1000, version=wanted.index_version)
    index.close()
    assert len(found) == wanted.index_rows
    return {hit.batch for hit in found}


def receive(shop, name="day-3.parquet", *, seed=5, rows=60):
    shop.receive(market_rows(rows, seed=seed), name)
    ingest(shop.settings, SHOP)


def test_rows_that_came_in_are_found_beside_the_same_model(released):
    before, number = serving(released), released.registry.current(SHOP).number
    receive(released)

    done = refresh_index(released.settings, SHOP)

    after = serving(released)
    assert (done.new, done.gone, done.release) == (60, 0, after)
    assert (after.model, after.index, after.index_version.number) == (before.model, before.index, number)
    assert after.index_rows == before.index_rows + 60
    assert after.index_check.recall >= 0.99
    newest = released.batches[-1].batch
    assert batches_found(released, after) - batches_found(released, before) == {newest}
    assert [event.kind for event in released.registry.events(SHOP, kinds=[RELEASED, INDEX_MOVED])] == [
        RELEASED,
        INDEX_MOVED,
    ]


def test_rows_that_are_there_already_move_nothing(released):
    assert refresh_index(released.settings, SHOP) is None

    receive(released)
    refresh_index(released.settings, SHOP)

    assert refresh_index(released.settings, SHOP) is None
    assert len(released.registry.events(SHOP, kinds=[INDEX_MOVED])) == 1


def test_rows_wait_for_the_next_model_where_the_setting_says_so(released):
    released.override(index={"follow": False})
    receive(released)

    assert refresh_index(released.settings, SHOP) is None


def test_an_index_goes_back_to_the_rows_before_and_stays_there_until_others_come(released):
    before = serving(released)
    receive(released)
    left = refresh_index(released.settings, SHOP).release

    assert roll_back_index(released.settings, SHOP, reason="wrong labels") == serving(released) == before
    assert refresh_index(released.settings, SHOP) is None
    assert roll_back_index(released.settings, SHOP, reason="they were right") == left
    roll_back_index(released.settings, SHOP, reason="they were not")
    receive(released, "day-4.parquet", seed=6)

    done = refresh_index(released.settings, SHOP)

    assert (done.new, done.gone) == (120, 0)
    assert len(batches_found(released, done.release)) == 4
    assert batches_found(released, before) == {batch.batch for batch in released.batches[:2]}


def test_a_model_comes_back_with_the_rows_that_its_index_had(released):
    receive(released)
    first = refresh_index(released.settings, SHOP).release
    released.override(train={"recipe": "extra_trees", "options": {"n_estimators": 20}})
    receive(released, "day-4.parquet", seed=6, rows=120)
    retrain(released.settings, SHOP, reason="a better recipe")
    release(released.settings, SHOP)
    index = VectorIndex(released.settings.milvus_uri)
    index.drop(first.index)  # as after a loss of Milvus
    index.close()

    done = rollback(released.settings, SHOP, reason="complaints")

    assert done.release == serving(released) == first
    assert done.index.rows == first.index_rows


KILLED = """
import os, signal, sys
from pathlib import Path
from releve.adapters.registry.registry import Registry
from tasks.release.index_refresh import refresh_index
from tests.tasks.shop import Shop
from tests.tables import SHOP
Registry.move = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
refresh_index(Shop(Path(sys.argv[1])).settings, SHOP)
"""


def test_a_writer_that_is_killed_before_the_move_leaves_nothing_visible_and_the_same_step_finishes(released):
    before = serving(released)
    receive(released)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(released.root)], cwd=ROOT, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert serving(released) == before
    seen = batches_found(released, before)
    assert len(seen) == 2

    done = refresh_index(released.settings, SHOP)

    assert len(batches_found(released, done.release)) == 3
    assert batches_found(released, before) == seen


def test_an_index_that_does_not_find_its_rows_is_not_moved_to(released, monkeypatch):
    before = serving(released)
    receive(released)
    monkeypatch.setattr(VectorIndex, "update", lambda *_, **__: None)

    with pytest.raises(IndexMismatch, match="holds 200 rows instead of 260"):
        index_refresh.refresh_index(released.settings, SHOP)

    assert serving(released) == before
