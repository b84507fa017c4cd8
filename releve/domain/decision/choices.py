"""Decisions about rows, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NUMBER = -1  # place of a decision that is a number, as of a regression


@dataclass(frozen=True, eq=False)
class Choices:
    """What is decided of each row, and what it is expected to cost."""

    places: NDArray[np.intp]  # (rows,) among the decisions of the table; NUMBER where `numbers` has it
    numbers: Floats  # (rows,)
    each: Floats  # (rows, decisions): what each decision of the table would be expected to cost
    expected: Floats  # (rows,): what is decided is expected to cost

    @classmethod
    def of_numbers(cls, numbers: Floats, expected: Floats, prices: Sequence[float]) -> "Choices":
        """Decide numbers, except where a decision with a fixed price is expected to cost less."""
        each = np.tile(np.array(prices, dtype=np.float64), (len(numbers), 1))
        with_number = np.column_stack([expected, each])
        best = with_number.argmin(axis=1)
        return cls(best - 1, numbers, each, with_number.min(axis=1))

    def __len__(self) -> int:
        return len(self.places)

    def replaced(self, rows: NDArray[np.bool_], place: int) -> "Choices":
        """Decide `place` where `rows` (rows,) says so."""
        return replace(
            self,
            places=np.where(rows, place, self.places),
            expected=np.where(rows, self.each[:, place], self.expected),
        )

    def take(self, rows: Any) -> "Choices":
        """Select rows by position or by a mask."""
        return Choices(self.places[rows], self.numbers[rows], self.each[rows], self.expected[rows])

    @classmethod
    def joined(cls, parts: Sequence["Choices"]) -> "Choices":
        """Put decisions about neighbouring rows together."""
        columns = ("places", "numbers", "each", "expected")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in columns))
