"""The answers of one model beside the truth, as every metric takes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.schema.target import REGRESSION, Target

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sheet:
    """One model's answers to some rows, and the truth.

    answers: (rows, classes) probabilities in the order of target.classes, or (rows,) values. truth: (rows,) the
    place of the label among the classes, or the true value.
    """

    answers: Floats
    truth: NDArray[Any]
    positive: int = 1  # place among the classes
    quantile: float = 0.5  # of the pinball loss
    blocks: NDArray[np.int64] | None = None  # (rows,) the block of each row; None: all were answered by one model

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: Any) -> "Sheet":
        """The rows at these positions, or of this mask."""
        blocks = None if self.blocks is None else self.blocks[rows]
        return replace(self, answers=self.answers[rows], truth=self.truth[rows], blocks=blocks)

    def answered(self, answers: Floats) -> "Sheet":
        """The same rows, answered by another."""
        return replace(self, answers=answers)

    def beside(self, other: "Sheet") -> "Sheet":
        """The rows twice, with these answers and with those of another."""
        answers, truth = (np.concatenate(pair) for pair in ((self.answers, other.answers), (self.truth, other.truth)))
        return replace(self, answers=answers, truth=truth, blocks=np.tile(self.block_of_rows, 2))

    @property
    def block_of_rows(self) -> NDArray[np.int64]:
        """The block of each row; 0 where there is one."""
        return np.zeros(len(self), dtype=np.int64) if self.blocks is None else self.blocks

    @property
    def multiclass(self) -> bool:
        return self.answers.ndim == 2 and self.answers.shape[1] > 2

    @property
    def right(self) -> NDArray[np.bool_]:
        """Per row, whether the likeliest class is the label."""
        return np.asarray(self.named == self.truth)

    @property
    def named(self) -> NDArray[np.int64]:
        """Per row the place of the likeliest class; -1 where no class has a chance."""
        return np.where(self.answers.max(axis=1) > 0, self.answers.argmax(axis=1), -1)

    @property
    def asked(self) -> list[int]:
        """Classes that a score looks at one by one: all, or of two the positive one."""
        return list(range(self.answers.shape[1])) if self.multiclass else [self.positive]


def sheet(
    answers: Any,
    labels: Sequence[Any],
    target: Target,
    *,
    quantile: float = 0.5,
    blocks: NDArray[np.int64] | None = None,
) -> Sheet:
    """Answers (rows, classes) or (rows,) beside their labels. Raises BadInput unless there is one answer per label."""
    found = np.asarray(answers, dtype=np.float64)
    if len(found) != len(labels):
        raise BadInput(f"{len(found)} answers to {len(labels)} labelled rows; expected one answer per row")
    if target.task == REGRESSION:
        truth = np.asarray(labels, dtype=np.float64)
        return Sheet(found.reshape(len(labels)), truth, quantile=quantile, blocks=blocks)
    place = {label: number for number, label in enumerate(target.classes)}
    positive = place[target.classes[-1] if target.positive is None else target.positive]
    return Sheet(found, np.array([place[label] for label in labels], dtype=np.int64), positive, blocks=blocks)


def in_classes(probabilities: Floats, known: Sequence[Any], wanted: Sequence[Any]) -> Floats:
    """Probabilities (rows, known classes) as (rows, wanted classes); a class that the model does not know has none.

    Where the model knows classes that are no longer asked for, what it gave them is shared out over the others: its
    answer is one given that none of those is the label. A row where all was theirs is left without any chance.
    """
    column = {label: probabilities[:, place] for place, label in enumerate(known)}
    found = np.column_stack([column.get(label, np.zeros(len(probabilities))) for label in wanted])
    if set(known) <= set(wanted):
        return found
    left = found.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(found, left, out=np.zeros_like(found), where=left > 0))
