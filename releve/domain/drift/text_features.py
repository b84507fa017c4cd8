"""Texts as short vectors that a two-sample test can compare: their content, and how much of it is new.

Hashed character n-grams inside words, folded to the directions in which the reference varies most, then a test for
each direction: Rabanser, Günnemann & Lipton (2019), "Failing Loudly", found this the most powerful of the cheap ways.
The last two parts are what no direction holds (new words end there) and the length. Directions are learned from rows
of the reference that are not compared afterwards: a text looks more familiar to directions that it helped to choose.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_TEXTS = 2_000  # of a side; a text costs some 0.1 ms
MOST_FITTED = 1_000
FITTED_SHARE = 3  # at most one text in so many
DIRECTIONS = 8
HASHED = 2**12  # n-grams that are kept apart
MOST_CHARACTERS = 2_000  # of a text
SEED = 7


@dataclass(frozen=True, eq=False)
class TextVectors:
    """Directions that were learned from texts."""

    axes: NDArray[np.float64]  # (HASHED, directions)

    @classmethod
    def fit(cls, texts: Sequence[str]) -> "TextVectors":
        """Learn at most DIRECTIONS directions."""
        from sklearn.utils.extmath import randomized_svd

        counted = _counted(texts)
        _, _, axes = randomized_svd(counted, min(DIRECTIONS, *counted.shape), random_state=SEED)
        return cls(axes.T)

    def encode(self, texts: Sequence[str | None]) -> NDArray[np.float64]:
        """Vectors (texts, directions + 2): directions, the share that none of them holds, log of the length."""
        present = [place for place, text in enumerate(texts) if text is not None]
        vectors = np.full((len(texts), self.axes.shape[1] + 2), np.nan)
        if present:
            known = [str(texts[place]) for place in present]
            folded = np.asarray(_counted(known) @ self.axes)
            left = 1 - (folded**2).sum(axis=1)
            lengths = np.log1p([len(text) for text in known])
            vectors[present] = np.round(np.column_stack([folded, left, lengths]), 9)  # equal texts are equal vectors
        return vectors


def choose_fitted(texts: NDArray[Any]) -> NDArray[np.intp]:
    """Choose positions of present texts that directions are learned from, spread over the whole reference."""
    present = np.flatnonzero([text is not None for text in texts])
    count = min(MOST_FITTED, len(present) // FITTED_SHARE)
    return np.sort(np.random.default_rng(SEED).choice(present, count, replace=False)) if count else present[:0]


def _counted(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    counter = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 3), n_features=HASHED, alternate_sign=False)
    return counter.transform([text[:MOST_CHARACTERS] for text in texts])
