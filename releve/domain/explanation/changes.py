"""What would change an answer: the smallest changes of one cell, to a value that a reference row has.

Values that rows really have are possible ones, each by itself; whether they fit the other cells, or can be brought
about, only a person knows. Sizes are Gower's (1971): of a number or date the distance as a share of the range that the
reference rows and this row span, of everything else 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from releve.domain.explanation.hybrids import HybridRows
from releve.domain.explanation.shapley import Floats, Masks

AskAll = Callable[[Masks, NDArray[np.intp]], Floats]  # as `Ask`, but for (n, outputs)
Decides = Callable[[Floats], NDArray[np.bool_]]  # whether answers (n, outputs) are another decision


@dataclass(frozen=True)
class CellChange:
    """One feature takes the cell of a reference row; `outputs` is the model's answer then."""

    feature: int
    reference: int
    size: float  # 0-1
    outputs: Floats


def smallest_changes(
    ask: AskAll, rows: HybridRows, decides: Decides, *, features: Sequence[int], most: int
) -> tuple[list[CellChange], int]:
    """Return the smallest change of each feature that brings another decision, smallest first; and how many were asked.

    `features`: that may be changed.
    """
    tried: dict[tuple[int, bytes], int] = {}
    for reference, feature in zip(*np.nonzero(rows.differs), strict=True):
        if feature in features and not rows.is_missing(feature, reference):
            tried.setdefault((int(feature), rows.key(feature, reference)), int(reference))
    if not tried:
        return [], 0
    changed, of = np.array([feature for feature, _ in tried]), np.array([*tried.values()])
    taken = np.ones((len(tried), rows.differs.shape[1]), dtype=bool)
    taken[np.arange(len(tried)), changed] = False
    outputs = ask(taken, of)
    found: dict[int, CellChange] = {}
    for place in np.flatnonzero(decides(outputs)):
        feature, reference = int(changed[place]), int(of[place])
        change = CellChange(feature, reference, rows.distance(feature, reference), outputs[place])
        known = found.get(feature)
        if known is None or change.size < known.size:
            found[feature] = change
    return sorted(found.values(), key=lambda each: each.size)[:most], len(tried)
