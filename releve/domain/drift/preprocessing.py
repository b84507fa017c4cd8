"""Cells as they are compared: each type has one form, in whatever form its cells travelled.

A reference comes from a file, answers come from JSON: 1, 1.0, "1" and True name one category, and a nullable, a
pyarrow and a plain column of numbers hold the same numbers. What cannot be read is counted, and missing from then on.
Rows are sampled before cells are copied or cleaned, so that a million rows a side cost what twenty thousand do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.drift.variance_inflation import MOST_ROWS, choose_places
from releve.domain.schema.cells import MISSING_TEXT, as_date, as_number, is_missing
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, NUMBER, TEXT, Column

if TYPE_CHECKING:
    import pandas as pd

REAL = int | float | np.integer | np.floating | np.bool_ | Decimal
TRUTH = {"true": "1", "false": "0"}  # by the text in lower case: some writers know no truth values
UNREADABLE = object()
MOST_TEXTS = 2_000  # of a side; a text costs some 0.1 ms
MOST_IMAGES = 500  # of a side; a photo of a megapixel costs some 10 ms
MOST_FITTED = 1_000
FITTED_SHARE = 3  # at most one text in so many
DIRECTIONS = 8
HASHED = 2**12  # n-grams that are kept apart
MOST_CHARACTERS = 2_000  # of a text
SEED = 7  # of the directions


@dataclass(frozen=True, eq=False)
class Cells:
    """One column's cells. `values`: float64 of numbers and dates (NaN is missing), else str (None is missing)."""

    values: NDArray[Any]
    unreadable: int = 0  # present cells that are no value of the type; they are missing in `values`
    example: str = ""  # the first of them, as a sentence shows it

    @property
    def missing(self) -> NDArray[np.bool_]:
        import pandas as pd

        return np.asarray(pd.isna(self.values))


@dataclass(frozen=True, eq=False)
class Pair:
    """One column of both sides. Arrays of float64, NaN where a cell is missing: numbers, codes of categories, vectors
    of texts and images (rows, parts)."""

    column: Column
    before: NDArray[np.float64]
    now: NDArray[np.float64]
    windows: tuple[NDArray[np.float64], ...]  # past windows of the reference, the oldest first
    unreadable: tuple[Cells, Cells]  # before, now: what could not be read
    names: tuple[str, ...] = ()  # of the categories, by code
    of_predictions: bool = False  # the champion's predictions, and no column of the table

    @property
    def tries(self) -> int:
        """Tests that the column takes: one for each part of a vector."""
        return 1 if self.before.ndim == 1 else self.before.shape[1]

    @property
    def present(self) -> int:
        """Present cells of the side that has fewer."""
        return min(len(present_of(side)) for side in (self.before, self.now))

    @property
    def missing(self) -> tuple[float, float]:
        """Share 0-1 of cells that are missing: before, now."""
        before, now = self.unreadable
        return float(before.missing.mean()), float(now.missing.mean())


def pair_of(column: Column, reference: "pd.Series[Any]", current: "pd.Series[Any]") -> Pair:
    """Sample, clean and encode the cells of both sides; both need a row."""
    import pandas as pd

    most = {TEXT: MOST_TEXTS, IMAGE: MOST_IMAGES}.get(column.type, MOST_ROWS)
    places = choose_places(len(reference), len(current), most=most)
    seen = np.unique(np.concatenate([places.reference, *places.windows]))
    before, now = clean(column, reference.iloc[seen]), clean(column, current.iloc[places.current])
    names: tuple[str, ...] = ()
    known, newer = before.values, now.values
    if column.type == CATEGORY:
        codes, uniques = pd.factorize(np.concatenate([known, newer]))
        numbered = np.where(codes < 0, np.nan, codes.astype(np.float64))
        known, newer, names = numbered[: len(known)], numbered[len(known) :], tuple(map(str, uniques))
    elif column.type == TEXT:
        known, newer = _encode_texts(known, newer)
    elif column.type == IMAGE:
        known, newer = _light_and_contrast(column, known), _light_and_contrast(column, newer)
    sides = [known[np.searchsorted(seen, chosen)] for chosen in (places.reference, *places.windows)]
    return Pair(column, sides[0], newer, tuple(sides[1:]), (before, now), names)


