"""The vectors of scenarios in Milvus.

A collection is built by one writer, who adds versions to it: no version changes what another one sees. What the rows
of a new model are is a new collection.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.vectors.collection_layout import (
    BATCH_ROWS,
    CORRECTION,
    CollectionLayout,
    create,
    owner_of,
    read_layout,
    records,
    visible_to,
)
from releve.adapters.vectors.milvus_connection import (
    CHANNEL,
    IndexMissing,
    IndexUnavailable,
    MilvusConnection,
    answered,
    milvus_exception,
)
from releve.core.errors import BadInput, Conflict
from releve.core.names import check_scenario_name
from releve.domain.neighbours.filters import Filter
from releve.domain.neighbours.index_check import REBUILD, IndexMismatch, check_recall
from releve.domain.neighbours.index_design import IndexCheck, IndexDesign, IndexType
from releve.domain.neighbours.index_names import PREFIX, alias_name, check_collection_name
from releve.domain.neighbours.index_versions import INITIAL, IndexVersion
from releve.domain.neighbours.row_changes import RowKey, StoredRows
from releve.domain.neighbours.vectors import BATCH, Entries, Neighbour, as_queries, check_limit

TIMEOUT_SECONDS = 5.0
DELETED_AT_ONCE = 1000  # rows that one call, or one filter, names
BUILD_TIMEOUT_SECONDS = 60.0  # one insert, flush or load
INDEX_SECONDS = 3600.0  # for Milvus to index what was written
POLL_SECONDS = 0.2

Progress = Callable[[int, int], None]  # rows written, rows in all


class VectorIndex:
    """The collections of one Milvus. Safe to share between threads for searching; one writer per collection."""

    def __init__(self, uri: str, token: str = "", *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Connects at the first use. Raises BadInput for an address that is none, or would leak the token."""
        self._milvus = MilvusConnection(uri, token, timeout=timeout_seconds)
        self._talking = self._milvus.talking
        self._timeout = timeout_seconds
        self._channel: Any = None  # for `search_async`
        self._layouts: dict[str, CollectionLayout] = {}

    def check_design(self, design: IndexDesign) -> None:
        """Raises BadInput for an index that would not hold what it promises here, IndexUnavailable."""
        if design.type is not IndexType.FLAT and self._milvus.is_lite():
            raise BadInput(
                f"index.type is {design.type}, and Milvus at {self._milvus.uri} is Milvus Lite, whose {design.type} "
                "misses a fifth of the neighbours under a filter and is no faster than FLAT; set index.type to FLAT, "
                "or use a Milvus server (RELEVE_MILVUS_URI)"
            )

    def build(
        self,
        collection: str,
        entries: Entries,
        *,
        scenario: str,
        design: IndexDesign | None = None,
        version: IndexVersion = INITIAL,
        progress: Progress | None = None,
    ) -> bool:
        """Write `entries`, whose ids `version` sees, into `collection`, and load it. A partial one is dropped first.

        Returns False where one with as many rows of that version is kept, whose ids are its own.

        Raises BadInput for a `design` that Milvus or these rows cannot hold, Conflict when the collection belongs to
        another scenario, IndexUnavailable.
        """
        check_scenario_name(scenario)
        design = design or IndexDesign()
        self.check_design(design)
        entries.check_metric(design.metric)
        with self._talking(f"build {collection}") as client:
            if self.exists(collection):
                self._check_owner(client, collection, scenario)
                if self._is_finished(collection, entries, design, version):
                    return False
                self.drop(collection)
            self._clear_remains(collection)
            create(client, collection, entries, design, scenario=scenario, timeout=BUILD_TIMEOUT_SECONDS)
            written = 0
            for rows in records(entries):
                client.insert(collection, rows, timeout=BUILD_TIMEOUT_SECONDS)
                written += len(rows)
                if progress:
                    progress(written, len(entries))
            client.flush(collection, timeout=BUILD_TIMEOUT_SECONDS)
            self._wait_until_indexed(client, collection, len(entries))
            client.load_collection(collection, timeout=BUILD_TIMEOUT_SECONDS)
        return True

    def stored(self, collection: str) -> StoredRows:
        """Read the rows of all versions, with the vectors. Raises IndexMissing, IndexUnavailable."""
        self.open(collection)
        keys, vectors = dict[int, RowKey](), dict[int, NDArray[np.float32]]()
        with self._talking(f"read {collection}") as client:
            pages = client.query_iterator(
                collection,
                batch_size=BATCH_ROWS,
                filter="id >= 0",
                output_fields=["id", "vector", BATCH, "row", CORRECTION],
                consistency_level="Strong",
                timeout=BUILD_TIMEOUT_SECONDS,
            )
            while page := pages.next():
                for row in page:
                    keys[row["id"]] = (row[BATCH], row["row"], row[CORRECTION])
                    vectors[row["id"]] = np.asarray(row["vector"], dtype=np.float32)
            pages.close()
        return StoredRows(keys, vectors)

    def update(self, collection: str, new: Entries | None, *, unseen: Sequence[int]) -> None:
        """Delete the rows of the ids `unseen`, which nothing searches any more, and write `new` ones.

        No other row is touched: a whole Milvus replaces a row by a deletion and an insertion, and a search can come in
        between. Raises IndexUnavailable.
        """
        with self._talking(f"update {collection}") as client:
            for start in range(0, len(unseen), DELETED_AT_ONCE):
                ids = list(unseen[start : start + DELETED_AT_ONCE])
                client.delete(collection, ids=ids, timeout=BUILD_TIMEOUT_SECONDS)
            for piece in records(new) if new else ():
                client.upsert(collection, piece, timeout=BUILD_TIMEOUT_SECONDS)
            client.flush(collection, timeout=BUILD_TIMEOUT_SECONDS)

    def check(
        self,
        collection: str,
        entries: Entries,
        *,
        version: IndexVersion = INITIAL,
        min_recall: float = 0.99,
        sample: int = 100,
        seed: int,
    ) -> IndexCheck:
        """Count the rows of `version` and compare a sample of searches with exact ones: see `check_recall`.

        Raises IndexMismatch when rows are missing or foreign, or recall is below `min_recall` (share 0-1).
        """
        rows = self._count(collection, version)
        if rows != len(entries):
            raise IndexMismatch(f"{collection} holds {rows} rows instead of {len(entries)}; {REBUILD}")
        layout = self._layout(collection)
        if layout.dimension != entries.dimension:
            raise IndexMismatch(f"{collection} holds vectors of {layout.dimension}, not {entries.dimension}; {REBUILD}")
        return check_recall(
            lambda queries, limit, conditions: self.search(
                collection, queries, limit=limit, conditions=conditions, version=version
            ),
            entries,
            layout.design,
            name=collection,
            min_recall=min_recall,
            sample=sample,
            seed=seed,
        )

    def exists(self, collection: str) -> bool:
        """Whether there is a collection of that name, finished or not."""
        check_collection_name(collection)
        with self._talking(f"check for {collection}") as client:
            return bool(client.has_collection(collection, timeout=self._timeout))

    def complete(self, collection: str, rows: int, *, version: IndexVersion = INITIAL) -> bool:
        """Whether the collection is there, and `version` sees exactly `rows` rows."""
        return self.exists(collection) and self._count(collection, version) == rows

    def holds(self, collection: str, conditions: Filter, *, version: IndexVersion) -> bool:
        """Whether `version` sees a row that meets all conditions. Raises BadInput, IndexMissing, IndexUnavailable."""
        expression = self._layout(collection).expression(conditions, version=version)
        with self._talking(f"search {collection}") as client:
            found = client.query(collection, filter=expression, output_fields=["id"], limit=1, timeout=self._timeout)
        return bool(found)

    def open(self, collection: str) -> None:
        """Load the collection for searching: after a restart of Milvus none is. Raises IndexMissing."""
        self._layout(collection)
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

    def search(
        self, collection: str, vectors: Any, *, limit: int, conditions: Filter = (), version: IndexVersion = INITIAL
    ) -> list[list[Neighbour]]:
        """Per vector, the `limit` nearest rows of `version` that meet all conditions, nearest first.

        `vectors` is one vector or queries x dimensions. Raises BadInput, IndexMissing, IndexUnavailable.
        """
        check_limit(limit)
        layout = self._layout(collection)
        queries = as_queries(vectors, dimension=layout.dimension, metric=layout.design.metric)
        expression = layout.expression(conditions, version=version)
        with self._talking(f"search {collection}") as client:
            hits_by_query = self._search(client, collection, queries, limit, expression, filtered=bool(conditions))
        return [layout.neighbours(hits) for hits in hits_by_query]

    async def search_async(
        self, collection: str, vector: Any, *, limit: int, conditions: Filter = (), version: IndexVersion = INITIAL
    ) -> list[Neighbour] | None:
        """Search for one vector without a thread. All such searches of an index are made on one event loop.

        None where `search` has to be asked, which may wait: it has not been yet, Milvus refuses or is not reached.
        Raises BadInput, and IndexUnavailable where Milvus hangs.
        """
        check_limit(limit)
        if (layout := self._layouts.get(collection)) is None:
            return None
        [query] = as_queries(vector, dimension=layout.dimension, metric=layout.design.metric)
        search = (self._channel or self._new_channel()).search
        found: list[Neighbour] | None
        try:
            found = await search(collection, query, limit=limit, conditions=conditions, version=version, layout=layout)
        except TimeoutError as error:
            raise self._milvus.unavailable(f"search {collection}", error) from None
        return found

    def alias(self, scenario: str, collection: str) -> None:
        """Point the scenario's alias at `collection`, for outside tools; a release names the collection itself."""
        name = alias_name(scenario)
        self.open(collection)  # moving an alias does not check that its target answers
        with self._talking(f"move the alias {name}") as client:
            try:
                client.alter_alias(collection, name, timeout=self._timeout)
            except milvus_exception() as error:
                if not answered(error):
                    raise
                client.create_alias(collection, name, timeout=self._timeout)

    def drop(self, collection: str) -> None:
        """Delete the collection, and an alias that points at it; nothing happens when it is not there."""
        check_collection_name(collection)
        self._layouts.pop(collection, None)
        with self._talking(f"drop {collection}") as client:
            client.drop_collection(collection, timeout=self._timeout)

    def erase(self, collection: str, rows: Mapping[str, Sequence[int]]) -> int:
        """Delete rows by their batch and position, whatever else the collection holds of them; returns how many went.

        `rows`: batch -> positions. The same call again deletes nothing more. Raises IndexMissing, IndexUnavailable.
        """
        self.open(collection)
        gone = 0
        with self._talking(f"erase rows of {collection}") as client:
            for batch, positions in rows.items():
                for start in range(0, len(positions), DELETED_AT_ONCE):
                    part = list(positions[start : start + DELETED_AT_ONCE])
                    condition = f"{BATCH} == {json.dumps(batch, ensure_ascii=False)} and row in {part}"
                    options = {"consistency_level": "Strong", "timeout": BUILD_TIMEOUT_SECONDS}
                    found = client.query(collection, filter=condition, output_fields=["id"], **options)
                    if found:
                        ids = [row["id"] for row in found]
                        client.delete(collection, ids=ids, timeout=BUILD_TIMEOUT_SECONDS)
                        gone += len(ids)
            if gone:
                client.flush(collection, timeout=BUILD_TIMEOUT_SECONDS)
        return gone

    def collections(self, scenario: str) -> list[str]:
        """Names of the collections built for the scenario, in alphabetical order."""
        check_scenario_name(scenario)
        with self._talking("list the collections") as client:
            ours = [name for name in client.list_collections(timeout=self._timeout) if name.startswith(PREFIX)]
            return sorted(name for name in ours if owner_of(client, name, timeout=self._timeout) == scenario)

    def close(self) -> None:
        """Let go of the connection; of the embedded form also the file, for everyone in this process."""
        self._channel = None
        self._milvus.close()

    def _new_channel(self) -> Any:
        from releve.adapters.vectors.search_channel import SearchChannel

        milvus = self._milvus
        self._channel = SearchChannel(milvus.uri, milvus.token, options=CHANNEL, timeout=milvus.timeout)
        return self._channel

    def _clear_remains(self, collection: str) -> None:
        """An embedded Milvus makes a collection's folder before it knows the collection: killed in between, the folder
        would refuse every later attempt."""
        if self._milvus.is_embedded:
            shutil.rmtree(Path(self._milvus.uri) / "collections" / collection, ignore_errors=True)

    def _wait_until_indexed(self, client: Any, collection: str, rows: int) -> None:
        """Loaded sooner, Milvus searches by an interim index of its own, and that would be what is checked."""
        deadline = time.monotonic() + INDEX_SECONDS
        while (found := client.describe_index(collection, "vector", timeout=self._timeout))["indexed_rows"] < rows:
            if time.monotonic() > deadline:
                raise IndexUnavailable(
                    f"cannot build {collection}: Milvus at {self._milvus.uri} has indexed {found['indexed_rows']} of "
                    f"{rows} rows after {INDEX_SECONDS:.0f} s; build it again when Milvus has less to do"
                )
            time.sleep(POLL_SECONDS)

    def _is_finished(self, collection: str, entries: Entries, design: IndexDesign, version: IndexVersion) -> bool:
        try:
            layout = self._layout(collection)
            is_same = (layout.dimension, layout.design) == (entries.dimension, design)
            return is_same and self.complete(collection, len(entries), version=version)
        except IndexUnavailable:
            return False  # left without its index, it cannot be loaded; if Milvus is away, the next call says so

    def _check_owner(self, client: Any, collection: str, scenario: str) -> None:
        owner = owner_of(client, collection, timeout=self._timeout)
        if owner and owner != scenario:
            raise Conflict(
                f"the collection {collection} belongs to the scenario {owner}; rename {scenario} to build it"
            )

    def _count(self, collection: str, version: IndexVersion) -> int:
        self.open(collection)
        with self._talking(f"count {collection}") as client:
            counts = client.query(
                collection,
                filter=visible_to(version),
                output_fields=["count(*)"],
                consistency_level="Strong",
                timeout=self._timeout,
            )
        return int(counts[0]["count(*)"])

    def _layout(self, collection: str) -> CollectionLayout:
        if collection not in self._layouts:
            if not self.exists(collection):
                raise IndexMissing(
                    f"there is no collection {collection} at {self._milvus.uri}; build the index again from its data "
                    "version"
                )
            with self._talking(f"describe {collection}") as client:
                self._layouts[collection] = read_layout(client, collection, timeout=self._timeout)
        return self._layouts[collection]

    def _search(
        self,
        client: Any,
        collection: str,
        queries: NDArray[np.float32],
        limit: int,
        expression: str,
        *,
        filtered: bool,
    ) -> Any:
        def ask() -> Any:
            layout = self._layout(collection)
            return client.search(
                collection,
                data=list(queries),
                anns_field="vector",
                limit=limit,
                filter=expression,
                output_fields=list(layout.fields),
                search_params={
                    "metric_type": layout.design.metric.value,
                    "params": layout.search_params(limit, filtered=filtered),
                },
                timeout=self._timeout,
            )

        try:
            return ask()
        except milvus_exception() as error:
            if not answered(error):
                raise
            # Most likely Milvus was restarted and the collection is not loaded; or it is gone, which open() finds.
            self._layouts.pop(collection, None)
            self.open(collection)
            return ask()
