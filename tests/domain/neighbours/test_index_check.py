"""A check of an index that answers from memory, as well as its test says."""

import numpy as np
import pytest

from releve.domain.neighbours.filters import matching
from releve.domain.neighbours.index_check import IndexMismatch, check_recall, true_distances
from releve.domain.neighbours.index_design import DistanceMetric, IndexDesign, IndexType
from releve.domain.neighbours.recall import exact_neighbours
from releve.domain.neighbours.vectors import Entries, Neighbour

ENTRIES = Entries(
    ids=np.arange(400, dtype=np.int64),
    vectors=np.random.default_rng(0).normal(size=(400, 4)).astype(np.float32),
    labels=["rare" if row % 20 == 0 else "common" for row in range(400)],
    batches=["a.csv"] * 400,
    rows=np.arange(400, dtype=np.int64),
)


def hit(row: int) -> Neighbour:
    return Neighbour(row, ENTRIES.labels[row], ENTRIES.batches[row], row, distance=-7.0)


def searching(*, metric: DistanceMetric = DistanceMetric.L2, misses_with_filter: int = 0, filters: bool = True):
    """Exact search, which leaves out the nearest rows under a filter, or does not filter at all."""

    def search(queries, limit, conditions):
        among = np.flatnonzero(matching(ENTRIES, conditions if filters else ()))
        missed = misses_with_filter if conditions else 0
        found, _ = exact_neighbours(ENTRIES.vectors[among], queries, limit, metric=metric)
        return [[hit(int(among[place])) for place in places[missed:]] for places in found]

    return search


def check(search, design: IndexDesign | None = None, *, min_recall: float = 0.95):
    return check_recall(search, ENTRIES, design or IndexDesign(), name="it", min_recall=min_recall, sample=30, seed=1)


@pytest.mark.parametrize("metric", DistanceMetric)
def test_exact_search_finds_everything_with_filters_and_without(metric):
    checked = check(searching(metric=metric), IndexDesign(metric=metric))

    assert (checked.rows, checked.recall, checked.filtered_recall, checked.selectivity) == (400, 1.0, 1.0, 0.05)


def test_an_index_that_misses_neighbours_under_a_filter_alone_is_refused():
    with pytest.raises(IndexMismatch, match=r"recall@10 0.800 under a filter that leaves \d+% of the rows, below 0.95"):
        check(searching(misses_with_filter=2))


@pytest.mark.parametrize(("kind", "advice"), [(IndexType.FLAT, "build the index again"), (IndexType.HNSW, "FLAT")])
def test_what_to_do_depends_on_whether_the_index_should_be_exact(kind, advice):
    with pytest.raises(IndexMismatch, match=advice):
        check(searching(misses_with_filter=2), IndexDesign(kind))


def test_below_the_floor_nothing_is_refused():
    assert check(searching(misses_with_filter=2), min_recall=0.8).filtered_recall == 0.8


def test_a_row_that_the_filter_leaves_out_is_a_mismatch():
    with pytest.raises(IndexMismatch, match="that its data does not hold"):
        check(searching(filters=False))


def test_true_distances_leave_infinity_where_nothing_was_found():
    queries = np.zeros((1, 4), dtype=np.float32)

    distances = true_distances(ENTRIES, queries, [[hit(2)]], among=np.ones(400, dtype=bool), k=2, design=IndexDesign())

    assert distances == pytest.approx(np.array([[float((ENTRIES.vectors[2] ** 2).sum()), np.inf]]), rel=1e-6)


@pytest.mark.parametrize("change", [{"id": 400}, {"label": "common"}, {"batch": "b.csv"}, {"row": 1}])
def test_a_found_row_that_is_not_in_the_data_is_a_mismatch(change):
    stranger = Neighbour(**{"id": 0, "label": "rare", "batch": "a.csv", "row": 0, "distance": 0.0} | change)

    with pytest.raises(IndexMismatch, match="build the index again"):
        check(lambda queries, limit, conditions: [[stranger]] * len(queries))
