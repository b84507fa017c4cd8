"""Counts, lists and durations as parts of a sentence."""

import re
from collections.abc import Iterable

DURATION_UNITS = (
    ("days", 1),
    ("hours", 24),
    ("minutes", 24 * 60),
    ("seconds", 24 * 60 * 60),
)  # how many make a day

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # all but tab and end of line
SMALL, LARGE = 0.01, 100_000.0  # between them a figure has three places after the point


def counted(count: int, noun: str) -> str:
    """Write a count such as "1 row" or "1,200 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def plural(count: int, one: str, many: str) -> str:
    """Choose the words that go with a count: 1 row repeats, 2 rows repeat."""
    return one if count == 1 else many


def listed(names: Iterable[str], *, most: int = 8, between: str = ", ") -> str:
    """Join names for a sentence; the first of them, when there are many."""
    names = list(names)
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return between.join(names[:most]) + rest


def shortened(text: str, *, most: int = 80) -> str:
    """Cut a name or a value of users for a message: its beginning, and how long it is."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"


def printable(text: str) -> str:
    """Replace what steers a terminal or turns the direction of text: neither is ever part of a name that one reads."""
    return STEERING.sub("\N{REPLACEMENT CHARACTER}", text)


def unit_of(days: float) -> tuple[str, int]:
    """Return the largest unit of which there is one at least, and how many of it make a day."""
    return next((unit, a_day) for unit, a_day in DURATION_UNITS if days * a_day >= 1 or unit == DURATION_UNITS[-1][0])


def span(days: float, *, digits: int = 1) -> str:
    """Write days such as "3.2 days", "40.0 minutes" or "0.0 seconds", with so many `digits` behind the point."""
    unit, a_day = unit_of(days)
    count = f"{days * a_day:.{digits}f}"
    return f"{count} {unit.removesuffix('s') if count == '1' else unit}"


def format_score(value: float, *, sign: str = "") -> str:
    """Format a figure in any unit: 0.912, but 0.000412 and 4.12e+06. With `sign` "+" a positive one shows it."""
    value += 0.0  # -0.0 is shown as 0.000
    fixed = value == 0 or SMALL <= abs(value) < LARGE
    return f"{value:{sign}.3f}" if fixed else f"{value:{sign}.3g}"


def to_the_minute(at: str) -> str:
    """Format an ISO 8601 time where all times are UTC: "2026-01-05 09:00"."""
    return at[:16].replace("T", " ")


def to_the_second(at: str) -> str:
    """Format an ISO 8601 time of UTC for programs and people: "2026-01-05T09:00:00Z"."""
    return at[:19] + "Z"


def utc_minute(at: str) -> str:
    """Format an ISO 8601 time of UTC for people: "2026-01-05 09:00 UTC"."""
    return f"{to_the_minute(at)} UTC"