def _encode_texts(before: NDArray[Any], now: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Texts that directions were learned from take no part in the comparison: they are missing."""
    present = np.flatnonzero([text is not None for text in before])
    count = min(MOST_FITTED, len(present) // FITTED_SHARE)
    if not count:
        return np.full((len(before), 1), np.nan), np.full((len(now), 1), np.nan)
    fitted = np.sort(np.random.default_rng(SEED).choice(present, count, replace=False))  # spread over the reference
    vectors = TextVectors.fit(before[fitted].tolist())
    known = vectors.encode(before.tolist())
    known[fitted] = np.nan
    return known, vectors.encode(now.tolist())


def _light_and_contrast(column: Column, images: NDArray[Any]) -> NDArray[np.float64]:
    """Mean and deviation of the pixels that the model sees, (images, 2): another camera, lamp or lens shows in them."""
    found = np.full((len(images), 2), np.nan)
    for place, cell in enumerate(images):
        if cell is not None:
            seen = column.pixels(cell).astype(np.float64)
            found[place] = np.round([seen.mean(), seen.std()], 9)
    return found


def present_of(side: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the present cells alone."""
    return side[~np.isnan(side if side.ndim == 1 else side[:, 0])]


def as_series(side: Sequence[float] | NDArray[Any], pair: Pair, part: int) -> "pd.Series[Any]":
    """Return a side as a report shows it: numbers, names of categories, or one part of the vectors."""
    import pandas as pd

    cells = np.asarray(side)
    if cells.ndim == 2:
        return pd.Series(cells[:, part])
    if not pair.names:
        return pd.Series(cells)
    return pd.Series([None if code != code else pair.names[int(code)] for code in cells], dtype=object)


def clean(column: Column, cells: "pd.Series[Any]") -> Cells:
    """Return the cells of `column` in the form of its type; the caller's cells are left alone."""
    import pandas as pd

    # machine types, nullable and pyarrow ones too; of dates only whether they are there: time always moves
    if column.type == DATE and pd.api.types.is_datetime64_any_dtype(cells.dtype):
        return Cells(np.where(cells.isna(), np.nan, 0.0))
    is_numeric = pd.api.types.is_numeric_dtype(cells.dtype) and not pd.api.types.is_complex_dtype(cells.dtype)
    if column.type == NUMBER and is_numeric:
        numbers = np.asarray(cells.to_numpy(np.float64, na_value=np.nan))
        finite = np.isfinite(numbers)
        bad = ~finite & ~np.isnan(numbers)
        return Cells(
            np.where(finite, numbers, np.nan), int(bad.sum()), column.shown(float(numbers[bad][0])) if bad.any() else ""
        )
    known: dict[str, Any] = {}
    read, unreadable, example = [], 0, ""
    for value in cells.to_numpy(object):
        # Texts repeat and are dear to read; 1 and True are one key of a dictionary, and two different cells.
        if type(value) is str and value in known:
            read.append(known[value])
            continue
        absent = is_missing(value) or (isinstance(value, str) and value == MISSING_TEXT)
        cell = None if absent else _read(column, value)
        if cell is UNREADABLE:
            unreadable, example, cell = unreadable + 1, example or column.shown(value), None
        elif type(value) is str:
            known[value] = cell
        read.append(cell)
    if column.type in (NUMBER, DATE):
        return Cells(np.array(read, dtype=np.float64), unreadable, example)
    objects = np.empty(len(read), dtype=object)
    objects[:] = read
    return Cells(objects, unreadable, example)


def _read(column: Column, value: Any) -> Any:
    """One cell that is there, or UNREADABLE."""
    if column.type == NUMBER:
        try:
            number = as_number(value) if isinstance(value, str) else float(value) if isinstance(value, REAL) else None
        except OverflowError:  # a whole number beyond all floats
            number = None
        return UNREADABLE if number is None or not np.isfinite(number) else number
    if column.type == DATE:
        try:
            return 0.0 if isinstance(as_date(value), datetime) else UNREADABLE
        except (ValueError, OverflowError):
            return UNREADABLE
    if column.type == TEXT:
        return value if isinstance(value, str) else UNREADABLE
    if column.type == IMAGE:
        return value if column.problem(value) is None else UNREADABLE
    # one text for each category; a listed category keeps its own name, whatever form it came in
    if named := column.named_by(value):
        return named
    if isinstance(value, bool | np.bool_):
        return str(int(value))
    text = column.typed(value) if isinstance(value, str) else str(value)
    whole, point, rest = text.partition(".")
    if point and rest and not rest.strip("0") and whole.lstrip("+-").isdigit():
        return whole
    return TRUTH.get(text.lower(), text)


@dataclass(frozen=True, eq=False)
class TextVectors:
    """Texts as short vectors that a two-sample test can compare: their content, and how much of it is new.

    Hashed character n-grams inside words, folded to the directions in which the reference varies most, then a test for
    each direction: Rabanser, Günnemann & Lipton (2019), "Failing Loudly", call this the most powerful of the cheap
    ways. The last two parts are what no direction holds (new words end there) and the length. Directions are learned
    from rows of the reference that are not compared afterwards: a text seems more familiar to directions that it
    helped to choose.
    """

    axes: NDArray[np.float64]  # (HASHED, directions)

    @classmethod
    def fit(cls, texts: Sequence[str]) -> "TextVectors":
        """Learn at most DIRECTIONS directions."""
        from sklearn.utils.extmath import randomized_svd

        counted = _counted(texts)
        _, _, axes = randomized_svd(counted, min(DIRECTIONS, *counted.shape), random_state=SEED)
        return cls(axes.T)

    def encode(self, texts: Sequence[str | None]) -> NDArray[np.float64]:
        """Vectors (texts, directions + 2): directions, the share that none of them holds, log of the length."""
        present = [place for place, text in enumerate(texts) if text is not None]
        vectors = np.full((len(texts), self.axes.shape[1] + 2), np.nan)
        if present:
            known = [str(texts[place]) for place in present]
            folded = np.asarray(_counted(known) @ self.axes)
            left = 1 - (folded**2).sum(axis=1)
            lengths = np.log1p([len(text) for text in known])
            vectors[present] = np.round(np.column_stack([folded, left, lengths]), 9)  # equal texts are equal vectors
        return vectors


def _counted(texts: Sequence[str]) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    counter = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 3), n_features=HASHED, alternate_sign=False)
    return counter.transform([text[:MOST_CHARACTERS] for text in texts])
