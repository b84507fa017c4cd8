"""In which formats a column writes its dates, where it does not write ISO 8601, as the whole column decides.

03/04/2024 is two days, and 28/04/2024 one: a single such cell settles the order of day and month for its column. Where
none does, and the rows are in the order of time in one way alone, that way is taken, and said so; else nobody knows.
Formats are those of strptime, since that is what reads them; `docs/decisions/0024-reading.md` says why no library does.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from releve.domain.ingestion.numerals import MOSTLY
from releve.domain.schema.cells import as_date, in_format

YEARS = range(1800, 2201)  # that a date of four digits lies in; elsewhere digits are something else
FEWEST_DIGITS = 10  # different whole numbers, all of them dates such as 20240131, that are no amounts
FEWEST_IN_ORDER = 20  # different dates whose order says which reading they have
LOOKED_AT = 60  # different texts that say which formats are worth trying
LONGEST = 50  # characters of a date
MOST_FORMATS = 6  # of one column
DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day first", "month first", "year first"
ORDERS = {
    DAY_FIRST: ("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d %m %Y", "%d.%m.%y", "%d/%m/%y", "%d-%m-%y"),
    MONTH_FIRST: ("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y", "%m %d %Y", "%m/%d/%y", "%m-%d-%y", "%m.%d.%y"),
    YEAR_FIRST: ("%y-%m-%d", "%y/%m/%d", "%y.%m.%d"),
}
PLAIN = (  # that can be read in one way
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d %b %Y", "%d %B %Y", "%d. %B %Y", "%d. %b %Y", "%d-%b-%Y", "%d-%b-%y"),
    *("%d/%b/%Y", "%d %b %y", "%d%b%Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%b. %d, %Y"),
    *("%a, %d %b %Y", "%A, %d %B %Y", "%A, %B %d, %Y", "%a, %b %d, %Y", "%a %b %d %Y", "%a %d %b %Y", "%a %d.%m.%Y"),
    *("%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%Y-%b-%d", "%Y %b %d"),
    *("%Y%m%d", "%G-W%V-%u"),  # digits alone are read as DIGITS says
    *("%a %b %d",),  # before " 13:07:00 2024", as C writes moments
)
TIMES = (
    *(" %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %H.%M", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p"),
    *(
        "T%H:%M",
        "T%H:%M:%S",
        "T%H:%M:%S.%f",
        ", %H:%M",
        ", %H:%M:%S",
        ", %I:%M %p",
        ", %I:%M:%S %p",
        ":%H:%M:%S",
        ":%H:%M:%S %z",
    ),
    *(f" {time} {zone}" for time in ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f") for zone in ("%z", "UTC", "GMT")),
    *(f"{comma} {time} Uhr" for comma in ("", ",") for time in ("%H:%M", "%H:%M:%S", "%H.%M")),
    *(f" {time}" for time in ("%H.%M.%S", "%H.%M.%S.%f", "%I.%M.%S %p", "%I.%M.%S.%f %p")),
    *(f"{sign}{time}{zone}" for sign in "T " for time in ("%H%M%S", "%H%M") for zone in ("", "Z", "%z")),
    *(" %H:%M:%S %Y", " %H:%M:%S %z %Y", "T%H:%M:%S%z", "T%H:%M:%SZ", " %H:%M:%S%z", " %H:%M%z"),
)
# A date needs two of its parts beside each other, or a month's name and a number.
LOOKS = re.compile(r"\d{8}[T ]\d|\d{4}-W\d|\d{1,4}[./ -]\d{1,4}([./ -]\d{2,4})?(?!\d)|\d.*[^\W\d_]{3}|[^\W\d_]{3}.*\d")
TIME = re.compile(r"([T ]|, |:(?=\d\d:\d\d:\d\d))\d{1,2}[:.]\d{2}(?![.\d]*\.\d{4}(?!\d)).*$|(?<=^\d{8})[T ]\d{4}.*$")
DIGITS = {  # of whole numbers, and of numbers such as 03.2024, which no writer of numbers writes
    "%Y%m%d": re.compile(r"(1[89]|2[01])\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"),
    "%Y%m%d%H%M%S": re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d"),
    "%Y%m%d%H%M": re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d"),
    "%Y%m": re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])"),
    "%m.%Y": re.compile(r"(0[1-9]|1[0-2])\.(19|20)\d\d"),
}


@dataclass(frozen=True)
class Way:
    """One reading of a column: its formats, and how many of its cells they and ISO 8601 read."""

    order: str  # one of ORDERS
    formats: tuple[str, ...]
    cells: int


@dataclass(frozen=True)
class Ways:
    """What a column's dates may be. No way: they are none. Several: only a person knows which."""

    ways: tuple[Way, ...] = ()
    decided_by: str = ""  # a text that the other ways do not read; "" where there was nothing to decide
    by_order_of_rows: bool = False

    @property
    def formats(self) -> tuple[str, ...]:
        """The one reading; () where there is none, or more."""
        return self.ways[0].formats if len(self.ways) == 1 else ()


