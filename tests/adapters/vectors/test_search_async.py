"""Searches on the event loop find what searches in a thread find, and leave to these whatever has to be waited for."""

import asyncio
import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import grpc
import numpy as np
import pytest

from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.errors import BadInput
from releve.core.settings import LOOPBACK
from releve.domain.neighbours.filters import Condition
from releve.domain.neighbours.index_design import DistanceMetric, IndexDesign
from releve.domain.neighbours.index_names import collection_name
from releve.domain.neighbours.vectors import LABEL, Entries
from tests.adapters.conftest import MilvusServer

SCENARIO = "digits"
LABELS = ["even", "odd", 'quote " in', "é 😀"]


def built(
    index: VectorIndex, *, row_ids: bool = False, metric: DistanceMetric = DistanceMetric.L2
) -> tuple[str, Entries]:
    """A finished collection of 200 rows with vectors of 8, and what is in it."""
    rows, name = 200, collection_name(SCENARIO, uuid4().hex)
    entries = Entries(
        ids=np.arange(rows, dtype=np.int64) * 10,
        vectors=np.random.default_rng(0).normal(size=(rows, 8)).astype(np.float32),
        labels=[LABELS[row % len(LABELS)] for row in range(rows)],
        batches=["first.csv" if row < 50 else "second.csv" for row in range(rows)],
        rows=np.arange(rows, dtype=np.int64),
        row_ids=[f"c-{row}" for row in range(rows)] if row_ids else (),
    )
    index.build(name, entries, scenario=SCENARIO, design=IndexDesign(metric=metric))
    return name, entries


@pytest.fixture(params=["embedded", "server"])
def index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VectorIndex]:
    if request.param == "embedded":
        index = VectorIndex(str(tmp_path / "vectors.db"))
    else:
        index = VectorIndex(request.getfixturevalue("milvus_server").uri)
    yield index
    index.close()


@pytest.mark.parametrize(
    ("row_ids", "metric"), [(False, DistanceMetric.L2), (True, DistanceMetric.IP), (True, DistanceMetric.COSINE)]
)
def test_it_finds_the_same_rows_at_the_same_distances(index: VectorIndex, row_ids: bool, metric: DistanceMetric):
    name, entries = built(index, row_ids=row_ids, metric=metric)
    questions = [
        (vector, limit, () if label is None else (Condition(LABEL, label),))
        for vector in entries.vectors[:3]
        for limit in (1, 7, 1000)
        for label in (None, *LABELS, "none has it")
    ]

    in_threads = [index.search(name, vector, limit=limit, conditions=only)[0] for vector, limit, only in questions]

    async def on_the_loop() -> list[object]:
        return [await index.search_async(name, near, limit=limit, conditions=only) for near, limit, only in questions]

    assert asyncio.run(on_the_loop()) == in_threads


def test_many_searches_at_once_are_each_answered_their_own(index: VectorIndex):
    name, entries = built(index)
    index.search(name, entries.vectors[0], limit=1)

    async def all_at_once() -> list[int]:
        found = await asyncio.gather(*(index.search_async(name, vector, limit=1) for vector in entries.vectors))
        return [hits[0].id for hits in found if hits]

    assert asyncio.run(all_at_once()) == entries.ids.tolist()


def test_the_first_search_of_a_collection_is_left_to_a_thread(milvus_server: MilvusServer):
    name, entries = built(VectorIndex(milvus_server.uri))
    index = VectorIndex(milvus_server.uri)

    assert asyncio.run(index.search_async(name, entries.vectors[0], limit=1)) is None


def test_a_released_collection_is_left_to_a_thread_which_loads_it(milvus_server: MilvusServer):
    from pymilvus import MilvusClient

    index = VectorIndex(milvus_server.uri)
    name, entries = built(index)
    index.search(name, entries.vectors[0], limit=1)
    MilvusClient(milvus_server.uri).release_collection(name)

    async def before_and_after() -> list[object]:
        before = await index.search_async(name, entries.vectors[3], limit=1)
        [hits] = index.search(name, entries.vectors[3], limit=1)
        return [before, hits == await index.search_async(name, entries.vectors[3], limit=1)]

    assert asyncio.run(before_and_after()) == [None, True]


