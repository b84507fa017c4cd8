"""Rows as vectors for neighbour search.

After Gower (1971), "A general coefficient of similarity and some of its properties": each number is scaled by
its range, each category counts as the same or different, so that no unit outweighs another. The squared
Euclidean distance between two vectors is then the sum over the columns, each of which gives 0 to 1:

- a number (or a part of a date): the square of the difference, in ranges, of which it stands at most one outside;
- a category: 0 when the same, 1 when another, 1/2 beside one that was never seen;
- an image: the mean square of the difference between its pixels, 1/4 on average beside one that is missing; by an
  encoder, as two texts;
- a text: 1 - the cosine of the two texts' own vectors, which is 0 for the same and 1 for texts that share nothing
  (seldom a little more: folded vectors may point apart); 1/2 beside a text that is empty or says nothing known.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from releve.core.documents import DocumentPart
from releve.core.errors import BadInput
from releve.domain.neighbours.text_vectors import CellEncoder
from releve.domain.neighbours.vectors import MAX_DIMENSION
from releve.domain.schema.cells import ROUNDING

Arrays = Mapping[str, NDArray[Any]]
SAME_OR_DIFFERENT = math.sqrt(0.5)  # two different categories, or texts, are then at squared distance 1: a full range


class EmbedderDescription(DocumentPart):
    """An embedder without its encoders, which it only names: what they learned is large."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    categories: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...] = ()  # versions of the encoders
    images: tuple[str, ...] = ()  # the same; none where pixels are compared

    @model_validator(mode="before")
    @classmethod
    def _without_images(cls, described: Any) -> Any:
        """Models that were stored before images had encoders still serve."""
        return {"images": (), **described} if isinstance(described, dict) else described


@dataclass(frozen=True)
class Embedder:
    """How rows become vectors: per number its range, per category its known values, per text or image its encoder."""

    low: tuple[float, ...]
    high: tuple[float, ...]
    categories: tuple[tuple[str, ...], ...]
    texts: tuple[CellEncoder, ...] = ()
    images: tuple[CellEncoder, ...] = ()

    @classmethod
    def fit(
        cls,
        arrays: Arrays,
        *,
        encoder: Callable[[list[str]], CellEncoder] | None = None,
        pixels: Sequence[int] = (),
        image_encoder: CellEncoder | None = None,
    ) -> "Embedder":
        """Learn from `arrays_of_frame` of the rows to be searched.

        `encoder` learns from a column of texts; `pixels` of each image are the last of the numbers, and are compared
        where there is no `image_encoder`.
        """
        categories, texts = arrays.get("categories"), arrays.get("texts")
        low, high = _ranges(arrays["numbers"]) if "numbers" in arrays else ((), ())
        plain = len(low) - sum(pixels)
        sides = [math.sqrt(count) / 2 for count in pixels for _ in range(count)] if image_encoder is None else []
        return cls(
            low=(*low[:plain], *(0.5 - side for side in sides)),
            high=(*high[:plain], *(0.5 + side for side in sides)),
            categories=() if categories is None else tuple(tuple(sorted(set(column))) for column in categories.T),
            texts=() if texts is None or encoder is None else tuple(encoder(column.tolist()) for column in texts.T),
            images=() if image_encoder is None else (image_encoder,) * len(pixels),
        )

    def describe(self) -> EmbedderDescription:
        """For the model's description."""
        return EmbedderDescription(
            low=self.low,
            high=self.high,
            categories=self.categories,
            texts=tuple(encoder.version for encoder in self.texts),
            images=tuple(encoder.version for encoder in self.images),
        )

    @property
    def version(self) -> str:
        """12 hex digits; vectors of two versions are never comparable."""
        return hashlib.sha256(json.dumps(self.describe().model_dump(), sort_keys=True).encode()).hexdigest()[:12]

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        encoded = sum(encoder.dimension for encoder in (*self.texts, *self.images))
        return len(self.low) + sum(map(len, self.categories)) + encoded

    def check_dimension(self) -> None:
        """Raises BadInput, naming what makes most of a vector, where it is longer than an index holds."""
        parts = {
            "numbers, dates and pixels of images (a smaller size, or an encoder: neighbours.model)": len(self.low),
            "categories (fewer of them, or a column as text)": sum(map(len, self.categories)),
            "encoded texts and images (another encoder)": sum(each.dimension for each in (*self.texts, *self.images)),
        }
        if self.dimension > MAX_DIMENSION:
            largest = max(parts, key=lambda part: parts[part])
            raise BadInput(
                f"the vector of a row has {self.dimension:,} numbers, and an index holds at most {MAX_DIMENSION:,}; "
                f"{parts[largest]:,} are of {largest}"
            )

    def embed(self, arrays: Arrays, images: Sequence[Sequence[str]] = ()) -> NDArray[np.float32]:
        """Vectors, float32 (rows, dimension). A missing number stands in the middle of its range.

        `images`: the cells of each column of images, which encoders need whole.
        """
        blocks = [self._scaled(arrays["numbers"][:, : len(self.low)])] if self.low else []
        if self.categories:
            column_of, known = self._known
            blocks.append((arrays["categories"][:, column_of] == known) * SAME_OR_DIFFERENT)
        if self.texts:
            blocks += [
                encoder.encode(column.tolist()) * SAME_OR_DIFFERENT
                for column, encoder in zip(arrays["texts"].T, self.texts, strict=True)
            ]
        if self.images:
            blocks += [
                encoder.encode(cells) * SAME_OR_DIFFERENT for cells, encoder in zip(images, self.images, strict=True)
            ]
        return np.concatenate(blocks, axis=1, dtype=np.float32)

    def numbers_of(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Undo the scaling: (rows, numbers), as far as a vector tells; a missing one is the middle of its range."""
        low, high = np.array(self.low), np.array(self.high)
        return np.asarray(low + vectors[:, : len(self.low)].astype(np.float64) * (high - low))

    @cached_property
    def _scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Per number its lowest value, and what stands for one range: 1 where it does not vary."""
        low, high = np.array(self.low), np.array(self.high)
        varies = high - low > ROUNDING * np.maximum(np.abs(low), np.abs(high))
        return low, np.where(varies, high - low, 1.0)

    @cached_property
    def _known(self) -> tuple[NDArray[np.intp], NDArray[Any]]:
        """All known categories, and at which column each is."""
        column_of = np.repeat(np.arange(len(self.categories)), [len(known) for known in self.categories])
        return column_of, np.array(list(chain.from_iterable(self.categories)), dtype=object)

    def _scaled(self, numbers: NDArray[Any]) -> NDArray[Any]:
        low, span = self._scale
        in_ranges = (numbers - low) / span
        in_ranges[np.isnan(in_ranges)] = 0.5
        bounded: NDArray[Any] = np.minimum(np.maximum(in_ranges, -1.0), 2.0)  # of one row quicker than np.clip
        return bounded


def _ranges(numbers: NDArray[Any]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Lowest and highest present number per column; 0 and 0 where none is present."""
    absent = np.isnan(numbers)
    low, high = np.where(absent, np.inf, numbers).min(axis=0), np.where(absent, -np.inf, numbers).max(axis=0)
    empty = absent.all(axis=0)
    return tuple(np.where(empty, 0.0, low).tolist()), tuple(np.where(empty, 0.0, high).tolist())
