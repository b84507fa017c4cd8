"""A brought model as a member of an ensemble: asked like a fitted pipeline, and fitted never."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.adapters.models.model_runtime import onnx_runner
from releve.core.errors import BadInput
from releve.core.formatting import listed
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label

if TYPE_CHECKING:
    import pandas as pd

KINDS = {"numbers": np.float32, "categories": object, "texts": object}  # of the table's blocks
_runner_of = lru_cache(maxsize=4)(onnx_runner)


class BroughtPipeline:
    """Answer by ONNX Runtime. It is plain data, so that a model file may hold it."""

    def __init__(self, onnx: bytes, columns: Mapping[str, Sequence[str]], classes: Sequence[Label]) -> None:
        """Take a graph with our inputs and output, the columns of each of its blocks, and the classes; none of a
        regression. By their names it finds them in a table that has got others since."""
        self.onnx = onnx
        self.columns = {block: list(names) for block, names in columns.items()}
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
        if gone := [name for names in self.columns.values() for name in names if name not in features.columns]:
            raise BadInput(f"a brought model asks for {listed(gone)}, which the table has no more; bring another model")
        arrays = {block: features[names].to_numpy(dtype=KINDS[block]) for block, names in self.columns.items()}
        return np.asarray(_runner_of(self.onnx)(arrays), dtype=np.float64)


def block_columns(schema: Schema) -> dict[str, list[str]]:
    """Return the columns of each block that a model of the table takes, in their order; no block that is empty."""
    blocks = {"numbers": schema.model_numbers} | schema.text_blocks
    return {name: columns for name, columns in blocks.items() if columns}