def test_what_is_no_question_is_refused(milvus_server: MilvusServer):
    index = VectorIndex(milvus_server.uri)
    name, entries = built(index)
    index.search(name, entries.vectors[0], limit=1)

    for vector, limit, says in (
        (entries.vectors[0][:7], 1, "vectors of 8 numbers; found 7"),
        ([float("nan")] * 8, 1, "not finite"),
        ([1e30] * 8, 1, "too large for float32"),
        (["a"] * 8, 1, "not numbers"),
        (entries.vectors[0], 1001, "between 1 and 1000"),
    ):
        with pytest.raises(BadInput, match=says):
            asyncio.run(index.search_async(name, vector, limit=limit))


def test_while_the_server_is_away_threads_are_left_to_wait_and_it_goes_on_by_itself(own_milvus_server: MilvusServer):
    index = VectorIndex(own_milvus_server.uri)
    name, entries = built(index)
    index.search(name, entries.vectors[0], limit=1)

    async def story() -> tuple[object, object]:
        assert await index.search_async(name, entries.vectors[0], limit=1)
        own_milvus_server.stop()
        away = await index.search_async(name, entries.vectors[0], limit=1)
        own_milvus_server.start()
        VectorIndex(own_milvus_server.uri).open(name)
        deadline = time.monotonic() + 60
        while not (back := await index.search_async(name, entries.vectors[0], limit=1)):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
        return away, back[0].id

    assert asyncio.run(story()) == (None, 0)


def test_a_server_that_hangs_is_noticed_within_the_time_limit_by_all_who_wait(own_milvus_server: MilvusServer):
    index = VectorIndex(own_milvus_server.uri, timeout_seconds=1.0)
    name, entries = built(index)
    index.search(name, entries.vectors[0], limit=1)

    async def story() -> list[object]:
        assert await index.search_async(name, entries.vectors[0], limit=1)
        own_milvus_server.hang()
        asked = (index.search_async(name, vector, limit=1) for vector in entries.vectors[:50])
        return await asyncio.gather(*asked, return_exceptions=True)

    started = time.monotonic()
    found = asyncio.run(story())

    assert {type(each) for each in found} == {IndexUnavailable}
    assert f"cannot search {name}: Milvus at {own_milvus_server.uri} says" in str(found[0])
    assert time.monotonic() - started < 5


class Recorder(grpc.GenericRpcHandler):
    """Hands on what is asked to a Milvus, and keeps what came with it."""

    def __init__(self, milvus: str) -> None:
        self._milvus = grpc.insecure_channel(milvus.removeprefix("http://"))
        self.searches: list[tuple[dict[str, object], bytes]] = []

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        ask = self._milvus.unary_unary(details.method)

        def hand_on(request: bytes, _: grpc.ServicerContext) -> bytes:
            if details.method.endswith("/Search"):
                self.searches.append((dict(details.invocation_metadata), request))
            return ask(request)

        return grpc.unary_unary_rpc_method_handler(hand_on)


def test_it_shows_the_token_and_names_the_database_of_the_address(milvus_server: MilvusServer):
    from pymilvus.grpc_gen.milvus_pb2 import SearchRequest

    name, entries = built(VectorIndex(milvus_server.uri))
    between, recorder = grpc.server(ThreadPoolExecutor(2)), Recorder(milvus_server.uri)
    between.add_generic_rpc_handlers((recorder,))
    port = between.add_insecure_port(f"{LOOPBACK}:0")
    between.start()
    index = VectorIndex(f"http://{LOOPBACK}:{port}/default", "root:secret")
    index.search(name, entries.vectors[0], limit=1)

    found = asyncio.run(index.search_async(name, entries.vectors[0], limit=1))
    index.close()
    between.stop(None).wait()

    assert found and found[0].id == 0
    (by_pymilvus, _), (ours, request) = recorder.searches
    assert base64.b64decode(ours["authorization"]) == b"root:secret"
    assert ours["authorization"] == by_pymilvus["authorization"]
    assert SearchRequest.FromString(request).db_name == "default"
