"""How an index is built: its type, what "near" means, and the columns that a search can be filtered by."""

from dataclasses import dataclass
from enum import StrEnum


class IndexType(StrEnum):
    """FLAT compares with every row, and is exact; the others compare with few, and miss some neighbours."""

    FLAT = "FLAT"
    HNSW = "HNSW"
    IVF_FLAT = "IVF_FLAT"


class DistanceMetric(StrEnum):
    """What the distance of two vectors is; of each a smaller one is nearer."""

    L2 = "L2"  # squared Euclidean distance
    IP = "IP"  # the inner product, negated
    COSINE = "COSINE"  # 1 - the cosine of the angle between them


@dataclass(frozen=True)
class IndexDesign:
    """What a collection was built as, whatever rows are in it."""

    type: IndexType = IndexType.FLAT
    metric: DistanceMetric = DistanceMetric.L2
    filters: tuple[str, ...] = ()  # category columns that are kept beside the vectors


@dataclass(frozen=True)
class IndexCheck:
    """What a finished index was measured to be. Recall: share 0-1 of the true nearest that it found."""

    rows: int
    recall: float
    filtered_recall: float | None = None  # the lowest under a filter; None where none leaves enough rows, and not all
    selectivity: float | None = None  # share 0-1 of the rows that the tightest filter leaves
