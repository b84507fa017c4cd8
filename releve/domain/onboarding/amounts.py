"""Numbers beside a unit, as a column writes them: $1,799.50, 27%, 51.2 kg, (12.50).

A unit is a sign of a currency, a known code or sign, or a word behind a space that nearly every cell has. A word before
a number names things more often than it measures them (room 12), and is no unit.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from releve.domain.ingestion.cell_formats import MINUS, NO_CENTS, Unit
from releve.domain.ingestion.numerals import MOSTLY
from releve.domain.schema.cells import trimmed

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


@dataclass(frozen=True)
class Amounts:
    """A column whose cells are numbers beside a unit. `mixed`: it has several, which no setting reads."""

    unit: Unit
    numbers: dict[str, str]  # of each text that has the unit: the number as it is written
    mixed: tuple[str, ...] = ()


def amounts_of(counts: Mapping[str, int]) -> Amounts | None:
    """The unit beside nearly all numbers of a column; None where there is none."""
    found = {text: _parts(text) for text in counts}
    total = sum(counts.values())
    signs: Counter[str] = Counter()
    for text, unit in found.items():
        if unit is not None:
            signs[unit.sign] += counts[text]
    if signs.total() < MOSTLY * total or not signs:
        return None
    with_sign = [sign for sign, _ in signs.most_common() if sign]
    unit = Unit(
        with_sign[0] if with_sign else "",
        in_parentheses=any(each.in_parentheses for each in found.values() if each),
        trailing=any(each.trailing for each in found.values() if each),
    )
    if unit == Unit("") or not (unit.sign == "" or signs[unit.sign] >= signs.total() / 2):
        return Amounts(unit, {}, tuple(with_sign)) if len(with_sign) > 1 else None
    if signs[unit.sign] + signs[""] < MOSTLY * total:
        return Amounts(unit, {}, tuple(with_sign))
    bare = {text: unit.without(text) for text in counts}
    return Amounts(unit, {text: number for text, number in bare.items() if number is not None})


def _parts(text: str) -> Unit | None:
    """The unit of one cell, with how it writes a minus; None where the cell is no amount."""
    if len(text) > LONGEST:
        return None
    inside = INSIDE.fullmatch(text)
    found = AMOUNT.fullmatch(trimmed("".join(map(trimmed, inside.groups()))) if inside else text)
    if found is None:
        return None
    before, after = trimmed(found["before"] + found["more"]), found["after"]
    trailing = bool(found["end"]) and not any((found["number"] + found["end"]).endswith(end) for end in NO_CENTS)
    if not found["end"] and after[-1:] and after[-1] in MINUS:  # 12.50 - and 12.50 €-
        trailing, after = True, after[:-1].rstrip()
    sign = before or trimmed(after)
    if before and trimmed(after):
        return None
    if before and not _is_currency(before):
        return None
    if after and not _is_unit_behind(after, found["number"]):
        return None
    return Unit(sign, inside is not None, trailing)


def _is_currency(sign: str) -> bool:
    return CURRENCIES.fullmatch(sign) is not None or any(unicodedata.category(letter) == "Sc" for letter in sign)


def _is_unit_behind(after: str, number: str) -> bool:
    sign = trimmed(after)
    is_word = sign.replace(".", "").replace("/", "").replace(" ", "", 1).isalpha() and 1 < len(sign) <= 12  # sq ft
    is_apart = after != after.lstrip()
    is_measure = MEASURES.fullmatch(sign) is not None and (
        is_apart or not (len(sign) == 1 and sign.isupper())
    )  # 12A numbers a house
    return is_measure or _is_currency(sign) or (is_word and is_apart)
