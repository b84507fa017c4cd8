"""Transformers that amplify no noise: scikit-learn's own divide by whatever spread the training rows happen to have.

A spread of nothing but rounding is no spread, what is asked later is kept near what was seen, and the vectors of a
text share one scale. Figures: docs/decisions/0022-sanity.md
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.preprocessing import StandardScaler

from releve.domain.schema.cells import ROUNDING

FARTHEST = 1e38  # the difference of two such numbers is a float32 still


class BoundedScaler(StandardScaler):  # type: ignore[misc]
    """Standardise numbers, each kept within one range of the training rows on either side of that range.

    A column that was constant, or varied by rounding alone, is 0 whatever is asked: nothing was learned of it.
    """

    def fit(self, X: NDArray[Any], y: Any = None, sample_weight: Any = None) -> "BoundedScaler":
        """Learn mean, deviation and bounds."""
        numbers = np.clip(np.asarray(X, dtype=np.float64), -FARTHEST, FARTHEST)
        super().fit(numbers, y, sample_weight)
        low, high = numbers.min(axis=0), numbers.max(axis=0)
        width = high - low
        constant = width <= ROUNDING * np.maximum(np.abs(low), np.abs(high))
        self.low_ = np.where(constant, self.mean_, np.maximum(low - width, -FARTHEST))
        self.high_ = np.where(constant, self.mean_, np.minimum(high + width, FARTHEST))
        self.scale_: NDArray[np.float64] = np.where(constant, 1.0, self.scale_)
        return self

    def transform(self, X: NDArray[Any], copy: bool | None = None) -> NDArray[np.float64]:
        """Deviations from the mean."""
        return np.asarray(super().transform(np.clip(np.asarray(X, dtype=np.float64), self.low_, self.high_)))


class KnownTfidf(TfidfTransformer):  # type: ignore[misc]
    """TF-IDF in which an n-gram that no training text has weighs nothing, as one outside a vocabulary does.

    scikit-learn gives it the largest weight of all: one new word then outweighs the rest of a text of unit length.
    """

    def fit(self, X: Any, y: Any = None) -> "KnownTfidf":
        """Learn the weights."""
        super().fit(X, y)
        self.idf_: NDArray[np.float64] = np.where(X.getnnz(axis=0) > 0, self.idf_, 0.0)
        return self


class TextFolder(TruncatedSVD):  # type: ignore[misc]
    """Fold weighted n-grams into few numbers, all by one scale: the largest deviation among them is 1.

    One scale for a block of columns: Escofier & Pages (1994), "Multiple factor analysis". Directions without a real
    singular value, which texts of few words leave, are 0: in them a new text would stand wherever chance puts it.
    """

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[np.float64]:
        """Learn the directions; the folded training rows."""
        folded = super().fit_transform(X, y)
        real = self.singular_values_ > ROUNDING * self.singular_values_.max()
        deviation = float(folded[:, real].std(axis=0).max(initial=0.0))
        share = real / (deviation if deviation > ROUNDING else 1.0)  # unit vectors: 1 is the length of a text
        self.components_ *= share[:, None]
        return np.asarray(folded * share)
