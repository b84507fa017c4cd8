"""Numbers written for people, 6,718 and 1,5: read as params.yaml says, never guessed; others get a hint."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    """The character that a file writes between groups of digits ("" for none), and the one before the fraction."""

    thousands: str = ""
    decimal: str = "."

    def __post_init__(self) -> None:
        if self.thousands == self.decimal:
            raise BadInput(
                f"ingest.csv_thousands and ingest.csv_decimal are both {self.decimal!r}; set two different ones: "
                "csv_thousands=. csv_decimal=, reads 1.234,5"
            )

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return self == Numerals()

    def plain(self, cell: str) -> str:
        """Write 1.234,5 as 1234.5. What is another number (1.5 where dots separate groups) becomes no number at all."""
        text = trimmed(cell)
        if self._number.fullmatch(text):
            return "".join(sign for sign in text if sign not in self._marks).replace(self.decimal, ".")
        return cell if as_number(text) is None else f"{cell} {OTHERWISE}"

    @cached_property
    def _marks(self) -> str:
        """Characters between groups: a space may be any kind of space, an apostrophe a straight or a curled one."""
        return next((alike for alike in ALIKE if self.thousands and self.thousands in alike), self.thousands)

    @cached_property
    def _number(self) -> re.Pattern[str]:
        """Match groups of three digits, in India of two before the last; 0,718 has no groups."""
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


def fitting_numerals(grouped: Sequence[Mapping[str, int]], plain: Sequence[Mapping[str, int]] = ()) -> list[Numerals]:
    """Find the ways to write numbers that read nearly all cells of every column: texts and how often each occurs.

    `plain`: columns whose numbers have no groups and no comma, which may rule out a way. Of the ways that read most
    cells, one is kept for each meaning of the `grouped` columns, the simplest first: two for 6,718 alone.
    """
    columns = (*grouped, *plain)
    best: dict[tuple[float | None, ...], Numerals] = {}
    most = 1
    for way in WAYS:
        meaning = [{cell: as_number(way.plain(cell)) for cell in column} for column in columns]
        read = [
            sum(column[cell] for cell, value in values.items() if value is not None)
            for column, values in zip(columns, meaning, strict=True)
        ]
        fits = all(cells >= MOSTLY * sum(column.values()) for cells, column in zip(read, columns, strict=True))
        if not fits or sum(read) < most:
            continue
        if sum(read) > most:
            best, most = {}, sum(read)
        best.setdefault(tuple(value for values in meaning[: len(grouped)] for value in values.values()), way)
    return list(best.values())


def numerals_hint(rejected: Iterable[str]) -> str:
    """Say how to have rejected cells read that people wrote as numbers; "" where there are none."""
    written = [cell for cell in rejected if is_grouped(cell)]
    ways = fitting_numerals([Counter(written)]) if written else []
    choices = " or ".join(" ".join(f"{key}={value}" for key, value in settings_of(way).items()) for way in ways)
    example = f"{written[0]!r} is a number as people write it" if ways else ""
    return f"{example}; to have such cells read, set {choices} (params.yaml)" if ways else ""


def settings_of(written: Numerals) -> dict[str, str]:
    """Return what differs from plain numbers, by key of params.yaml."""
    settings = {"ingest.csv_thousands": (written.thousands, ""), "ingest.csv_decimal": (written.decimal, ".")}
    return {key: value for key, (value, usual) in settings.items() if value != usual}
