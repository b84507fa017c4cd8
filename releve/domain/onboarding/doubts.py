"""What is odd about a table as a whole: ids, repetitions, mixed cells, columns that say the same, too few rows."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import counted, listed, plural
from releve.domain.onboarding.findings import Finding, said
from releve.domain.onboarding.profiles import Profile
from releve.domain.schema.cells import as_number
from releve.domain.schema.columns import CATEGORY, DATE, REAL

TOLD_FORMS = ("grouped number", "quoted grouped number", "other date", "nested")  # told as such, and no names
FEW_AGAIN = 0.02  # share of the rows whose name stood in an earlier one: customers who came back
FEWEST_IDS = 20  # rows; in fewer, all different is no surprise
ID_NAME = re.compile(r"(^|[_. -])(id|key|uuid|guid|nr|no|number|index|row|instant)$", re.IGNORECASE)
CAMEL_ID = re.compile(r"[a-z](Id|ID|Key|Nr|No)$")
FEW_CODES = range(3, 13)  # different whole numbers that may be names rather than amounts; months are 12
MANY_REPEATED = 0.05  # share of the rows that repeat another one
MOSTLY_MIXED = 0.5  # share of numbers among words; fewer are names that happen to be digits
SAME = 0.9999  # rank correlation
MOST_COMPARED = 300  # columns; all pairs of them are compared


def id_findings(columns: Sequence[Profile], *, id: str | None, time: str | None) -> list[Finding]:
    """Columns that name or count the rows, and the one that is said to."""
    findings = [_id(column) if column.name == id else _id_like(column) for column in columns if column.name != time]
    return [finding for finding in findings if finding is not None]


def _id(column: Profile) -> Finding:
    again = column.present - column.distinct
    faults = [
        f"{counted(again, 'row')} {plural(again, 'has', 'have')} the id of an earlier row" if again else "",
        f"{counted(column.missing, 'row')} {plural(column.missing, 'has', 'have')} none" * bool(column.missing),
    ]
    told = f"; but {' and '.join(filter(None, faults))}" if any(faults) else ""
    kind = "id" if told else "role"
    return Finding(kind, f"{column.name} names the rows, and is no feature{told}", (column.name,), "names the row")


def _id_like(column: Profile) -> Finding | None:
    again = column.present - column.distinct
    if column.present < FEWEST_IDS or again > FEW_AGAIN * column.present or column.type == DATE:
        return None
    if column.type == CATEGORY and column.form not in TOLD_FORMS:
        why = "is different in every row" if not again else f"is different in all rows but {again:,}"
    elif again:
        return None
    elif column.is_whole and (np.diff(column.numbers[~np.isnan(column.numbers)]) > 0).all():
        why = "counts the rows: a whole number that grows with every row"
    elif column.is_whole and (ID_NAME.search(column.name) or CAMEL_ID.search(column.name)):
        why = "is a different whole number in every row, and is called like an id"
    else:
        return None
    role = said("ID", column.name)
    text = f"{column.name} {why}, so it is no feature; if it names the rows, say {role} (or id: in params.yaml)"
    return Finding("id", text, (column.name,), f"like an id: {why.partition(':')[0]}")


def repetition_findings(columns: Sequence[Profile]) -> list[Finding]:
    """Rows that are there twice, ids and row counts aside."""
    import pandas as pd

    table = pd.DataFrame({number: column.codes for number, column in enumerate(columns)})
    again = int(table.duplicated().sum()) if len(columns) else 0
    if not again:
        return []
    text = (
        f"{counted(again, 'row')} of {len(table):,} {plural(again, 'is', 'are')} the same as an earlier row in every "
        "column: a model that learned the one and is judged on the other scores too well. Where one thing was "
        "written twice, remove the second from the file (pandas: drop_duplicates); to have later files with such rows "
        "refused, put 'batch: {refuse: [duplicate_rows], max_unusual_share: 0}'"
    )
    return [Finding("repeated" if again > MANY_REPEATED * len(table) else "duplicates", text)]


def mixed_findings(columns: Sequence[Profile]) -> list[Finding]:
    """Columns of names in which numbers or dates stand beside words: one kind is often a mistake."""
    return [finding for column in columns if (finding := _mixed(column)) is not None]


def _mixed(column: Profile) -> Finding | None:
    if column.is_ordered or column.form or column.present < FEWEST_IDS:
        return None
    is_machine = any(not isinstance(value, str) for value in column.counts)  # of other files than CSV
    kinds: dict[str, list[Any]] = {}
    for value in column.counts:  # the most frequent first
        kinds.setdefault(_kind(value, digits_are_text=is_machine), []).append(value)
    counts = {kind: sum(column.counts[value] for value in values) for kind, values in kinds.items()}
    mostly = max((counts.get(kind, 0) for kind in ("number", "date")), default=0) / max(column.present, 1)
    if len(counts) < 2 or not (is_machine or mostly >= MOSTLY_MIXED):
        return None
    ranked = sorted(counts, key=lambda kind: -counts[kind])
    shown = " and ".join(f"{counted(counts[kind], kind)} (such as {kinds[kind][0]!r})" for kind in ranked)
    text = f"{column.name} holds {shown}, and is taken for a {column.type}"
    return Finding("mixed", f"{text}. If all of them should be {ranked[0]}s, correct the others in the file")


def _kind(value: Any, *, digits_are_text: bool) -> str:
    if isinstance(value, bool | np.bool_):
        return "truth value"
    if isinstance(value, str):
        return "text" if digits_are_text or as_number(value) is None else "number"
    return "number" if isinstance(value, REAL) else "date"


def mirror_findings(columns: Sequence[Profile]) -> list[Finding]:
    """Pairs of columns that say the same: equal order among numbers, one name for the other among categories."""
    ordered = [column for column in columns if column.is_ordered and column.distinct > 1][:MOST_COMPARED]
    named = [column for column in columns if not column.is_ordered and column.distinct > 1][:MOST_COMPARED]
    groups: list[list[str]] = []
    for one, other in [*_same_order(ordered), *_same_names(named)]:
        group = next((each for each in groups if one in each or other in each), None)
        if group is None:
            groups.append([one, other])
        else:
            group += [name for name in (one, other) if name not in group]
    return [
        Finding("mirror", f"{listed(group[:-1])} and {group[-1]} say the same; one of them is enough")
        for group in groups
    ]


def _same_order(columns: Sequence[Profile]) -> list[tuple[str, str]]:
    if len(columns) < 2:
        return []
    ranks = np.column_stack([_ranks(column.numbers) for column in columns])
    likeness = np.abs(np.corrcoef(ranks, rowvar=False))
    one, other = np.nonzero(np.triu(likeness >= SAME, k=1))
    return [(columns[i].name, columns[j].name) for i, j in zip(one.tolist(), other.tolist(), strict=True)]


def _ranks(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank of each number, the same for equal ones; a missing one ranks lowest."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(np.nan_to_num(numbers, nan=-np.inf)), dtype=np.float64)


def _same_names(columns: Sequence[Profile]) -> list[tuple[str, str]]:
    """Equal codes: values are numbered by how often they occur, so the numbers are made comparable first."""
    import pandas as pd

    keys = [(column.name, pd.factorize(column.codes)[0].tobytes()) for column in columns]
    return [(one, other) for i, (one, key) in enumerate(keys) for other, same in keys[i + 1 :] if key == same]


def code_findings(columns: Sequence[Profile]) -> list[Finding]:
    """Whole numbers with few values: numbers here, since most such codes have an order."""
    names = [column.name for column in columns if column.is_whole and column.distinct in FEW_CODES]
    if not names:
        return []
    text = (
        f"{listed(names)} {plural(len(names), 'holds', 'hold')} few different whole numbers and "
        f"{plural(len(names), 'is a number', 'are numbers')}, in their order; for codes without an order write "
        "{type: category}"
    )
    return [Finding("hint", text)]


def size_findings(rows: int, *, min_rows: int, holdout_share: float) -> list[Finding]:
    """Whether there are rows enough for the gate."""
    needed = int(np.ceil(min_rows / holdout_share))
    if rows >= needed:
        return []
    text = (
        f"{counted(rows, 'row')} {plural(rows, 'is', 'are')} too few: a model is judged on at least {min_rows} "
        f"(statistics.min_rows), which may be a share of {holdout_share:g} of all rows (split.holdout_share), so that "
        f"{needed} are needed; put more files into the incoming folder before the first retraining"
    )
    return [Finding("size", text)]
