"""One column of a sample, looked at once: which type its cells have, and what stands in it.

A type is what nearly all present cells are (MOSTLY): the few others are told, never a reason to take the column for
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
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER, REAL, TEXT

if TYPE_CHECKING:
    import pandas as pd

MOST_LISTED = 30  # different values; a longer list is nobody's to keep up to date
TEXT_WORDS = 3  # words a cell, on average: "New York" is a name, a message has more
SENTENCE_WORDS = 5  # words a cell, on average: whole sentences, of which there are more than can be listed
TEXT_DISTINCT = 0.5  # share of different values among the present ones; a category repeats itself
PLAIN = str | REAL | bool | np.bool_ | date | datetime  # what a cell may be; all else is nested or unknown
CODE = re.compile(r"[+-]?0[0-9]+", re.ASCII)  # 007 and 01234 are names that happen to be digits
EXPONENT = re.compile(r"[0-9]+[eE][0-9]+", re.ASCII)
# 31/12/2024, 12.31.24, 2024/12/31: told, not read, since 03/04/2024 is two days.
OTHER_DATE = re.compile(r"(\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}|\d{4}[/.]\d{1,2}[/.]\d{1,2})([T ].*)?", re.ASCII)


@dataclass(frozen=True, eq=False)
class Profile:
    """A column's cells and what they are. `type` is None where every cell is missing."""

    name: str
    cells: "pd.Series[Any]"  # as found; None where missing
    counts: dict[Any, int]  # of each present value, the most frequent first
    type: str | None
    read: dict[Any, float]  # a number per value, of numbers and dates; NaN for one that is neither
    form: str = ""  # what the values look like beside their type: one of FORMS, "boolean", "nested" or ""
    markers: dict[str, int] = field(
        default_factory=dict
    )  # cells that mean missing among numbers and dates (see `kept`)
    spellings: dict[str, dict[str, int]] = field(default_factory=dict)  # of a class, where there are several

    @property
    def kept(self) -> dict[str, int]:
        """Markers that are values like any, as Namibia's NA among categories and texts."""
        return {marker: count for marker, count in self.markers.items() if marker in self.counts}

    @property
    def present(self) -> int:
        return sum(self.counts.values())

    @property
    def missing(self) -> int:
        return len(self.cells) - self.present

    @cached_property
    def strange(self) -> dict[Any, int]:
        """Values that are not of the type, and their counts."""
        return {value: self.counts[value] for value, number in self.read.items() if np.isnan(number)}

    @cached_property
    def distinct(self) -> int:
        """Different values; 1 and 1.0 are one number."""
        if not self.is_ordered:
            return len(self.counts)
        return len(np.unique(self.numbers[~np.isnan(self.numbers)])) + len(self.strange)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """One number per row: the number itself, or a date's seconds since 1970; NaN where there is none."""
        return np.array([self.read.get(cell, np.nan) for cell in self.cells], dtype=np.float64)

    @cached_property
    def codes(self) -> NDArray[np.int64]:
        """One whole number per row that stands for its value; -1 where it is missing."""
        place = {value: number for number, value in enumerate(self.counts)}
        return np.array([place.get(cell, -1) for cell in self.cells], dtype=np.int64)

    @property
    def is_ordered(self) -> bool:
        """Whether its values are numbers or dates."""
        return self.type in READ

    @cached_property
    def is_whole(self) -> bool:
        """Whether all its numbers are whole ones."""
        known = self.numbers[~np.isnan(self.numbers)]
        return self.type == NUMBER and bool(len(known)) and bool((known == np.floor(known)).all())

    @cached_property
    def words(self) -> float:
        """Words a cell, on average."""
        return sum(len(str(value).split()) * count for value, count in self.counts.items()) / max(self.present, 1)

    @cached_property
    def is_listable(self) -> bool:
        """Few values, and none that was seen only once.

        The chance that the next value is a new one is about (values seen once) / (values seen) (Good and Turing;
        Good 1953, "The population frequencies of species", Biometrika 40): nothing seen once, hardly anything unseen.
        """
        return 0 < self.distinct <= MOST_LISTED and min(self.counts.values()) > 1


def _is_no_marker(_: str) -> bool:
    return False


def profile(
    name: str, cells: "pd.Series[Any]", *, as_text: bool, is_marker: Callable[[str], bool] = _is_no_marker
) -> Profile:
    """Look at one column. `as_text`: all cells are text as in CSV, so that digits are numbers.

    is_marker: whether a text means missing, should the others be numbers or dates.
    """
    import pandas as pd

    found = [None if _is_empty(cell) else cell for cell in cells.tolist()]
    plain = [trimmed(cell) if isinstance(cell, str) else _plain(cell) for cell in found]
    counts = _counted(plain)
    markers = {value: count for value, count in counts.items() if isinstance(value, str) and is_marker(value)}
    kind, form, read = _type({value: n for value, n in counts.items() if value not in markers}, as_text=as_text)
    if any(cell is not None and not isinstance(cell, PLAIN) for cell in found):
        kind, form, read = CATEGORY, "nested", {}
    if kind in (None, *READ):
        plain = [None if isinstance(cell, str) and cell in markers else cell for cell in plain]
    return Profile(name, pd.Series(plain, dtype=object), _counted(plain), kind, read, form, markers)


def as_names(profile: Profile) -> Profile:
    """The same column with its whole numbers taken for names: what names a row is not counted with, nor rounded."""
    if profile.type != NUMBER or not profile.is_whole or profile.strange:
        return profile
    return replace(profile, type=CATEGORY, read={})


