"""Issues of a new table, the most serious first, and those that concern the table as a whole: ids, repeated rows, mixed
cells, columns that say the same, too few rows."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from releve.core.formatting import counted, listed, plural
from releve.domain.onboarding.profiles import ColumnProfile
from releve.domain.schema.cells import as_number
from releve.domain.schema.columns import CATEGORY, DATE, REAL

MARKER = "marker"  # cells that may mean missing: the rows that they cost are not learned from
# By what they cost, the dearest first: the file or rows of it, the wrong rows taken for the newest, a model that knows
# the answer, one that cannot be learned or judged, columns that are read otherwise than meant or left out, what
# deserves a check, and what was only done as requested.
KINDS = (
    "refused",
    "rejected",
    "unread",
    "label",
    MARKER,
    "cells",
    "order",
    "leak",
    "personal",
    "strong",
    "classes",
    "size",
    "shift",
    "repeated",  # many rows
    "numerals",
    "mixed",
    "type",
    "clock",
    "id",
    "constant",
    "missing",
    "mirror",
    "time",
    "hint",
    "duplicates",  # few rows
    "role",
)
EXPLAINED_FORMS = ("grouped number", "quoted grouped number", "other date", "nested")  # with an issue of their own
FEW_AGAIN = 0.02  # share of the rows whose name stood in an earlier one: customers who came back
FEWEST_IDS = 20  # rows; in fewer, all different is no surprise
ID_NAME = re.compile(r"(^|[_. -])(id|key|uuid|guid|nr|no|number|index|row|instant)$", re.IGNORECASE)
CAMEL_ID = re.compile(r"[a-z](Id|ID|Key|Nr|No)$")
FEW_CODES = range(3, 13)  # different whole numbers that may be names rather than amounts; months are 12
MANY_REPEATED = 0.05  # share of the rows that repeat another one
MOSTLY_MIXED = 0.5  # share of numbers among words; fewer are names that happen to be digits
SAME = 0.9999  # rank correlation
MOST_COMPARED = 300  # columns; all pairs of them are compared


@dataclass(frozen=True)
class Issue:
    """One sentence about a table. `leaves_out` are columns that it makes `feature: false`, `why` is their comment.

    `doubts` are columns that stay features, though the model may not be allowed to know them. `suggestions` are
    settings that solve it, by key (ingest.missing): one of them, where there are several.
    """

    kind: str  # of KINDS
    text: str
    leaves_out: tuple[str, ...] = ()
    why: str = ""
    suggestions: tuple[Mapping[str, object], ...] = ()
    doubts: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()  # columns that it makes `personal: true`


def ranked(issues: Iterable[Issue]) -> list[Issue]:
    """Sort the most serious first, else as given."""
    return sorted(issues, key=lambda issue: KINDS.index(issue.kind))


def left_out(issues: Iterable[Issue]) -> dict[str, str]:
    """Return each column that is no feature, and the most serious reason."""
    reasons: dict[str, str] = {}
    for issue in ranked(issues):
        for name in issue.leaves_out:
            reasons.setdefault(name, issue.why)
    return reasons


def role_hint(role: str, column: str) -> str:
    """Write what to add to the command: TIME=day, TIME='signed up'."""
    return f"{role}={shlex.quote(column)}"


def id_issues(columns: Sequence[ColumnProfile], *, id: str | None, time: str | None) -> Iterator[Issue]:
    """Name columns that name or count the rows, and the given `id`."""
    for column in columns:
        again = column.present - column.distinct
        if column.name == time:
            continue
        if column.name == id:
            faults = [
                f"{counted(again, 'row')} {plural(again, 'has', 'have')} the id of an earlier row" if again else "",
                f"{counted(column.missing, 'row')} {plural(column.missing, 'has', 'have')} none" * bool(column.missing),
            ]
            but = f"; but {' and '.join(filter(None, faults))}" if any(faults) else ""
            text = f"{column.name} names the rows, and is no feature{but}"
            if again:
                names = " and ".join(filter(None, (column.name, time)))
                text += f". Rows with the same {names} count once, as the last of them"
            yield Issue("id" if but else "role", text, (column.name,), "names the row")
        elif why := _like_an_id(column, again):
            text = f"{column.name} {why}, so it is no feature; if it names the rows, set {role_hint('ID', column.name)}"
            why = f"like an id: {why.partition(':')[0]}"
            yield Issue("id", f"{text} (or id: in params.yaml)", (column.name,), why)


def _like_an_id(column: ColumnProfile, again: int) -> str:
    """Say why a column with `again` repeated values looks like an id; "" where it does not."""
    if column.present < FEWEST_IDS or again > FEW_AGAIN * column.present or column.type == DATE:
        return ""
    if column.type == CATEGORY and column.form not in EXPLAINED_FORMS:
        return "is different in every row" if not again else f"is different in all rows but {again:,}"
    if again or not column.is_whole:
        return ""
    if (np.diff(column.known_numbers) > 0).all():
        return "counts the rows: a whole number that grows with every row"
    is_named = ID_NAME.search(column.name) or CAMEL_ID.search(column.name)
    return "is a different whole number in every row, and is called like an id" if is_named else ""


def repetition_issues(columns: Sequence[ColumnProfile]) -> Iterator[Issue]:
    """Count rows that are there twice, ids and row counts aside."""
    import pandas as pd

    table = pd.DataFrame({number: column.codes for number, column in enumerate(columns)})
    if columns and (again := int(table.duplicated().sum())):
        yield Issue(
            "repeated" if again > MANY_REPEATED * len(table) else "duplicates",
            f"{counted(again, 'row')} of {len(table):,} {plural(again, 'is', 'are')} the same as an earlier row in "
            "every column: a model that learned the one and is judged on the other scores too well. Where one thing "
            "was written twice, remove the second from the file (pandas: drop_duplicates); to have later files with "
            "such rows refused, put 'batch: {refuse: [duplicate_rows], max_unusual_share: 0}'",
        )


def mixed_issues(columns: Sequence[ColumnProfile]) -> Iterator[Issue]:
    """Name columns in which numbers or dates stand beside words: one kind is often a mistake."""

    def kind_of(value: Any, *, digits_are_text: bool) -> str:
        if isinstance(value, bool | np.bool_):
            return "truth value"
        if isinstance(value, str):
            return "text" if digits_are_text or as_number(value) is None else "number"
        return "number" if isinstance(value, REAL) else "date"

    for column in columns:
        if column.is_ordered or column.form or column.present < FEWEST_IDS:
            continue
        is_typed = any(not isinstance(value, str) for value in column.counts)  # of other files than CSV
        kinds: dict[str, list[Any]] = {}
        for value in column.counts:  # the most frequent first
            kinds.setdefault(kind_of(value, digits_are_text=is_typed), []).append(value)
        counts = {kind: sum(column.counts[value] for value in values) for kind, values in kinds.items()}
        mostly = max(counts.get("number", 0), counts.get("date", 0)) / max(column.present, 1)
        if len(counts) > 1 and (is_typed or mostly >= MOSTLY_MIXED):
            frequent = sorted(counts, key=lambda kind: -counts[kind])
            shown = " and ".join(f"{counted(counts[kind], kind)} (such as {kinds[kind][0]!r})" for kind in frequent)
            yield Issue(
                "mixed",
                f"{column.name} holds {shown}, and is taken for a {column.type}. If all of them should be "
                f"{frequent[0]}s, correct the others in the file",
            )


def mirror_issues(columns: Sequence[ColumnProfile]) -> Iterator[Issue]:
    """Group columns that say the same: equal order among numbers, one name for the other among categories."""
    import pandas as pd
    from scipy.stats import rankdata

    ordered = [column for column in columns if column.is_ordered and column.distinct > 1][:MOST_COMPARED]
    named = [column for column in columns if not column.is_ordered and column.distinct > 1][:MOST_COMPARED]
    pairs: list[tuple[str, str]] = []
    if len(ordered) > 1:
        ranks = [rankdata(np.nan_to_num(column.numbers, nan=-np.inf)) for column in ordered]  # missing ranks lowest
        likeness = np.abs(np.corrcoef(np.column_stack(ranks), rowvar=False))
        one, other = np.nonzero(np.triu(likeness >= SAME, k=1))
        pairs = [(ordered[i].name, ordered[j].name) for i, j in zip(one.tolist(), other.tolist(), strict=True)]
    # Values are numbered by how often they occur, so the numbers are made comparable first.
    keys = [(column.name, pd.factorize(column.codes)[0].tobytes()) for column in named]
    pairs += [(one, other) for i, (one, key) in enumerate(keys) for other, same in keys[i + 1 :] if key == same]
    groups: list[list[str]] = []
    for pair in pairs:
        group = next((each for each in groups if not set(each).isdisjoint(pair)), None)
        if group is None:
            groups.append([*pair])
        else:
            group += [name for name in pair if name not in group]
    for group in groups:
        yield Issue("mirror", f"{listed(group[:-1])} and {group[-1]} say the same; one of them is enough")


def code_issues(columns: Sequence[ColumnProfile]) -> Iterator[Issue]:
    """Name whole numbers with few values: numbers here, since most such codes have an order."""
    if names := [column.name for column in columns if column.is_whole and column.distinct in FEW_CODES]:
        yield Issue(
            "hint",
            f"{listed(names)} {plural(len(names), 'holds', 'hold')} few different whole numbers and "
            f"{plural(len(names), 'is a number', 'are numbers')}, in their order; for codes without an order write "
            "{type: category}",
        )


def size_issues(rows: int, *, min_rows: int) -> Iterator[Issue]:
    """Say when there are too few rows for the gate: a first model is judged on the newest half of them."""
    if rows < (needed := 2 * min_rows):
        yield Issue(
            "size",
            f"{counted(rows, 'row')} {plural(rows, 'is', 'are')} too few: a model is judged on at least {min_rows} "
            f"(statistics.min_rows), the newest half of all rows at most, so that {needed} are "
            "needed; put more files into the incoming folder before the first retraining",
        )
