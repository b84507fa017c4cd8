"""How a file writes its numbers: 6,718 or 6.718,00, and beside a unit $1,799.50, 27%, 51.2 kg, (12.50).

A unit is a sign of a currency, a known code or sign, or a word behind a space that nearly every cell has. A word before
a number names things more often than it measures them (room 12), and is no unit.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from releve.core.config_hint import settings_hint
from releve.core.formatting import listed
from releve.domain.ingestion.cell_formats import MINUS, NO_CENTS, NO_UNIT, CellFormats, Unit
from releve.domain.ingestion.numerals import MOSTLY, Numerals, fitting_numerals, is_grouped, settings_of
from releve.domain.onboarding.issues import Issue
from releve.domain.schema.cells import as_number, trimmed

CURRENCIES = re.compile(  # codes of ISO 4217 and how people shorten some
    "(?:AED|ARS|AUD|BGN|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|ISK|JPY|KRW|MXN|MYR|NGN|NOK|NZD|"
    "PEN|PHP|PKR|PLN|RON|RSD|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR|S?Fr\\.?|Kč|kr\\.?|Ft|zł|lei|Rs\\.?|TL)"
)
MEASURES = re.compile(  # that also stand right behind a number
    "%|‰|°|°C|°F|k?g|mg|t|lbs?|oz|[kcm]?m|mi|ft|in|yd|[cdkm]?m[²³23]|ha|[mc]?l|h|min|m?s|d|k?J|kcal|k?W|MW|[kM]?Wh|m?A|V|[kMG]?Hz|"
    "h?Pa|m?bar|[kKMGT]?B|km/h|mph|bpm|ppm|dB|px|pt|K|F"
)
LONGEST = 60  # characters of an amount
SIGNS = re.escape(MINUS)
INSIDE = re.compile(r"([^\d()]*)\(([^()]*)\)([^\d()]*)")  # $ (12.50), as spreadsheets write what they account for
NUMBER = r"[0-9](?:[0-9.,'\u2019 \u00a0\u202f\u2009]*[0-9])?(?:[.,](?=[-\u2013\u2014]))?"
AMOUNT = re.compile(
    rf"(?P<before>(?:[^\d(){SIGNS}+.,]|(?<=[^\W\d_])\.)*)(?P<sign>[{SIGNS}+]?)(?P<more>(?:[^\d(){SIGNS}+.,]|(?<=[^\W\d_])\.)*)"
    rf"(?P<number>{NUMBER}(?:[eE][+-]?[0-9]+)?)(?P<end>[-\u2013\u2014]?)(?P<after>[^\d()]*[23]?)"
)


FRACTION = re.compile(r"[+-]?(?:0|[1-9][0-9]*)?\.[0-9]+")
FEWEST_ALIKE = 20  # different cells that look like numbers; fewer are names of groups
MOST_PLAIN = 2000  # different plain numbers of a column that are tried with the numerals of the others
Counts = Mapping[str, int]


@dataclass(frozen=True)
class Amounts:
    """A column whose cells are numbers beside a unit. `mixed`: it has several, which no setting reads."""

    unit: Unit
    numbers: dict[str, str]  # of each text that has the unit: the number as it is written
    mixed: tuple[str, ...] = ()


@dataclass(frozen=True)
class NumberFormats:
    """How the numbers are read, columns that can be read in several ways, and what to tell a person."""

    reading: CellFormats
    ambiguous: Mapping[str, Issue]
    issues: Sequence[Issue]


def share(counts: Counts, texts: Iterable[str]) -> float:
    """Return the share 0-1 of the cells that have one of the texts."""
    return sum(counts[text] for text in texts) / max(sum(counts.values()), 1)


def find_number_formats(
    columns: Mapping[str, Counts], given: CellFormats, *, as_text: bool, is_given: bool
) -> NumberFormats:
    """Find units and numerals that read nearly all cells of a column. `is_given`: a person set the numerals."""
    units, bare, issues = _find_units(columns, given, as_text=as_text)
    plain = {name: [text for text, one in bare[name].items() if as_number(one) is not None] for name in bare}
    grouped = [name for name, texts in plain.items() if share(columns[name], texts) < MOSTLY]
    is_open = given.numerals.is_plain and not is_given
    ways = _find_numerals(columns, bare, grouped) if is_open else [given.numerals]
    numerals = ways[0] if len(ways) == 1 else given.numerals
    ambiguous = {}
    for name in grouped:
        read_by_all = (text for text, number in bare[name].items() if _value(numerals, number) is not None)
        if len(ways) == 1 and share(columns[name], read_by_all) >= MOSTLY:
            continue
        alone = len(ways) < 2  # the numerals of the others, or those that a person set, do not read this column
        fits = fitting_numerals([_numbers(columns[name], bare[name])]) if alone else ways
        if alone and len(fits) == 1 and name in units and name not in given.units:
            units[name] = replace(units[name], numerals=fits[0])  # what has a unit is an amount, whatever others are
        else:
            ambiguous[name] = _ambiguous(name, fits, bare[name], alone=alone)
    if numerals != given.numerals:
        issues.append(_numerals_issue(numerals, grouped, bare))
    reading = replace(given, numerals=numerals, units=units)

    def is_kept(name: str) -> bool:
        numbers = (text for text in bare.get(name, ()) if as_number(reading.number(name, text)) is not None)
        return name in given.units or share(columns[name], numbers) >= MOSTLY

    kept = {name: unit for name, unit in units.items() if is_kept(name)}
    return NumberFormats(replace(reading, units=kept), ambiguous, issues)


def _find_units(
    columns: Mapping[str, Counts], given: CellFormats, *, as_text: bool
) -> tuple[dict[str, Unit], dict[str, dict[str, str]], list[Issue]]:
    """Find the unit of each column that has one, and the columns that may be numbers: text -> number without its unit.

    A column of several units is an issue, and is none of these.
    """
    units, bare, issues = dict(given.units), dict[str, dict[str, str]](), list[Issue]()
    if not as_text:  # Parquet, JSON and Excel keep numbers as such; those that were stored as text need a word
        units |= {name: NO_UNIT for name, counts in columns.items() if name not in units and _are_fractions(counts)}
    for name, counts in columns.items():
        unit = units.get(name, NO_UNIT)
        as_said = (text for text in counts if as_number(given.number(name, text)) is not None)
        if unit.numerals and share(counts, as_said) >= MOSTLY:
            continue  # a person said how this column writes its numbers, which says nothing of the others
        numbers = {text: number for text in counts if (number := unit.without(text)) is not None}
        likely = [text for text, number in numbers.items() if is_grouped(number) or as_number(number) is not None]
        if share(counts, likely) >= MOSTLY and (as_text or name in units):
            bare[name] = numbers
        elif name not in units and (amounts := find_amounts(counts)) is not None:
            if amounts.mixed:
                issues.append(_mixed_issue(name, amounts.mixed, counts))
            else:
                units[name], bare[name] = amounts.unit, amounts.numbers
    return units, bare, issues


def _find_numerals(
    columns: Mapping[str, Counts], bare: Mapping[str, Mapping[str, str]], grouped: Sequence[str]
) -> list[Numerals]:
    """Find the numerals that read the whole file; plain ones where no column groups its digits."""
    if not grouped:
        return [Numerals()]
    plain = {name: dict(islice(bare[name].items(), MOST_PLAIN)) for name in bare if name not in grouped}
    return fitting_numerals(
        [_numbers(columns[name], bare[name]) for name in grouped],
        [_numbers(columns[name], numbers) for name, numbers in plain.items()],
    )


def _numbers(counts: Counts, numbers: Mapping[str, str]) -> Counts:
    """Count the cells of each number: several texts may have one, as `5 kg` and `5kg`."""
    found: Counter[str] = Counter()
    for text, number in numbers.items():
        found[number] += counts[text]
    return found


def _are_fractions(counts: Counts) -> bool:
    """Return whether these are numbers, mostly with a fraction, as no names are written."""
    numbers = [text for text in counts if as_number(text) is not None]
    fractions = [text for text in numbers if FRACTION.fullmatch(text)]
    return share(counts, numbers) >= MOSTLY and 2 * share(counts, fractions) > 1 and len(fractions) >= FEWEST_ALIKE


def _value(numerals: Numerals, number: str) -> float | None:
    return as_number(numerals.plain(number))


def _example(numerals: Numerals, numbers: Mapping[str, str]) -> str:
    text = next((text for text, number in numbers.items() if is_grouped(number)), next(iter(numbers)))
    value = _value(numerals, numbers[text])
    return f"{text!r}" if value is None else f"{text!r} is {value:.12g}"


def _mixed_issue(name: str, units: Sequence[str], counts: Counts) -> Issue:
    return Issue(
        "type",
        f"{name} has numbers in several units ({listed(units, most=3)}): {listed(map(repr, counts), most=2)}; they are "
        "not read as numbers, and the column stays a category. Write one unit into the file",
    )


def _numerals_issue(numerals: Numerals, grouped: Sequence[str], bare: Mapping[str, Mapping[str, str]]) -> Issue:
    """Give examples, also of columns whose numbers programs would read otherwise: 1.234 beside 1.234,50."""
    shown = [f"{name} {_example(numerals, bare[name])}" for name in grouped]
    for name, numbers in bare.items():
        otherwise = (one for one in numbers.values() if _value(numerals, one) not in (None, as_number(one)))
        if name not in grouped and (text := next(otherwise, "")):
            shown.append(f"{name} {_example(numerals, {text: text})}")
    settings = " ".join(f"{key}={value!r}" for key, value in settings_of(numerals).items())
    return Issue(
        "type",
        f"The file writes numbers in one way alone, and they are read so ({settings}, written into params.yaml): "
        f"{listed(shown, most=6)}",
    )


def _ambiguous(name: str, ways: Sequence[Numerals], numbers: Mapping[str, str], *, alone: bool) -> Issue:
    """Ask. `alone`: the column needs a way of its own, since none reads the whole file, or the given one not this."""
    shown = listed(map(repr, [text for text, one in numbers.items() if is_grouped(one)] or numbers), most=3)
    other = " in another way than the rest of the file or params.yaml" if alone else ""
    text = f"{name} writes numbers such as {shown}{other}; as they stand they are a category"
    if not ways:
        return Issue("numerals", f"{text}. Write them all in one way into the file")
    suggestions = tuple(
        {"ingest.units": {name: str(Unit("", numerals=way))}} if alone else settings_of(way) for way in ways
    )
    choices = (
        f"{settings_hint(suggestion)} where {_example(way, numbers)}"
        for way, suggestion in zip(ways, suggestions, strict=True)
    )
    return Issue("numerals", f"{text}. To have numbers, add {' or '.join(choices)}", suggestions=suggestions)


def unit_issue(name: str, counts: Counts, reading: CellFormats) -> Issue:
    """Say how a column of numbers beside a unit is read."""
    values = {text: value for text in counts if (value := as_number(reading.number(name, text))) is not None}
    first, negative = next(iter(values)), next((text for text, value in values.items() if value < 0), None)
    if reading.units[name] == NO_UNIT:
        return Issue(
            "type",
            f"{name} holds numbers that are stored as text, such as {first!r}: they are read as numbers (ingest.units, "
            "written into params.yaml)",
        )
    shown = dict.fromkeys(text for text in (first, negative) if text is not None)
    examples = " and ".join(f"{text!r} is read as {values[text]:.12g}" for text in shown)
    return Issue(
        "type",
        f"{name} writes its numbers with {str(reading.units[name])!r} (ingest.units, written into params.yaml): "
        f"{examples}",
    )


def find_amounts(counts: Counts) -> Amounts | None:
    """Find the unit beside nearly all numbers of a column; None where there is none."""
    units = {text: _unit(text) for text in counts}
    signs: Counter[str] = Counter()
    for text, unit in units.items():
        if unit is not None:
            signs[unit.sign] += counts[text]
    enough = MOSTLY * sum(counts.values())
    if signs.total() < enough or not signs:
        return None
    with_sign = [sign for sign, _ in signs.most_common() if sign]
    unit = Unit(
        with_sign[0] if with_sign else "",
        in_parentheses=any(each.in_parentheses for each in units.values() if each),
        trailing=any(each.trailing for each in units.values() if each),
    )
    if unit == Unit("") or not (unit.sign == "" or signs[unit.sign] >= signs.total() / 2):
        return Amounts(unit, {}, tuple(with_sign)) if len(with_sign) > 1 else None
    if signs[unit.sign] + signs[""] < enough:
        return Amounts(unit, {}, tuple(with_sign))
    return Amounts(unit, {text: number for text in counts if (number := unit.without(text)) is not None})


def _unit(text: str) -> Unit | None:
    """Find the unit of one cell, with how it writes a minus; None where the cell is no amount."""
    if len(text) > LONGEST:
        return None
    inside = INSIDE.fullmatch(text)
    amount = AMOUNT.fullmatch(trimmed("".join(map(trimmed, inside.groups()))) if inside else text)
    if amount is None:
        return None
    before, after, number = trimmed(amount["before"] + amount["more"]), amount["after"], amount["number"]
    trailing = bool(amount["end"]) and not any((number + amount["end"]).endswith(end) for end in NO_CENTS)
    if not amount["end"] and after[-1:] and after[-1] in MINUS:  # 12.50 - and 12.50 €-
        trailing, after = True, after[:-1].rstrip()
    if (before and (trimmed(after) or not _is_currency(before))) or (after and not _is_unit_behind(after)):
        return None
    return Unit(before or trimmed(after), inside is not None, trailing)


def _is_currency(sign: str) -> bool:
    return CURRENCIES.fullmatch(sign) is not None or any(unicodedata.category(letter) == "Sc" for letter in sign)


def _is_unit_behind(after: str) -> bool:
    sign = trimmed(after)
    is_word = sign.replace(".", "").replace("/", "").replace(" ", "", 1).isalpha() and 1 < len(sign) <= 12  # sq ft
    is_apart = after != after.lstrip()
    numbers_a_house = len(sign) == 1 and sign.isupper() and not is_apart  # 12A
    is_measure = MEASURES.fullmatch(sign) is not None and not numbers_a_house
    return is_measure or _is_currency(sign) or (is_word and is_apart)