def date_ways(counts: Mapping[str, int], rows: Sequence[str]) -> Ways:
    """The readings under which nearly all cells are dates. `counts`: of each text, `rows`: those texts row by row."""
    others = {text: count for text, count in counts.items() if not _is_iso(text)}
    if not others:
        return Ways()
    if (digits := of_digits(others)) is not None:
        return Ways((Way(YEAR_FIRST, (digits,), sum(counts.values())),))
    looks = (count for text, count in others.items() if len(text) <= LONGEST and LOOKS.search(text))
    if sum(looks) < MOSTLY * sum(others.values()):
        return Ways()
    return _decided([_way(order, others, sum(counts.values())) for order in ORDERS], others, counts, rows)


def _decided(ways: list[Way], others: Mapping[str, int], counts: Mapping[str, int], rows: Sequence[str]) -> Ways:
    total = sum(counts.values())
    fits = list({way.formats: way for way in ways if way.formats and way.cells >= max(MOSTLY * total, 1)}.values())
    whole = [way for way in fits if way.cells == total]
    fits = whole if len(whole) == 1 else fits
    if len(fits) == 1:
        rivals = [way.formats for way in ways if way.formats not in ((), fits[0].formats)]
        return Ways(tuple(fits), next((text for text in others if _is_read_by_one(text, fits[0], rivals)), ""))
    fits = whole or fits
    ordered = [way for way in fits if _is_in_order(rows, way.formats)]
    return Ways((ordered[0],), by_order_of_rows=True) if len(ordered) == 1 else Ways(tuple(fits))


def _is_read_by_one(text: str, way: Way, rivals: Sequence[tuple[str, ...]]) -> bool:
    return bool(rivals) and in_format(text, way.formats) is not None and not any(in_format(text, e) for e in rivals)


def _is_iso(text: str) -> bool:
    try:
        as_date(text)
    except ValueError:
        return False
    return True


def of_digits(counts: Mapping[str, int]) -> str | None:
    """The format of dates that are written as digits alone, such as 20240131, where all cells are such dates."""
    for each, pattern in DIGITS.items():
        if all(map(pattern.fullmatch, counts)):
            is_date = all(in_format(text, (each,)) for text in counts)
            return each if is_date and len(counts) >= FEWEST_DIGITS else None
    return None


def _way(order: str, counts: Mapping[str, int], total: int) -> Way:
    """The formats that read most of the texts, the commonest first. A text is a date and perhaps a time behind it."""
    parts = {text: _parts(text) for text in counts}
    heads, tails = (dict.fromkeys(part[at] for part in parts.values()) for at in (0, 1))
    date_of = _formats((*ORDERS[order], *PLAIN), heads)
    time_of = _formats(TIMES, [tail for tail in tails if tail]) | {"": ""}
    found: Counter[str] = Counter()
    for text, (head, tail) in parts.items():
        if head in date_of and tail in time_of:
            found[date_of[head] + time_of[tail]] += counts[text]
    chosen = [name for name, _ in found.most_common(MOST_FORMATS) if "%y" in name.lower() or "%G" in name]
    iso = total - sum(counts.values())
    return Way(order, tuple(chosen), iso + sum(found[name] for name in chosen))


def _parts(text: str) -> tuple[str, str]:
    time = TIME.search(text)
    return (text[: time.start()], text[time.start() :]) if time else (text, "")


def _formats(formats: Sequence[str], texts: Iterable[str]) -> dict[str, str]:
    """For each text the format that reads it, and most others."""
    texts = list(texts)
    some = texts[:: max(1, len(texts) // LOOKED_AT)]
    likely = [each for each in formats if any(_reads(each, text) for text in some)]
    found: dict[str, str] = {}
    while likely and len(found) < len(texts):
        left = [text for text in texts if text not in found]
        reads = {each: [text for text in left if _reads(each, text)] for each in likely}
        best = max(likely, key=lambda each: len(reads[each]))
        if not reads[best]:
            break
        found |= dict.fromkeys(reads[best], best)
        likely.remove(best)
    return found


def _reads(each: str, text: str) -> bool:
    moment = in_format(text, (each,))
    return moment is not None and ("%Y" not in each or moment.year in YEARS)


def _is_in_order(rows: Sequence[str], formats: tuple[str, ...]) -> bool:
    known: dict[str, datetime | None] = {}
    for text in rows:
        if text not in known:
            known[text] = as_date(text) if _is_iso(text) else in_format(text, formats)
    moments = [moment for text in rows if (moment := known[text]) is not None]
    steps = [two >= one for one, two in pairwise(moments) if one != two]
    return len(set(moments)) >= FEWEST_IN_ORDER and (all(steps) or not any(steps))
