"""What a whole Milvus has and Milvus Lite has not: indexes that are not exact, and roles."""

from collections.abc import Iterator
from uuid import uuid4

import numpy as np
import pytest

from releve.adapters.vectors.milvus_connection import IndexUnavailable
from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.neighbours.filters import Condition
from releve.domain.neighbours.index_design import DistanceMetric, IndexDesign, IndexType
from releve.domain.neighbours.index_names import collection_name
from releve.domain.neighbours.vectors import LABEL, Entries
from tests.adapters.conftest import WholeMilvus

pytestmark = pytest.mark.milvus

ROWS, DIMENSION = 5000, 32
READS = (  # what the role of the service may: docs/search.md
    ("Global", "DescribeCollection"),
    ("Global", "ShowCollections"),
    ("Collection", "IndexDetail"),
    ("Collection", "Load"),
    ("Collection", "GetLoadState"),
    ("Collection", "GetLoadingProgress"),
    ("Collection", "Query"),
    ("Collection", "Search"),
)


def make_entries() -> Entries:
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, DIMENSION))
    return Entries(
        ids=np.arange(ROWS, dtype=np.int64),
        vectors=(centres[random.integers(40, size=ROWS)] + random.normal(size=(ROWS, DIMENSION))).astype(np.float32),
        labels=["rare" if row % 20 == 0 else "common" for row in range(ROWS)],
        batches=[f"{row // 1000}.csv" for row in range(ROWS)],
        rows=np.arange(ROWS, dtype=np.int64),
    )


@pytest.fixture(scope="module")
def writer(whole_milvus: WholeMilvus) -> Iterator[VectorIndex]:
    index = VectorIndex(whole_milvus.uri, whole_milvus.token)
    yield index
    index.close()


@pytest.fixture(scope="module")
def reader(whole_milvus: WholeMilvus) -> Iterator[VectorIndex]:
    from pymilvus import MilvusClient

    admin = MilvusClient(whole_milvus.uri, token=whole_milvus.token)
    admin.create_role("releve_reader")
    for kind, privilege in READS:
        admin.grant_privilege("releve_reader", kind, privilege, "*")
    admin.create_user("service", "pass-word")
    admin.grant_role("service", "releve_reader")
    index = VectorIndex(whole_milvus.uri, "service:pass-word")
    yield index
    index.close()
    admin.close()


@pytest.mark.parametrize("metric", DistanceMetric)
@pytest.mark.parametrize("kind", [IndexType.HNSW, IndexType.IVF_FLAT])
def test_an_index_that_is_not_exact_finds_what_it_promises_with_filters_and_without(
    writer: VectorIndex, kind: IndexType, metric: DistanceMetric
):
    name, entries = collection_name("digits", uuid4().hex), make_entries()
    writer.build(name, entries, scenario="digits", design=IndexDesign(kind, metric))

    checked = writer.check(name, entries, min_recall=0.95, sample=50, seed=1)

    assert (checked.rows, checked.selectivity) == (ROWS, pytest.approx(0.05, abs=0.02))
    assert min(checked.recall, checked.filtered_recall) >= 0.95


def test_the_service_reads_with_a_role_that_cannot_write(writer: VectorIndex, reader: VectorIndex):
    name, entries = collection_name("digits", uuid4().hex), make_entries()
    writer.build(name, entries, scenario="digits")

    reader.open(name)
    [found] = reader.search(name, entries.vectors[0], limit=3, conditions=(Condition(LABEL, "rare"),))

    assert found[0].id == 0
    assert reader.vectors(name, [7]).shape == (1, DIMENSION)
    for refused in (
        lambda: reader.drop(name),
        lambda: reader.build(collection_name("digits", uuid4().hex), entries, scenario="digits"),
        lambda: reader.alias("digits", name),
    ):
        with pytest.raises(IndexUnavailable, match="this MILVUS_TOKEN may not do that"):
            refused()
    assert writer.complete(name, ROWS)


def test_a_wrong_token_is_said_to_be_perhaps_wrong(whole_milvus: WholeMilvus):
    index = VectorIndex(whole_milvus.uri, "service:guessed")

    with pytest.raises(IndexUnavailable, match="MILVUS_TOKEN is right"):
        index.exists("releve_digits_v1")
