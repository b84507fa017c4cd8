"""How the rows of an index lie in a Milvus collection, and how Milvus is asked for them. Imports pymilvus."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import sqrt
from typing import Any

import numpy as np

from releve.core.errors import BadInput
from releve.domain.neighbours.filters import Filter
from releve.domain.neighbours.index_design import DistanceMetric, IndexDesign, IndexType
from releve.domain.neighbours.index_versions import IndexVersion
from releve.domain.neighbours.vectors import BATCH, LABEL, MAX_TEXT_BYTES, Entries, Neighbour

ANSWERED = ("label", "batch", "row", "row_id")  # asked for by name: without it some servers send the vectors too
KEPT = "kept_{}"  # the field of a column to filter by: its own name can be one that Milvus does not take
CORRECTION = "correction"  # beside `batch` and `row` it names the cells of a row
OWNER = "releve.scenario"  # collection property; names alone do not tell "a-b" from "a_b"
FILTERS = "releve.filters"  # the same: the columns behind the fields KEPT, as JSON
BATCH_ROWS = 5000
BATCH_BYTES = 16 * 2**20  # a gRPC message may carry 64 MB
HNSW = {"M": 16, "efConstruction": 200}
EF = 200  # rows that a search of HNSW looks at, at least
PROBED = 8  # an IVF search looks at a share of 1 / PROBED of the lists
PROBED_WITH_FILTER = 2  # and at more of them under a filter, which leaves few rows of each


@dataclass(frozen=True)
class CollectionLayout:
    """What a search has to know of a collection."""

    dimension: int
    fields: tuple[str, ...]  # of ANSWERED: one of a table without ids has no row_id
    design: IndexDesign
    lists: int  # of an IVF index

    @cached_property
    def filtered(self) -> dict[str, str]:
        """What a search can be filtered by, and the field that holds it."""
        return {LABEL: LABEL, BATCH: BATCH} | {column: KEPT.format(n) for n, column in enumerate(self.design.filters)}

    def expression(self, conditions: Filter, *, version: IndexVersion) -> str:
        """Write Milvus's filter of a version's rows: each text is a quoted literal, never more than data.

        Raises BadInput.
        """
        parts = [visible_to(version)]
        for each in conditions:
            if each.field not in self.filtered:
                known = ", ".join(f"'{name}'" for name in self.filtered)
                raise BadInput(f"the index cannot be filtered by '{each.field}'; it can by {known}")
            # Unicode stays as it is: Milvus Lite does not read \u escapes.
            for operator, text in (("==", each.value), (">=", each.low), ("<=", each.high)):
                if text is not None:
                    parts.append(f"{self.filtered[each.field]} {operator} {json.dumps(text, ensure_ascii=False)}")
        return " and ".join(parts)

    def search_params(self, limit: int, *, filtered: bool) -> dict[str, int]:
        """How thoroughly an index is searched that is not FLAT."""
        if self.design.type is IndexType.HNSW:
            return {"ef": max(EF, limit)}
        if self.design.type is IndexType.IVF_FLAT:
            return {"nprobe": max(1, self.lists // (PROBED_WITH_FILTER if filtered else PROBED))}
        return {}

    def distances(self, scores: Sequence[float]) -> Sequence[float]:
        """What Milvus says of found rows, as `DistanceMetric` does: it gives similarities where the metric is none."""
        if self.design.metric is DistanceMetric.L2:
            return scores
        return [1.0 - score if self.design.metric is DistanceMetric.COSINE else -score for score in scores]

    def neighbours(self, hits: Sequence[Any]) -> list[Neighbour]:
        """What `MilvusClient.search` found for one vector."""
        distances = self.distances([hit["distance"] for hit in hits])
        return [
            Neighbour(id=hit["id"], distance=distance, **{field: hit["entity"][field] for field in self.fields})
            for hit, distance in zip(hits, distances, strict=True)
        ]


@lru_cache(maxsize=64)
def visible_to(version: IndexVersion) -> str:
    """Write Milvus's filter of the rows that a version sees."""
    parts = [f"id < {version.end}"]
    if version.first:
        parts.append(f"id >= {version.first}")
    if version.ended:
        parts.append(f"id not in {list(version.ended)}")
    return " and ".join(parts)


