"""In which formats a column writes its dates, where it does not write ISO 8601, as the whole column decides.

03/04/2024 is two days, and 28/04/2024 one: a single such cell settles the order of day and month for its column. Where
none does, and the rows are in the order of time in one way alone, that way is taken; else a person is asked.
Formats are those of strptime, since that is what reads them; `docs/decisions/0024-reading.md` says why no library does.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from releve.core.config_hint import settings_hint
from releve.core.formatting import listed
from releve.domain.ingestion.numerals import MOSTLY
from releve.domain.onboarding.issues import Issue
from releve.domain.schema.cells import as_date, in_format

YEARS = range(1800, 2201)  # that a date of four digits lies in; elsewhere digits are something else
FEWEST_DIGITS = 10  # different whole numbers, all of them dates such as 20240131, that are no amounts
FEWEST_IN_ORDER = 20  # different dates whose order says which reading they have
TRIED = 60  # different texts that say which formats are worth trying
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
DATED = re.compile(r"\d{8}[T ]\d|\d{4}-W\d|\d{1,4}[./ -]\d{1,4}([./ -]\d{2,4})?(?!\d)|\d.*[^\W\d_]{3}|[^\W\d_]{3}.*\d")
TIME = re.compile(r"([T ]|, |:(?=\d\d:\d\d:\d\d))\d{1,2}[:.]\d{2}(?![.\d]*\.\d{4}(?!\d)).*$|(?<=^\d{8})[T ]\d{4}.*$")
DIGITS = {  # of whole numbers, and of numbers such as 03.2024, which no writer of numbers writes
    "%Y%m%d": re.compile(r"(1[89]|2[01])\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"),
    "%Y%m%d%H%M%S": re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d"),
    "%Y%m%d%H%M": re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d"),
    "%Y%m": re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])"),
    "%m.%Y": re.compile(r"(0[1-9]|1[0-2])\.(19|20)\d\d"),
}


@dataclass(frozen=True)
class DateReading:
    """One reading of a column: its formats, and how many of its cells they and ISO 8601 read."""

    order: str  # one of ORDERS
    formats: tuple[str, ...]
    cells: int


@dataclass(frozen=True)
class DateReadings:
    """What a column's dates may be. No reading: they are none. Several: only a person knows which."""

    readings: tuple[DateReading, ...] = ()
    decided_by: str = ""  # a text that the others do not read; "" where there was nothing to decide
    by_order_of_rows: bool = False

    @property
    def formats(self) -> tuple[str, ...]:
        """Return the formats of the one reading; () where there is none, or more."""
        return self.readings[0].formats if len(self.readings) == 1 else ()


def date_readings(counts: Mapping[str, int], rows: Sequence[str]) -> DateReadings:
    """Find the readings under which nearly all cells are dates. `counts`: of each text, `rows`: the texts row by row.

    One that reads every cell, or only one whose dates are in the order of the rows, is taken before the others.
    """
    total = sum(counts.values())
    others = {text: count for text, count in counts.items() if not is_date(text)}
    if not others:
        return DateReadings()
    if (digits := digits_format(others)) is not None:
        return DateReadings((DateReading(YEAR_FIRST, (digits,), total),))
    looks = sum(count for text, count in others.items() if len(text) <= LONGEST and DATED.search(text))
    if looks < MOSTLY * sum(others.values()):
        return DateReadings()
    readings = [_reading(order, others, total) for order in ORDERS]
    fits = list(
        {each.formats: each for each in readings if each.formats and each.cells >= max(MOSTLY * total, 1)}.values()
    )
    whole = [each for each in fits if each.cells == total]
    fits = whole if len(whole) == 1 else fits
    if len(fits) == 1:
        (taken,) = fits
        rivals = [each.formats for each in readings if each.formats not in ((), taken.formats)]
        deciding = (
            text
            for text in others
            if rivals and in_format(text, taken.formats) is not None and not any(in_format(text, e) for e in rivals)
        )
        return DateReadings((taken,), next(deciding, ""))
    fits = whole or fits
    ordered = [each for each in fits if _is_in_order(rows, each.formats)]
    return DateReadings((ordered[0],), by_order_of_rows=True) if len(ordered) == 1 else DateReadings(tuple(fits))


def is_date(cell: datetime | str) -> bool:
    """Return whether a cell is a date as ISO 8601 writes it."""
    try:
        return bool(as_date(cell))
    except ValueError:
        return False


