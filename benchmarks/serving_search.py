"""What a search costs beside the bare pymilvus call that it makes: python -m benchmarks.serving_search

    python -m benchmarks.serving_search [ENDED]

ENDED: rows that ended, which each search of ours has to name; none where left out.
Both in one process, in turn, in process (ASGI, no sockets), against one Milvus Lite server; the cheapest batch counts.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from benchmarks.serving import ask, started
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import LOOPBACK
from releve.domain.neighbours.index_versions import IndexVersion
from releve.domain.registry.events import ModelReleased
from releve.domain.registry.release import IndexUpdate
from tests.factories import SCENARIO, make_entries, make_model_folder, make_project, make_release, make_row
from tests.serving.process import free_port, milvus_serving

COLLECTION, ROWS, LIMIT = "releve_flowers_one", 5000, 10
BATCHES, SEARCHES = 30, 20
FIELDS = ["label", "batch", "row"]


def main(ended: int = 0) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home, port = Path(folder), free_port()
        with milvus_serving(home / "milvus", port):
            make_service(home, f"http://{LOOPBACK}:{port}", ended=ended)
            os.environ |= {"RELEVE_HOME": folder, "RELEVE_PROJECT": str(home / "project"), "RELEVE_SCENARIO": "",
                           "RELEVE_MILVUS_PORT": str(port), "BENTOML_HOME": str(home / "bentoml"),
                           "BENTOML_DO_NOT_TRACK": "True"}  # fmt: skip
            uvloop.run(measure(f"http://{LOOPBACK}:{port}"))  # as BentoML's workers run


def make_service(home: Path, milvus: str, *, ended: int) -> None:
    """Release one model with an index of ROWS rows."""
    from releve.adapters.models import model_runtime

    make_project(home)
    stored = ModelStore(home).save(make_model_folder(home / "made"), scenario=SCENARIO, version="one", labels={})
    embedder = model_runtime.load(ModelStore(home).folder(stored.tag), tag=stored.tag).embedder
    index = VectorIndex(milvus)
    index.build(COLLECTION, make_entries(embedder, rows=ROWS), scenario=SCENARIO)
    index.close()
    registry = Registry(f"sqlite:///{home / 'registry.db'}")
    version = IndexVersion(1, ended=tuple(range(ROWS - ended, ROWS)))
    update = IndexUpdate(version=version, revision="r" * 40, data_version="d" * 32) if ended else None
    release = make_release(stored, index=COLLECTION, index_rows=ROWS - ended, index_update=update)
    event = ModelReleased(release=release)
    registry.move(SCENARIO, event, expected=None, reason="measured", actor="benchmark")
    registry.close()


async def measure(milvus: str) -> None:
    """Print CPU of this process and wall time of one search, each way."""
    from pymilvus import MilvusClient

    import service

    client, body = MilvusClient(milvus), json.dumps({"row": make_row(), "limit": LIMIT}).encode()
    vector: list[Any] = [np.zeros(6, dtype=np.float32)]

    async def ours() -> None:
        status, answer = await ask(app, "POST", "/search", body)
        assert status == 200, answer

    async def bare() -> None:
        client.search(COLLECTION, data=vector, anns_field="vector", limit=LIMIT, output_fields=FIELDS,
                      search_params={"metric_type": "L2"})  # fmt: skip

    found: dict[str, list[tuple[float, float]]] = {"/search": [], "pymilvus": []}
    async with started(service.Releve.to_asgi(is_main=True)) as app:
        while (await ask(app, "POST", "/search", body))[0] != 200:
            await asyncio.sleep(0.1)
        for _ in range(BATCHES):
            for name, search in (("/search", ours), ("pymilvus", bare)):
                cpu, wall = time.process_time(), time.perf_counter()
                for _ in range(SEARCHES):
                    await search()
                found[name].append(
                    ((time.process_time() - cpu) / SEARCHES * 1e3, (time.perf_counter() - wall) / SEARCHES * 1e3)
                )
    client.close()
    cheapest = {name: np.array(each).min(axis=0) for name, each in found.items()}
    print("| of one search | CPU ms | wall ms |\n|---|---|---|")
    for name, (cpu, wall) in cheapest.items():
        print(f"| {name} | {cpu:.2f} | {wall:.2f} |")
    cpu, wall = cheapest["/search"] / cheapest["pymilvus"]
    print(f"| ratio (bar 1.3) | {cpu:.2f} | {wall:.2f} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
