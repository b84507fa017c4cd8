import numpy as np
import pytest

from releve.domain.neighbours.index_design import DistanceMetric
from releve.domain.neighbours.recall import BLOCK, exact_neighbours, recall_at_k


def test_the_nearest_rows_come_first_with_squared_distances():
    vectors = np.array([[3, 4], [0, 0], [1, 0]], dtype=np.float32)

    positions, distances = exact_neighbours(vectors, np.array([[0, 0]], dtype=np.float32), 2)

    assert positions.tolist() == [[1, 2]]
    assert distances.tolist() == [[0.0, 1.0]]


def test_equally_near_rows_keep_their_order():
    vectors = np.ones((4, 2), dtype=np.float32)

    positions, _ = exact_neighbours(vectors, vectors[:1], 3)

    assert positions.tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("queries", [1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_blocks_do_not_change_the_answer(queries):
    random = np.random.default_rng(0)
    vectors = random.normal(size=(50, 3)).astype(np.float32)
    asked = random.normal(size=(queries, 3)).astype(np.float32)

    _, distances = exact_neighbours(vectors, asked, 4)

    differences = asked[:, None, :].astype(float) - vectors[None, :, :]
    assert np.allclose(distances, np.sort((differences**2).sum(axis=2), axis=1)[:, :4])


def test_fewer_rows_than_k_gives_as_many_as_there_are():
    positions, _ = exact_neighbours(np.zeros((2, 1), dtype=np.float32), np.zeros((1, 1), dtype=np.float32), 10)

    assert positions.shape == (1, 2)


def test_another_row_at_the_same_distance_counts_as_found():
    exact = np.array([[0.0, 1.0, 1.0]])

    assert recall_at_k(np.array([[0.0, 1.0, 1.0]]), exact) == 1.0


def test_each_row_farther_than_the_true_last_is_one_miss():
    exact = np.array([[0.0, 1.0], [0.0, 1.0]])

    assert recall_at_k(np.array([[0.0, 1.5], [0.0, 1.0]]), exact) == 0.75


def test_an_empty_place_is_a_miss():
    assert recall_at_k(np.array([[0.0, np.inf]]), np.array([[0.0, 1.0]])) == 0.5


@pytest.mark.parametrize(("found", "recall"), [(1.0 + 0.9e-5, 1.0), (1.0 + 1.1e-5, 0.0)])
def test_a_difference_below_the_tolerance_is_a_tie(found, recall):
    assert recall_at_k(np.array([[found]]), np.array([[1.0]])) == recall


def test_arrays_of_different_shapes_are_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="found distances"):
        recall_at_k(np.zeros((1, 2)), np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("metric", "order", "distances"),
    [(DistanceMetric.IP, [1, 0, 2], [-8.0, -4.0, 0.0]), (DistanceMetric.COSINE, [1, 0, 2], [0.0, 0.2, 1.0])],
)
def test_the_nearest_by_another_metric_come_first_too(metric, order, distances):
    vectors = np.array([[4, 3], [8, 0], [0, 4]], dtype=np.float32)

    positions, found = exact_neighbours(vectors, np.array([[1, 0]], dtype=np.float32), 3, metric=metric)

    assert positions.tolist() == [order]
    assert found[0] == pytest.approx(distances)


def test_the_rounding_of_a_cosine_is_a_tie_however_near_both_are():
    exact = np.array([[1e-9, 2e-9]])

    assert recall_at_k(exact + 1e-8, exact, metric=DistanceMetric.COSINE) == 1.0
    assert recall_at_k(exact + 1e-8, exact) == 0.0
