"""Columns: what a cell of each type may hold, how it is kept, and how params.yaml describes it.

TYPES has one entry for each type; `releve.domain.schema.validation` applies it to rows and to whole columns.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.errors import BadInput
from releve.domain.schema.cells import (
    EXACT,
    LARGEST_NUMBER,
    MISSING_TEXT,
    TRUTH,
    as_date,
    fold,
    format_value,
    is_missing,
    names_of,
    trimmed,
)
from releve.domain.schema.images import MAX_BYTES, MAX_PIXELS, MODE, MODES, MOST_SIDE, SIZE, UnreadImage, decode, pixels
from releve.domain.schema.personal import HIDDEN

NUMBER, DATE, CATEGORY, TEXT, IMAGE = "number", "date", "category", "text", "image"
KEPT_AS_TEXT = (CATEGORY, TEXT, IMAGE)
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
    size: tuple[int, int] = SIZE  # width and height at which the model sees an image
    mode: str = MODE  # of MODES: in which colours it does
    max_bytes: int = MAX_BYTES  # of an image's file
    max_pixels: int = MAX_PIXELS  # of an image, before it is made smaller
    nullable: bool = False
    feature: bool = True  # False: kept with the rows, never shown to the model, and never required
    personal: bool = False  # whether its cells say something of a person: see `releve.domain.schema.personal`

    def problem(self, value: Any) -> str | None:
        """Return why `value` may not stand in this column, as a sentence part; None when it may."""
        if is_missing(value) or (self.type in KEPT_AS_TEXT and isinstance(value, str) and not trimmed(value)):
            if self.nullable or not self.feature:
                return None
            empty = "NaN" if isinstance(value, float | np.floating) else "empty"
            return f"is {'an empty text' if isinstance(value, str) else empty}, expected a value"
        reason = TYPES[self.type].problem(self, value)
        # The reason repeats the cell, or a part of it: no other word of it may be shown.
        return f"is {HIDDEN}, expected {self.expected}" if reason and self.personal else reason

    @property
    def expected(self) -> str:
        """Say what a cell may be, by the schema alone."""
        limits = (("at least", self.min), ("at most", self.max), ("of at most", self.max_length))
        said = [
            f"{word} {limit.isoformat() if isinstance(limit, datetime) else f'{limit:g}'}"
            for word, limit in limits
            if limit is not None
        ]
        if self.categories:
            return f"one of {', '.join(self.categories)}"
        return ", ".join([TYPES[self.type].noun, *said]) + (" characters" if self.max_length else "")

    def shown(self, value: Any) -> str:
        """Format a cell for a message: its beginning, or what stands for it where it is personal."""
        return HIDDEN if self.personal else format_value(value)

    def typed(self, value: Any) -> Any:
        """Convert a cell without problem to what is kept: float or NaN, datetime (UTC, no zone) or None, text or ""."""
        kept = self.named_by(value) or TYPES[self.type].typed(value)
        return fold(kept) if self.ignore_case and self.categories is None else kept

    def named_by(self, value: Any) -> str | None:
        """Return the category that a text, a whole number or a truth value names, or None.

        Whole numbers and truth values may come as CSV, Parquet and JSON hold them. Without a list of categories every
        whole number is one, and a truth value is none: files write it in several ways.
        """
        if self.type != CATEGORY:
            return None
        if self.categories is None:
            return None if isinstance(value, str | bool | np.bool_) else next(iter(names_of(value)), None)
        if not isinstance(value, str):
            return next((name for name in names_of(value) if name in self.categories), None)
        if value in self.known:
            return value
        text = trimmed(value)
        named = next((name for name in (text, *names_of(TRUTH.get(text.lower()))) if name in self.categories), None)
        return self._folded.get(fold(text)) if named is None else named

    def pixels(self, cell: str) -> NDArray[np.float32]:
        """Return what the model sees of an image. Raise ValueError with the reason, as a sentence part."""
        image = decode(cell, max_bytes=self.max_bytes, max_pixels=self.max_pixels)
        return pixels(image, size=self.size, mode=self.mode)

    @cached_property
    def known(self) -> frozenset[str]:
        """The categories, where they are listed."""
        return frozenset(self.categories or ())

    @cached_property
    def _folded(self) -> dict[str, str]:
        """Map each folded spelling to its first category; empty unless case is ignored."""
        return {fold(name): name for name in reversed(self.categories or ()) if self.ignore_case}


def typed_number(value: Any) -> float:
    """Return NaN for a missing cell."""
    return math.nan if is_missing(value) else float(value)


def typed_date(value: Any) -> datetime | None:
    """Return a moment in UTC, without a zone. Raise ValueError for what is no date."""
    return None if is_missing(value) else as_date(value)


def typed_text(value: Any) -> str:
    """Return "" for a missing cell."""
    return MISSING_TEXT if is_missing(value) else trimmed(str(value))


def _number_problem(column: Column, value: Any) -> str | None:
    if isinstance(value, bool | np.bool_) or not isinstance(value, REAL):
        return f"is {format_value(value)}, expected a number"
    # An int is compared as it is: a huge one has no float.
    if not abs(value if isinstance(value, int) else float(value)) <= LARGEST_NUMBER:
        return f"is {str(value)[:20]}, expected a finite number up to {LARGEST_NUMBER:.2g}"
    return _outside(column, value, value)


def _date_problem(column: Column, value: Any) -> str | None:
    try:
        return _outside(column, as_date(value), value)
    except ValueError as error:
        return f"is {format_value(value)}, {error}"


def _category_problem(column: Column, value: Any) -> str | None:
    is_exact = not isinstance(value, float | np.floating) or abs(float(value)) <= EXACT
    if not column.feature and column.categories is None and isinstance(value, SCALAR) and is_exact:
        return None  # kept as its text: a row is not rejected for what no model sees
    if column.categories is not None:
        is_one = column.named_by(value) is not None
        return None if is_one else f"is {format_value(value)}, expected one of {', '.join(column.categories)}"
    if isinstance(value, str):
        return _unwritable(value)
    if column.named_by(value) is not None:
        return None
    if isinstance(value, float | np.floating) and EXACT < abs(float(value)) < math.inf:
        lost = "a number that has lost its last digits; write names of more than 15 digits as text"
        return f"is {format_value(value)}, {lost}"
    return f"is {format_value(value)}, expected text or a whole number"


def _text_problem(column: Column, value: Any) -> str | None:
    if not isinstance(value, str):
        return f"is {format_value(value)}, expected text"
    most = LONGEST_TEXT if column.max_length is None else column.max_length
    if len(value) > most and len(trimmed(value)) > most:
        return f"has {len(value)} characters, expected at most {most}"
    return _unwritable(value)


def _image_problem(column: Column, value: Any) -> str | None:
    if isinstance(value, UnreadImage):
        return value.reason
    if not isinstance(value, str):
        return f"is {format_value(value)}, expected a PNG or JPEG image as base64"
    try:
        decode(trimmed(value), max_bytes=column.max_bytes, max_pixels=column.max_pixels)
    except ValueError as error:
        return str(error)
    return None


def _outside(column: Column, value: Any, original: Any) -> str | None:
    """Compare `value` with the limits; the sentence shows `original`, the cell as it came."""
    if column.min is not None and value < column.min:
        side, limit = "least", column.min
    elif column.max is not None and value > column.max:
        side, limit = "most", column.max
    else:
        return None
    return f"is {original}, expected at {side} {limit.isoformat() if isinstance(limit, datetime) else f'{limit:g}'}"


def _unwritable(text: str) -> str | None:
    """Check for half a character (a lone surrogate), which JSON can escape and no file can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds half a character (a lone surrogate), which no file can hold"
    return None


