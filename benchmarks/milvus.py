"""HNSW and IVF_FLAT in a whole Milvus: what they find, and what a search costs: python -m benchmarks.milvus [ROWS]

100,000 rows of 128 numbers around 1,000 centres; the server is the one of `make test-milvus`. Ours and bare pymilvus
ask in turn, one vector at a time, in one run.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from releve.adapters.vectors.collection_layout import EF, PROBED
from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.neighbours.filters import draw_filters
from releve.domain.neighbours.index_design import IndexDesign, IndexType
from releve.domain.neighbours.vectors import Entries
from tests.adapters.conftest import WholeMilvus, whole_milvus_in

DIMENSION, CENTRES, SEARCHES, LIMIT = 128, 1000, 200, 10
SEARCHED = {IndexType.HNSW: {"ef": EF}, IndexType.IVF_FLAT: {"nprobe": 1264 // PROBED}, IndexType.FLAT: {}}


def main(rows: int = 100_000) -> None:
    entries = make_entries(rows)
    with tempfile.TemporaryDirectory() as folder, whole_milvus_in(Path(folder)) as server:
        index = VectorIndex(server.uri, server.token)
        print("| index | build s | recall@10 | under filters | ours p50 ms | pymilvus p50 ms | filtered p50 ms |")
        print("|---|---|---|---|---|---|---|")
        for kind in (IndexType.HNSW, IndexType.IVF_FLAT, IndexType.FLAT):
            print(f"| {kind} | {' | '.join(measure(index, server, entries, kind))} |", flush=True)
        index.close()


def make_entries(rows: int) -> Entries:
    """Rows around centres, of ten batches and ten classes."""
    random = np.random.default_rng(7)
    centres = random.normal(size=(CENTRES, DIMENSION))
    vectors = centres[random.integers(CENTRES, size=rows)] + 0.5 * random.normal(size=(rows, DIMENSION))
    return Entries(
        ids=np.arange(rows, dtype=np.int64),
        vectors=vectors.astype(np.float32),
        labels=["rare" if row % 20 == 0 else "common" for row in range(rows)],
        batches=[f"{10 * row // rows}.csv" for row in range(rows)],
        rows=np.arange(rows, dtype=np.int64),
    )


def measure(index: VectorIndex, server: WholeMilvus, entries: Entries, kind: IndexType) -> list[str]:
    from pymilvus import MilvusClient

    name = f"releve_benchmark_{kind.lower()}"
    started = time.perf_counter()
    index.build(name, entries, scenario="benchmark", design=IndexDesign(kind))
    built = time.perf_counter() - started
    found = index.check(name, entries, min_recall=0.0, sample=200, seed=1)
    client, params = MilvusClient(server.uri, token=server.token), {"metric_type": "L2", "params": SEARCHED[kind]}
    conditions, _ = draw_filters(entries)[-1]
    took: dict[str, list[float]] = {"ours": [], "bare": [], "filtered": []}
    for query in entries.vectors[np.random.default_rng(2).permutation(len(entries))[:SEARCHES]]:
        calls = {
            "ours": lambda query=query: index.search(name, query, limit=LIMIT),
            "bare": lambda query=query: client.search(name, data=[query], anns_field="vector", limit=LIMIT,
                output_fields=["label", "batch", "row"], search_params=params),
            "filtered": lambda query=query: index.search(name, query, limit=LIMIT, conditions=conditions),
        }  # fmt: skip
        for way, call in calls.items():
            begun = time.perf_counter()
            call()
            took[way].append(time.perf_counter() - begun)
    client.close()
    index.drop(name)
    medians = [f"{np.median(each) * 1e3:.2f}" for each in took.values()]
    return [f"{built:.0f}", f"{found.recall:.3f}", f"{found.filtered_recall:.3f}", *medians]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
