"""Counts and lists as parts of a sentence."""

from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """ "1 row", "1,200 rows"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def either(count: int, one: str, several: str) -> str:
    """The words that go with a count: 1 row repeats, 2 rows repeat."""
    return one if count == 1 else several


def listed(names: Iterable[str], *, most: int = 8, between: str = ", ") -> str:
    """Names for a sentence; the first of them, when there are many."""
    names = list(names)
    rest = f" and {len(names) - most:,} more" if len(names) > most else ""
    return between.join(names[:most]) + rest
