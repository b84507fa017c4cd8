"""Vectors in Milvus: an embedded file for one process (a path ending in .db), or a server (http://, https://).

A collection is built once by one writer and never changed afterwards; a new index version is a new collection.
The index is FLAT: exact, and in Milvus Lite as fast as any other.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import Conflict, Unavailable
from releve.core.names import check_scenario_name
from releve.domain.neighbours.index_names import PREFIX, alias_name, check_collection_name
from releve.domain.neighbours.milvus_address import EMBEDDED, check_milvus_uri
from releve.domain.neighbours.recall import exact_neighbours, recall_at_k
from releve.domain.neighbours.vectors import (
    MAX_TEXT_BYTES,
    REBUILD,
    Entries,
    IndexCheck,
    IndexMismatch,
    Neighbour,
    as_queries,
    check_limit,
    label_filter,
    true_distances,
)

METRIC = "L2"
FIELDS = ("label", "batch", "row", "row_id")  # asked for by name: without it some servers send the vectors too
OWNER = "releve.scenario"  # collection property; names alone do not tell "a-b" from "a_b"
BATCH_ROWS = 5000
BATCH_BYTES = 16 * 2**20  # a gRPC message may carry 64 MB
QUERIES = 25  # per search of a check: of 100 at once, Milvus Lite holds every difference to 10,000 rows in memory
TIMEOUT_SECONDS = 5.0
BUILD_TIMEOUT_SECONDS = 60.0  # one insert, flush or load
CHANNEL = {
    # gRPC waits up to 2 minutes before it tries a server again that was away; searches should go on sooner than that
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1000,
    # pymilvus pings while nobody asks, too: Milvus Lite closes the connection then, for too many pings
    "grpc.keepalive_permit_without_calls": 0,
    # a server that vanished without a word, while it is asked, is noticed
    "grpc.keepalive_time_ms": 10_000,
    "grpc.keepalive_timeout_ms": 5_000,
}

Progress = Callable[[int, int], None]  # rows written, rows in all


class IndexUnavailable(Unavailable):
    """Milvus is away, or failed."""

    code = "index_unavailable"


class IndexMissing(IndexUnavailable):
    """Milvus answers, but the collection is not there."""

    code = "index_missing"


@dataclass(frozen=True)
class _Shape:
    """What a search has to know of a collection."""

    dimension: int
    fields: tuple[str, ...]  # of FIELDS: one of a table without ids has no row_id


class VectorIndex:
    """The collections of one Milvus. Safe to share between threads for searching; one writer per collection."""

    def __init__(self, uri: str, token: str = "", *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Connects at the first use. Raises BadInput for an address that is none, or would leak the token."""
        self.uri = check_milvus_uri(uri, token)
        self._token = token
        self._timeout = timeout_seconds
        self._client: Any = None
        self._channel: Any = None  # for `search_async`
        self._shapes: dict[str, _Shape] = {}
        self._connecting = threading.Lock()

    def build(self, collection: str, entries: Entries, *, scenario: str, progress: Progress | None = None) -> None:
        """Write `entries` into `collection` and load it. A partial one is dropped first, a complete one is kept.

        Raises Conflict when the collection belongs to another scenario, IndexUnavailable.
        """
        check_scenario_name(scenario)
        with self._talking(f"build {collection}") as client:
            if self.exists(collection):
                self._check_owner(client, collection, scenario)
                if self._is_finished(collection, entries):
                    return
                self.drop(collection)
            self._clear_remains(collection)
            self._create(client, collection, entries, scenario)
            size = max(1, min(BATCH_ROWS, BATCH_BYTES // (4 * entries.dimension)))
            vectors = entries.vectors.astype(np.float32, copy=False)
            for start in range(0, len(entries), size):
                stop = min(start + size, len(entries))
                rows = [
                    {
                        "id": int(entries.ids[position]),
                        "vector": vectors[position],
                        "label": entries.labels[position],
                        "batch": entries.batches[position],
                        "row": int(entries.rows[position]),
                        **({"row_id": entries.row_ids[position]} if entries.row_ids else {}),
                    }
                    for position in range(start, stop)
                ]
                client.insert(collection, rows, timeout=BUILD_TIMEOUT_SECONDS)
                if progress:
                    progress(stop, len(entries))
            client.flush(collection, timeout=BUILD_TIMEOUT_SECONDS)
            client.load_collection(collection, timeout=BUILD_TIMEOUT_SECONDS)

    def check(
        self, collection: str, entries: Entries, *, min_recall: float = 0.99, k: int = 10, sample: int = 100, seed: int
    ) -> IndexCheck:
        """Count the rows and compare a sample of searches with exact ones, ties by distance.

        Raises IndexMismatch when rows are missing or foreign, or recall@k is below `min_recall` (share 0-1).
        """
        rows = self._count(collection)
        if rows != len(entries):
            raise IndexMismatch(f"{collection} holds {rows} rows instead of {len(entries)}; {REBUILD}")
        if (found_dimension := self._shape(collection).dimension) != entries.dimension:
            raise IndexMismatch(f"{collection} holds vectors of {found_dimension}, not {entries.dimension}; {REBUILD}")
        chosen = np.random.default_rng(seed).permutation(len(entries))[:sample]
        queries = entries.vectors[chosen]
        _, exact = exact_neighbours(entries.vectors, queries, k)
        blocks = (queries[start : start + QUERIES] for start in range(0, len(queries), QUERIES))
        neighbours = [hits for block in blocks for hits in self.search(collection, block, limit=exact.shape[1])]
        recall = recall_at_k(true_distances(entries, queries, neighbours, k=exact.shape[1]), exact)
        if recall < min_recall:
            raise IndexMismatch(f"{collection} has recall@{k} {recall:.3f}, below {min_recall}; {REBUILD}")
        return IndexCheck(rows=rows, recall=recall)

    def exists(self, collection: str) -> bool:
        """Whether there is a collection of that name, finished or not."""
        check_collection_name(collection)
        with self._talking(f"check for {collection}") as client:
            return bool(client.has_collection(collection, timeout=self._timeout))

    def complete(self, collection: str, rows: int) -> bool:
        """Whether the collection is there with exactly `rows` rows."""
        return self.exists(collection) and self._count(collection) == rows

    def open(self, collection: str) -> None:
        """Load the collection for searching: after a restart of Milvus none is. Raises IndexMissing."""
        self._shape(collection)
        with self._talking(f"load {collection}") as client:
            client.load_collection(collection, timeout=BUILD_TIMEOUT_SECONDS)

    def vectors(self, collection: str, ids: Sequence[int]) -> NDArray[np.float32]:
        """Read the vectors of these rows: (ids, dimension). Raises IndexMismatch, IndexUnavailable."""
        check_collection_name(collection)
        with self._talking(f"read {collection}") as client:
            found = client.get(collection, ids=list(ids), output_fields=["vector"], timeout=self._timeout)
        by_id = {row["id"]: row["vector"] for row in found}
        if missing := [each for each in ids if each not in by_id]:
            raise IndexMismatch(f"{collection} holds no row {missing[0]}; {REBUILD}")
        return np.array([by_id[each] for each in ids], dtype=np.float32)

    def search(self, collection: str, vectors: Any, *, limit: int, label: str | None = None) -> list[list[Neighbour]]:
        """Per vector, the `limit` nearest rows (all labels, or one), nearest first.

        `vectors` is one vector or queries x dimensions. Raises BadInput, IndexMissing, IndexUnavailable.
        """
        check_limit(limit)
        expression = label_filter(label)
        queries = as_queries(vectors, dimension=self._shape(collection).dimension)
        with self._talking(f"search {collection}") as client:
            hits_by_query = self._search(client, collection, queries, limit, expression)
        fields = self._shape(collection).fields
        return [
            [Neighbour(id=hit["id"], distance=hit["distance"], **{f: hit["entity"][f] for f in fields}) for hit in hits]
            for hits in hits_by_query
        ]

    async def search_async(
        self, collection: str, vector: Any, *, limit: int, label: str | None = None
    ) -> list[Neighbour] | None:
        """Search for one vector without a thread. All such searches of an index are made on one event loop.

        None where `search` has to be asked, which may wait: it has not been yet, Milvus refuses or is not reached.
        Raises BadInput, and IndexUnavailable where Milvus hangs.
        """
        check_limit(limit)
        expression = label_filter(label)
        if (shape := self._shapes.get(collection)) is None:
            return None
        [query] = as_queries(vector, dimension=shape.dimension)
        search = (self._channel or self._new_channel()).search
        found: list[Neighbour] | None
        try:
            found = await search(collection, query, limit=limit, expression=expression, fields=shape.fields)
        except TimeoutError as error:
            raise self._unavailable(f"search {collection}", error) from None
        return found

    def alias(self, scenario: str, collection: str) -> None:
        """Point the scenario's alias at `collection`, for outside tools; a release names the collection itself."""
        name = alias_name(scenario)
        self.open(collection)  # moving an alias does not check that its target answers
        with self._talking(f"move the alias {name}") as client:
            try:
                client.alter_alias(collection, name, timeout=self._timeout)
            except _milvus_exception() as error:
                if not _answered(error):
                    raise
                client.create_alias(collection, name, timeout=self._timeout)

    def drop(self, collection: str) -> None:
        """Delete the collection, and an alias that points at it; nothing happens when it is not there."""
        check_collection_name(collection)
        self._shapes.pop(collection, None)
        with self._talking(f"drop {collection}") as client:
            client.drop_collection(collection, timeout=self._timeout)

    def collections(self, scenario: str) -> list[str]:
        """Names of the collections built for the scenario, in alphabetical order."""
        check_scenario_name(scenario)
        with self._talking("list the collections") as client:
            ours = [name for name in client.list_collections(timeout=self._timeout) if name.startswith(PREFIX)]
            return sorted(name for name in ours if _owner(client, name, self._timeout) == scenario)

    def close(self) -> None:
        """Let go of the connection; of the embedded form also the file, for everyone in this process."""
        with self._connecting:
            client, self._client, self._channel = self._client, None, None
            if client is None:
                return
            client.close()
            if self.uri.endswith(EMBEDDED):
                from milvus_lite.server_manager import server_manager_instance

                server_manager_instance.release_server(self.uri)

    def _connect(self) -> Any:
        if self._client is not None:
            return self._client
        with self._connecting:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> Any:
        try:
            from pymilvus import MilvusClient
        except ImportError:
            raise IndexUnavailable("searching needs pymilvus: install releve[search]") from None
        # They log a traceback per failure; ours is one error with one message.
        for name in ("pymilvus", "milvus_lite"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        if self.uri.endswith(EMBEDDED):
            Path(self.uri).parent.mkdir(parents=True, exist_ok=True)
        return MilvusClient(
            self.uri, token=self._token, timeout=self._timeout, dedicated=True, grpc_options=dict(CHANNEL)
        )

    def _new_channel(self) -> Any:
        from releve.adapters.vectors.search_channel import SearchChannel

        self._channel = SearchChannel(self.uri, self._token, options=CHANNEL, metric=METRIC, timeout=self._timeout)
        return self._channel

    @contextmanager
    def _talking(self, doing: str) -> Iterator[Any]:
        """The client; whatever it raises inside becomes IndexUnavailable."""
        failures: tuple[type[BaseException], ...] = ()  # none when pymilvus is not installed
        with suppress(ImportError):
            import grpc

            failures = (_milvus_exception(), grpc.RpcError, grpc.FutureTimeoutError, OSError)
        try:
            yield self._connect()
        except failures as error:
            raise self._unavailable(doing, error) from None

    def _unavailable(self, doing: str, error: BaseException) -> IndexUnavailable:
        details = getattr(error, "details", None)
        text = getattr(error, "message", "") or (details() if callable(details) else "") or str(error)
        reason = (text or type(error).__name__).strip().splitlines()[0][:200]
        advice = "check that Milvus runs there and that MILVUS_TOKEN is right, then try again"
        if self.uri.endswith(EMBEDDED):
            advice = "one process at a time can hold an embedded index: stop the other, or use a Milvus server"
        return IndexUnavailable(f"cannot {doing}: Milvus at {self.uri} says {reason!r}; {advice}")

    def _create(self, client: Any, collection: str, entries: Entries, scenario: str) -> None:
        from pymilvus import DataType

        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("id", DataType.INT64, is_primary=True)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=entries.dimension)
        schema.add_field("label", DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
        schema.add_field("batch", DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
        schema.add_field("row", DataType.INT64)
        if entries.row_ids:
            schema.add_field("row_id", DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
        index = client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type=METRIC)
        client.create_collection(collection, schema=schema, timeout=BUILD_TIMEOUT_SECONDS)
        # Not waited for, since there are no rows yet: loading, after the rows, waits for what it needs.
        client.create_index(collection, index, timeout=BUILD_TIMEOUT_SECONDS, sync=False)
        client.alter_collection_properties(collection, {OWNER: scenario}, timeout=self._timeout)

    def _clear_remains(self, collection: str) -> None:
        """An embedded Milvus makes a collection's folder before it knows the collection: killed in between, the folder
        would refuse every later attempt."""
        if self.uri.endswith(EMBEDDED):
            shutil.rmtree(Path(self.uri) / "collections" / collection, ignore_errors=True)

    def _is_finished(self, collection: str, entries: Entries) -> bool:
        try:
            return self._shape(collection).dimension == entries.dimension and self.complete(collection, len(entries))
        except IndexUnavailable:
            return False  # left without its index, it cannot be loaded; if Milvus is away, the next call says so

    def _check_owner(self, client: Any, collection: str, scenario: str) -> None:
        owner = _owner(client, collection, self._timeout)
        if owner and owner != scenario:
            raise Conflict(
                f"the collection {collection} belongs to the scenario {owner}; rename {scenario} to build it"
            )

    def _count(self, collection: str) -> int:
        self.open(collection)
        with self._talking(f"count {collection}") as client:
            counts = client.query(
                collection, output_fields=["count(*)"], consistency_level="Strong", timeout=self._timeout
            )
        return int(counts[0]["count(*)"])

    def _shape(self, collection: str) -> _Shape:
        if collection not in self._shapes:
            if not self.exists(collection):
                raise IndexMissing(
                    f"there is no collection {collection} at {self.uri}; build the index again from its data version"
                )
            with self._talking(f"describe {collection}") as client:
                fields = client.describe_collection(collection, timeout=self._timeout)["fields"]
            dimension = next(int(f["params"]["dim"]) for f in fields if f["name"] == "vector")
            known = {f["name"] for f in fields}
            self._shapes[collection] = _Shape(dimension, tuple(name for name in FIELDS if name in known))
        return self._shapes[collection]

    def _search(self, client: Any, collection: str, queries: NDArray[np.float32], limit: int, expression: str) -> Any:
        def ask() -> Any:
            return client.search(
                collection,
                data=list(queries),
                anns_field="vector",
                limit=limit,
                filter=expression,
                output_fields=list(self._shape(collection).fields),
                search_params={"metric_type": METRIC},
                timeout=self._timeout,
            )

        try:
            return ask()
        except _milvus_exception() as error:
            if not _answered(error):
                raise
            # Most likely Milvus was restarted and the collection is not loaded; or it is gone, which open() finds.
            self._shapes.pop(collection, None)
            self.open(collection)
            return ask()


def _milvus_exception() -> type[Exception]:
    from pymilvus.exceptions import MilvusException

    error: type[Exception] = MilvusException
    return error


def _answered(error: Any) -> bool:
    """Whether Milvus itself refused: a broken connection has gRPC's code, or that one."""
    from pymilvus.client.types import Status

    return isinstance(error.code, int) and error.code != Status.CONNECT_FAILED


def _owner(client: Any, collection: str, timeout: float) -> str:
    properties = client.describe_collection(collection, timeout=timeout).get("properties") or {}
    return str(properties.get(OWNER, ""))
