"""One contract, held by the embedded Milvus, by Milvus Lite as a server, and by a whole Milvus (`make test-milvus`)."""

import logging
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from releve.adapters.vectors.milvus_connection import IndexMissing, IndexUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput, Conflict
from releve.domain.neighbours.filters import Condition, matching
from releve.domain.neighbours.index_check import IndexMismatch
from releve.domain.neighbours.index_design import DistanceMetric, IndexDesign, IndexType
from releve.domain.neighbours.index_names import alias_name, collection_name
from releve.domain.neighbours.vectors import BATCH, LABEL, Entries

NASTY_LABELS = [
    'quote " in',
    "back\\slash",
    "apostrophe ' in",
    "é 😀 \u2028",
    "' or '1'=='1",
    '" or id >= 0 or label == "',
    "",
]
PLANS = ["gold", 'plan " or 1 == 1', "é"]


WHOLE = pytest.param("whole_milvus", marks=pytest.mark.milvus)


@dataclass(frozen=True)
class Embedded:
    uri: str
    token: str = ""


@pytest.fixture(scope="module", params=["milvus_server", WHOLE])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module", params=["embedded", "milvus_server", WHOLE])
def milvus(request, tmp_path_factory):
    if request.param == "embedded":
        return Embedded(str(tmp_path_factory.mktemp("embedded") / "milvus" / "vectors.db"))
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def index(milvus):
    index = VectorIndex(milvus.uri, milvus.token)
    yield index
    index.close()


@pytest.fixture(scope="module")
def built(index) -> "Built":
    """A finished index of 300 rows that tests only read."""
    built = Built(new_name(), make_entries())
    index.build(built.name, built.entries, scenario="digits")
    return built


@pytest.fixture(scope="module")
def nasty(index) -> "Built":
    """The same, with labels that try to be more than data."""
    nasty = Built(new_name(), make_entries(rows=3 * len(NASTY_LABELS), labels=NASTY_LABELS))
    index.build(nasty.name, nasty.entries, scenario="digits")
    return nasty


@dataclass(frozen=True)
class Built:
    name: str
    entries: Entries


