"""What goes into a vector index, what comes out, and which questions it accepts.

The checks are ours because servers differ: some accept NaN, a million results or a filter that is an injection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.neighbours.index_design import DistanceMetric
from releve.domain.schema.cells import is_missing, names_of

if TYPE_CHECKING:
    import pandas as pd

LABEL, BATCH = "label", "batch"  # what every index can be filtered by
MAX_LIMIT = 1000  # results per query; an unbounded limit kept one server busy for half a minute
MAX_QUERIES = 1000  # vectors per call
MAX_DIMENSION = 32_768  # numbers of a vector that a Milvus server takes; Milvus Lite would take more
MAX_TEXT_BYTES = 1024  # of a label, batch name or category


@dataclass(frozen=True)
class Neighbour:
    """One stored row near a query."""

    id: int
    label: str
    batch: str  # the incoming file the row came with
    row: int  # its position in that batch
    distance: float  # as `DistanceMetric` says: a smaller one is nearer
    row_id: str = ""  # what the table itself calls the row; "" where it does not


@dataclass(frozen=True, eq=False)
class Entries:
    """The rows of an index as columns of equal length. Raises BadInput for rows that no index should hold."""

    ids: NDArray[np.int64]  # (n,) unique
    vectors: NDArray[np.float32]  # (n, d) finite
    labels: Sequence[str]
    batches: Sequence[str]
    rows: NDArray[np.int64]  # (n,) position of each in its batch
    row_ids: Sequence[str] = ()  # what the table itself calls each row; none where it has no such column
    kept: Mapping[str, Sequence[str]] = field(default_factory=dict)  # column -> category of each row, to filter by
    corrections: Sequence[str] = ()  # where the version of each row stands that counts, "" for the first, or unknown

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or 0 in self.vectors.shape:
            raise BadInput(f"the vectors of an index are rows x dimensions; found the shape {self.vectors.shape}")
        lengths = {name: len(getattr(self, name)) for name in ("ids", "vectors", "labels", "batches", "rows")}
        lengths |= {name: len(texts) for name in ("row_ids", "corrections") if (texts := getattr(self, name))}
        lengths |= {column: len(values) for column, values in self.kept.items()}
        if len(set(lengths.values())) > 1:
            raise BadInput(f"the columns of an index must be of one length; found {lengths}")
        if len(np.unique(self.ids)) < len(self.ids):
            raise BadInput(f"the ids of an index must be unique; found {len(self.ids)} with repetitions")
        if bad := int((~usable(self.vectors)).sum()):
            raise BadInput(f"{bad} of {len(self)} vectors are not finite, or too large for float32")
        for text in {*self.labels, *self.batches, *self.row_ids, *self.corrections}.union(*self.kept.values()):
            check_text(text)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Numbers per vector."""
        return int(self.vectors.shape[1])

    @property
    def keys(self) -> list[tuple[str, int, str]]:
        """What names the cells of each row: see `RowKey`."""
        return list(zip(self.batches, self.rows.tolist(), self.corrections or [""] * len(self), strict=True))

    def column(self, name: str) -> Sequence[str]:
        """The texts that a search can be filtered by under this name."""
        return {**self.kept, LABEL: self.labels, BATCH: self.batches}[name]

    def of(self, chosen: NDArray[np.bool_]) -> "Entries":
        """The chosen rows."""
        places: list[int] = np.flatnonzero(chosen).tolist()

        def texts(column: Sequence[str]) -> list[str]:
            return [column[place] for place in places] if column else []

        return Entries(
            ids=self.ids[places],
            vectors=self.vectors[places],
            labels=texts(self.labels),
            batches=texts(self.batches),
            rows=self.rows[places],
            row_ids=texts(self.row_ids),
            kept={name: texts(values) for name, values in self.kept.items()},
            corrections=texts(self.corrections),
        )

    def check_metric(self, metric: DistanceMetric) -> None:
        """Raises BadInput where the distance to a row is not defined."""
        if metric is DistanceMetric.COSINE and (without := int((~self.vectors.any(axis=1)).sum())):
            raise BadInput(
                f"{without} of {len(self)} vectors have the length 0, and so no cosine: set index.metric to L2"
            )


def as_queries(vectors: Any, *, dimension: int, metric: DistanceMetric = DistanceMetric.L2) -> NDArray[np.float32]:
    """One vector or several as float32 (queries, dimension). Raises BadInput, saying what was found."""
    queries: NDArray[np.float32]
    if isinstance(vectors, np.ndarray) and vectors.dtype == np.float32:
        queries = vectors
    else:
        try:
            with np.errstate(over="ignore"):
                queries = np.asarray(vectors, dtype=np.float32)
        except (TypeError, ValueError):
            raise BadInput(f"a search vector is {dimension} numbers; found something that is not numbers") from None
    queries = queries.reshape(1, -1) if queries.ndim < 2 else queries
    if queries.ndim != 2 or queries.shape[1] != dimension:
        raise BadInput(f"the index holds vectors of {dimension} numbers; found {queries.shape[-1]}")
    if not 1 <= len(queries) <= MAX_QUERIES:
        raise BadInput(f"one search takes 1 to {MAX_QUERIES} vectors; found {len(queries)}")
    if not usable(queries).all():
        raise BadInput("a search vector holds a value that is not finite, or too large for float32")
    if metric is DistanceMetric.COSINE and not queries.any(axis=1).all():
        raise BadInput("a search vector has the length 0, and so no cosine with any other; search near another one")
    return queries


def check_limit(limit: int) -> int:
    """Return `limit` unchanged. Raises BadInput outside 1 to MAX_LIMIT."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise BadInput(f"limit is {limit!r}; expected a whole number between 1 and {MAX_LIMIT}")
    return limit


def check_text(text: str) -> str:
    """Return a label, batch name or category unchanged. Raises BadInput for what a filter cannot ask for again."""
    if not isinstance(text, str):
        raise BadInput(f"labels, batch names and categories are text; found a {type(text).__name__}")
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise BadInput(
            f"a label, batch name or category of {len(text)} characters holds control characters; remove them"
        )
    if (size := len(text.encode())) > MAX_TEXT_BYTES:
        raise BadInput(f"a label, batch name or category has {size} bytes; at most {MAX_TEXT_BYTES} fit")
    return text


def fitting_text(text: str) -> str:
    """The text, or "" for one that no index should hold."""
    try:
        return check_text(text)
    except BadInput:
        return ""


def row_ids(reference: "pd.DataFrame", name: str | None) -> list[str]:
    """What the table calls each row, "" where it does not or where no index could hold it."""
    if name is None or name not in reference:
        return []
    cells = reference[name].tolist()
    return ["" if is_missing(cell) else fitting_text((*names_of(cell), str(cell))[0]) for cell in cells]


def usable(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Per vector, whether it is finite and so is its squared length: else every distance is inf or NaN."""
    usable_rows: NDArray[np.bool_] = np.isfinite(np.einsum("ij,ij->i", vectors, vectors))  # it never warns
    return usable_rows