@dataclass(frozen=True)
class Type:
    """The rule for a present cell of a type, and how it is kept."""

    problem: Callable[[Column, Any], str | None]
    typed: Callable[[Any], Any]  # of a missing cell too
    dtype: str  # of a checked frame's column
    noun: str  # for a cell, with its article
    keys: frozenset[str]  # of `columns.<name>` in params.yaml, beside those that every type knows
    repeats: bool = False  # whether few values make many cells, so that each is judged once


TYPES = {  # in the order of the models' input
    NUMBER: Type(_number_problem, typed_number, "float64", "a number", frozenset({"min", "max"})),
    DATE: Type(_date_problem, typed_date, "datetime64[us]", "a date", frozenset({"min", "max"}), repeats=True),
    CATEGORY: Type(
        _category_problem,
        typed_text,
        "object",
        "a text or a whole number",
        frozenset({"categories", "ignore_case"}),
        repeats=True,
    ),
    TEXT: Type(_text_problem, typed_text, "object", "a text", frozenset({"max_length"})),
    IMAGE: Type(
        _image_problem,
        typed_text,
        "object",
        "a PNG or JPEG image",
        frozenset({"size", "mode", "max_bytes", "max_pixels"}),
    ),
}


COMMON_KEYS = frozenset({"type", "nullable", "feature", "personal"})
UNITS = {"max_length": "characters", "max_bytes": "bytes", "max_pixels": "pixels"}
DEFAULTS = {field.name: field.default for field in fields(Column)}