def make_entries(
    rows: int = 300, dimension: int = 8, *, seed: int = 0, labels: list[str] | None = None, kept: bool = False
) -> Entries:
    random = np.random.default_rng(seed)
    labels = labels or ["even", "odd"]
    return Entries(
        ids=np.arange(rows, dtype=np.int64) * 10,
        vectors=random.normal(size=(rows, dimension)).astype(np.float32),
        labels=[labels[row % len(labels)] for row in range(rows)],
        batches=["first.csv" if row < rows // 2 else "second.csv" for row in range(rows)],
        rows=np.arange(rows, dtype=np.int64),
        kept={"plan": [PLANS[row % len(PLANS)] for row in range(rows)]} if kept else {},
    )


def new_name(scenario: str = "digits") -> str:
    return collection_name(scenario, uuid4().hex)


def with_vectors(entries: Entries, vectors) -> Entries:
    return replace(entries, vectors=vectors)


def test_a_built_index_holds_every_row_and_finds_the_true_neighbours(index, built):
    name, entries = built.name, built.entries

    checked = index.check(name, entries, seed=1)
    assert checked.rows == 300
    assert (checked.recall, checked.filtered_recall) == (1.0, 1.0)
    assert checked.selectivity == 0.25


def test_a_search_returns_the_stored_fields_nearest_first(index, built):
    name, entries = built.name, built.entries

    [found] = index.search(name, entries.vectors[7], limit=5)

    nearest = found[0]
    assert (nearest.id, nearest.label, nearest.batch, nearest.row) == (70, "odd", "first.csv", 7)
    assert nearest.distance == pytest.approx(0.0, abs=1e-5)
    assert [n.distance for n in found] == sorted(n.distance for n in found)


def test_vectors_are_read_again_by_id_in_the_order_asked(index, built):
    name, entries = built.name, built.entries

    found = index.vectors(name, [70, 0, 2990])

    assert found.tolist() == entries.vectors[[7, 0, 299]].tolist()
    with pytest.raises(IndexMismatch, match="holds no row 5"):
        index.vectors(name, [70, 5])


def test_a_row_is_found_with_what_its_table_calls_it_where_it_does(index, built):
    name = new_name()
    entries = replace(make_entries(rows=3), row_ids=["c-1", "", "Zoë"])
    index.build(name, entries, scenario="digits")

    index.check(name, entries, seed=1)
    named = [index.search(name, vector, limit=1)[0][0].row_id for vector in entries.vectors]
    [[unnamed]] = index.search(built.name, built.entries.vectors[7], limit=1)

    assert named == ["c-1", "", "Zoë"]
    assert unnamed.row_id == ""


def test_distances_are_squared_l2(index):
    name, entries = new_name(), make_entries(rows=1, dimension=2)
    index.build(name, with_vectors(entries, np.array([[3.0, 4.0]], dtype=np.float32)), scenario="digits")

    [[found]] = index.search(name, [0.0, 0.0], limit=1)

    assert found.distance == pytest.approx(25.0)


def test_several_vectors_are_answered_in_their_order(index, built):
    name, entries = built.name, built.entries

    found = index.search(name, entries.vectors[[3, 1, 2]], limit=1)

    assert [hits[0].id for hits in found] == [30, 10, 20]


def test_more_results_than_rows_returns_all_rows(index):
    name, entries = new_name(), make_entries(rows=3)
    index.build(name, entries, scenario="digits")

    [found] = index.search(name, entries.vectors[0], limit=1000)

    assert len(found) == 3


def test_a_label_filter_keeps_only_that_label_and_all_its_neighbours(index, built):
    name, entries = built.name, built.entries

    [found] = index.search(name, entries.vectors[0], limit=1000, conditions=(Condition(LABEL, "odd"),))

    assert {n.label for n in found} == {"odd"}
    assert len(found) == 150


@pytest.mark.parametrize("label", NASTY_LABELS)
def test_a_label_is_data_and_never_part_of_the_filter(index, nasty, label):
    [found] = index.search(nasty.name, nasty.entries.vectors[0], limit=1000, conditions=(Condition(LABEL, label),))

    assert [n.label for n in found] == [label] * 3


@pytest.fixture(scope="module")
def filtered(index) -> "Built":
    """An index that can be filtered by a column, too; its distance is the cosine."""
    filtered = Built(new_name(), make_entries(kept=True))
    index.build(
        filtered.name,
        filtered.entries,
        scenario="digits",
        design=IndexDesign(metric=DistanceMetric.COSINE, filters=("plan",)),
    )
    return filtered


@pytest.mark.parametrize(
    "conditions",
    [
        (Condition("plan", PLANS[1]),),
        (Condition("plan", "é"), Condition(LABEL, "odd")),
        (Condition(BATCH, "first.csv"), Condition("plan", "gold")),
        (Condition(BATCH, low="second"),),
        (Condition(BATCH, low="first.csv", high="first.csv"), Condition(LABEL, "even")),
        (Condition(BATCH, high="a"),),
    ],
)
def test_rows_that_meet_every_condition_are_found_and_no_others(index, filtered, conditions):
    [found] = index.search(filtered.name, filtered.entries.vectors[0], limit=1000, conditions=conditions)

    assert {n.id for n in found} == set(filtered.entries.ids[matching(filtered.entries, conditions)].tolist())


def test_a_field_that_is_not_kept_is_refused_with_those_that_are(index, filtered):
    with pytest.raises(BadInput, match="filtered by 'colour'; it can by 'label', 'batch', 'plan'"):
        index.search(filtered.name, filtered.entries.vectors[0], limit=1, conditions=(Condition("colour", "red"),))


@pytest.mark.parametrize(
    ("metric", "nearest"),
    [
        (DistanceMetric.L2, {0: 10.0, 10: 25.0, 20: 36.0}),
        (DistanceMetric.IP, {20: -27.0, 0: -12.0, 10: 0.0}),
        (DistanceMetric.COSINE, {20: 0.0, 0: 0.2, 10: 1.0}),
    ],
)
def test_a_smaller_distance_is_nearer_by_every_metric(index, metric, nearest):
    name, rows = new_name(), np.array([[4, 3], [0, 4], [9, 0]], dtype=np.float32)
    entries = with_vectors(make_entries(rows=3, dimension=2), rows)
    index.build(name, entries, scenario="digits", design=IndexDesign(metric=metric))

    [found] = index.search(name, [3.0, 0.0], limit=3)

    assert {n.id: n.distance for n in found} == pytest.approx(nearest, abs=1e-6)
    assert [n.id for n in found] == list(nearest)
    assert index.check(name, entries, seed=1).recall == 1.0


def test_no_vector_without_length_has_a_cosine(index, filtered):
    name, entries = new_name(), make_entries(rows=3)
    empty = with_vectors(entries, entries.vectors * [[1], [0], [1]])

    with pytest.raises(BadInput, match="1 of 3 vectors have the length 0"):
        index.build(name, empty, scenario="digits", design=IndexDesign(metric=DistanceMetric.COSINE))
    with pytest.raises(BadInput, match="no cosine"):
        index.search(filtered.name, [0.0] * 8, limit=1)


def test_an_unknown_label_finds_nothing(index, built):
    name, entries = built.name, built.entries

    assert index.search(name, entries.vectors[0], limit=5, conditions=(Condition(LABEL, "x' or '1'=='1"),)) == [[]]


def test_a_vector_of_the_wrong_size_is_refused_with_both_sizes(index, built):
    name = built.name

    with pytest.raises(BadInput, match=r"vectors of 8 numbers; found 7"):
        index.search(name, [0.0] * 7, limit=1)


@pytest.mark.parametrize("limit", [0, 1001])
def test_a_limit_outside_the_range_is_refused(index, built, limit):
    name, entries = built.name, built.entries

    with pytest.raises(BadInput, match="between 1 and 1000"):
        index.search(name, entries.vectors[0], limit=limit)


def test_progress_counts_up_to_all_rows(index):
    name, entries, seen = new_name(), make_entries(rows=5001, dimension=2), []

    index.build(name, entries, scenario="digits", progress=lambda done, total: seen.append((done, total)))

    assert seen == [(5000, 5001), (5001, 5001)]
    assert index.complete(name, 5001)


def test_a_partial_collection_is_replaced_by_a_complete_one(index):
    name, entries = new_name(), make_entries()
    with pytest.raises(KeyboardInterrupt):
        index.build(name, make_entries(rows=10), scenario="digits", progress=interrupt)
    assert index.exists(name)
    assert not index.complete(name, 300)

    index.build(name, entries, scenario="digits")

    assert index.check(name, entries, seed=1).rows == 300


def interrupt(done: int, total: int) -> None:
    raise KeyboardInterrupt


def test_a_collection_left_without_its_index_is_replaced(server):
    from pymilvus import DataType, MilvusClient

    index, name, entries = VectorIndex(server.uri, server.token), new_name(), make_entries()
    client = MilvusClient(server.uri, token=server.token)
    schema = client.create_schema(enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=8)
    client.create_collection(name, schema=schema)

    index.build(name, entries, scenario="digits")

    assert index.check(name, entries, seed=1).recall == 1.0


@pytest.mark.parametrize("design", [IndexDesign(), IndexDesign(metric=DistanceMetric.IP)])
def test_a_collection_of_another_dimension_or_design_is_replaced(index, design):
    name, entries = new_name(), make_entries(dimension=4)
    index.build(name, make_entries(dimension=8), scenario="digits", design=design)

    index.build(name, entries, scenario="digits")

    assert index.check(name, entries, seed=1).recall == 1.0


@pytest.mark.parametrize("kind", [IndexType.HNSW, IndexType.IVF_FLAT])
def test_milvus_lite_is_never_asked_for_an_index_that_misses_neighbours_there(milvus_server, kind):
    index = VectorIndex(milvus_server.uri)

    with pytest.raises(BadInput, match=f"index.type is {kind}, and Milvus at .* set index.type to FLAT"):
        index.build(new_name(), make_entries(), scenario="digits", design=IndexDesign(kind))


def test_building_a_complete_collection_again_leaves_it_alone(index, built):
    name, entries, seen = built.name, built.entries, []

    index.build(name, entries, scenario="digits", progress=lambda *step: seen.append(step))

    assert seen == []


def test_a_collection_of_another_scenario_is_never_replaced(index):
    version = uuid4().hex
    index.build(collection_name("a-b", version), make_entries(), scenario="a-b")

    with pytest.raises(Conflict, match="belongs to the scenario a-b"):
        index.build(collection_name("a_b", version), make_entries(rows=5), scenario="a_b")


def test_the_check_notices_missing_rows(index):
    name = new_name()
    index.build(name, make_entries(rows=299), scenario="digits")

    with pytest.raises(IndexMismatch, match="299 rows instead of 300"):
        index.check(name, make_entries(rows=300), seed=1)


def test_the_check_notices_vectors_of_another_size(index, built):
    with pytest.raises(IndexMismatch, match="vectors of 8, not 4"):
        index.check(built.name, make_entries(dimension=4), seed=1)


def test_the_check_notices_vectors_of_another_embedder(index):
    name, entries = new_name(), make_entries()
    index.build(name, with_vectors(entries, make_entries(seed=5).vectors), scenario="digits")

    with pytest.raises(IndexMismatch, match=r"recall@10"):
        index.check(name, entries, seed=1)


def test_the_check_notices_labels_of_other_data(index):
    name, entries = new_name(), make_entries()
    index.build(name, replace(entries, labels=["wrong"] * 300), scenario="digits")

    with pytest.raises(IndexMismatch, match="that its data does not"):
        index.check(name, entries, seed=1)


def test_the_check_accepts_equally_far_rows_in_any_order(index):
    name, entries = new_name(), make_entries(rows=100)
    entries = with_vectors(entries, np.repeat(entries.vectors[:5], 20, axis=0) + 1000)
    index.build(name, entries, scenario="digits")

    assert index.check(name, entries, seed=1).recall == 1.0


def test_the_alias_moves_from_one_version_to_the_next(index):
    scenario = f"s{uuid4().hex}"
    old, new = new_name(scenario), new_name(scenario)
    index.build(old, make_entries(rows=3), scenario=scenario)
    index.build(new, make_entries(rows=4), scenario=scenario)

    index.alias(scenario, old)
    first = index.search(alias_name(scenario), [0.0] * 8, limit=10)
    index.alias(scenario, new)
    second = index.search(alias_name(scenario), [0.0] * 8, limit=10)

    assert (len(first[0]), len(second[0])) == (3, 4)


def test_collections_are_listed_by_their_owner_and_not_by_their_name(index):
    base = f"s{uuid4().hex}"
    mine, other = new_name(base), new_name(f"{base}_v2")
    index.build(mine, make_entries(rows=2), scenario=base)
    index.build(other, make_entries(rows=2), scenario=f"{base}_v2")

    assert index.collections(base) == [mine]


def test_a_dropped_collection_is_missing_and_dropping_it_again_does_nothing(index):
    name, entries = new_name(), make_entries()
    index.build(name, entries, scenario="digits")

    index.drop(name)
    index.drop(name)

    assert not index.exists(name)
    assert not index.complete(name, 300)
    with pytest.raises(IndexMissing, match=name):
        index.search(name, entries.vectors[0], limit=1)


def test_a_collection_dropped_by_somebody_else_is_reported_as_missing(index, milvus):
    name, entries = new_name(), make_entries()
    index.build(name, entries, scenario="digits")
    index.search(name, entries.vectors[0], limit=1)
    other = VectorIndex(milvus.uri, milvus.token)
    other.drop(name)

    with pytest.raises(IndexMissing, match=name):
        index.search(name, entries.vectors[0], limit=1)


@pytest.mark.parametrize("name", ["../victim", "a-b", "1a", "", "a" * 256, "a/b"])
def test_no_name_outside_the_allowed_letters_reaches_milvus(index, name):
    for call in (index.exists, index.drop, index.open):
        with pytest.raises(BadInput, match="collection name"):
            call(name)


def test_an_index_can_be_used_again_after_close(index):
    name, entries = new_name(), make_entries()
    index.build(name, entries, scenario="digits")

    index.close()

    [found] = index.search(name, entries.vectors[0], limit=1)
    assert found[0].id == 0


def test_a_released_collection_is_loaded_by_the_search(server):
    from pymilvus import MilvusClient

    index, name, entries = VectorIndex(server.uri, server.token), new_name(), make_entries()
    index.build(name, entries, scenario="digits")
    index.search(name, entries.vectors[0], limit=1)
    MilvusClient(server.uri, token=server.token).release_collection(name)

    assert index.search(name, entries.vectors[0], limit=1)[0][0].id == 0


def test_searching_goes_on_after_the_server_was_killed_and_restarted(own_milvus_server):
    index, name, entries = VectorIndex(own_milvus_server.uri), new_name(), make_entries()
    index.build(name, entries, scenario="digits")

    own_milvus_server.stop()
    with pytest.raises(IndexUnavailable, match=f"Milvus at {own_milvus_server.uri}"):
        index.search(name, entries.vectors[0], limit=1)
    own_milvus_server.start()

    assert eventually(lambda: index.search(name, entries.vectors[0], limit=1))[0][0].id == 0
    assert index.check(name, entries, seed=1).rows == 300


def eventually(search, seconds: float = 60.0):
    """What `search` answers once the connection is back, at most `seconds` later."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(IndexUnavailable):
            return search()
        time.sleep(0.1)
    return search()


def test_a_server_that_hangs_is_noticed_within_the_time_limit(own_milvus_server):
    index, name, entries = VectorIndex(own_milvus_server.uri, timeout_seconds=1.0), new_name(), make_entries()
    index.build(name, entries, scenario="digits")
    own_milvus_server.hang()
    started = time.monotonic()

    with pytest.raises(IndexUnavailable):
        index.search(name, entries.vectors[0], limit=1)

    assert time.monotonic() - started < 5


def test_a_dead_server_is_one_message_without_traceback_or_token(caplog, capfd):
    index = VectorIndex("http://127.0.0.1:1", "root:secret")

    with caplog.at_level(logging.DEBUG), pytest.raises(IndexUnavailable) as caught:
        index.search("releve_digits_v1", [0.0], limit=1)

    text = str(caught.value) + caplog.text + "".join(capfd.readouterr())
    assert "http://127.0.0.1:1" in str(caught.value)
    assert "check that Milvus runs there" in str(caught.value)
    assert "secret" not in text
    assert "Traceback" not in text
    assert caught.value.__suppress_context__


def test_an_embedded_index_held_by_another_process_says_so(tmp_path):
    path = tmp_path / "vectors.db"
    with holding_process(path), pytest.raises(IndexUnavailable, match="one process at a time"):
        VectorIndex(str(path)).exists("releve_digits_v1")


def test_pymilvus_is_imported_only_when_milvus_is_used():
    code = "import sys, releve.adapters.vectors.vector_index; print('pymilvus' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def holding_process(path: Path) -> "HoldingProcess":
    return HoldingProcess(path)


class HoldingProcess:
    """Another Python process that keeps the embedded index open."""

    CODE = (
        "import sys; from releve.adapters.vectors.vector_index import VectorIndex;"
        "VectorIndex(sys.argv[1]).exists('releve_x'); print('held', flush=True); sys.stdin.read()"
    )

    def __init__(self, path: Path) -> None:
        self.command = [sys.executable, "-c", self.CODE, str(path)]

    def __enter__(self) -> None:
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout and self.process.stdout.readline() == "held\n"

    def __exit__(self, *_: object) -> None:
        self.process.communicate(timeout=30)
