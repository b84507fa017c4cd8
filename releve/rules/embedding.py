"""Rows as vectors for neighbour search.

After Gower (1971), "A general coefficient of similarity and some of its properties": each number is scaled by
its range, each category counts as the same or different, so that no unit outweighs another. The squared
Euclidean distance between two vectors is then the sum over the columns.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
SAME_OR_DIFFERENT = np.sqrt(0.5)  # two different categories are then at squared distance 1, as far as a full range


@dataclass(frozen=True)
class Embedder:
    """How rows become vectors: per number its range, per category its known values."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    categories: tuple[tuple[str, ...], ...]

    @classmethod
    def fit(cls, arrays: Arrays) -> "Embedder":
        """Learn ranges and categories from `Schema.frame_input` of the rows to be searched."""
        categories = arrays.get("categories")
        low, high = _ranges(arrays["numbers"]) if "numbers" in arrays else ((), ())
        return cls(
            low=low,
            high=high,
            categories=() if categories is None else tuple(tuple(sorted(set(column))) for column in categories.T),
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Embedder":
        """Read what `as_dict` wrote."""
        return cls(tuple(values["low"]), tuple(values["high"]), tuple(map(tuple, values["categories"])))

    def as_dict(self) -> dict[str, Any]:
        """For the model's description."""
        return {"low": list(self.low), "high": list(self.high), "categories": [list(c) for c in self.categories]}

    @property
    def version(self) -> str:
        """12 hex digits; vectors of two versions are never comparable."""
        return hashlib.sha256(json.dumps(self.as_dict(), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return len(self.low) + sum(map(len, self.categories))

    def embed(self, arrays: Arrays) -> NDArray[np.float32]:
        """Vectors, float32 (rows, dimension). A missing number stands in the middle of its range."""
        blocks = [self._scaled(arrays["numbers"])] if self.low else []
        blocks += [
            _one_hot(column, known)
            for column, known in zip(arrays.get("categories", np.empty((0, 0))).T, self.categories, strict=True)
        ]
        return np.hstack(blocks).astype(np.float32)

    def _scaled(self, numbers: NDArray[Any]) -> NDArray[Any]:
        low, high = np.array(self.low), np.array(self.high)
        width = np.where(high > low, high - low, 1.0)
        scaled: NDArray[Any] = np.nan_to_num((numbers - low) / width, nan=0.5)
        return scaled


def _ranges(numbers: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lowest and highest present number per column; 0 and 0 where none is present."""
    absent = np.isnan(numbers)
    low, high = np.where(absent, np.inf, numbers).min(axis=0), np.where(absent, -np.inf, numbers).max(axis=0)
    empty = absent.all(axis=0)
    return tuple(np.where(empty, 0.0, low).tolist()), tuple(np.where(empty, 0.0, high).tolist())


def _one_hot(column: NDArray[Any], known: tuple[str, ...]) -> NDArray[Any]:
    same: NDArray[np.float64] = np.asarray(column[:, None] == np.array(known, dtype=object)[None, :], dtype=float)
    return same * float(SAME_OR_DIFFERENT)
