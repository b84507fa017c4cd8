"""The profile of one column of a new table: the type that its cells have, and what stands in it.

A type is what nearly all present cells are (MOSTLY): the few others are issues, never a reason to take the column for
something else. Values are judged once each, however many cells they fill.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from releve.domain.ingestion.numerals import MOSTLY, is_grouped
from releve.domain.schema.cells import EXACT, LARGEST_NUMBER, TRUTH, as_date, as_number, is_missing, names_of, trimmed
from releve.domain.schema.columns import CATEGORY, DATE, IMAGE, NUMBER, REAL, TEXT
from releve.domain.schema.images import ENDINGS, is_image_text

if TYPE_CHECKING:
    import pandas as pd

MOST_LISTED = 30  # different values; a longer list is nobody's to keep up to date
TEXT_WORDS = 3  # words a cell, on average: "New York" is a name, a message has more
SENTENCE_WORDS = 5  # words a cell, on average: whole sentences, of which there are more than can be listed
TEXT_DISTINCT = 0.5  # share of different values among the present ones; a category repeats itself
PLAIN = str | REAL | bool | np.bool_ | date | datetime  # what a cell may be; all else is nested or unknown
CODE = re.compile(r"[+-]?0[0-9]+", re.ASCII)  # 007 and 01234 are names that happen to be digits
EXPONENT = re.compile(r"[0-9]+[eE][0-9]+", re.ASCII)
# 31/12/2024, 12.31.24, 2024/12/31: an issue, not read, since 03/04/2024 is two days.
OTHER_DATE = re.compile(r"(\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}[/.]\d{1,2}[/.]\d{1,2})([T ].*)?", re.ASCII)


@dataclass(frozen=True, eq=False)
class ColumnProfile:
    """A column's cells and what they are. `type` is None where every cell is missing."""

    name: str
    cells: "pd.Series[Any]"  # as found; None where missing
    counts: dict[Any, int]  # of each present value, the most frequent first
    type: str | None
    read: dict[Any, float]  # a number per value, of numbers and dates; NaN for one that is neither
    form: str = ""  # what the values look like beside their type: one of FORMS, "boolean", "nested" or ""
    markers: dict[Any, int] = field(default_factory=dict)  # that mean missing among numbers and dates (see `kept`)
    spellings: dict[str, dict[str, int]] = field(default_factory=dict)  # of a class, where there are several

    @property
    def kept(self) -> dict[Any, int]:
        """Return markers that are values like any, as Namibia's NA among categories and texts."""
        return {marker: count for marker, count in self.markers.items() if marker in self.counts}

    @property
    def present(self) -> int:
        return sum(self.counts.values())

    @property
    def missing(self) -> int:
        return len(self.cells) - self.present

    @cached_property
    def strange(self) -> dict[Any, int]:
        """Count the values that are not of the type."""
        return {value: self.counts[value] for value, number in self.read.items() if np.isnan(number)}

    @cached_property
    def distinct(self) -> int:
        """Count different values; 1 and 1.0 are one number."""
        if not self.is_ordered:
            return len(self.counts)
        return len(np.unique(self.known_numbers)) + len(self.strange)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """Return one number per row: the number itself, or a date's seconds since 1970; NaN where there is none."""
        return np.array([self.read.get(cell, np.nan) for cell in self.cells], dtype=np.float64)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """Return one whole number per row that stands for its value; -1 where it is missing."""
        place = {value: number for number, value in enumerate(self.counts)}
        return np.array([place.get(cell, -1) for cell in self.cells], dtype=np.int64)

    @cached_property
    def known_numbers(self) -> NDArray[np.float64]:
        """Return the same of the rows that have one."""
        return self.numbers[~np.isnan(self.numbers)]

    @property
    def is_ordered(self) -> bool:
        """Return whether its values are numbers or dates."""
        return self.type in READ

    @cached_property
    def is_whole(self) -> bool:
        """Return whether all its numbers are whole ones."""
        known = self.known_numbers
        return self.type == NUMBER and bool(len(known)) and bool((known == np.floor(known)).all())

    @cached_property
    def words(self) -> float:
        """Return the words a cell, on average."""
        return sum(len(str(value).split()) * count for value, count in self.counts.items()) / max(self.present, 1)

    @cached_property
    def is_listable(self) -> bool:
        """Return whether it has few values, and none that was seen only once.

        The chance that the next value is a new one is about (values seen once) / (values seen) (Good and Turing;
        Good 1953, "The population frequencies of species", Biometrika 40): nothing seen once, hardly anything unseen.
        """
        return 0 < self.distinct <= MOST_LISTED and min(self.counts.values()) > 1


