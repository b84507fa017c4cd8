"""Whether an exported model answers like the pipeline it came from: on real rows, and on rows made to be hard.

Real rows seldom hold what breaks an export: a value missing where none was yet, a category nobody has seen, the
largest number that may be asked.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.schema.arrays import rows_of_frame
from releve.domain.schema.cells import LARGEST_NUMBER
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, NUMBER, TEXT, Column
from releve.domain.schema.examples import example_cells
from releve.domain.schema.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]  # cells by column, as `predict` takes them
BASE_ROWS = 4  # real rows, spread over all, that each case is tried on
UNSEEN = "a category that nobody has seen"
FIRST_DAY, LAST_DAY = "0001-01-01", "9999-12-31"
FAR_SPREADS = 1e6  # a value so many deviations off is no answer any more: only its direction is compared


def made_rows(frame: "pd.DataFrame", schema: Schema) -> list[Row]:
    """Make rows that `predict` takes: a few of `frame` (checked rows), and each again with every hard cell.

    First one column at a time, then all columns at once.
    """
    base = rows_of_frame(schema, frame.iloc[np.linspace(0, len(frame) - 1, min(BASE_ROWS, len(frame))).astype(int)])
    hard = {
        column.name: [*HARD_CELLS[column.type](column), *([None] if column.nullable else [])]
        for column in schema.features
    }
    changes: list[Row] = [{}, *({name: cell} for name, cells in hard.items() for cell in cells)]
    for position in range(max(map(len, hard.values()))):
        changes.append({name: cells[min(position, len(cells) - 1)] for name, cells in hard.items() if cells})
    return [{**row, **change} for change in changes for row in base]


def probabilities_problem(found: NDArray[Any], expected: NDArray[Any], *, tolerance: float) -> str | None:
    """Describe how probabilities (rows, classes) differ, as a sentence part; None when they do not."""
    chosen = np.take_along_axis(expected, found.argmax(axis=1)[:, None], axis=1)[:, 0]
    # Two classes that are as probable, as in a forest of an even number of trees, are no difference.
    other_labels = int((expected.max(axis=1) - chosen > tolerance).sum())
    gap = float(np.abs(found - expected).max())
    if not other_labels and gap <= tolerance:
        return None
    return f"gives another label on {other_labels} of {len(expected)} rows and probabilities up to {gap:.2g} apart"


def values_problem(found: NDArray[Any], expected: NDArray[Any], *, usual: NDArray[Any], tolerance: float) -> str | None:
    """Describe how values (rows, 1) differ, as a sentence part; None when they do not.

    `usual` are the pipeline's answers to real rows: a gap counts in shares of their standard deviation, or of the
    answer's own distance from their median where that is more.
    """
    middle = float(np.median(usual))
    spread = float(np.std(usual)) or abs(middle) or 1.0
    far = FAR_SPREADS * spread
    own, other = np.clip(expected - middle, -far, far), np.clip(found - middle, -far, far)
    gaps = np.abs(other - own) / np.maximum(np.abs(own), spread)
    differ = int((~(gaps <= tolerance)).sum())  # NaN is no answer either
    if not differ:
        return None
    return f"gives another value on {differ} of {len(expected)} rows, up to {gaps.max():.2g} of the usual spread apart"


def _limits(column: Column, low: Any, high: Any) -> list[Any]:
    return [low if column.min is None else column.min, high if column.max is None else column.max]


HARD_CELLS: Mapping[str, Callable[[Column], list[Any]]] = {
    NUMBER: lambda column: _limits(column, -LARGEST_NUMBER, LARGEST_NUMBER),
    DATE: lambda column: _limits(column, FIRST_DAY, LAST_DAY),
    CATEGORY: lambda column: list(column.categories or [UNSEEN]),
    TEXT: lambda column: [],  # a table with texts is not exported
    IMAGE: lambda column: list(example_cells(column)),  # all black, all white
}