def create(
    client: Any, collection: str, entries: Entries, design: IndexDesign, *, scenario: str, timeout: float
) -> None:
    """Create the empty collection with its index."""
    from pymilvus import DataType

    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=entries.dimension)
    schema.add_field("row", DataType.INT64)
    texts = [
        LABEL,
        BATCH,
        CORRECTION,
        *(["row_id"] if entries.row_ids else []),
        *map(KEPT.format, range(len(design.filters))),
    ]
    for name in texts:
        schema.add_field(name, DataType.VARCHAR, max_length=MAX_TEXT_BYTES)
    index = client.prepare_index_params()
    params = {IndexType.HNSW: HNSW, IndexType.IVF_FLAT: {"nlist": _lists(len(entries))}}.get(design.type, {})
    index.add_index("vector", index_type=design.type.value, metric_type=design.metric.value, params=params)
    client.create_collection(collection, schema=schema, timeout=timeout)
    # Not waited for, since there are no rows yet: loading, after the rows, waits for what it needs.
    client.create_index(collection, index, timeout=timeout, sync=False)
    properties = {OWNER: scenario, FILTERS: json.dumps(design.filters)}
    client.alter_collection_properties(collection, properties, timeout=timeout)


def records(entries: Entries) -> Iterator[list[dict[str, Any]]]:
    """The rows as Milvus takes them, in pieces that a message can carry."""
    size = max(1, min(BATCH_ROWS, BATCH_BYTES // (4 * entries.dimension)))
    columns: dict[str, Any] = {
        "id": entries.ids.tolist(),
        "vector": entries.vectors.astype(np.float32, copy=False),
        LABEL: entries.labels,
        BATCH: entries.batches,
        "row": entries.rows.tolist(),
        CORRECTION: entries.corrections or [""] * len(entries),
        **({"row_id": entries.row_ids} if entries.row_ids else {}),
        **{KEPT.format(n): values for n, values in enumerate(entries.kept.values())},
    }
    for start in range(0, len(entries), size):
        cells = zip(*(column[start : start + size] for column in columns.values()), strict=True)
        yield [dict(zip(columns, row, strict=True)) for row in cells]


def read_layout(client: Any, collection: str, *, timeout: float) -> CollectionLayout:
    """Ask Milvus what a collection is."""
    described = client.describe_collection(collection, timeout=timeout)
    fields = {field["name"]: field for field in described["fields"]}
    index = client.describe_index(collection, "vector", timeout=timeout) or {}
    return CollectionLayout(
        dimension=int(fields["vector"]["params"]["dim"]),
        fields=tuple(name for name in ANSWERED if name in fields),
        design=IndexDesign(
            type=IndexType(index.get("index_type", IndexType.FLAT)),
            metric=DistanceMetric(index.get("metric_type", DistanceMetric.L2)),
            filters=tuple(json.loads(_properties(described).get(FILTERS, "[]"))),
        ),
        lists=int(index.get("nlist", 0)),
    )


def owner_of(client: Any, collection: str, *, timeout: float) -> str:
    """The scenario that a collection was built for; "" where none is named."""
    return str(_properties(client.describe_collection(collection, timeout=timeout)).get(OWNER, ""))


def _properties(described: Mapping[str, Any]) -> Mapping[str, Any]:
    return described.get("properties") or {}


def _lists(rows: int) -> int:
    """As many lists as Faiss recommends for fewer than a million rows: about 4 times the root of their number."""
    return max(1, min(int(4 * sqrt(rows)), 65_536))
