"""What goes into a vector index, what comes out, and which questions it accepts.

The checks are ours because servers differ: some accept NaN, a million results or a filter that is an injection.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput, Conflict

MAX_LIMIT = 1000  # results per query; an unbounded limit kept one server busy for half a minute
MAX_QUERIES = 1000  # vectors per call
MAX_TEXT_BYTES = 1024  # of a label or batch name
REBUILD = "drop it and build the index again from its data version"


class IndexMismatch(Conflict):
    """A collection does not hold what it was built from."""

    code = "index_mismatch"


@dataclass(frozen=True)
class Neighbour:
    """One stored row near a query."""

    id: int
    label: str
    batch: str  # the incoming file the row came with
    row: int  # its position in that batch
    distance: float  # squared L2
    row_id: str = ""  # what the table itself calls the row; "" where it does not


@dataclass(frozen=True)
class IndexCheck:
    """What a finished index was measured to be."""

    rows: int
    recall: float  # share 0-1 of the true k nearest


@dataclass(frozen=True, eq=False)
class Entries:
    """The rows of an index as columns of equal length. Raises BadInput for rows that no index should hold."""

    ids: NDArray[np.int64]  # (n,) unique
    vectors: NDArray[np.float32]  # (n, d) finite
    labels: Sequence[str]
    batches: Sequence[str]
    rows: NDArray[np.int64]  # (n,) position of each in its batch
    row_ids: Sequence[str] = ()  # what the table itself calls each row; none where it has no such column

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or 0 in self.vectors.shape:
            raise BadInput(f"the vectors of an index are rows x dimensions; found the shape {self.vectors.shape}")
        lengths = {name: len(getattr(self, name)) for name in ("ids", "vectors", "labels", "batches", "rows")}
        lengths |= {"row_ids": len(self.row_ids)} if self.row_ids else {}
        if len(set(lengths.values())) > 1:
            raise BadInput(f"the columns of an index must be of one length; found {lengths}")
        if len(np.unique(self.ids)) < len(self.ids):
            raise BadInput(f"the ids of an index must be unique; found {len(self.ids)} with repetitions")
        if bad := int((~usable(self.vectors)).sum()):
            raise BadInput(f"{bad} of {len(self)} vectors are not finite, or too large for float32")
        for text in {*self.labels, *self.batches, *self.row_ids}:
            check_text(text)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dimension(self) -> int:
        """Numbers per vector."""
        return int(self.vectors.shape[1])


def as_queries(vectors: Any, *, dimension: int) -> NDArray[np.float32]:
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
    return queries


def check_limit(limit: int) -> int:
    """Return `limit` unchanged. Raises BadInput outside 1 to MAX_LIMIT."""
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise BadInput(f"limit is {limit!r}; expected a whole number between 1 and {MAX_LIMIT}")
    return limit


def check_text(text: str) -> str:
    """Return a label or batch name unchanged. Raises BadInput for what a filter cannot ask for again."""
    if not isinstance(text, str):
        raise BadInput(f"labels and batch names are text; found {text!r}")
    if any(ord(letter) < 32 or 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        raise BadInput(f"the label or batch name {text[:80]!r} holds control characters; remove them")
    if (size := len(text.encode())) > MAX_TEXT_BYTES:
        raise BadInput(f"the label or batch name {text[:80]!r}... has {size} bytes; at most {MAX_TEXT_BYTES} fit")
    return text


def fitting_text(text: str) -> str:
    """The text, or "" for one that no index should hold."""
    try:
        return check_text(text)
    except BadInput:
        return ""


def label_filter(label: str | None) -> str:
    """The filter expression for one label, as a quoted literal; empty for all labels. Raises BadInput."""
    # Unicode stays as it is: Milvus Lite does not read \u escapes.
    return "" if label is None else f"label == {json.dumps(check_text(label), ensure_ascii=False)}"


def usable(vectors: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Per vector, whether it is finite and so is its squared length: else every distance is inf or NaN."""
    usable_rows: NDArray[np.bool_] = np.isfinite(np.einsum("ij,ij->i", vectors, vectors))  # it never warns
    return usable_rows


def true_distances(
    entries: Entries, queries: NDArray[np.float32], found: Sequence[Sequence[Neighbour]], *, k: int
) -> NDArray[np.float64]:
    """Distances of the found rows, computed from `entries`: (queries, k), `inf` where nothing was found.

    What the index says about distances is not trusted. Raises IndexMismatch for a row that is not in `entries`.
    """
    positions = {int(id_): position for position, id_ in enumerate(entries.ids)}
    distances = np.full((len(queries), k), np.inf)
    for query, neighbours in enumerate(found):
        for place, neighbour in enumerate(neighbours):
            position = positions.get(neighbour.id)
            if position is None or not _same(entries, position, neighbour):
                raise IndexMismatch(f"the index holds a row {neighbour.id} that its data does not; {REBUILD}")
            difference = queries[query].astype(np.float64) - entries.vectors[position]
            distances[query, place] = difference @ difference
    return distances


def _same(entries: Entries, position: int, neighbour: Neighbour) -> bool:
    stored = (neighbour.label, neighbour.batch, neighbour.row, neighbour.row_id)
    row_id = entries.row_ids[position] if entries.row_ids else ""
    return stored == (entries.labels[position], entries.batches[position], int(entries.rows[position]), row_id)
