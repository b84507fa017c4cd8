"""How a file writes its numbers and dates, as far as it shows: the settings of `ingest` that read it, with reasons.

What the whole file leaves in one way is written into params.yaml and told. Where two ways remain (6,718, 03/04/2024),
nothing is read: one sentence asks, and says the setting of each.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from releve.core.config_hint import settings_hint
from releve.core.formatting import listed
from releve.domain.ingestion.cell_formats import NO_UNIT, CellFormats, Unit
from releve.domain.ingestion.numerals import MOSTLY, Numerals, fitting_numerals, is_grouped, settings_of
from releve.domain.onboarding.amounts import amounts_of
from releve.domain.onboarding.date_formats import Ways, date_ways, of_digits
from releve.domain.onboarding.findings import Finding
from releve.domain.onboarding.markers import epoch_findings, marker_findings, marker_words, sentinel_findings
from releve.domain.onboarding.settings import Override
from releve.domain.schema.cells import as_number, is_missing, names_of, trimmed

if TYPE_CHECKING:
    import pandas as pd

MOST_PLAIN = 2000  # different plain numbers of a column that are held against the ways of the others
NAMED_MONTH = re.compile(r"\d{1,2}\.?(?: de)? [^\W\d_]{3,}\.?(?: de)? \d{4}")
DAY_WITH_MORE = re.compile(  # a zone's short name, a calendar week, the 3rd of March: no format of strptime reads them
    r"\d{4}-\d\d?-\d\d?[T ]\d\d?:\d\d.* ?[A-Z][A-Za-z]{1,4}|\d{4}[- ]?(?:W|KW)\d\d?|"
    r"[^\W\d_]{3,9} \d{1,2}(?:st|nd|rd|th),? \d{4}.*|\d{1,2}(?:st|nd|rd|th) (?:of )?[^\W\d_]{3,9},? \d{4}.*"
)
LIKE_A_NUMBER = re.compile(r"[^\w\s#@/]{0,3}\s?\d[\d.,]*\s?(?:[kKMBT]|[Mm]io\.?|[Mm]ln\.?|[Bb]n|Tsd\.?)?")
BESIDE = re.compile(r"['~<>=\u2264\u2265\u2248\u00b1].*\d|.*\d\s?(?:[kKMBT]|[Mm]io\.?|[Mm]ln\.?|[Bb]n|Tsd\.?)")
FRACTION = re.compile(r"[+-]?(?:0|[1-9][0-9]*)?\.[0-9]+")
FEWEST_ALIKE = 20  # different cells that look like numbers; fewer are names of groups
Counts = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Formats:
    """How the file is read. `frame` has plain cells; `asked` are columns whose reading only a person knows."""

    reading: CellFormats
    frame: "pd.DataFrame"
    overrides: tuple[Override, ...] = ()
    findings: tuple[Finding, ...] = ()
    asked: Mapping[str, Finding] = field(default_factory=dict)


def find_formats(
    frame: "pd.DataFrame", said: CellFormats, *, as_text: bool, is_numerals_said: bool = False, time: str | None = None
) -> Formats:
    """Find what `said`, the params as they are, leaves open; what is said already is kept."""
    texts = {str(name): _texts(frame[name], said, as_text=as_text) for name in frame}
    words = {name: marker_words(counts) for name, counts in texts.items()}
    counts = {name: {text: n for text, n in each.items() if text not in words[name]} for name, each in texts.items()}
    counts = {name: each for name, each in counts.items() if each}
    dates = _dates(frame, {name: each for name, each in counts.items() if name not in {**said.dates, **said.units}})
    written, asked, findings = _numbers(
        {name: each for name, each in counts.items() if name not in {**said.dates, **dates}},
        said,
        as_text=as_text,
        is_said=is_numerals_said,
    )
    formats = {name: ways.formats for name, ways in dates.items() if ways.formats}
    reading = replace(written, dates={**formats, **said.dates})
    markers = marker_findings(texts, words, reading)
    # A column that becomes one of numbers only once a word in it is said to be missing has nothing written before.
    held = {name for name in words if sum(words[name].values()) > (1 - MOSTLY) * sum(texts[name].values())}
    reading = replace(
        reading,
        units={name: unit for name, unit in reading.units.items() if name in said.units or name not in held},
        dates={name: each for name, each in reading.dates.items() if name in said.dates or name not in held},
    )
    findings += [_told_unit(name, counts[name], reading) for name in reading.units if name not in said.units]
    findings += [_told_date(name, dates[name], counts[name]) for name in reading.dates if name not in said.dates]
    findings += _other_languages(counts, reading)
    findings += _unread(counts, reading) if as_text else []
    asked |= {name: _asked_date(name, ways, counts[name]) for name, ways in dates.items() if not ways.formats}
    plain = _plain(frame, reading, texts, as_text=as_text)
    findings += markers + sentinel_findings(plain, said) + epoch_findings(plain, time)
    return Formats(reading, plain, _overrides(reading, said), tuple(findings), asked)


def _texts(cells: "pd.Series[Any]", said: CellFormats, *, as_text: bool) -> dict[str, int]:
    """The texts of a column and their counts, markers aside; of a file with types only where all cells are texts."""
    if not as_text and cells.dtype.kind not in "Oiu":
        return {}
    present = [cell for cell in cells.tolist() if not is_missing(cell)]
    if not as_text and present and all(isinstance(cell, int) and not isinstance(cell, bool) for cell in present):
        return dict(Counter(map(str, present)))
    found = Counter(trimmed(cell) for cell in present if isinstance(cell, str))
    texts = {text: count for text, count in found.most_common() if text and not said.is_marker(text)}
    others = [cell for cell in present if not isinstance(cell, str)]
    if not as_text and others and texts and all(isinstance(cell, date) for cell in others):
        return texts  # dates, some of them written as text
    is_typed = len(others) > (1 - MOSTLY) * len(present)
    return {} if not as_text and is_typed else texts


def _share(counts: Counts, fits: Iterable[str]) -> float:
    return sum(counts[text] for text in fits) / max(sum(counts.values()), 1)


def _dates(frame: "pd.DataFrame", columns: Mapping[str, Counts]) -> dict[str, Ways]:
    found = {}
    for name, counts in columns.items():
        if _share(counts, (text for text in counts if as_number(text) is not None)) >= MOSTLY:
            ways = date_ways(counts, ()) if of_digits(counts) else Ways()
        else:
            ways = date_ways(counts, [trimmed(cell) for cell in frame[name] if isinstance(cell, str)])
        has_others = any(isinstance(cell, date) for cell in frame[name])
        if ways.formats or (ways.ways and not has_others):
            found[name] = ways
    return found


def _numbers(
    columns: Mapping[str, Counts], said: CellFormats, *, as_text: bool, is_said: bool
) -> tuple[CellFormats, dict[str, Finding], list[Finding]]:
    """The reading with units and numerals, the columns that are asked about, and what is told."""
    units, bare, findings = dict(said.units), dict[str, dict[str, str]](), list[Finding]()
    if not as_text:  # Parquet, JSON and Excel keep numbers as such; those that were stored as text need a word
        units |= {name: NO_UNIT for name, counts in columns.items() if name not in units and _are_fractions(counts)}
    grouped: list[str] = []
    for name, counts in columns.items():
        unit = units.get(name, NO_UNIT)
        numbers = {text: number for text in counts if (number := unit.without(text)) is not None}
        plain = [text for text, number in numbers.items() if as_number(number) is not None]
        likely = [text for text, number in numbers.items() if is_grouped(number) or as_number(number) is not None]
        if _share(counts, plain) >= MOSTLY and (as_text or name in units):
            bare[name] = numbers
        elif _share(counts, likely) >= MOSTLY and (as_text or name in units):
            bare[name] = numbers
            grouped.append(name)
        elif name not in units and (found := amounts_of(counts)) is not None:
            if found.mixed:
                findings.append(_told_mixed(name, found.mixed, counts))
                continue
            units[name], bare[name] = found.unit, found.numbers
            if _share(counts, (text for text, one in found.numbers.items() if as_number(one) is not None)) < MOSTLY:
                grouped.append(name)
    ways = _ways(bare, grouped, columns, said.numerals if is_said or not said.numerals.is_plain else None)
    numerals = ways[0] if len(ways) == 1 else said.numerals
    asked = {}
    for name in grouped:
        if len(ways) == 1 and _are_read_by(ways[0], bare[name], columns[name]):
            continue
        alone = len(ways) < 2  # the way of the others, or the one that a person said, is not that of this column
        fits = _ways({name: bare[name]}, [name], columns, None) if alone else ways
        if alone and len(fits) == 1 and name in units and name not in said.units:
            units[name] = replace(units[name], numerals=fits[0])  # what has a unit is an amount, whatever others are
        else:
            asked[name] = _asked_numbers(name, fits, bare[name], alone=alone)
    reading = replace(said, numerals=numerals, units=units)
    read = {
        name: _share(columns[name], (text for text in bare[name] if as_number(reading.number(name, text)) is not None))
        for name in bare
    }
    kept = {name: unit for name, unit in units.items() if name in said.units or read.get(name, 0) >= MOSTLY}
    if numerals != said.numerals:
        findings.append(_told_numerals(numerals, grouped, bare))
    return replace(reading, units=kept), asked, findings


def _are_read_by(way: Numerals, numbers: Mapping[str, str], counts: Counts) -> bool:
    return _share(counts, (text for text, number in numbers.items() if _value(way, number) is not None)) >= MOSTLY


def _are_fractions(counts: Counts) -> bool:
    """Decimal numbers, mostly with a fraction, as no names are written."""
    numbers = [text for text in counts if as_number(text) is not None]
    fractions = [text for text in numbers if FRACTION.fullmatch(text)]
    return _share(counts, numbers) >= MOSTLY and 2 * _share(counts, fractions) > 1 and len(fractions) >= FEWEST_ALIKE


def _value(way: Numerals, number: str) -> float | None:
    return as_number(way.plain(number))


def _ways(
    bare: Mapping[str, Mapping[str, str]], grouped: Sequence[str], columns: Mapping[str, Counts], said: Numerals | None
) -> list[Numerals]:
    """The ways that read all columns of numbers, and most of their cells: the simplest of those that mean the same."""
    if said is not None:
        return [said]
    if not grouped:
        return [Numerals()]

    def cells(name: str, numbers: Iterable[tuple[str, str]]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for text, number in numbers:
            counts[number] += columns[name][text]
        return counts

    return fitting_numerals(
        [cells(name, bare[name].items()) for name in grouped],
        [cells(name, islice(each.items(), MOST_PLAIN)) for name, each in bare.items() if name not in grouped],
    )


def _plain(
    frame: "pd.DataFrame", reading: CellFormats, texts: Mapping[str, Counts], *, as_text: bool
) -> "pd.DataFrame":
    """The frame with numbers and dates as they are read, where a column is one of them; all else as it is."""
    changed = frame.copy(deep=False)
    for name, counts in texts.items():
        if name in reading.dates:
            read: Any = partial(_moment, reading, name, as_text)
        elif _share(counts, (t for t in counts if as_number(reading.number(name, t)) is not None)) >= MOSTLY and (
            as_text or name in reading.units
        ):
            read = partial(_number, reading, name, as_text)
        else:
            continue
        cells = frame[name].tolist()
        if name in reading.dates:
            cells = [(*names_of(cell), cell)[0] for cell in cells]
        known = {cell: read(trimmed(cell)) for cell in {each for each in cells if isinstance(each, str)}}
        changed[name] = _series([known[cell] if isinstance(cell, str) else cell for cell in cells], frame[name])
    return changed


def _series(cells: list[Any], like: "pd.Series[Any]") -> "pd.Series[Any]":
    return type(like)(cells, index=like.index, dtype=object)


def _moment(reading: CellFormats, name: str, as_text: bool, text: str) -> Any:
    moment = reading.date(name, text)
    if not isinstance(moment, datetime):
        return text
    return moment.isoformat() if as_text else moment


def _number(reading: CellFormats, name: str, as_text: bool, text: str) -> Any:
    plain = reading.number(name, text)
    number = as_number(plain)
    return text if number is None else plain if as_text else number


def _overrides(reading: CellFormats, said: CellFormats) -> tuple[Override, ...]:
    found = {
        "csv_thousands": (reading.numerals.thousands, said.numerals.thousands, "between the groups of digits, as seen"),
        "csv_decimal": (reading.numerals.decimal, said.numerals.decimal, "before the fraction, as seen"),
        "dates": (
            {name: formats[0] if len(formats) == 1 else list(formats) for name, formats in reading.dates.items()},
            {name: formats[0] if len(formats) == 1 else list(formats) for name, formats in said.dates.items()},
            "as seen; ISO 8601 is read beside it",
        ),
        "units": (
            {name: str(unit) for name, unit in reading.units.items()},
            {name: str(unit) for name, unit in said.units.items()},
            "beside the numbers, as seen",
        ),
    }
    return tuple(Override("ingest", key, new, why) for key, (new, old, why) in found.items() if new != old)


def _told_numerals(way: Numerals, grouped: Sequence[str], bare: Mapping[str, Mapping[str, str]]) -> Finding:
    """Also of the columns whose numbers programs would read otherwise: 1.234 beside 1.234,50."""
    changed = {name: _changed(way, numbers) for name, numbers in bare.items() if name not in grouped}
    shown = [f"{name} {_example(way, bare[name])}" for name in grouped]
    shown += [f"{name} {_example(way, {text: text})}" for name, text in changed.items() if text]
    return Finding(
        "type",
        f"The file writes numbers in one way alone, and they are read so ({_as_said(way)}, written into params.yaml): "
        f"{listed(shown, most=6)}",
    )


def _changed(way: Numerals, numbers: Mapping[str, str]) -> str:
    """A number that `way` reads as another one than programs do; "" where there is none."""
    return next((one for one in numbers.values() if _value(way, one) not in (None, as_number(one))), "")


def _example(way: Numerals, numbers: Mapping[str, str]) -> str:
    text = next((text for text, number in numbers.items() if is_grouped(number)), next(iter(numbers)))
    value = _value(way, numbers[text])
    return f"{text!r}" if value is None else f"{text!r} is {value:.12g}"


def _as_said(way: Numerals) -> str:
    return " ".join(f"{key}={value!r}" for key, value in settings_of(way).items())


def _told_unit(name: str, counts: Counts, reading: CellFormats) -> Finding:
    values = {text: value for text in counts if (value := as_number(reading.number(name, text))) is not None}
    first, negative = next(iter(values)), next((text for text, value in values.items() if value < 0), None)
    shown = dict.fromkeys(text for text in (first, negative) if text is not None)
    if reading.units[name] == NO_UNIT:
        return Finding(
            "type",
            f"{name} holds numbers that are stored as text, such as {first!r}: they are read as numbers (ingest.units, "
            "written into params.yaml)",
        )
    examples = " and ".join(f"{text!r} is read as {values[text]:.12g}" for text in shown)
    return Finding(
        "type",
        f"{name} writes its numbers with {str(reading.units[name])!r} (ingest.units, written into params.yaml): "
        f"{examples}",
    )


def _told_mixed(name: str, signs: Sequence[str], counts: Counts) -> Finding:
    return Finding(
        "type",
        f"{name} has numbers in several units ({listed(signs, most=3)}): {listed(map(repr, counts), most=2)}; they "
        "are not read as numbers, and the column stays a category. Write one unit into the file",
    )


def _asked_numbers(name: str, ways: Sequence[Numerals], numbers: Mapping[str, str], *, alone: bool) -> Finding:
    """`alone`: the column has to say its own way, since no one way reads the whole file, or the said one not this."""
    shown = listed(map(repr, [text for text, one in numbers.items() if is_grouped(one)] or numbers), most=3)
    other = " in another way than the rest of the file or params.yaml" if alone else ""
    text = f"{name} writes numbers such as {shown}{other}; as they stand they are a category"
    if not ways:
        return Finding("numerals", f"{text}. Write them all in one way into the file")
    cures = tuple({"ingest.units": {name: str(Unit("", numerals=way))}} if alone else settings_of(way) for way in ways)
    asked = (f"{settings_hint(cure)} where {_example(way, numbers)}" for way, cure in zip(ways, cures, strict=True))
    return Finding("numerals", f"{text}. To have numbers, add {' or '.join(asked)}", cures=cures)


def _told_date(name: str, ways: Ways, counts: Counts) -> Finding:
    (way,) = ways.ways
    example = ways.decided_by or next(iter(counts))
    why = ""
    if ways.decided_by:
        why = f", {way.order}, since this can be read in no other way"
    if ways.by_order_of_rows:
        why = f", {way.order}: no cell says so, but only so are the rows in the order of time; look whether it is right"
    pivot = "; years 69 to 99 are 1969 to 1999, 00 to 68 are 2000 to 2068" if "%y" in "".join(way.formats) else ""
    formats = listed((f'"{each}"' for each in way.formats), most=4)
    return Finding(
        "type",
        f"{name} holds {example!r}: read as the date {formats}{why} (ingest.dates, written into params.yaml){pivot}",
    )


def _other_languages(columns: Mapping[str, Counts], reading: CellFormats) -> list[Finding]:
    return [
        Finding(
            "type",
            f"{name} looks like dates ({next(iter(counts))!r}), and names of months are read in English alone; it "
            "is a category until the file has them as 2024-12-31",
        )
        for name, counts in columns.items()
        if name not in reading.dates and _share(counts, filter(NAMED_MONTH.fullmatch, counts)) >= MOSTLY
    ]


def _unread(columns: Mapping[str, Counts], reading: CellFormats) -> list[Finding]:
    """Columns that look like dates or numbers, and that no setting reads."""
    read = {*reading.dates, *reading.units}
    words = {name: counts for name, counts in columns.items() if name not in read}
    dates = {name for name, each in words.items() if _share(each, filter(DAY_WITH_MORE.fullmatch, each)) >= MOSTLY}
    return [
        *(
            Finding(
                "type",
                f"{name} looks like dates ({next(iter(words[name]))!r}), written in a form that is not read: zones "
                "are read as UTC or +01:00, weeks with a day of theirs. It is no date until the file has 2024-12-31 or "
                "2024-12-31T14:00:00+01:00",
            )
            for name in words
            if name in dates
        ),
        *(
            Finding(
                "type",
                f"{name} looks like numbers with more beside them than a unit ({listed(map(repr, each), most=2)}), "
                "and is not read: it is no number until the file has plain ones, of one size",
            )
            for name, each in words.items()
            if name not in dates and _are_alike(each)
        ),
    ]


def _are_alike(counts: Counts) -> bool:
    """9.4k and 1.2M, <0.5, '12.5; one of these among a column of plain numbers is rejected, and told so."""
    is_marked = _share(counts, filter(BESIDE.fullmatch, counts)) > 1 - MOSTLY
    return (
        is_marked and len(counts) >= FEWEST_ALIKE and _share(counts, filter(LIKE_A_NUMBER.fullmatch, counts)) >= MOSTLY
    )


def _asked_date(name: str, ways: Ways, counts: Counts) -> Finding:
    formats = [way.formats[0] if len(way.formats) == 1 else list(way.formats) for way in ways.ways]
    cures = tuple({"ingest.dates": {name: each}} for each in formats)
    asked = (f"{settings_hint(cure)} for {way.order}" for cure, way in zip(cures, ways.ways, strict=True))
    return Finding(
        "type",
        f"{name} looks like dates such as {next(iter(counts))!r}, which can be read in more than one way; it is no "
        f"feature until it is said which: add {', '.join(asked)}",
        (name,),
        "a date that can be read in two ways",
        cures,
    )
