"""What a finished index finds, beside exact search: without filters, and under the tightest that its rows allow."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import Conflict
from releve.domain.neighbours.filters import Filter, draw_filters
from releve.domain.neighbours.index_design import IndexCheck, IndexDesign, IndexType
from releve.domain.neighbours.recall import distances_between, exact_neighbours, recall_at_k
from releve.domain.neighbours.vectors import Entries, Neighbour

K = 10  # neighbours of each search that is compared
QUERIES = 25  # per search: of 100 at once, Milvus Lite holds every difference to 10,000 rows in memory
REBUILD = "drop it and build the index again from its data version"
EXACT = "set index.type to FLAT, which compares with every row"

SearchCall = Callable[[NDArray[np.float32], int, Filter], Sequence[Sequence[Neighbour]]]  # (queries, limit, filter)


class IndexMismatch(Conflict):
    """A collection does not hold what it was built from, or does not find it."""

    code = "index_mismatch"


def check_recall(
    search: SearchCall, entries: Entries, design: IndexDesign, *, name: str, min_recall: float, sample: int, seed: int
) -> IndexCheck:
    """Compare a sample of searches with exact ones, ties by distance; a third as many under each drawn filter.

    Raises IndexMismatch, by the index's `name`, below `min_recall` (share 0-1) or for a row that is not in `entries`.
    """
    random = np.random.default_rng(seed)

    def recall(conditions: Filter, among: NDArray[np.bool_], queries: int) -> float:
        asked = entries.vectors[random.permutation(len(entries))[:queries]]
        _, exact = exact_neighbours(entries.vectors[among], asked, K, metric=design.metric)
        blocks = (asked[start : start + QUERIES] for start in range(0, len(asked), QUERIES))
        found = [hits for block in blocks for hits in search(block, exact.shape[1], conditions)]
        distances = true_distances(entries, asked, found, among=among, k=exact.shape[1], design=design)
        share = recall_at_k(distances, exact, metric=design.metric)
        if share < min_recall:
            under = f" under a filter that leaves {among.mean():.0%} of the rows" if conditions else ""
            advice = REBUILD if design.type is IndexType.FLAT else EXACT
            raise IndexMismatch(f"{name} has recall@{K} {share:.3f}{under}, below {min_recall}; {advice}")
        return share

    plain = recall((), np.ones(len(entries), dtype=bool), sample)
    filters = draw_filters(entries)
    filtered = [recall(conditions, among, max(1, sample // 3)) for conditions, among in filters]
    return IndexCheck(
        rows=len(entries),
        recall=plain,
        filtered_recall=min(filtered, default=None),
        selectivity=min((float(among.mean()) for _, among in filters), default=None),
    )


def true_distances(
    entries: Entries,
    queries: NDArray[np.float32],
    found: Sequence[Sequence[Neighbour]],
    *,
    among: NDArray[np.bool_],
    k: int,
    design: IndexDesign,
) -> NDArray[np.float64]:
    """Distances of the found rows, computed from `entries`: (queries, k), `inf` where nothing was found.

    What the index says about distances is not trusted. Raises IndexMismatch for a row that is not `among` the entries.
    """
    positions = {int(id_): position for position, id_ in enumerate(entries.ids) if among[position]}
    distances = np.full((len(queries), k), np.inf)
    for query, neighbours in enumerate(found):
        rows = [positions.get(neighbour.id, -1) for neighbour in neighbours]
        for row, neighbour in zip(rows, neighbours, strict=True):
            if row < 0 or not _same(entries, row, neighbour):
                raise IndexMismatch(f"the index found a row {neighbour.id} that its data does not hold; {REBUILD}")
        one, those = queries[query : query + 1].astype(np.float64), entries.vectors[rows].astype(np.float64)
        distances[query, : len(rows)] = distances_between(one, those, design.metric)
    return distances


def _same(entries: Entries, position: int, neighbour: Neighbour) -> bool:
    stored = (neighbour.label, neighbour.batch, neighbour.row, neighbour.row_id)
    row_id = entries.row_ids[position] if entries.row_ids else ""
    return stored == (entries.labels[position], entries.batches[position], int(entries.rows[position]), row_id)
