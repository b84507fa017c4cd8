"""One column of both sides, cleaned and in the arrays that tests take.

Rows are sampled before cells are copied or cleaned, so that a million rows a side cost what twenty thousand do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.drift.drift_cells import Cells, clean
from releve.domain.drift.drift_normal import MOST_ROWS, Places, choose_places
from releve.domain.drift.drift_texts import MOST_TEXTS, TextVectors, choose_fitted
from releve.domain.schema.columns import CATEGORY, NUMBER, TEXT, Column

if TYPE_CHECKING:
    import pandas as pd

MOST = {TEXT: MOST_TEXTS}  # rows of a side, by type; MOST_ROWS of others


@dataclass(frozen=True, eq=False)
class Pair:
    """Arrays of float64, NaN where a cell is missing: numbers, codes of categories, vectors of texts (rows, parts)."""

    column: Column
    before: NDArray[np.float64]
    now: NDArray[np.float64]
    windows: tuple[NDArray[np.float64], ...]  # past windows of the reference, the oldest first
    unreadable: tuple[Cells, Cells]  # before, now: what could not be read
    names: tuple[str, ...] = ()  # of the categories, by code
    of_answers: bool = False  # the champion's answers, and no column of the table

    @property
    def tries(self) -> int:
        """Tests that the column takes: one for each part of a vector."""
        return 1 if self.before.ndim == 1 else self.before.shape[1]

    @property
    def present(self) -> int:
        """Present cells of the side that has fewer."""
        return min(int((~_missing(side)).sum()) for side in (self.before, self.now))

    @property
    def missing(self) -> tuple[float, float]:
        """Share 0-1 of cells that are missing: before, now."""
        before, now = self.unreadable
        return float(before.missing.mean()), float(now.missing.mean())


def pair_of(column: Column, reference: "pd.Series[Any]", current: "pd.Series[Any]") -> Pair:
    """Sample, clean and encode the cells of both sides; both need a row."""
    places = choose_places(len(reference), len(current), most=MOST.get(column.type, MOST_ROWS))
    seen = _union(places)
    before, now = clean(column, reference.iloc[seen]), clean(column, current.iloc[places.current])
    encode = ENCODERS.get(column.type, _as_they_are)
    known, found, names = encode(before.values, now.values)
    sides = [known[np.searchsorted(seen, chosen)] for chosen in (places.reference, *places.windows)]
    return Pair(column, sides[0], found, tuple(sides[1:]), (before, now), names)


def _union(places: Places) -> NDArray[np.intp]:
    return np.unique(np.concatenate([places.reference, *places.windows]))


Encoded = tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]


def _as_they_are(before: NDArray[Any], now: NDArray[Any]) -> Encoded:
    return before, now, ()


def _codes(before: NDArray[Any], now: NDArray[Any]) -> Encoded:
    import pandas as pd

    codes, names = pd.factorize(np.concatenate([before, now]))
    numbered = np.where(codes < 0, np.nan, codes.astype(np.float64))
    return numbered[: len(before)], numbered[len(before) :], tuple(map(str, names))


def _vectors(before: NDArray[Any], now: NDArray[Any]) -> Encoded:
    """Texts that directions were learned from take no part in the comparison: they are missing."""
    fitted = choose_fitted(before)
    if not len(fitted):
        return np.full((len(before), 1), np.nan), np.full((len(now), 1), np.nan), ()
    vectors = TextVectors.fit(before[fitted].tolist())
    known = vectors.encode(before.tolist())
    known[fitted] = np.nan
    return known, vectors.encode(now.tolist()), ()


ENCODERS = {NUMBER: _as_they_are, CATEGORY: _codes, TEXT: _vectors}


def _missing(side: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isnan(side if side.ndim == 1 else side[:, 0])


def present_of(side: NDArray[np.float64]) -> NDArray[np.float64]:
    """The present cells alone."""
    return side[~_missing(side)]


def as_series(side: Sequence[float] | NDArray[Any], pair: Pair, part: int) -> "pd.Series[Any]":
    """A side as a report shows it: numbers, names of categories, or one part of the vectors."""
    import pandas as pd

    cells = np.asarray(side)
    if cells.ndim == 2:
        return pd.Series(cells[:, part])
    if not pair.names:
        return pd.Series(cells)
    return pd.Series([None if code != code else pair.names[int(code)] for code in cells], dtype=object)
