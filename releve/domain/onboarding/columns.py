"""From a profile to the column's line in params.yaml: its type, its natural bounds, and what was seen.

Only natural bounds are written. A smallest and largest value learned from the first file would reject tomorrow's
heat wave; 0 under counts and shares, and 1 over shares, stay true: docs/decisions/0014-scaffold.md.
"""

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import counted, listed
from releve.domain.onboarding.findings import Finding
from releve.domain.onboarding.profiles import SENTENCE_WORDS, Profile
from releve.domain.schema.cells import EXACT, as_date, fold, names_of
from releve.domain.schema.columns import CATEGORY, NUMBER, TEXT

MUCH_MISSING = 0.5  # share of the cells
OPEN_VALUES = 100  # different categories beyond which each is rare
TRUTH = ["False", "True"]
LENGTHS = (200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)  # characters


def column_spec(profile: Profile) -> dict[str, Any]:
    """The keys of `columns.<name>`, as `Schema.from_dict` reads them."""
    spec: dict[str, Any] = {"type": profile.type or CATEGORY}
    if profile.type == NUMBER:
        spec |= natural_bounds(profile)
    if profile.type == CATEGORY and profile.form == "boolean":
        spec["categories"] = [
            *TRUTH,
            *sorted(profile.kept),
        ]  # as pandas writes them into CSV, and as true and false of JSON are taken
    elif profile.type == CATEGORY and profile.is_listable:
        spec["categories"] = sorted({(*names_of(value), str(value))[0] for value in profile.counts})
    if profile.type == TEXT:
        spec["max_length"] = _roomy(_longest(profile))
    return spec | ({"nullable": True} if profile.missing else {})


def natural_bounds(profile: Profile) -> dict[str, int]:
    """`min: 0` for whole numbers that begin at 0 or 1 and for numbers that stop at 0; `max: 1` for shares and flags.

    A number stops at a bound that it reaches in either half of the rows: a clock scaled to 0..1 reaches each once.
    """
    known = profile.numbers[~np.isnan(profile.numbers)]
    counts_up = profile.is_whole and known.min() in (0, 1)
    if not counts_up and not (known.min() == 0 and _is_wall(known, 0)):
        return {}
    return {"min": 0, "max": 1} if known.max() == 1 and _is_wall(known, 0) and _is_wall(known, 1) else {"min": 0}


def _is_wall(known: NDArray[np.float64], bound: float) -> bool:
    half = len(known) // 2
    return bool((known[:half] == bound).any() and (known[half:] == bound).any())


def seen(profile: Profile) -> str:
    """What stood in the column, for the comment beside its line."""
    missing = f", {counted(profile.missing, 'cell')} missing" if profile.missing else ""
    return (_seen_values(profile) if profile.counts else "nothing seen") + missing


def _seen_values(profile: Profile) -> str:
    known = profile.numbers[~np.isnan(profile.numbers)]
    if profile.type == NUMBER:
        return f"{known.min():.6g} to {known.max():.6g} seen"
    if profile.is_ordered:
        dates = [as_date(value) for value in profile.counts if value not in profile.strange]
        return f"{_day_or_moment(min(dates))} to {_day_or_moment(max(dates))} seen"
    if profile.type == TEXT:
        return f"up to {counted(_longest(profile), 'character')} seen"
    return f"{counted(profile.distinct, 'value')} seen"


def _day_or_moment(moment: datetime) -> str:
    return moment.isoformat(" ").removesuffix(" 00:00:00")


def column_findings(profile: Profile, asked: Finding | None = None) -> list[Finding]:
    """What is odd about one column by itself. `asked`: what is asked about its numbers or dates, as the file is."""
    checks = (
        _nested,
        _inexact,
        _constant,
        _missing,
        _markers,
        _other_form,
        _spellings,
        _sentences,
    )
    found = [finding for check in checks if (finding := check(profile)) is not None]
    if asked is None:
        return found
    return [asked, *(finding for finding in found if profile.form not in ASKED or finding.kind != "type")]


ASKED = ("grouped number", "other date")  # forms whose reading only the whole file, or a person, knows


def _constant(profile: Profile) -> Finding | None:
    if profile.distinct > 1 or (profile.counts and profile.missing):  # a mark in some rows says something
        return None
    what = f"is always {next(iter(profile.counts))!r}" if profile.counts else "is empty in every row"
    text = f"{profile.name} {what}: nothing to learn from it, so it is no feature"
    return Finding("constant", text, (profile.name,), f"constant: {what}")


def _nested(profile: Profile) -> Finding | None:
    if profile.form != "nested":
        return None
    return Finding(
        "cells",
        f"{profile.name} holds lists or objects such as {next(iter(profile.counts))}, and a cell is a number, a date "
        "or a text. Leave the column out of the file, or write what is needed of it into columns of their own",
    )


