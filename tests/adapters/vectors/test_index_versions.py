"""Newer rows come into a collection that serves, and no search sees two versions of it."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.neighbours.filters import Condition
from releve.domain.neighbours.index_check import IndexMismatch
from releve.domain.neighbours.index_versions import changes_to
from releve.domain.neighbours.recall import exact_neighbours
from releve.domain.neighbours.vectors import LABEL, Entries
from tests.adapters.vectors.test_vector_index import WHOLE, make_entries, new_name


@pytest.fixture(scope="module", params=["milvus_server", WHOLE])
def index(request: pytest.FixtureRequest) -> Iterator[VectorIndex]:
    server = request.getfixturevalue(request.param)
    index = VectorIndex(server.uri, server.token)
    yield index
    index.close()


@pytest.fixture
def name(index: VectorIndex) -> Iterator[str]:
    """A collection of the 300 rows of `before`, as version 0."""
    name = new_name()
    index.build(name, before(), scenario="digits")
    yield name
    index.drop(name)


def before() -> Entries:
    return make_entries(rows=300)


def after() -> Entries:
    """`before` with other cells in row 7, without row 8, and with 40 rows more."""
    rows, newer = before(), make_entries(rows=40, seed=1)
    stay = [row for row in range(300) if row != 8]
    vectors = np.concatenate([rows.vectors[stay], newer.vectors])
    vectors[7] = 1.0
    labels = [rows.labels[row] for row in stay] + list(newer.labels)
    labels[7] = "corrected"
    return Entries(
        ids=np.arange(339, dtype=np.int64),
        vectors=vectors,
        labels=labels,
        batches=[rows.batches[row] for row in stay] + ["third.csv"] * 40,
        rows=np.concatenate([rows.rows[stay], newer.rows]),
        corrections=["third.csv 39" if row == 7 else "" for row in range(339)],
    )


def write(index: VectorIndex, name: str, wanted: Entries, *, version: int, serving: int = 0) -> tuple[Entries, int]:
    """Bring the collection to `wanted`; returns it with the ids that it has there, and how many rows were written."""
    changes = changes_to(wanted.keys, index.stored(name, version=version), version=version)
    wanted = replace(wanted, ids=changes.ids)
    index.update(name, wanted.of(changes.is_new), gone=changes.gone, version=version, oldest=serving)
    return wanted, int(changes.is_new.sum())


def test_a_version_sees_its_rows_and_leaves_the_one_before_as_it_was(index: VectorIndex, name: str) -> None:
    wanted, written = write(index, name, after(), version=5)

    assert written == 41
    assert index.check(name, wanted, version=5, seed=1).rows == 339
    assert index.check(name, before(), seed=1).rows == 300
    [[corrected]] = index.search(name, [1.0] * 8, limit=1, conditions=(Condition(LABEL, "corrected"),), version=5)
    assert (corrected.batch, corrected.row) == ("first.csv", 7)
    assert index.search(name, [1.0] * 8, limit=1, conditions=(Condition(LABEL, "corrected"),)) == [[]]


def test_the_same_rows_again_write_nothing(index: VectorIndex, name: str) -> None:
    write(index, name, after(), version=5)

    again = changes_to(after().keys, index.stored(name, version=9), version=9)
    assert (again.is_new.sum(), again.since(5), again.gone) == (0, 0, ())


def test_what_a_killed_writer_left_is_finished_or_taken_away(index: VectorIndex, name: str) -> None:
    others = replace(after(), batches=[*after().batches[:-1], "refused.csv"])
    write(index, name, others, version=5)  # and killed before the release moved: the next one wants other rows

    wanted, written = write(index, name, after(), version=5)

    assert written == 1
    assert index.check(name, wanted, version=5, seed=1).rows == 339
    assert index.check(name, before(), seed=1).rows == 300


def test_rows_that_no_version_sees_any_more_leave_with_the_next_update(index: VectorIndex, name: str) -> None:
    write(index, name, after(), version=5)

    wanted, _ = write(index, name, before(), version=7, serving=5)

    assert index.check(name, wanted, version=7, seed=1).rows == 300
    with pytest.raises(IndexMismatch, match="holds 298 rows instead of 300"):
        index.check(name, before(), seed=1)


def test_an_index_that_was_lost_is_built_as_the_version_that_serves(index: VectorIndex) -> None:
    name, entries = new_name(), make_entries(rows=30)

    index.build(name, entries, scenario="digits", version=5)

    assert index.check(name, entries, version=5, seed=1).rows == 30
    assert not index.complete(name, 30)


def test_no_search_sees_a_version_that_is_being_written(index: VectorIndex, name: str) -> None:
    queries = make_entries(rows=20, seed=3).vectors
    versions, wrong, stop = {0: before()}, list[str](), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            version, entries = list(versions.items())[-1]
            [exact], _ = exact_neighbours(entries.vectors, queries[:1], 10)
            [found] = index.search(name, queries[0], limit=10, version=version)
            if [hit.id for hit in found] != entries.ids[exact].tolist():
                wrong.append(f"{version}: {found}")

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    for version, rows in ((1, after()), (2, before()), (3, after())):
        versions[version], _ = write(index, name, rows, version=version, serving=version - 1)
    stop.set()
    for thread in asking:
        thread.join()

    assert wrong == []
