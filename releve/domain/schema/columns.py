"""Columns: what a cell of each type may hold, and how it is kept once it may.

One table, TYPES, says it for every type; `releve.domain.schema.frames` applies it to whole columns.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np

from releve.domain.schema.cells import (
    EXACT,
    LARGEST_NUMBER,
    MISSING_TEXT,
    TRUTH,
    fold,
    is_missing,
    names_of,
    shown,
    trimmed,
)
from releve.domain.schema.dates import as_date

NUMBER, DATE, CATEGORY, TEXT = "number", "date", "category", "text"
LONGEST_TEXT = 100_000  # characters, where a text column names no max_length: some thirty pages
REAL = int | float | np.integer | np.floating | Decimal
SCALAR = REAL | bool | np.bool_ | date | np.datetime64


@dataclass(frozen=True)
class Column:
    """One column: its type, what its cells may hold, and whether the model sees it."""

    name: str
    type: str
    min: float | datetime | None = None  # of a number or a date
    max: float | datetime | None = None
    categories: tuple[str, ...] | None = None
    ignore_case: bool = False  # of a category: whether spellings that differ in case or spaces alone are one
    max_length: int | None = None  # characters of a text
    nullable: bool = False
    feature: bool = True  # False: kept with the rows, never shown to the model, and never required

    def problem(self, value: Any) -> str | None:
        """Why `value` may not stand in this column, as a sentence part; None when it may."""
        if is_missing(value) or (self.type in (CATEGORY, TEXT) and isinstance(value, str) and not trimmed(value)):
            return None if self.nullable or not self.feature else f"is missing: it holds {_instead(value)}"
        return TYPES[self.type].problem(self, value)

    def typed(self, value: Any) -> Any:
        """A cell without problem as it is kept: float or NaN, datetime (UTC, no zone) or None, text or ""."""
        kept = self.named_by(value) or TYPES[self.type].typed(value)
        return fold(kept) if self.ignore_case and self.categories is None else kept

    def named_by(self, value: Any) -> str | None:
        """The category that a text, a whole number or a truth value names, or None.

        Whole numbers and truth values may come as CSV, Parquet and JSON hold them. An open list has every whole
        number; how other files would write a truth value, nobody knows.
        """
        if self.type != CATEGORY:
            return None
        if self.categories is None:
            return None if isinstance(value, str | bool | np.bool_) else next(iter(names_of(value)), None)
        if not isinstance(value, str):
            return next((name for name in names_of(value) if name in self.categories), None)
        return value if value in self.categories else self._spelled(trimmed(value))

    def _spelled(self, text: str) -> str | None:
        names = (text, *names_of(TRUTH.get(text.lower())))
        named = next((name for name in names if name in (self.categories or ())), None)
        return self._folded.get(fold(text)) if named is None else named

    @cached_property
    def _folded(self) -> dict[str, str]:
        """The first category of each spelling; none where spellings are told apart."""
        return {fold(name): name for name in reversed(self.categories or ()) if self.ignore_case}


def typed_number(value: Any) -> float:
    """NaN where it is missing."""
    return math.nan if is_missing(value) else float(value)


def typed_date(value: Any) -> datetime | None:
    """UTC, without a zone. Raises ValueError for what is no date."""
    return None if is_missing(value) else as_date(value)


def typed_text(value: Any) -> str:
    """A missing one is empty."""
    return MISSING_TEXT if is_missing(value) else trimmed(str(value))


def _instead(value: Any) -> str:
    """What stands in a missing cell."""
    if isinstance(value, str):
        return "an empty text"
    return "NaN" if isinstance(value, float | np.floating) else "nothing"


def _number_problem(column: Column, value: Any) -> str | None:
    if isinstance(value, bool | np.bool_) or not isinstance(value, REAL):
        return f"is {shown(value)}, expected a number"
    # An int is compared as it is: a huge one has no float.
    if not abs(value if isinstance(value, int) else float(value)) <= LARGEST_NUMBER:
        return f"is {str(value)[:20]}, expected a finite number up to {LARGEST_NUMBER:.2g}"
    return _outside(column, value, value)


def _date_problem(column: Column, value: Any) -> str | None:
    try:
        return _outside(column, as_date(value), value)
    except ValueError as error:
        return f"is {shown(value)}, {error}"


def _category_problem(column: Column, value: Any) -> str | None:
    is_exact = not isinstance(value, float | np.floating) or abs(float(value)) <= EXACT
    if not column.feature and column.categories is None and isinstance(value, SCALAR) and is_exact:
        return None  # kept as its text: a row is not rejected for what no model sees
    if column.categories is not None:
        return (
            None
            if column.named_by(value) is not None
            else f"is {shown(value)}, expected one of {', '.join(column.categories)}"
        )
    if isinstance(value, str):
        return _unwritable(value)
    if column.named_by(value) is not None:
        return None
    if isinstance(value, float | np.floating) and EXACT < abs(float(value)) < math.inf:
        return f"is {shown(value)}, a number that has lost its last digits; write names of more than 15 digits as text"
    return f"is {shown(value)}, expected text or a whole number"


def _text_problem(column: Column, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"is {shown(value)}, expected text"
    most = LONGEST_TEXT if column.max_length is None else column.max_length
    if len(value) > most and len(trimmed(value)) > most:
        return f"has {len(value)} characters, expected at most {most}"
    return _unwritable(value)


def _outside(column: Column, value: Any, found: Any) -> str | None:
    """`value` is compared, `found` is how it came."""
    if column.min is not None and value < column.min:
        return f"is {found}, expected at least {_limit(column.min)}"
    if column.max is not None and value > column.max:
        return f"is {found}, expected at most {_limit(column.max)}"
    return None


def _limit(limit: float | datetime) -> str:
    return f"{limit:g}" if isinstance(limit, int | float) else limit.isoformat()


def _unwritable(text: str) -> str | None:
    """JSON can escape half a character (a lone surrogate); no file can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate), which no file can hold"
    return None


@dataclass(frozen=True)
class Type:
    """What makes a column's type: the rule for a present cell, and how it is kept."""

    problem: Callable[[Column, Any], str | None]
    typed: Callable[[Any], Any]  # of a missing cell too
    dtype: str  # of a checked frame's column
    keys: frozenset[str]  # of `columns.<name>` in params.yaml, beside those that every type knows
    repeats: bool = False  # whether few values make many cells, so that each is judged once


TYPES = {  # in the order of the models' input
    NUMBER: Type(_number_problem, typed_number, "float64", frozenset({"min", "max"})),
    DATE: Type(_date_problem, typed_date, "datetime64[us]", frozenset({"min", "max"}), repeats=True),
    CATEGORY: Type(_category_problem, typed_text, "object", frozenset({"categories", "ignore_case"}), repeats=True),
    TEXT: Type(_text_problem, typed_text, "object", frozenset({"max_length"})),
}