def profile(
    name: str, cells: "pd.Series[Any]", *, as_text: bool, is_marker: Callable[[Any], bool] = lambda cell: False
) -> ColumnProfile:
    """Profile one column. `as_text`: all cells are text as in CSV, so that digits are numbers.

    is_marker: whether a cell means missing, should the others be numbers or dates.
    """
    import pandas as pd

    def counted(cells: list[Any]) -> dict[Any, int]:
        return dict(Counter(cell for cell in cells if cell is not None).most_common())

    plain: list[Any] = []
    is_nested = False
    for cell in cells.tolist():
        if is_missing(cell) or (isinstance(cell, str) and not trimmed(cell)):
            plain.append(None)
        elif isinstance(cell, PLAIN):
            plain.append(trimmed(cell) if isinstance(cell, str) else cell)
        else:  # lists and objects are counted and compared as their text
            plain.append(str(cell))
            is_nested = True
    counts = counted(plain)
    markers = {value: count for value, count in counts.items() if is_marker(value)}
    kind, form, read = _type({value: n for value, n in counts.items() if value not in markers}, as_text=as_text)
    if is_nested:
        kind, form, read = CATEGORY, "nested", {}
    if kind in (None, *READ):
        plain = [None if cell in markers else cell for cell in plain]
    return ColumnProfile(name, pd.Series(plain, dtype=object), counted(plain), kind, read, form, markers)


def as_names(profile: ColumnProfile) -> ColumnProfile:
    """Take whole numbers for names: what names a row is not counted with, nor rounded."""
    if profile.type != NUMBER or not profile.is_whole or profile.strange:
        return profile
    return replace(profile, type=CATEGORY, read={})


def _type(counts: dict[Any, int], *, as_text: bool) -> tuple[str | None, str, dict[Any, float]]:
    """Infer the type, the form, and each value as the number that it is."""
    total = sum(counts.values())

    def mostly(fits: Callable[[Any], bool]) -> bool:
        return sum(count for value, count in counts.items() if fits(value)) >= MOSTLY * total

    if not counts:
        return None, "", {}
    if mostly(lambda value: _is_truth(value) or (isinstance(value, str) and value.lower() in TRUTH)):
        return CATEGORY, "boolean", {}
    # Numbers as JSON and Parquet hold them, fractions among them: those too large for a model are numbers as well.
    are_measured = mostly(lambda value: isinstance(value, REAL) and not _is_truth(value)) and not all(
        map(names_of, counts)
    )
    for kind, read in READ.items():
        numbers = {value: read(value, as_text) for value in counts}
        known = sum(counts[value] for value, number in numbers.items() if not np.isnan(number))
        if known / total >= MOSTLY or (kind == NUMBER and are_measured):
            code = _code_form(counts) if kind == NUMBER else ""
            return (CATEGORY, code, {}) if code else (kind, "", numbers)
    if mostly(lambda value: isinstance(value, str) and (is_image_text(value) or value.lower().endswith(ENDINGS))):
        return IMAGE, "", {}
    texts = {str(value): count for value, count in counts.items()}
    words = sum(len(text.split()) * count for text, count in texts.items()) / total
    is_free = (words >= TEXT_WORDS and len(texts) > TEXT_DISTINCT * total) or (
        words >= SENTENCE_WORDS and len(texts) > MOST_LISTED
    )
    forms: dict[str, Callable[[Any], bool]] = {
        "quoted number": _is_quoted_number,
        "other date": lambda value: isinstance(value, str) and bool(OTHER_DATE.fullmatch(value)),
        # 1,5, and the whole numbers among such
        "grouped number" if as_text else "quoted grouped number": lambda value: (
            is_grouped(value) or _is_quoted_number(value)
        ),
    }
    return TEXT if is_free else CATEGORY, next((form for form, fits in forms.items() if mostly(fits)), ""), {}


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool | np.bool_)


def _is_quoted_number(value: Any) -> bool:
    return isinstance(value, str) and as_number(value) is not None


def _code_form(counts: dict[Any, int]) -> str:
    """Return how codes are written, where values that could be numbers are codes.

    Codes have leading zeros or more digits than a number keeps; of whole numbers alone, one such is enough. 1E5 beside
    10E4 are codes too: no program writes a number so (they write 1e+05 or 1.0E5).
    """
    texts = [value for value in counts if isinstance(value, str)]
    numbers = [value for value in counts if not isinstance(value, str)]
    if any(CODE.fullmatch(text) or (text.isdecimal() and int(text[:400]) > EXACT) for text in texts):
        return "code"
    if all(map(names_of, numbers)) and any(
        # As a float it would lose its last digits; a float beyond has lost them already.
        not isinstance(number, float | np.floating) and names_of(number) and EXACT < abs(number) <= LARGEST_NUMBER
        for number in numbers
    ):
        return "code"
    texts = [text for text in texts if as_number(text) is not None]
    exponents = [text for text in texts if EXPONENT.fullmatch(text)]
    is_code = exponents and all(text.isdecimal() or EXPONENT.fullmatch(text) for text in texts)
    return "exponent code" if is_code else ""


def _number(value: Any, as_text: bool) -> float:
    try:
        if isinstance(value, str):
            number = as_number(value) if as_text else None
        else:
            number = None if _is_truth(value) or not isinstance(value, REAL) else float(value)
    except OverflowError:  # an int that no float can hold
        number = None
    return np.nan if number is None or not abs(number) <= LARGEST_NUMBER else number


def _seconds(value: Any, as_text: bool) -> float:
    try:
        return float(np.datetime64(as_date(value), "us").astype(np.int64)) / 1e6
    except ValueError:
        return np.nan


READ: dict[str, Callable[[Any, bool], float]] = {NUMBER: _number, DATE: _seconds}
