"""Rows made of two: the cells of some features from the row that is explained, the others from a reference row."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.neighbours.embedding import Arrays
from releve.domain.schema.cells import MISSING_TEXT
from releve.domain.schema.schema import Schema


@dataclass(frozen=True)
class HybridRows:
    """Features are the columns of the table: all parts of a date move together, the calendar of the time with them, and
    all pixels of an image.

    `row`: arrays of the one row; `references`: arrays of all reference rows, as `arrays_of_rows` makes them.
    """

    schema: Schema
    row: Arrays
    references: Arrays

    def arrays(self, taken: NDArray[np.bool_], of: NDArray[np.intp]) -> dict[str, NDArray[Any]]:
        """Return rows (n) whose features `taken` (n, features) are the row's, and the others those of `of` (n,)."""
        found = {block: cells.take(of, axis=0) for block, cells in self.references.items()}
        for block, cells in found.items():  # by calls that let other threads run
            np.copyto(cells, self.row[block], where=taken.take(self._feature_of[block], axis=1))
        return found

    @cached_property
    def differs(self) -> NDArray[np.bool_]:
        """Whether a model sees another cell of a feature in a reference row, (references, features)."""
        found = np.zeros((len(next(iter(self.references.values()))), len(self.schema.names)), dtype=bool)
        for block, cells in self.references.items():
            own = self.row[block]
            unequal = (cells != own) & ~((cells != cells) & (own != own))  # a missing number is unequal to itself
            for column, feature in enumerate(self._feature_of[block]):
                found[:, feature] |= unequal[:, column]
        return found

    def is_missing(self, feature: int, reference: int) -> bool:
        """Whether a reference row has no cell there."""
        cells = self._cells(self.references, feature, reference)
        return bool((cells != cells).all() or (cells == MISSING_TEXT).all())

    def key(self, feature: int, reference: int) -> bytes:
        """Return what a model sees of one cell of a reference row: the same bytes for the same cell."""
        cells = self._cells(self.references, feature, reference)
        return str(cells[0]).encode() if cells.dtype == object else cells.tobytes()

    def distance(self, feature: int, reference: int) -> float:
        """Return how far a cell of a reference row is from the row's, 0-1: see `changes.py`."""
        name = self.schema.names[feature]
        if name not in self.schema.numbers and name not in self.schema.dates:
            return 1.0
        own, other = (
            cells[0] for cells in (self._cells(self.row, feature, 0), self._cells(self.references, feature, reference))
        )
        every = np.append(self._column(self.references, feature)[:, 0], own).astype(np.float64)
        span = np.nanmax(every) - np.nanmin(every)
        return 1.0 if np.isnan(own) or not span else float(abs(float(other) - float(own)) / span)

    @cached_property
    def _feature_of(self) -> dict[str, NDArray[np.intp]]:
        """Return which feature each column of a block belongs to."""
        places = {name: place for place, name in enumerate(self.schema.names)}
        part_of = {part: name for name, parts in self.schema.feature_parts.items() for part in parts}
        part_of |= moved_along(self.schema)
        return {
            block: np.array([places[part_of.get(name, name)] for name in self._columns[block]], dtype=np.intp)
            for block in self.references
        }

    @cached_property
    def _columns(self) -> dict[str, list[str]]:
        return {"numbers": self.schema.model_numbers, **self.schema.text_blocks}

    def _cells(self, arrays: Arrays, feature: int, place: int) -> NDArray[Any]:
        return np.asarray(self._column(arrays, feature)[place])

    def _column(self, arrays: Arrays, feature: int) -> NDArray[Any]:
        """Return a feature's column, or columns of parts, (rows, parts); of a date its days come first."""
        block = next(block for block, features in self._feature_of.items() if feature in features)
        along, names = moved_along(self.schema), self._columns[block]
        places = np.flatnonzero(self._feature_of[block] == feature)
        return np.asarray(arrays[block][:, sorted(places, key=lambda place: names[place] in along)])


def moved_along(schema: Schema) -> dict[str, str]:
    """Return the calendar's features, which follow from the time, and the time, where a model sees both."""
    if schema.derived is None or schema.time is None or schema.time not in schema.names:
        return {}
    return dict.fromkeys(schema.derived.phases(schema.time), schema.time)


def changeable(schema: Schema) -> frozenset[str]:
    """Return the features that a caller can change: what is sent, but for the time where lags would move with it."""
    moves_lags = schema.derived is not None and bool(schema.derived.lags)
    return frozenset(schema.sent.names) - ({schema.time} if moves_lags and schema.time else set())