def _inexact(profile: Profile) -> Finding | None:
    if profile.type != NUMBER or not np.nanmax(np.abs(profile.numbers)) > EXACT or not profile.is_whole:
        return None
    return Finding(
        "cells",
        f"{profile.name} holds whole numbers of more than 15 digits, of which a number keeps the first 15: two of them "
        "can become one. Where they are names, write them as text into the file and put {type: category}",
    )


def _missing(profile: Profile) -> Finding | None:
    share = profile.missing / max(len(profile.cells), 1)
    if share <= MUCH_MISSING or not profile.counts:
        return None
    return Finding("missing", f"{profile.name} is missing in {share:.0%} of the rows")


def _markers(profile: Profile) -> Finding | None:
    if not profile.markers:
        return None
    shown = listed((f"{marker!r} in {counted(count, 'cell')}" for marker, count in profile.markers.items()), most=4)
    if not profile.kept:
        return Finding("missing", f"{profile.name} holds {shown}: taken as missing (ingest.missing)")
    return Finding("hint", f"{profile.name} holds {shown}: kept, as a {profile.type} like any other")


def _spellings(profile: Profile) -> Finding | None:
    """Categories that differ in case or spaces alone; which of them are one, a person knows."""
    if profile.type != CATEGORY or profile.form in ("boolean", "nested", *ASKED):
        return None
    groups: dict[str, dict[str, int]] = {}
    for value, count in profile.counts.items():
        groups.setdefault(fold(str(value)), {})[str(value)] = count
    several = [spellings for spellings in groups.values() if len(spellings) > 1]
    if not several:
        return None
    shown = listed((", ".join(f"{name!r} {count:,} x" for name, count in each.items()) for each in several), most=3)
    return Finding(
        "type",
        f"{profile.name} has categories that differ in case or spaces alone: {shown}. They are told apart; where they "
        f"are one, put 'ignore_case: true' into columns.{profile.name} of params.yaml",
        cures=({f"columns.{profile.name}": {**column_spec(profile), "ignore_case": True}},),
    )


def _other_form(profile: Profile) -> Finding | None:
    text = FORMS.get(profile.form)
    if text is None:
        return None
    no_feature = (profile.name,) if profile.form == "other date" else ()
    example = next(iter(profile.counts))
    return Finding("type", f"{profile.name} {text.format(example=repr(example))}", no_feature, "a date in another form")


FORMS = {
    "code": "holds digits with leading zeros, or more than a number keeps ({example}): taken for names, so it is a "
    "category",
    "exponent code": "holds {example}, as codes are written and numbers are not (1E5 and 10E4 would be one number): "
    "taken for names, so it is a category; to have numbers, put {{type: number}}",
    "quoted number": "holds numbers written as text ({example}): taken for names; to have numbers, write them without "
    "quotes in the file and put {{type: number}}",
    "quoted grouped number": "holds numbers written as text ({example}): taken for names; to have numbers, write them "
    "as numbers into the file and put {{type: number}}",
    "other date": "looks like dates such as {example}, but no one form reads nearly all of its cells; it is no feature "
    "until the file has them in one form, best as 2024-12-31, and params.yaml says {{type: date}}",
}


def _sentences(profile: Profile) -> Finding | None:
    if profile.type != CATEGORY or profile.words < SENTENCE_WORDS:
        return None
    then = "listed, so that any other will be rejected" if profile.is_listable else "each by itself"
    number = f"{profile.distinct:,} categor{'y' if profile.distinct == 1 else 'ies'}"
    return Finding(
        "type",
        f"{profile.name} holds sentences that repeat, and is taken for {number}, {then}; "
        f"where people write what they like, put {{type: text, max_length: {_roomy(_longest(profile))}}}",
    )


def open_finding(profile: Profile) -> Finding | None:
    """A category of very many values; nothing of a column that only names the rows."""
    told = profile.form in ("other date", "grouped number") or profile.words >= SENTENCE_WORDS
    if profile.type != CATEGORY or profile.distinct <= OPEN_VALUES or told:
        return None
    text = f"{profile.name} has {profile.distinct:,} different values, most of them rare"
    return Finding("type", f"{text}; if they name single things, put 'feature: false'")


def _longest(profile: Profile) -> int:
    """Characters."""
    return max(len(str(value)) for value in profile.counts)


def _roomy(length: int) -> int:
    """Twice the longest text, rounded up: room for tomorrow's, and still a limit."""
    return next((limit for limit in LENGTHS if limit >= 2 * length), 2 * length)
