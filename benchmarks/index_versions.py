"""What rows that ended cost a search, by how many there are, beside all rows twice: python -m benchmarks.index_versions

    python -m benchmarks.index_versions [whole]

10,000 rows of 64 numbers, FLAT, all ways in turn; the cheapest batch counts. Milvus Lite runs in this process, whose
CPU is counted; of a whole Milvus, the server of `make test-milvus`, it is the wall time.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.neighbours.index_versions import INITIAL, IndexVersion
from releve.domain.neighbours.row_changes import MAX_ENDED
from releve.domain.neighbours.vectors import Entries
from tests.adapters.conftest import whole_milvus_in

ROWS, DIMENSION, BATCHES, SEARCHES, LIMIT = 10_000, 64, 30, 10, 10
ENDED = (0, 100, MAX_ENDED, 2 * MAX_ENDED)
ONCE, TWICE = "releve_benchmark_once", "releve_benchmark_twice"


def main(kind: str = "lite") -> None:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if kind == "whole":
            server = stack.enter_context(whole_milvus_in(Path(folder)))
            index, clock = VectorIndex(server.uri, server.token), time.perf_counter
        else:
            index, clock = VectorIndex(str(Path(folder) / "milvus.db")), time.process_time
        measure(index, clock)
        index.close()


def measure(index: VectorIndex, clock: Callable[[], float]) -> None:
    """Print milliseconds of one search, each way."""
    random = np.random.default_rng(7)
    entries = Entries(
        ids=np.arange(2 * ROWS, dtype=np.int64),
        vectors=random.normal(size=(2 * ROWS, DIMENSION)).astype(np.float32),
        labels=["one"] * 2 * ROWS,
        batches=["first.csv"] * 2 * ROWS,
        rows=np.arange(2 * ROWS, dtype=np.int64),
    )
    index.build(ONCE, entries.of(np.arange(2 * ROWS) < ROWS), scenario="benchmark")
    index.build(TWICE, entries, scenario="benchmark")
    ways = {
        f"{count} rows ended": (ONCE, replace(INITIAL, ended=tuple(range(0, ROWS, ROWS // count)) if count else ()))
        for count in ENDED
    } | {"none, all rows twice": (TWICE, IndexVersion(first=ROWS))}
    took = dict.fromkeys(ways, np.inf)
    for _ in range(BATCHES):
        for way, (collection, version) in ways.items():
            begun = clock()
            for query in entries.vectors[:SEARCHES]:
                index.search(collection, query, limit=LIMIT, version=version)
            took[way] = min(took[way], (clock() - begun) / SEARCHES * 1e3)
    print("| of one search | ms |\n|---|---|")
    for way, milliseconds in took.items():
        print(f"| {way} | {milliseconds:.2f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
