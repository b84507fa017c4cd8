"""Single cells: what is missing, and what a cell of text reads as."""

import math
import re
import unicodedata
from decimal import Decimal
from typing import Any

import numpy as np

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
SHOWN = 60  # characters of a value that a reason repeats; a text may be a whole letter


def is_missing(value: Any) -> bool:
    """None and NaN (also pandas' NA and NaT) are missing; an empty text is not."""
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def trimmed(text: str) -> str:
    """Without EDGES."""
    return text.strip(EDGES)


def fold(text: str) -> str:
    """The same for spellings that differ in case, in spaces or in how Unicode composes a letter alone.

    Case is folded as Unicode says, without a language: Straße is STRASSE, and a dotless i of Turkish is no i.
    """
    return " ".join(unicodedata.normalize("NFC", trimmed(text)).casefold().split())


def as_number(text: str) -> float | None:
    """The decimal number that `text` writes; None where it writes none."""
    return float(text) if DECIMAL.fullmatch(text.strip()) else None


def names_of(value: Any) -> tuple[str, ...]:
    """How CSV files write a whole number or a truth value that Parquet and JSON hold as such; nothing of other values.

    A float beyond EXACT has lost its last digits, and names nothing; an integer and a Decimal have all of them.
    """
    if isinstance(value, bool | np.bool_):
        name = str(bool(value))
        return name, name.lower(), name.upper()
    if isinstance(value, float | np.floating) and float(value).is_integer() and abs(float(value)) <= EXACT:
        return (str(int(value)),)
    if isinstance(value, Decimal):
        return (str(int(value)),) if value.is_finite() and value == value.to_integral_value() else ()
    return (str(int(value)),) if isinstance(value, int | np.integer) else ()


def shown(value: Any) -> str:
    """A value as it stands in a reason; of a long text, list or object the beginning."""
    if isinstance(value, str):
        text = repr(value[: SHOWN + 1])
        return text if len(value) <= SHOWN else f"{text[: SHOWN + 1]}...{text[0]}"
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