def digits_format(counts: Mapping[str, int]) -> str | None:
    """Return the format of dates that are written as digits alone, such as 20240131, where all cells are such."""
    for each, pattern in DIGITS.items():
        if all(map(pattern.fullmatch, counts)):
            are_dates = all(in_format(text, (each,)) for text in counts)
            return each if are_dates and len(counts) >= FEWEST_DIGITS else None
    return None


def _reading(order: str, counts: Mapping[str, int], total: int) -> DateReading:
    """Choose the formats that read most texts, the commonest first. A text is a date and perhaps a time behind it."""
    parts = {}
    for text in counts:
        time = TIME.search(text)
        parts[text] = (text[: time.start()], text[time.start() :]) if time else (text, "")
    heads, tails = (dict.fromkeys(part[at] for part in parts.values()) for at in (0, 1))
    date_of = _formats((*ORDERS[order], *PLAIN), heads)
    time_of = _formats(TIMES, [tail for tail in tails if tail]) | {"": ""}
    cells: Counter[str] = Counter()
    for text, (head, tail) in parts.items():
        if head in date_of and tail in time_of:
            cells[date_of[head] + time_of[tail]] += counts[text]
    chosen = [name for name, _ in cells.most_common(MOST_FORMATS) if "%y" in name.lower() or "%G" in name]
    iso = total - sum(counts.values())
    return DateReading(order, tuple(chosen), iso + sum(cells[name] for name in chosen))


def _formats(formats: Sequence[str], texts: Iterable[str]) -> dict[str, str]:
    """Choose for each text the format that reads it, and most others."""

    def reads(each: str, text: str) -> bool:
        moment = in_format(text, (each,))
        return moment is not None and ("%Y" not in each or moment.year in YEARS)

    texts = list(texts)
    some = texts[:: max(1, len(texts) // TRIED)]
    likely = [each for each in formats if any(reads(each, text) for text in some)]
    format_of: dict[str, str] = {}
    while likely and len(format_of) < len(texts):
        left = [text for text in texts if text not in format_of]
        read = {each: [text for text in left if reads(each, text)] for each in likely}
        best = max(likely, key=lambda each: len(read[each]))
        if not read[best]:
            break
        format_of |= dict.fromkeys(read[best], best)
        likely.remove(best)
    return format_of


def _is_in_order(rows: Sequence[str], formats: tuple[str, ...]) -> bool:
    known = {text: as_date(text) if is_date(text) else in_format(text, formats) for text in dict.fromkeys(rows)}
    moments = [moment for text in rows if (moment := known[text]) is not None]
    steps = [two >= one for one, two in pairwise(moments) if one != two]
    return len(set(moments)) >= FEWEST_IN_ORDER and (all(steps) or not any(steps))


def date_issue(name: str, dates: DateReadings, counts: Mapping[str, int]) -> Issue:
    """Say how a column of dates is read, where the column itself decides it."""
    (reading,) = dates.readings
    why = ""
    if dates.decided_by:
        why = f", {reading.order}, since this can be read in no other way"
    if dates.by_order_of_rows:
        why = (
            f", {reading.order}: no cell says so, but only so are the rows in the order of time; check that it is right"
        )
    pivot = "; years 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068" if "%y" in "".join(reading.formats) else ""
    formats = listed((f'"{each}"' for each in reading.formats), most=4)
    return Issue(
        "type",
        f"{name} holds {dates.decided_by or next(iter(counts))!r}: read as the date {formats}{why} (ingest.dates, "
        f"written into params.yaml){pivot}",
    )


def ambiguous_date_issue(name: str, dates: DateReadings, counts: Mapping[str, int]) -> Issue:
    """List the readings there are, for a person to choose."""
    formats = [each.formats[0] if len(each.formats) == 1 else list(each.formats) for each in dates.readings]
    suggestions = tuple({"ingest.dates": {name: each}} for each in formats)
    choices = (
        f"{settings_hint(suggestion)} for {reading.order}"
        for suggestion, reading in zip(suggestions, dates.readings, strict=True)
    )
    return Issue(
        "type",
        f"{name} looks like dates such as {next(iter(counts))!r}, which can be read in more than one way; it is no "
        f"feature until params.yaml says which: add {', '.join(choices)}",
        (name,),
        "a date that can be read in two ways",
        suggestions,
    )
