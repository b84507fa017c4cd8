"""Predictions of one model beside the true labels, as every metric takes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.schema.target import REGRESSION, Target

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ScoredPredictions:
    """One model's outputs for some rows, and their true labels.

    outputs: (rows, classes) probabilities in the order of target.classes, or (rows,) values.
    y_true: (rows,) the index of the label among the classes, or the true value.
    """

    outputs: Floats
    y_true: NDArray[Any]
    positive: int = 1  # index among the classes
    quantile: float = 0.5  # of the pinball loss
    blocks: NDArray[np.int64] | None = None  # (rows,) the holdout block of each row; None: one model predicted all

    @classmethod
    def of(
        cls,
        outputs: Any,
        labels: Sequence[Any],
        target: Target,
        *,
        quantile: float = 0.5,
        blocks: NDArray[np.int64] | None = None,
    ) -> "ScoredPredictions":
        """Put outputs beside labels as the table has them. Raises BadInput unless there is one output per label."""
        found = np.asarray(outputs, dtype=np.float64)
        if len(found) != len(labels):
            raise BadInput(f"{len(found)} predictions for {len(labels)} labelled rows; expected one per row")
        if target.task == REGRESSION:
            values = np.asarray(labels, dtype=np.float64)
            return cls(found.reshape(len(labels)), values, quantile=quantile, blocks=blocks)
        index = {label: number for number, label in enumerate(target.classes)}
        positive = index[target.classes[-1] if target.positive is None else target.positive]
        return cls(found, np.array([index[label] for label in labels], dtype=np.int64), positive, blocks=blocks)

    def __len__(self) -> int:
        return len(self.y_true)

    @property
    def y_proba(self) -> Floats:
        """Return probabilities (rows, classes). Raises ValueError for a regression, whose outputs are values."""
        if self.outputs.ndim == 1:
            raise ValueError("a regression has no probabilities; read outputs or y_pred")
        return self.outputs

    @property
    def y_pred(self) -> NDArray[Any]:
        """Return per row the index of the most probable class, -1 where no class has any probability; or the value."""
        if self.outputs.ndim == 1:
            return self.outputs
        return np.where(self.outputs.max(axis=1) > 0, self.outputs.argmax(axis=1), -1)

    @property
    def is_correct(self) -> NDArray[np.bool_]:
        """Return per row whether the most probable class is the label."""
        return np.asarray(self.y_pred == self.y_true)

    @property
    def is_multiclass(self) -> bool:
        return self.outputs.ndim == 2 and self.outputs.shape[1] > 2

    @property
    def scored_classes(self) -> list[int]:
        """List the classes that a one-vs-rest score averages over: all, or of two the positive one."""
        return list(range(self.outputs.shape[1])) if self.is_multiclass else [self.positive]

    @property
    def block_of_rows(self) -> NDArray[np.int64]:
        """Return the block of each row; 0 where there is only one."""
        return np.zeros(len(self), dtype=np.int64) if self.blocks is None else self.blocks

    def take(self, rows: Any) -> "ScoredPredictions":
        """Select rows by position or by a mask."""
        blocks = None if self.blocks is None else self.blocks[rows]
        return replace(self, outputs=self.outputs[rows], y_true=self.y_true[rows], blocks=blocks)

    def with_outputs(self, outputs: Floats) -> "ScoredPredictions":
        """Return the same rows, predicted by another model."""
        return replace(self, outputs=outputs)


def in_classes(probabilities: Floats, known: Sequence[Any], wanted: Sequence[Any]) -> Floats:
    """Map probabilities (rows, known classes) to (rows, wanted classes); a class that the model does not know has 0.

    Where the model knows classes that are no longer wanted, the other probabilities are conditioned on the label being
    none of those. A row whose whole probability was on them is all 0.
    """
    column = {label: probabilities[:, place] for place, label in enumerate(known)}
    found = np.column_stack([column.get(label, np.zeros(len(probabilities))) for label in wanted])
    if set(known) <= set(wanted):
        return found
    left = found.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(found, left, out=np.zeros_like(found), where=left > 0))
