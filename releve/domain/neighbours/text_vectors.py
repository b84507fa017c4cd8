"""Texts as vectors for neighbour search: weighted character n-grams, folded into few dimensions.

Deerwester et al. (1990), "Indexing by latent semantic analysis", over n-grams of characters inside words (McNamee &
Mayfield 2004): no language, no stop words, and a typing error changes few n-grams. Learning takes scikit-learn, asking
takes numpy alone, so that the service can search without a training library.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.cells import ROUNDING, normalized

DIMENSIONS = 64  # of the vector of one column, at most
MAX_FEATURES = 20_000  # most frequent n-grams that are known, at most
LENGTHS = (2, 3)  # characters in an n-gram; four more than triple the time and found no better neighbours
LEAST_LEFT = 1e-5  # of a text's length once it is folded: less is rounding, a hundred float32 steps
SEED = 7  # of the randomised decomposition
ROWS_AT_ONCE = 1024  # texts that are multiplied together: bounds the memory of a batch


class CellEncoder(Protocol):
    """Whatever turns cells, texts or images, into vectors of length 1, or 0 for a cell that says nothing to it."""

    @property
    def version(self) -> str:
        """Names what it learned: vectors of two versions are never comparable."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""

    def encode(self, cells: Sequence[str], /) -> NDArray[np.float32]:
        """Vectors (cells, dimension); the vector of a cell does not depend on the cells beside it."""


@dataclass(frozen=True, eq=False)
class NgramVectors:
    """What was learned from texts: known n-grams, their weights, and where each points."""

    ngrams: tuple[str, ...]
    weights: NDArray[np.float32]  # (ngrams,), inverse document frequency
    axes: NDArray[np.float32]  # (ngrams, dimension)

    @classmethod
    def fit(
        cls, texts: Sequence[str], *, dimensions: int = DIMENSIONS, max_features: int = MAX_FEATURES
    ) -> "NgramVectors":
        """Learn the `max_features` most frequent n-grams and at most `dimensions` axes. Texts without one are fine."""
        known = [text for text in texts if any(True for _ in ngrams_of(text))]
        if not known:
            return cls((), np.empty(0, np.float32), np.empty((0, 1), np.float32))
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.utils.extmath import randomized_svd

        counter = TfidfVectorizer(analyzer=ngrams_of, max_features=max_features, sublinear_tf=True)
        weighted = counter.fit_transform(known)
        _, lengths, axes = randomized_svd(weighted, min(dimensions, *weighted.shape), random_state=SEED)
        axes = axes[lengths > ROUNDING * lengths.max()]  # the others point where chance has them
        return cls(
            tuple(counter.get_feature_names_out().tolist()),
            counter.idf_.astype(np.float32),
            np.ascontiguousarray(axes.T, dtype=np.float32),
        )

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return int(self.axes.shape[1])

    @cached_property
    def version(self) -> str:
        """sha256 over n-grams, weights and axes."""
        total = hashlib.sha256("\0".join(self.ngrams).encode("utf-8", "surrogatepass"))
        for array in (self.weights, self.axes):
            total.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
        return total.hexdigest()

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors (texts, dimension); zeros for a text without a known n-gram."""
        parts = [self._folded(texts[start : start + ROWS_AT_ONCE]) for start in range(0, len(texts), ROWS_AT_ONCE)]
        return unit_length(np.vstack(parts) if parts else np.empty((0, self.dimension), np.float32))

    def _folded(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.array([self._one(text) for text in texts], dtype=np.float32).reshape(len(texts), self.dimension)

    def _one(self, text: str) -> NDArray[np.float32]:
        counts = Counter(place for ngram in ngrams_of(text) if (place := self._places.get(ngram)) is not None)
        places = sorted(counts)  # sums of floats depend on the order
        frequencies = 1 + np.log([counts[place] for place in places])
        weighted = (frequencies * self.weights[places]).astype(np.float32)
        vector: NDArray[np.float32] = weighted @ self.axes[places]
        # At unit length, what the sum left of rounding would be a direction like any other.
        is_rounding = np.linalg.norm(vector) <= LEAST_LEFT * np.linalg.norm(weighted)
        return np.zeros_like(vector) if is_rounding else vector

    @cached_property
    def _places(self) -> dict[str, int]:
        return {ngram: place for place, ngram in enumerate(self.ngrams)}


def ngrams_of(text: str) -> Iterable[str]:
    """N-grams inside the words of `text`, where a word begins and ends with a space; case and width are ignored."""
    for word in normalized(text, "NFKC").replace("\0", " ").casefold().split():
        padded = f" {word} "
        for length in LENGTHS:
            yield from (padded[start : start + length] for start in range(len(padded) - length + 1))


def unit_length(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Each row divided by its Euclidean length; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = (vectors / np.where(lengths > 0, lengths, 1.0)).astype(np.float32)
    return scaled