def read_column(name: Any, spec: Any, *, source: str) -> Column:
    """Read one entry of `columns` in params.yaml. Raise BadInput naming `source`, the column and the key."""
    if not isinstance(name, str) or not isinstance(spec, Mapping) or spec.get("type") not in TYPES:
        expected = " or ".join(f"{{type: {known}}}" for known in TYPES)
        raise BadInput(f"{source}: columns.{name} is {spec!r}; expected {expected}")
    allowed = TYPES[spec["type"]].keys | COMMON_KEYS
    if unknown := sorted(set(map(str, spec)) - allowed):
        kind = f"for type {spec['type']}"
        raise BadInput(f"{source}: columns.{name} has the unknown {unknown}; known are {sorted(allowed)} {kind}")
    try:
        column = Column(**{key: _read(spec["type"], key, value) for key, value in spec.items()}, name=name)
        if column.min is not None and column.max is not None and column.min > column.max:  # type: ignore[operator]
            raise ValueError(f"min {column.min} above max {column.max}; no {column.type} fits")
    except ValueError as error:
        raise BadInput(f"{source}: columns.{name} has {error}") from None
    return column


def write_column(column: Column) -> dict[str, object]:
    """Write what `read_column` reads, as JSON and YAML can hold it; defaults are left out."""
    spec = {key: getattr(column, key) for key in DEFAULTS if key != "name" and getattr(column, key) != DEFAULTS[key]}
    return {
        key: value.isoformat() if isinstance(value, datetime) else list(value) if isinstance(value, tuple) else value
        for key, value in spec.items()
    }


def _read(kind: str, key: str, value: Any) -> Any:
    """Return the value of one key. Raise ValueError with the rest of the sentence "columns.x has ..."."""
    if value is None and key in DEFAULTS:
        return DEFAULTS[key]
    match key:
        case "type":
            return value
        case "min" | "max" if kind == DATE:
            try:
                return as_date(value)
            except ValueError as error:
                raise ValueError(f"{key}: {value!r}; {error}") from None
        case "min" | "max":
            fits, expected = isinstance(value, int | float) and not isinstance(value, bool), "a number"
        case "max_length" | "max_bytes" | "max_pixels":
            fits, expected = type(value) is int and value >= 1, f"a whole number of {UNITS[key]}, 1 or more"
        case "size":
            fits = isinstance(value, list | tuple) and len(value) == 2
            fits = fits and all(type(side) is int and 1 <= side <= MOST_SIDE for side in value)
            value, expected = tuple(value) if fits else value, f"[width, height], each from 1 to {MOST_SIDE}"
        case "mode":
            fits, expected = value in MODES, " or ".join(MODES)
        case "categories":
            fits = isinstance(value, list | tuple) and bool(value)
            fits = fits and all(not isinstance(each, bool | None) and trimmed(str(each)) for each in value)
            value = tuple(dict.fromkeys(trimmed(str(each)) for each in value)) if fits else value
            expected = "a list of texts (put yes, no, on and off in quotes)"
        case _:  # ignore_case, nullable, feature, personal
            fits, expected = isinstance(value, bool), "true or false"
    if not fits:
        raise ValueError(f"{key}: {value!r}; expected {expected}")
    return value
