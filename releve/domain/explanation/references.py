"""Reference rows: labelled rows that travel with a model, and that its answers are explained against."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from releve.core.documents import DocumentPart
from releve.domain.neighbours.vectors import row_ids
from releve.domain.prediction_log.records import Row
from releve.domain.schema.arrays import rows_of_frame
from releve.domain.schema.schema import BATCH, ROW, Schema
from releve.domain.schema.target import Label

if TYPE_CHECKING:
    import pandas as pd

REFERENCES = 32  # rows: all coalitions of a dozen features then ask 131,072 rows of the model
MOST_CHARACTERS = 4_000_000  # of their cells: images are large, and a model is loaded with them


class ReferenceRow(DocumentPart):
    """A labelled row that the model learned from."""

    cells: Row  # features, as /predict takes them
    label: Label
    batch: str
    row: int  # its position there, from 0
    row_id: str  # what the table's `id` column calls it; "" without one


class ReferenceRows(DocumentPart):
    """The rows that a version is explained by, for as long as it lives."""

    format: Literal[1] = 1
    rows: tuple[ReferenceRow, ...] = ()

    @classmethod
    def of(cls, learned: "pd.DataFrame", schema: Schema) -> "ReferenceRows":
        """Choose them among the rows that a model learned, in time order.

        One of each REFERENCES-th part of the rows as sorted by their label and then by time: their labels are spread as
        all labels are, and old and new ones are among them.
        """
        labels = learned[schema.target.name].tolist()
        ranks = {label: place for place, label in enumerate(schema.target.classes)}
        by_label = sorted(range(len(labels)), key=lambda place: ranks.get(labels[place], labels[place]))
        chosen = sorted(by_label[place] for place in _middles(len(by_label), REFERENCES))
        rows = learned.iloc[chosen]
        found = [
            ReferenceRow(cells=cells, label=label, batch=batch, row=row, row_id=row_id)
            for cells, label, batch, row, row_id in zip(
                rows_of_frame(schema, rows),
                rows[schema.target.name].tolist(),
                rows[BATCH].tolist(),
                rows[ROW].tolist(),
                row_ids(rows, schema.id) or [""] * len(rows),
                strict=True,
            )
        ]
        while sum(len(str(each.cells)) for each in found) > MOST_CHARACTERS and len(found) > 1:
            found = found[::2]
        return cls(rows=tuple(found))


def _middles(count: int, parts: int) -> Sequence[int]:
    """Return the middle place of each of `parts` equal parts of `count` places; all of them where there are fewer."""
    if count <= parts:
        return range(count)
    middles: list[int] = ((np.arange(parts) + 0.5) * count / parts).astype(int).tolist()
    return middles
