"""How a file writes its numbers and dates, as far as it shows: the settings of `ingest` that read it, with reasons.

What the whole file leaves in one way is written into params.yaml, and is an issue to check. Where two ways remain
(6,718, 03/04/2024), nothing is read: one issue asks, with the setting of each. Cells that may mean missing are
suggested, never assumed.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from releve.core.config_hint import settings_hint
from releve.core.formatting import counted, listed
from releve.domain.ingestion.cell_formats import CellFormats
from releve.domain.ingestion.numerals import MOSTLY
from releve.domain.onboarding.date_formats import (
    DateReadings,
    ambiguous_date_issue,
    date_issue,
    date_readings,
    digits_format,
    is_date,
)
from releve.domain.onboarding.issues import MARKER, Issue
from releve.domain.onboarding.number_formats import FEWEST_ALIKE, Counts, find_number_formats, share, unit_issue
from releve.domain.onboarding.params_file import SettingOverride
from releve.domain.schema.cells import LARGEST_NUMBER, as_number, is_missing, names_of, trimmed

if TYPE_CHECKING:
    import pandas as pd

NAMED_MONTH = re.compile(r"\d{1,2}\.?(?: de)? [^\W\d_]{3,}\.?(?: de)? \d{4}")
DAY_WITH_MORE = re.compile(  # a zone's short name, a calendar week, the 3rd of March: no format of strptime reads them
    r"\d{4}-\d\d?-\d\d?[T ]\d\d?:\d\d.* ?[A-Z][A-Za-z]{1,4}|\d{4}[- ]?(?:W|KW)\d\d?|"
    r"[^\W\d_]{3,9} \d{1,2}(?:st|nd|rd|th),? \d{4}.*|\d{1,2}(?:st|nd|rd|th) (?:of )?[^\W\d_]{3,9},? \d{4}.*"
)
LIKE_A_NUMBER = re.compile(r"[^\w\s#@/]{0,3}\s?\d[\d.,]*\s?(?:[kKMBT]|[Mm]io\.?|[Mm]ln\.?|[Bb]n|Tsd\.?)?")
BESIDE = re.compile(r"['~<>=\u2264\u2265\u2248\u00b1].*\d|.*\d\s?(?:[kKMBT]|[Mm]io\.?|[Mm]ln\.?|[Bb]n|Tsd\.?)")
MOST_WORDS = 3  # different words among numbers that may be markers
FEWEST_NUMBERS = 5  # different ones; fewer beside a word are codes
LEAST_NUMBERS = 0.3  # share of the cells
SENTINEL = re.compile(r"-(99+|9+\.9+)|99(9+|\.9+|9+\.9+)")  # -99, -999.9, 999, 99.9: what a number never is by itself
FEWEST_SENTINELS = 3  # cells
EPOCHS = {"seconds": (1e8, 4e9), "milliseconds": (1e11, 4e12), "microseconds": (1e14, 4e15)}  # 1973 to 2096


@dataclass(frozen=True, eq=False)
class Formats:
    """How the file is read. `frame` has plain cells; `ambiguous` are columns whose reading only a person knows."""

    reading: CellFormats
    frame: "pd.DataFrame"
    overrides: tuple[SettingOverride, ...] = ()
    issues: tuple[Issue, ...] = ()
    ambiguous: Mapping[str, Issue] = field(default_factory=dict)


def find_formats(
    frame: "pd.DataFrame", given: CellFormats, *, as_text: bool, is_given: bool = False, time: str | None = None
) -> Formats:
    """Find what `given`, the params as they are, leaves open; what a person set is kept. `is_given`: the numerals."""
    texts = {str(name): _texts(frame[name], given, as_text=as_text) for name in frame}
    words = {name: _marker_words(counts) for name, counts in texts.items()}
    counts = {name: {text: n for text, n in each.items() if text not in words[name]} for name, each in texts.items()}
    counts = {name: each for name, each in counts.items() if each}
    dates = {
        name: readings
        for name, each in counts.items()
        if name not in {**given.dates, **given.units} and (readings := _dates(frame[name], each)).readings
    }
    columns = {name: each for name, each in counts.items() if name not in {**given.dates, **dates}}
    numbers = find_number_formats(columns, given, as_text=as_text, is_given=is_given)
    formats = {name: each.formats for name, each in dates.items() if each.formats}
    reading = replace(numbers.reading, dates={**formats, **given.dates})
    marked = _words_among_numbers(texts, words, reading)
    # A column that becomes one of numbers only once a word in it is set to be missing has nothing written before.
    held = {name for name in words if sum(words[name].values()) > (1 - MOSTLY) * sum(texts[name].values())}
    reading = replace(
        reading,
        units={name: unit for name, unit in reading.units.items() if name in given.units or name not in held},
        dates={name: each for name, each in reading.dates.items() if name in given.dates or name not in held},
    )
    plain = _plain(frame, reading, texts, as_text=as_text)
    issues = [
        *numbers.issues,
        *(unit_issue(name, counts[name], reading) for name in reading.units if name not in given.units),
        *(date_issue(name, dates[name], counts[name]) for name in reading.dates if name not in given.dates),
        *_unread(counts, reading, as_text=as_text),
        *_marker_issues(marked + _sentinels(plain, given), reading),
        *_epoch_issues(plain, time),
    ]
    ambiguous = {**numbers.ambiguous} | {
        name: ambiguous_date_issue(name, each, counts[name]) for name, each in dates.items() if not each.formats
    }
    return Formats(reading, plain, _overrides(reading, given), tuple(issues), ambiguous)


def _texts(cells: "pd.Series[Any]", given: CellFormats, *, as_text: bool) -> dict[str, int]:
    """Count the texts of a column, markers aside; in a file with types only where all cells are texts."""
    if not as_text and cells.dtype.kind not in "Oiu":
        return {}
    present = [cell for cell in cells.tolist() if not is_missing(cell)]
    if not as_text and present and all(isinstance(cell, int) and not isinstance(cell, bool) for cell in present):
        return dict(Counter(map(str, present)))
    trimmed_texts = Counter(trimmed(cell) for cell in present if isinstance(cell, str))
    texts = {text: count for text, count in trimmed_texts.most_common() if text and not given.is_marker(text)}
    others = [cell for cell in present if not isinstance(cell, str)]
    if not as_text and others and texts and all(isinstance(cell, date) for cell in others):
        return texts  # dates, some of them written as text
    is_typed = len(others) > (1 - MOSTLY) * len(present)
    return {} if not as_text and is_typed else texts


def _dates(cells: "pd.Series[Any]", counts: Counts) -> DateReadings:
    if share(counts, (text for text in counts if as_number(text) is not None)) >= MOSTLY:
        dates = date_readings(counts, ()) if digits_format(counts) else DateReadings()
    else:
        dates = date_readings(counts, [trimmed(cell) for cell in cells if isinstance(cell, str)])
    has_others = any(isinstance(cell, date) for cell in cells)
    return dates if dates.formats or not has_others else DateReadings()


def _plain(
    frame: "pd.DataFrame", reading: CellFormats, texts: Mapping[str, Counts], *, as_text: bool
) -> "pd.DataFrame":
    """Read the columns of numbers and dates; all else stays as it is."""

    def moment(name: str, text: str) -> Any:
        read = reading.date(name, text)
        return text if not isinstance(read, datetime) else read.isoformat() if as_text else read

    def number(name: str, text: str) -> Any:
        plain = reading.number(name, text)
        value = as_number(plain)
        return text if value is None else plain if as_text else value

    changed = frame.copy(deep=False)
    for name, counts in texts.items():
        cells = frame[name].tolist()
        numbers = (text for text in counts if as_number(reading.number(name, text)) is not None)
        if name in reading.dates:
            read = moment
            cells = [(*names_of(cell), cell)[0] for cell in cells]
        elif (as_text or name in reading.units) and share(counts, numbers) >= MOSTLY:
            read = number
        else:
            continue
        known = {cell: read(name, trimmed(cell)) for cell in {each for each in cells if isinstance(each, str)}}
        read_cells = [known[cell] if isinstance(cell, str) else cell for cell in cells]
        changed[name] = type(frame[name])(read_cells, index=frame.index, dtype=object)
    return changed


def _overrides(reading: CellFormats, given: CellFormats) -> tuple[SettingOverride, ...]:
    def settings(formats: CellFormats) -> dict[str, tuple[Any, str]]:
        dates = {name: each[0] if len(each) == 1 else list(each) for name, each in formats.dates.items()}
        units = {name: str(unit) for name, unit in formats.units.items()}
        return {
            "csv_thousands": (formats.numerals.thousands, "between the groups of digits, as seen"),
            "csv_decimal": (formats.numerals.decimal, "before the fraction, as seen"),
            "dates": (dates, "as seen; ISO 8601 is read beside it"),
            "units": (units, "beside the numbers, as seen"),
        }

    before = settings(given)
    return tuple(
        SettingOverride("ingest", key, value, why)
        for key, (value, why) in settings(reading).items()
        if value != before[key][0]
    )


def _unread(columns: Mapping[str, Counts], reading: CellFormats, *, as_text: bool) -> Iterator[Issue]:
    """Name columns that look like dates or numbers, and that no setting reads."""
    for name, counts in columns.items():
        if name not in reading.dates and share(counts, filter(NAMED_MONTH.fullmatch, counts)) >= MOSTLY:
            yield Issue(
                "type",
                f"{name} looks like dates ({next(iter(counts))!r}), and names of months are read in English alone; it "
                "is a category until the file has them as 2024-12-31",
            )
    unread = {name: counts for name, counts in columns.items() if name not in {*reading.dates, *reading.units}}
    dates = {
        name
        for name, each in unread.items()
        if share(each, (text for text in filter(DAY_WITH_MORE.fullmatch, each) if not is_date(text))) >= MOSTLY
    }
    for name in (name for name in unread if as_text and name in dates):
        yield Issue(
            "type",
            f"{name} looks like dates ({next(iter(unread[name]))!r}), written in a form that is not read: zones are "
            "read as UTC or +01:00, weeks with a day of theirs. It is no date until the file has 2024-12-31 or "
            "2024-12-31T14:00:00+01:00",
        )
    for name, counts in unread.items() if as_text else ():
        # 9.4k and 1.2M, <0.5, '12.5; one of these among a column of plain numbers is rejected, which is an issue too.
        is_marked = share(counts, filter(BESIDE.fullmatch, counts)) > 1 - MOSTLY and len(counts) >= FEWEST_ALIKE
        if name not in dates and is_marked and share(counts, filter(LIKE_A_NUMBER.fullmatch, counts)) >= MOSTLY:
            yield Issue(
                "type",
                f"{name} looks like numbers with more beside them than a unit ({listed(map(repr, counts), most=2)}), "
                "and is not read: it is no number until the file has plain ones, of one size",
            )


def _marker_words(counts: Counts) -> dict[str, int]:
    """Find the few words among cells that have digits, each more than once."""
    words = {text: count for text, count in counts.items() if not any(letter.isdigit() for letter in text)}
    is_few = 0 < len(words) <= MOST_WORDS and min(words.values()) > 1 and len(counts) - len(words) >= FEWEST_NUMBERS
    return words if is_few and sum(words.values()) <= (1 - LEAST_NUMBERS) * sum(counts.values()) else {}


def _marker_issues(found: Sequence[tuple[str, str]], reading: CellFormats) -> Iterator[Issue]:
    """Name cells that may mean missing, with the one setting that reads all of them so. `found`: sentences, markers."""
    if found:
        suggestion = {"ingest.missing": [*reading.missing, *dict.fromkeys(marker for _, marker in found)]}
        what = "; ".join(dict.fromkeys(text for text, _ in found))
        text = f"{what}; if that means missing, add {settings_hint(suggestion)}"
        yield Issue(MARKER, text, suggestions=(suggestion,))


def _words_among_numbers(
    texts: Mapping[str, Counts], words: Mapping[str, Counts], reading: CellFormats
) -> list[tuple[str, str]]:
    """Find words among numbers or dates, and what to say of each."""
    found = []
    for name, markers in words.items():
        others = {text: n for text, n in texts[name].items() if text not in markers}
        numbers = (text for text in others if as_number(reading.number(name, text)) is not None)
        dates = (text for text in others if is_date(reading.date(name, text)))
        if markers and max(share(others, numbers), share(others, dates)) >= MOSTLY:
            shown = listed(f"{word!r} in {counted(count, 'cell')}" for word, count in markers.items())
            found += [(f"{name} holds {shown} among numbers or dates", word) for word in markers]
    return found


def _sentinels(frame: "pd.DataFrame", given: CellFormats) -> list[tuple[str, str]]:
    """Find numbers of nines such as -999 far beyond all others of a column, and what to say of each."""
    found = []
    for name in map(str, frame):
        counts = Counter(number for cell in frame[name].tolist() if (number := _number(cell)) is not None)
        often = [number for number, count in counts.items() if count >= FEWEST_SENTINELS]
        nines = [number for number in often if SENTINEL.fullmatch(f"{number:.9g}")]
        for marker in (each for each in nines if each not in given.missing_numbers):
            others = [number for number in counts if number != marker]
            if len(others) >= FEWEST_NUMBERS:
                low, high = min(others), max(others)
                if marker < low - (high - low) or marker > high + (high - low):
                    count, text = counted(counts[marker], "cell"), f"{marker:.9g}"
                    found.append((f"{name} holds {text} in {count}, and {low:g} to {high:g} else", text))
    return found


def _number(cell: Any) -> float | None:
    if isinstance(cell, str):
        return as_number(cell)
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool) and not is_missing(cell)
    return float(cell) if is_number and abs(cell) <= LARGEST_NUMBER else None


def _epoch_issues(frame: "pd.DataFrame", time: str | None) -> Iterator[Issue]:
    """Name a time in seconds since 1970: it orders rows as the number that it is."""
    if time is None or time not in frame:
        return
    numbers = [_number(cell) for cell in frame[time].tolist() if not is_missing(cell)]
    known = [number for number in numbers if number is not None]
    for unit, (low, high) in EPOCHS.items():
        if known and len(known) == len(numbers) and low <= min(known) and max(known) <= high:
            yield Issue(
                "hint",
                f"{time} looks like {unit} since 1970; it orders the rows as the number that it is. To have a date, "
                "write it as 2024-12-31T14:00:00 into the file",
            )