def _counted(cells: list[Any]) -> dict[Any, int]:
    return dict(Counter(cell for cell in cells if cell is not None).most_common())


def _plain(value: Any) -> Any:
    """A value that can be counted and compared: lists and objects as their text."""
    return value if value is None or isinstance(value, PLAIN) else str(value)


def _is_empty(cell: Any) -> bool:
    return is_missing(cell) or (isinstance(cell, str) and not trimmed(cell))


def _type(counts: dict[Any, int], *, as_text: bool) -> tuple[str | None, str, dict[Any, float]]:
    """Type, form, and each value as the number that it is; a value is read once for each type in question."""
    if not counts:
        return None, "", {}
    if _mostly(counts, _is_truth):
        return CATEGORY, "boolean", {}
    for kind, read in READ.items():
        numbers = {value: read(value, as_text) for value in counts}
        if _share(counts, numbers) >= MOSTLY or (kind == NUMBER and _are_measured(counts)):
            code = _code_form(counts) if kind == NUMBER else ""
            return (CATEGORY, code, {}) if code else (kind, "", numbers)
    return _word_type(counts), _word_form(counts, as_text=as_text), {}


def _word_type(counts: dict[Any, int]) -> str:
    texts = {str(value): count for value, count in counts.items()}
    present = sum(texts.values())
    words = sum(len(text.split()) * count for text, count in texts.items()) / present
    is_text = (words >= TEXT_WORDS and len(texts) > TEXT_DISTINCT * present) or (
        words >= SENTENCE_WORDS and len(texts) > MOST_LISTED
    )
    return TEXT if is_text else CATEGORY


def _word_form(counts: dict[Any, int], *, as_text: bool) -> str:
    forms = {"quoted number": _is_quoted_number, "other date": _is_other_date}
    forms["grouped number" if as_text else "quoted grouped number"] = _is_number_for_people
    return next((form for form, fits in forms.items() if _mostly(counts, fits)), "")


def _share(counts: dict[Any, int], numbers: dict[Any, float]) -> float:
    """Of the cells: how many were read as a number."""
    weights = np.fromiter(counts.values(), dtype=np.int64)
    return float(weights[~np.isnan(np.fromiter(numbers.values(), dtype=np.float64))].sum() / weights.sum())


def _mostly(counts: dict[Any, int], fits: Callable[[Any], bool]) -> bool:
    return sum(count for value, count in counts.items() if fits(value)) >= MOSTLY * sum(counts.values())


def _are_measured(counts: dict[Any, int]) -> bool:
    """Numbers as JSON and Parquet hold them, fractions among them: those too large for a model are numbers as well."""
    is_number = _mostly(counts, lambda value: isinstance(value, REAL) and not isinstance(value, bool | np.bool_))
    return is_number and not all(map(names_of, counts))


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool | np.bool_) or (isinstance(value, str) and value.lower() in TRUTH)


def _code_form(counts: dict[Any, int]) -> str:
    if _are_codes(counts):
        return "code"
    return "exponent code" if _are_exponents(counts) else ""


def _are_exponents(counts: dict[Any, int]) -> bool:
    """1E5 beside 10E4: no program writes a number so (they write 1e+05 or 1.0E5), but codes are."""
    texts = [value for value in counts if isinstance(value, str) and as_number(value) is not None]
    exponents = [text for text in texts if EXPONENT.fullmatch(text)]
    return bool(exponents) and all(text.isdecimal() or EXPONENT.fullmatch(text) for text in texts)


def _are_codes(counts: dict[Any, int]) -> bool:
    """Some text with leading zeros or more digits than a number keeps, or whole numbers alone of which one has them."""
    if any(isinstance(value, str) and _is_code(value) for value in counts):
        return True
    numbers = [value for value in counts if not isinstance(value, str)]
    return any(_is_inexact(value) for value in numbers) and all(map(names_of, numbers))


def _is_inexact(value: Any) -> bool:
    """A whole number that as a float would lose its last digits; a float beyond has lost them already."""
    is_float = isinstance(value, float | np.floating)
    return not is_float and bool(names_of(value)) and EXACT < abs(value) <= LARGEST_NUMBER


def _is_code(value: str) -> bool:
    """Leading zeros, or digits that a number could not keep."""
    return bool(CODE.fullmatch(value)) or (value.isdecimal() and int(value[:400]) > EXACT)


def _is_other_date(value: Any) -> bool:
    return isinstance(value, str) and bool(OTHER_DATE.fullmatch(value))


def _is_quoted_number(value: Any) -> bool:
    return isinstance(value, str) and as_number(value) is not None


def _is_number_for_people(value: Any) -> bool:
    """1,5, and the whole numbers among such."""
    return is_grouped(value) or _is_quoted_number(value)


def _number(value: Any, as_text: bool) -> float:
    if isinstance(value, str):
        number = as_number(value) if as_text else None
    else:
        number = None if isinstance(value, bool | np.bool_) or not isinstance(value, REAL) else _float(value)
    return np.nan if number is None or not abs(number) <= LARGEST_NUMBER else number


def _float(value: Any) -> float | None:
    try:
        return float(value)
    except OverflowError:  # an int that no float can hold
        return None


def _seconds(value: Any, as_text: bool) -> float:
    try:
        return float(np.datetime64(as_date(value), "us").astype(np.int64)) / 1e6
    except ValueError:
        return np.nan


READ: dict[str, Callable[[Any, bool], float]] = {NUMBER: _number, DATE: _seconds}
