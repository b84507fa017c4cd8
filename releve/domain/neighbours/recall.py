"""How much of the true neighbourhood a search finds. A smaller distance is nearer, by each `DistanceMetric`."""

import numpy as np
from numpy.typing import NDArray

from releve.domain.neighbours.index_design import DistanceMetric

BLOCK = 64  # queries at a time: 64 x 100,000 float64 distances are 51 MB
TOLERANCE = 1e-5  # relative; an index computes in float32, which tells no two neighbours apart below this
COSINE_STEP = 1e-6  # absolute: 1 - cosine is rounded as 1 is, however small it comes out


def exact_neighbours(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int, *, metric: DistanceMetric = DistanceMetric.L2
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Positions in `vectors` and distances of the k nearest, each (queries, min(k, rows)), nearest first.

    Computed in float64 over all rows; equal distances keep the order of the rows.
    """
    base = np.asarray(vectors, dtype=np.float64)
    asked = np.asarray(queries, dtype=np.float64)
    starts = range(0, len(asked), BLOCK)
    blocks = [_nearest(distances_between(asked[start : start + BLOCK], base, metric), k) for start in starts]
    positions = np.concatenate([positions for positions, _ in blocks])
    return positions, np.concatenate([distances for _, distances in blocks])


def distances_between(
    queries: NDArray[np.float64], rows: NDArray[np.float64], metric: DistanceMetric = DistanceMetric.L2
) -> NDArray[np.float64]:
    """The distance of every query to every row: (queries, rows)."""
    products: NDArray[np.float64] = queries @ rows.T
    if metric is DistanceMetric.IP:
        return np.asarray(-products)
    if metric is DistanceMetric.COSINE:
        lengths = np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(rows, axis=1))
        return np.asarray(1.0 - products / lengths)
    squared = (queries**2).sum(axis=1)[:, None] + (rows**2).sum(axis=1)[None, :]
    return np.asarray(np.maximum(squared - 2.0 * products, 0.0))


def recall_at_k(
    found_distances: NDArray[np.float64],
    exact_distances: NDArray[np.float64],
    *,
    metric: DistanceMetric = DistanceMetric.L2,
    tolerance: float = TOLERANCE,
) -> float:
    """Share (0-1) of the k places filled by a row as near as the true k-th neighbour; both arrays (queries, k).

    Ties count by distance: another row equally far is as good. A place left empty is `inf` in `found_distances`.
    """
    if found_distances.shape != exact_distances.shape:
        raise ValueError(f"found distances are {found_distances.shape}, exact ones {exact_distances.shape}")
    step = tolerance * float(np.abs(exact_distances).max(initial=0.0))
    farthest = exact_distances[:, -1:] + (max(step, COSINE_STEP) if metric is DistanceMetric.COSINE else step)
    return float((found_distances <= farthest).mean())


def _nearest(distances: NDArray[np.float64], k: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    k = min(k, distances.shape[1])
    farthest = np.partition(distances, k - 1, axis=1)[:, k - 1]
    near = (np.flatnonzero(row <= limit) for row, limit in zip(distances, farthest, strict=True))  # ties, too
    found = zip(distances, near, strict=True)
    order = np.array([some[np.argsort(row[some], kind="stable")[:k]] for row, some in found], dtype=np.int64)
    return order, np.take_along_axis(distances, order, axis=1)
