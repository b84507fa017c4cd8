"""Searches of Milvus on an event loop, by Milvus's own messages. Imports pymilvus.

`MilvusClient.search` is made for every kind of search and of field: more than half of its CPU is not the call's. And it
holds a thread while it waits, which costs as much as a third of it.
"""

import base64
import json
from functools import lru_cache
from itertools import repeat

import grpc.aio
import numpy as np
from numpy.typing import NDArray
from pymilvus.client.connection_manager import ConnectionConfig
from pymilvus.grpc_gen import common_pb2, milvus_pb2, milvus_pb2_grpc, schema_pb2

from releve.adapters.vectors.collection_layout import CollectionLayout
from releve.domain.neighbours.filters import Filter
from releve.domain.neighbours.index_versions import IndexVersion
from releve.domain.neighbours.vectors import Neighbour

RETRIES = {"grpc.enable_retries": 0}  # gRPC's own cost a tenth of a call; `VectorIndex.search` asks again
PLACEHOLDER = "$0"  # what Milvus calls the vector of a search


class SearchChannel:
    """A connection of its own, which connects again by itself. It belongs to the event loop that it was made on."""

    def __init__(self, uri: str, token: str, *, options: dict[str, int], timeout: float) -> None:
        """`options` of gRPC; `timeout`: seconds of one search."""
        config = ConnectionConfig.from_uri(uri, token=token)
        self._timeout = timeout
        self._database = config.db_name
        self._login = [("authorization", base64.b64encode(config.token.encode()))] if config.token else None
        all_options = list((options | RETRIES).items())
        if config.get_handler_kwargs().get("secure"):
            channel = grpc.aio.secure_channel(config.address, grpc.ssl_channel_credentials(), all_options)
        else:
            channel = grpc.aio.insecure_channel(config.address, all_options)
        self._milvus = milvus_pb2_grpc.MilvusServiceStub(channel)

    async def search(
        self,
        collection: str,
        query: NDArray[np.float32],
        *,
        limit: int,
        conditions: Filter,
        version: IndexVersion,
        layout: CollectionLayout,
    ) -> list[Neighbour] | None:
        """The rows of `version` nearest to `query`, nearest first; None where Milvus refuses or is not reached.

        Raises BadInput, and TimeoutError where Milvus hangs.
        """
        params = layout.search_params(limit, filtered=bool(conditions))
        request = milvus_pb2.SearchRequest()
        request.CopyFrom(
            _unfilled_request(
                self._database,
                collection,
                layout.design.metric.value,
                json.dumps(params) if params else "{}",
                limit,
                layout.expression(conditions, version=version),
                layout.fields,
            )
        )
        vector = common_pb2.PlaceholderValue(tag=PLACEHOLDER, type=common_pb2.FloatVector, values=[query.tobytes()])
        request.placeholder_group = common_pb2.PlaceholderGroup(placeholders=[vector]).SerializeToString()
        try:
            response = await self._milvus.Search(request, timeout=self._timeout, metadata=self._login)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise TimeoutError(error.details()) from None
            return None
        if response.status.code or response.status.error_code:
            return None
        return _neighbours(response.results, layout)


@lru_cache(maxsize=256)
def _unfilled_request(
    database: str, collection: str, metric: str, params: str, limit: int, expression: str, fields: tuple[str, ...]
) -> milvus_pb2.SearchRequest:
    """A search without its vector: copying it takes half as long as making it."""
    settings = {"anns_field": "vector", "metric_type": metric, "topk": str(limit), "params": params}
    return milvus_pb2.SearchRequest(
        db_name=database,
        collection_name=collection,
        nq=1,
        search_params=[common_pb2.KeyValuePair(key=key, value=value) for key, value in settings.items()],
        dsl=expression,
        dsl_type=common_pb2.BoolExprV1,
        output_fields=fields,
        use_default_consistency=True,
    )


def _neighbours(results: schema_pb2.SearchResultData, layout: CollectionLayout) -> list[Neighbour]:
    if not results.scores:
        return []
    columns = {field.field_name: field.scalars for field in results.fields_data}
    return list(
        map(
            Neighbour,
            results.ids.int_id.data,
            columns["label"].string_data.data,
            columns["batch"].string_data.data,
            columns["row"].long_data.data,
            layout.distances(results.scores),
            columns["row_id"].string_data.data if "row_id" in columns else repeat(""),
        )
    )
