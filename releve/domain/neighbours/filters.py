"""Conditions on what an index keeps beside its vectors: those that a search asks for, and those that try it."""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from releve.domain.neighbours.vectors import BATCH, LABEL, Entries, check_text

COMMON = 8  # values of a field that filters are drawn from, the most frequent
SHARES = (0.5, 0.16, 0.05)  # of the rows that a drawn filter leaves, as near as the values allow
LEAST_ROWS = 10  # that a drawn filter leaves: as many as neighbours are asked for


@dataclass(frozen=True)
class Condition:
    """What a field of a row has to be: `value`, or a text from `low` to `high`, both included, by code points.

    Raises BadInput for a text that no index holds.
    """

    field: str  # LABEL, BATCH, or a column of IndexDesign.filters
    value: str | None = None
    low: str | None = None
    high: str | None = None

    def __post_init__(self) -> None:
        for text in (self.value, self.low, self.high):
            if text is not None:
                check_text(text)


Filter = tuple[Condition, ...]  # all have to hold


def matching(entries: Entries, conditions: Filter) -> NDArray[np.bool_]:
    """Per row, whether it meets every condition."""
    matches = np.ones(len(entries), dtype=bool)
    for each in conditions:
        texts = np.array(entries.column(each.field), dtype=object)
        if each.value is not None:
            matches &= texts == each.value
        if each.low is not None:
            matches &= texts >= each.low
        if each.high is not None:
            matches &= texts <= each.high
    return matches


def draw_filters(entries: Entries) -> list[tuple[Filter, NDArray[np.bool_]]]:
    """Filters of one or two conditions that leave about SHARES of the rows, widest first, and the rows they leave."""
    single: list[tuple[Filter, NDArray[np.bool_]]] = []
    for field in (LABEL, BATCH, *entries.kept):
        for value, _ in Counter(entries.column(field)).most_common(COMMON):
            condition = (Condition(field, value),)
            single.append((condition, matching(entries, condition)))
    pairs = [
        ((*one, *other), rows & also)
        for (one, rows), (other, also) in combinations(single, 2)
        if one[0].field != other[0].field
    ]
    candidates = [(each, rows) for each, rows in [*single, *pairs] if LEAST_ROWS <= rows.sum() < len(entries)]
    drawn: dict[Filter, NDArray[np.bool_]] = {}
    for share in SHARES if candidates else ():
        nearest, rows = min(candidates, key=lambda candidate: abs(np.log(candidate[1].mean() / share)))
        drawn.setdefault(nearest, rows)
    return list(drawn.items())
