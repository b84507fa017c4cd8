"""From a profile to the column's line in params.yaml: its type, its natural bounds, what was seen, and its issues.

Only natural bounds are written. A smallest and largest value learned from the first file would reject tomorrow's
heat wave; 0 under counts and shares, and 1 over shares, stay true: docs/decisions/0014-scaffold.md.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import numpy as np

from releve.core.formatting import counted, listed
from releve.domain.onboarding.issues import Issue
from releve.domain.onboarding.profiles import SENTENCE_WORDS, ColumnProfile
from releve.domain.schema.cells import EXACT, as_date, fold, names_of
from releve.domain.schema.columns import CATEGORY, IMAGE, NUMBER, TEXT
from releve.domain.schema.images import MODE, SIZE

MUCH_MISSING = 0.5  # share of the cells
OPEN_VALUES = 100  # different categories beyond which each is rare
LENGTHS = (200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)  # characters
AMBIGUOUS_FORMS = ("grouped number", "other date")  # whose reading only the whole file, or a person, knows
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


def column_spec(profile: ColumnProfile) -> dict[str, object]:
    """Return the keys of `columns.<name>`, as `Schema.from_dict` reads them."""
    spec: dict[str, object] = {"type": profile.type or CATEGORY}
    if profile.type == NUMBER:
        spec |= natural_bounds(profile)
    if profile.type == CATEGORY and profile.form == "boolean":  # as pandas writes them into CSV, and as JSON's are read
        spec["categories"] = ["False", "True", *sorted(profile.kept)]
    elif profile.type == CATEGORY and profile.is_listable:
        spec["categories"] = sorted({(*names_of(value), str(value))[0] for value in profile.counts})
    if profile.type == IMAGE:
        spec |= {"size": list(SIZE), "mode": MODE}
    if profile.type == TEXT:
        spec["max_length"] = _max_length(profile)
    return spec | ({"nullable": True} if profile.missing else {})


def natural_bounds(profile: ColumnProfile) -> dict[str, int]:
    """Return `min: 0` for whole numbers that begin at 0 or 1 and for numbers that stop at 0, `max: 1` for shares.

    A number stops at a bound that it reaches in either half of the rows: a clock scaled to 0..1 reaches each once.
    """
    known = profile.known_numbers
    half = len(known) // 2
    stops = {bound: bool((known[:half] == bound).any() and (known[half:] == bound).any()) for bound in (0, 1)}
    counts_up = profile.is_whole and known.min() in (0, 1)
    if not counts_up and not (known.min() == 0 and stops[0]):
        return {}
    return {"min": 0, "max": 1} if known.max() == 1 and all(stops.values()) else {"min": 0}


def seen(profile: ColumnProfile) -> str:
    """Describe what stood in the column, for the comment beside its line."""

    def day_or_moment(moment: datetime) -> str:
        return moment.isoformat(" ").removesuffix(" 00:00:00")

    known = profile.known_numbers
    if not profile.counts:
        text = "nothing seen"
    elif profile.type == NUMBER:
        text = f"{known.min():.6g} to {known.max():.6g} seen"
    elif profile.is_ordered:
        dates = [as_date(value) for value in profile.counts if value not in profile.strange]
        text = f"{day_or_moment(min(dates))} to {day_or_moment(max(dates))} seen"
    elif profile.type == TEXT:
        text = f"up to {counted(_longest(profile), 'character')} seen"
    else:
        text = f"{counted(profile.distinct, 'value')} seen"
    return text + (f", {counted(profile.missing, 'cell')} missing" if profile.missing else "")


def column_issues(profile: ColumnProfile, ambiguous: Issue | None = None) -> list[Issue]:
    """List the issues of one column by itself. `ambiguous`: its numbers or dates have several readings."""
    issues = list(_issues(profile))
    if ambiguous is None:
        return issues
    return [ambiguous, *(each for each in issues if profile.form not in AMBIGUOUS_FORMS or each.kind != "type")]


def _issues(profile: ColumnProfile) -> Iterator[Issue]:
    name, example = profile.name, next(iter(profile.counts), None)
    if profile.form == "nested":
        yield Issue(
            "cells",
            f"{name} holds lists or objects such as {example}, and a cell is a number, a date or a text. Leave the "
            "column out of the file, or write what is needed of it into columns of their own",
        )
    if profile.type == NUMBER and profile.is_whole and np.nanmax(np.abs(profile.numbers)) > EXACT:
        yield Issue(
            "cells",
            f"{name} holds whole numbers of more than 15 digits, of which a number keeps the first 15: two of them can "
            "become one. Where they are names, write them as text into the file and put {type: category}",
        )
    if profile.markers:
        shown = listed((f"{marker!r} in {counted(count, 'cell')}" for marker, count in profile.markers.items()), most=4)
        if profile.kept:
            yield Issue("hint", f"{name} holds {shown}: kept, as a {profile.type} like any other")
        else:
            yield Issue("missing", f"{name} holds {shown}: taken as missing (ingest.missing)")
    if profile.type == IMAGE:
        size = " x ".join(map(str, SIZE))
        yield Issue(
            "type", f"{name} holds images, which the model sees at {size} pixels, {MODE}: set size and mode as it needs"
        )
    if text := FORMS.get(profile.form, ""):
        no_feature = (name,) if profile.form == "other date" else ()
        yield Issue("type", f"{name} {text.format(example=repr(example))}", no_feature, "a date in another form")
    yield from _spellings(profile)
    if profile.type == CATEGORY and profile.words >= SENTENCE_WORDS:
        then = "listed, so that any other will be rejected" if profile.is_listable else "each by itself"
        number = f"{profile.distinct:,} categor{'y' if profile.distinct == 1 else 'ies'}"
        yield Issue(
            "type",
            f"{name} holds sentences that repeat, and is taken for {number}, {then}; where people write what they "
            f"like, put {{type: text, max_length: {_max_length(profile)}}}",
        )


def _spellings(profile: ColumnProfile) -> Iterator[Issue]:
    """Name categories that differ in case or spaces alone; which of them are one, a person knows."""
    if profile.type != CATEGORY or profile.form in ("boolean", "nested", *AMBIGUOUS_FORMS):
        return
    groups: dict[str, dict[str, int]] = {}
    for value, count in profile.counts.items():
        groups.setdefault(fold(str(value)), {})[str(value)] = count
    if several := [spellings for spellings in groups.values() if len(spellings) > 1]:
        shown = listed((", ".join(f"{one!r} {count:,} x" for one, count in each.items()) for each in several), most=3)
        yield Issue(
            "type",
            f"{profile.name} has categories that differ in case or spaces alone: {shown}. They are told apart; where "
            f"they are one, put 'ignore_case: true' into columns.{profile.name} of params.yaml",
            suggestions=({f"columns.{profile.name}": {**column_spec(profile), "ignore_case": True}},),
        )


def constant_issues(columns: Sequence[ColumnProfile]) -> Iterator[Issue]:
    """Name columns with one value, or none. A mark in some rows, and an empty cell in the others, says something."""

    def what(profile: ColumnProfile) -> str:
        return f"is always {next(iter(profile.counts))!r}" if profile.counts else "is empty in every row"

    found = [each for each in columns if each.distinct <= 1 and not (each.counts and each.missing)]
    if len(found) == 1:
        text = f"{found[0].name} {what(found[0])}: nothing to learn from it, so it is no feature"
        yield Issue("constant", text, (found[0].name,), f"constant: {what(found[0])}")
    elif found:
        shown = listed((f"{each.name} {what(each)}" for each in found), most=6)
        text = f"{shown}: nothing to learn from these {len(found)} columns, so they are no features"
        yield Issue("constant", text, tuple(each.name for each in found), "constant")


def missing_issues(columns: Sequence[ColumnProfile]) -> Iterator[Issue]:
    """Name columns that are mostly missing."""
    shares = {each.name: each.missing / max(len(each.cells), 1) for each in columns if each.counts}
    if much := {name: share for name, share in shares.items() if share > MUCH_MISSING}:
        shown = listed((f"{name} is missing in {share:.0%}" for name, share in much.items()), most=6)
        yield Issue("missing", f"{shown} of the rows")


def many_values_issues(profile: ColumnProfile) -> Iterator[Issue]:
    """Name a category of very many values, unless the column has an issue that says so."""
    is_explained = profile.form in AMBIGUOUS_FORMS or profile.words >= SENTENCE_WORDS
    if profile.type == CATEGORY and profile.distinct > OPEN_VALUES and not is_explained:
        text = f"{profile.name} has {profile.distinct:,} different values, most of them rare"
        yield Issue("type", f"{text}; if they name single things, put 'feature: false'")


def _longest(profile: ColumnProfile) -> int:
    """Count the characters of the longest value."""
    return max(len(str(value)) for value in profile.counts)


def _max_length(profile: ColumnProfile) -> int:
    """Return twice the longest text, rounded up: room for tomorrow's, and still a limit."""
    length = 2 * _longest(profile)
    return next((limit for limit in LENGTHS if limit >= length), length)
