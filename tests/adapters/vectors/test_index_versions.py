"""Newer rows come into a collection that serves, and no search sees two versions of it."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.neighbours import row_changes
from releve.domain.neighbours.filters import Condition
from releve.domain.neighbours.index_check import IndexMismatch
from releve.domain.neighbours.index_versions import INITIAL, IndexVersion
from releve.domain.neighbours.recall import exact_neighbours
from releve.domain.neighbours.row_changes import changes_to
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


def write(
    index: VectorIndex, name: str, wanted: Entries, *, number: int, serving: IndexVersion = INITIAL
) -> tuple[IndexVersion, Entries]:
    """Bring the collection to `wanted`; returns the version that sees it, and the rows with the ids they have there."""
    changes = changes_to(wanted.keys, index.stored(name), number=number, kept=[serving])
    wanted = replace(wanted, ids=changes.ids)
    index.update(name, wanted.of(changes.is_new) if changes.is_new.any() else None, unseen=changes.unseen)
    return changes.version, wanted


def test_a_version_sees_its_rows_and_leaves_the_one_before_as_it_was(index: VectorIndex, name: str) -> None:
    version, wanted = write(index, name, after(), number=5)

    assert version == IndexVersion(5, ended=(70, 80))
    assert index.check(name, wanted, version=version, seed=1).rows == 339
    assert index.check(name, before(), seed=1).rows == 300
    corrected = (Condition(LABEL, "corrected"),)
    [[found]] = index.search(name, [1.0] * 8, limit=1, conditions=corrected, version=version)
    assert (found.batch, found.row) == ("first.csv", 7)
    assert index.search(name, [1.0] * 8, limit=1, conditions=corrected) == [[]]


def test_what_a_killed_writer_left_is_finished_or_taken_away(index: VectorIndex, name: str) -> None:
    others = replace(after(), batches=[*after().batches[:-1], "refused.csv"])
    write(index, name, others, number=5)  # and killed before the release moved: the next one wants other rows
    left = len(index.stored(name).keys)

    version, wanted = write(index, name, after(), number=5)

    assert len(index.stored(name).keys) == left == 341
    assert index.check(name, wanted, version=version, seed=1).rows == 339
    assert index.check(name, before(), seed=1).rows == 300


def test_rows_that_no_version_sees_any_more_leave_with_the_next_update(index: VectorIndex, name: str) -> None:
    serving, _ = write(index, name, after(), number=5)

    version, wanted = write(index, name, after().of(np.arange(339) > 0), number=7, serving=serving)

    assert version.ended == (0,)
    assert index.check(name, wanted, version=version, seed=1).rows == 338
    with pytest.raises(IndexMismatch, match="holds 298 rows instead of 300"):
        index.check(name, before(), seed=1)


def test_after_many_corrections_all_rows_are_written_anew_and_no_search_names_those_that_ended(
    index: VectorIndex, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_changes, "MAX_ENDED", 1)

    version, wanted = write(index, name, after(), number=5)

    assert (version.ended, len(index.stored(name).keys)) == ((), 639)
    assert index.check(name, wanted, version=version, seed=1).rows == 339
    assert index.check(name, before(), seed=1).rows == 300
    corrected = replace(after(), corrections=["fourth.csv 1", *after().corrections[1:]])
    newer, again = write(index, name, corrected, number=6, serving=version)
    assert newer.ended == (wanted.ids[0],)
    assert len(index.stored(name).keys) == 340  # those of the first version have left
    assert index.check(name, again, version=newer, seed=1).rows == 339


def test_an_index_that_was_lost_is_built_as_the_version_that_serves(index: VectorIndex) -> None:
    name, version = new_name(), IndexVersion(5, first=9, ended=(12, 29))
    entries = replace(make_entries(rows=30), ids=version.begin + np.arange(30))

    assert index.build(name, entries, scenario="digits", version=version)

    assert index.check(name, entries, version=version, seed=1).rows == 30
    assert not index.complete(name, 30)
    assert not index.build(name, entries, scenario="digits", version=version)


def test_a_row_that_is_erased_is_found_by_no_version(index: VectorIndex, name: str) -> None:
    version, wanted = write(index, name, after(), number=5)

    gone = index.erase(name, {"first.csv": [7, 8], "third.csv": [0]})

    assert gone == 4  # of row 7 what it was and what it is
    assert index.erase(name, {"first.csv": [7, 8], "third.csv": [0]}) == 0
    stay = ~np.isin(wanted.rows, [7]) | (np.array(wanted.batches) != "first.csv")
    stay &= (wanted.rows != 0) | (np.array(wanted.batches) != "third.csv")
    assert index.check(name, wanted.of(stay), version=version, seed=1).rows == 337
    assert index.check(name, before().of(~np.isin(before().rows, [7, 8])), seed=1).rows == 298


def test_no_search_sees_a_version_that_is_being_written(index: VectorIndex, name: str) -> None:
    queries = make_entries(rows=20, seed=3).vectors
    versions, wrong, stop = {INITIAL: before()}, list[str](), threading.Event()

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
    for number, rows in ((1, after()), (2, before()), (3, after())):
        version, wanted = write(index, name, rows, number=number, serving=list(versions)[-1])
        versions[version] = wanted
    stop.set()
    for thread in asking:
        thread.join()

    assert wrong == []
