"""Numbers written for people: 6,718 and 1,5. Read as params say, never guessed; what looks like one is told."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from releve.core.errors import BadInput
from releve.domain.schema.cells import as_number, trimmed

# 6,718 or 1.234,5 or 12 000: digits in groups of three (12,34,567 in India); 1,5: a comma before the fraction.
GROUPED = re.compile(
    r"[+-]?(\d{1,3}([,.'\u2019 \u00a0\u202f\u2009]\d{3})+([.,]\d+)?|\d{1,2}(,\d{2})+,\d{3}(\.\d+)?|\d+,\d+)", re.ASCII
)
MOSTLY = 0.95  # share of the filled cells that make a column one of numbers
ALIKE = (" \u00a0\u202f\u2009", "'\u2019")
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
        text = trimmed(cell)
        if self._number.fullmatch(text):
            return "".join(sign for sign in text if sign not in self._marks).replace(self.decimal, ".")
        return cell if as_number(text) is None else f"{cell} {OTHERWISE}"

    @cached_property
    def _marks(self) -> str:
        """Between groups: a space may be any kind of space, an apostrophe a straight or a curled one."""
        return next((alike for alike in ALIKE if self.thousands and self.thousands in alike), self.thousands)

    @cached_property
    def _number(self) -> re.Pattern[str]:
        """Groups are of three digits, and in India of two before the last; 0,718 has no groups."""
        mark, fraction = f"[{re.escape(self._marks)}]", rf"({re.escape(self.decimal)}[0-9]*)?([eE][+-]?[0-9]+)?"
        whole = rf"([1-9][0-9]{{0,2}}({mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}|[0-9]+)" if self.thousands else "[0-9]+"
        return re.compile(rf"[+-]?({whole}{fraction}|{re.escape(self.decimal)}[0-9]+)")


def is_grouped(value: object) -> bool:
    """Whether a text looks like a number written for people."""
    return isinstance(value, str) and bool(GROUPED.fullmatch(trimmed(value)))


COMMA_FRACTION, COMMA_GROUPS = Numerals("", ","), Numerals(",", ".")
# How people write numbers, the simplest first.
WAYS = (
    COMMA_FRACTION,
    COMMA_GROUPS,
    *(Numerals(mark, decimal) for mark in (" ", "'") for decimal in (".", ",")),
    Numerals(".", ","),
)


def likely(cells: Iterable[str]) -> list[Numerals]:
    """The simplest way in which nearly all filled cells are numbers; two of them for 6,718, which can be either."""
    filled = [cell for cell in cells if trimmed(cell)]
    enough = max(1.0, MOSTLY * len(filled))
    read = {written: sum(as_number(written.plain(cell)) is not None for cell in filled) for written in WAYS}
    fits = [written for written in WAYS if read[written] >= max(enough, *read.values())]
    return fits[:2] if fits[:2] == [COMMA_FRACTION, COMMA_GROUPS] else fits[:1]


def advice(rejected: Iterable[str]) -> str:
    """How to have cells read that people wrote as numbers, in a sentence; "" where there are none."""
    written = [cell for cell in rejected if is_grouped(cell)]
    ways = " or ".join(" ".join(f"{key}={value}" for key, value in settings_of(way).items()) for way in likely(written))
    example = f"{written[0]!r} is a number as people write it" if ways else ""
    return f"{example}; to have such cells read, set {ways} (params.yaml)" if ways else ""


def settings_of(written: Numerals) -> dict[str, str]:
    """What differs from plain numbers, by key of params.yaml."""
    said = {"ingest.csv_thousands": (written.thousands, ""), "ingest.csv_decimal": (written.decimal, ".")}
    return {key: value for key, (value, usual) in said.items() if value != usual}
