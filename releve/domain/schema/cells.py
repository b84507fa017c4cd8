"""Single cells: what is missing, and what a text reads as: a number, a date, a name."""

import math
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from releve.core.errors import BadInput

DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")  # float() would also take 1_000 or nan
MISSING_TEXT = ""  # how a missing category or text travels: models and vectors know no None
LARGEST_NUMBER = float(np.finfo(np.float32).max)  # what the exported model, which computes in float32, can be asked
ROUNDING = float(np.finfo(np.float32).eps)  # of such a model: what is smaller, relative to the numbers, is rounding
EXACT = 2**53  # up to here every whole number is a float
# What stands around a cell and is no part of it: spaces, also those that nobody sees. str.strip() alone leaves the
# zero-width ones, byte order marks and marks of direction that exports bring.
EDGES = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
TRUTH = {"true": True, "false": False}  # by the text in lower case
MOST_MARKS = 30  # accents and the like; as many as Unicode's stream-safe texts have (UAX 15)
SHOWN = 60  # characters of a value that a reason repeats; a text may be a whole letter
# Only the written-out form: 20240131 could as well be a number, and 2024-W05 is seldom meant. The zone may stand behind
# a space, as databases write it, and its name behind the offset, as Go and Java do: +0100 CET, +01:00[Europe/Paris].
ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)?)"
    r"( ?(Z|UTC|GMT|[+-]\d{2}(:?\d{2})?)( [A-Z]{3,5}|\[[\w/+-]+\])?)?",
    re.ASCII,
)
EXPECTED = "expected a date such as 2024-01-31 or 2024-01-31T12:00:00+01:00 (ISO 8601)"
FIRST, LAST = (np.datetime64(text, "s") for text in ("0001-01-01T00:00:00", "9999-12-31T23:59:59"))  # Python's range


def is_missing(value: Any) -> bool:
    """Return whether a value is None or NaN (also pandas' NA and NaT); an empty text is not missing."""
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def trimmed(text: str) -> str:
    """Strip EDGES."""
    return text.strip(EDGES)


def fold(text: str) -> str:
    """Make spellings equal that differ only in case, in spaces or in how Unicode composes a letter.

    Case is folded as Unicode says, without a language: Straße is STRASSE, and a dotless i of Turkish is no i.
    """
    return " ".join(normalized(trimmed(text), "NFC").casefold().split())


def normalized(text: str, form: Literal["NFC", "NFKC"]) -> str:
    """Write letters in the one way that a form of Unicode has for them.

    Of more than MOST_MARKS that stand together the others are left out: no language writes so many on a letter, and
    Python takes n² steps to bring n of them into order.
    """
    if len(text) > MOST_MARKS and not text.isascii():
        text = _long_runs_of_marks().sub(r"\1", text)
    return unicodedata.normalize(form, text)


@lru_cache(maxsize=1)
def _long_runs_of_marks() -> re.Pattern[str]:
    marks = "".join(letter for letter in map(chr, range(0x1E94B)) if unicodedata.combining(letter))
    return re.compile(f"([{marks}]{{{MOST_MARKS}}})[{marks}]+")


def as_number(text: str) -> float | None:
    """Parse a decimal number; None for any other text."""
    return float(text) if DECIMAL.fullmatch(text.strip()) else None


def names_of(value: Any) -> tuple[str, ...]:
    """Write a whole number or a truth value, as Parquet and JSON hold it, in the ways of CSV files.

    Other values have no name, nor has a float beyond EXACT, which has lost its last digits.
    """
    if isinstance(value, bool | np.bool_):
        name = str(bool(value))
        return name, name.lower(), name.upper()
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) <= EXACT:
        return (str(int(value)),)
    if isinstance(value, Decimal):
        return (str(int(value)),) if value.is_finite() and value == value.to_integral_value() else ()
    return (str(int(value)),) if isinstance(value, int | np.integer) else ()


def format_value(value: Any) -> str:
    """Format a value from outside for a message, cut after SHOWN characters. Raise BadInput for a very deep one."""
    is_text = isinstance(value, str)
    try:
        text = repr(value[: SHOWN + 1] if is_text else value)
    except RecursionError:
        raise BadInput("a value is nested too deeply; expected a plain one, such as a number or a text") from None
    if len(value if is_text else text) <= SHOWN:
        return text
    return f"{text[: SHOWN + 1]}...{text[0]}" if is_text else f"{text[:SHOWN]}..."


def as_date(value: Any) -> datetime:
    """Convert to a moment in UTC, without a zone, to the microsecond; what names no zone is taken as UTC.

    Raise ValueError with the reason, as a sentence part.
    """
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
    if isinstance(value, str):
        return _from_iso(value)
    if isinstance(value, datetime):
        return _utc(value)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    raise ValueError(EXPECTED)


def in_format(text: str, formats: Iterable[str]) -> datetime | None:
    """Parse a moment, in UTC, by the first fitting one of `formats` (of strptime); None where none fits."""
    for each in formats:
        try:
            return _utc(datetime.strptime(text, each))  # what names no zone is taken as UTC
        except ValueError:
            continue
    return None


def _from_iso(text: str) -> datetime:
    found = ISO.fullmatch(text) or ISO.fullmatch(trimmed(text))
    if found is None or (found[5] and not found[2]):  # a zone needs a time of day
        raise ValueError(EXPECTED)
    zone = found[6] or ""
    try:
        return _utc(datetime.fromisoformat(found[1] + ("Z" if zone in ("UTC", "GMT") else zone)))
    except ValueError as error:
        raise ValueError(f"which is no date: {error}") from None


def _utc(moment: datetime) -> datetime:
    """Convert to UTC without a zone; pandas' Timestamps, which are finer datetimes, become plain ones."""
    try:
        plain = moment.to_pydatetime(warn=False) if hasattr(moment, "to_pydatetime") else moment
        return plain.astimezone(UTC).replace(tzinfo=None) if plain.tzinfo else plain
    except OverflowError:
        raise ValueError("which lies outside of the years 1 to 9999") from None
