"""Numbers written for people: 6,718 and 1,5. Read as params say, never guessed; what looks like one is told."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from releve.errors import BadInput
from releve.rules.cells import as_number

if TYPE_CHECKING:
    import pandas as pd

# 6,718 or 1.234,5 or 12 000: digits in groups of three; 1,5: a comma before the fraction.
GROUPED = re.compile(r"[+-]?(\d{1,3}([,.' \u00a0\u202f]\d{3})+([.,]\d+)?|\d+,\d+)", re.ASCII)
MOSTLY = 0.95  # share of the filled cells that make a column one of numbers
OTHERWISE = "(not as ingest.csv_thousands and ingest.csv_decimal say)"


@dataclass(frozen=True)
class Numerals:
    """How a file writes numbers: the character between groups of digits ("" for none), and before the fraction."""

    thousands: str = ""
    decimal: str = "."

    def __post_init__(self) -> None:
        if self.thousands == self.decimal:
            raise BadInput(
                f"ingest.csv_thousands and ingest.csv_decimal are both {self.decimal!r}; say both, as they differ: "
                "csv_thousands=. csv_decimal=, reads 1.234,5"
            )

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return self == Numerals()

    def plain(self, cell: str) -> str:
        """1.234,5 as 1234.5. What is another number (1.5 where groups are parted by dots) reads as none any more."""
        text = cell.strip()
        if self._number.fullmatch(text):
            return text.replace(self.thousands, "").replace(self.decimal, ".")
        return cell if as_number(text) is None else f"{cell} {OTHERWISE}"

    @cached_property
    def _number(self) -> re.Pattern[str]:
        """Groups are of three digits, and in India of two before the last."""
        mark, fraction = re.escape(self.thousands), rf"({re.escape(self.decimal)}[0-9]*)?([eE][+-]?[0-9]+)?"
        whole = rf"([0-9]{{1,3}}({mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}|[0-9]+)" if mark else "[0-9]+"
        return re.compile(rf"[+-]?({whole}{fraction}|{re.escape(self.decimal)}[0-9]+)")


def plain_numbers(frame: "pd.DataFrame", written: Numerals, *, is_number: Callable[[str], bool]) -> "pd.DataFrame":
    """Cells of text with the numbers in the columns that `is_number` names written plainly; all else as it is."""
    if written.is_plain:
        return frame
    cells = {name: frame[name].tolist() for name in map(str, frame)}
    plain = {name: [*map(written.plain, found)] if is_number(name) else found for name, found in cells.items()}
    return type(frame)(plain, index=frame.index, dtype=object)


def mostly_numbers(cells: Iterable[str], written: Numerals) -> bool:
    """Whether nearly all filled cells are numbers that are written so."""
    filled = [cell for cell in cells if cell.strip()]
    return sum(as_number(written.plain(cell)) is not None for cell in filled) >= max(1.0, MOSTLY * len(filled))


def is_grouped(value: object) -> bool:
    """Whether a text looks like a number written for people."""
    return isinstance(value, str) and bool(GROUPED.fullmatch(value.strip()))


COMMA_FRACTION, COMMA_GROUPS = Numerals("", ","), Numerals(",", ".")
# How people write numbers, the simplest first; the spaces are the usual, the unbreakable and the narrow one.
WAYS = (
    COMMA_FRACTION,
    COMMA_GROUPS,
    *(Numerals(mark, decimal) for mark in (" ", "\u00a0", "\u202f", "'") for decimal in (".", ",")),
    Numerals(".", ","),
)


def likely(cells: Iterable[str]) -> list[Numerals]:
    """The simplest way in which nearly all filled cells are numbers; two of them for 6,718, which can be either."""
    found = [*cells]
    fits = [written for written in WAYS if mostly_numbers(found, written)]
    return fits[:2] if fits[:2] == [COMMA_FRACTION, COMMA_GROUPS] else fits[:1]


def advice(rejected: Iterable[str]) -> str:
    """How to have cells read that people wrote as numbers, in a sentence; "" where there are none."""
    written = [cell for cell in rejected if is_grouped(cell)]
    ways = " or ".join(" ".join(settings_of(way)) for way in likely(written))
    example = f"{written[0]!r} is a number as people write it" if ways else ""
    return f"{example}; to have such cells read, set {ways} (params.yaml)" if ways else ""


def settings_of(written: Numerals) -> list[str]:
    """What differs from plain numbers, as `ingest.csv_decimal=,`."""
    said = {"ingest.csv_thousands": (written.thousands, ""), "ingest.csv_decimal": (written.decimal, ".")}
    return [f"{key}={value}" for key, (value, usual) in said.items() if value != usual]
