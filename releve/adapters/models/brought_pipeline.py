"""A brought model as a member of an ensemble: asked like a fitted pipeline, and fitted never."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.models.model_runtime import onnx_runner
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label

if TYPE_CHECKING:
    import pandas as pd

KINDS = {"numbers": np.float32, "categories": object, "texts": object}  # of the table's blocks
_runner_of = lru_cache(maxsize=4)(onnx_runner)


class BroughtPipeline:
    """Answer by ONNX Runtime. It is plain data, so that a model file may hold it."""

    def __init__(self, onnx: bytes, widths: Mapping[str, int], classes: Sequence[Label]) -> None:
        """Take a graph with our inputs and output, the columns of each block, and the classes; none of a regression."""
        self.onnx = onnx
        self.widths = dict(widths)
        self.classes = list(classes)

    @property
    def classes_(self) -> NDArray[Any]:
        return np.array(self.classes)

    def predict_proba(self, features: "pd.DataFrame") -> NDArray[np.float64]:
        """Answer the rows of a `model_frame`, (rows, classes)."""
        return self._answers(features)

    def predict(self, features: "pd.DataFrame") -> NDArray[Any]:
        """Answer (rows,): the most probable class, or the value."""
        answers = self._answers(features)
        return self.classes_[answers.argmax(axis=1)] if self.classes else answers[:, 0]

    def _answers(self, features: "pd.DataFrame") -> NDArray[np.float64]:
        arrays, start = {}, 0
        for block, width in self.widths.items():
            cells = features.iloc[:, start : start + width]
            arrays[block], start = cells.to_numpy(dtype=KINDS[block]), start + width
        return np.asarray(_runner_of(self.onnx)(arrays), dtype=np.float64)


def block_widths(schema: Schema) -> dict[str, int]:
    """Return the columns of each block that a model of the table takes, in their order."""
    blocks = {"numbers": schema.model_numbers} | schema.text_blocks
    return {name: len(columns) for name, columns in blocks.items() if columns}
