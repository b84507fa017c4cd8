"""What is odd about a table as a whole: ids, clocks, repetitions, columns that say the same, too few rows."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from releve.rules.columns import CATEGORY, DATE, NUMBER
from releve.rules.inference.findings import Finding, counted, either, listed
from releve.rules.inference.profiles import Profile

FEWEST_IDS = 20  # rows; in fewer, all different is no surprise
ID_NAME = re.compile(r"(^|[_. -])(id|key|uuid|guid|nr|no|number|index|row|instant)$", re.IGNORECASE)
CAMEL_ID = re.compile(r"[a-z](Id|ID|Key|Nr|No)$")
CLOCK = 0.99  # rank correlation with the row number, above which a column counts the rows
CLOCK_VALUES = 0.01  # share of different values; a growing column of fewer is a code, such as the year
FEW_CODES = range(3, 13)  # different whole numbers that may be names rather than amounts; months are 12
SAME = 0.9999  # rank correlation
MOST_COMPARED = 300  # columns; all pairs of them are compared


def id_findings(columns: Sequence[Profile], *, id: str | None, time: str | None) -> list[Finding]:
    """Columns that name or count the rows, and the one that is said to."""
    findings = [_id(column) if column.name == id else _id_like(column) for column in columns if column.name != time]
    return [finding for finding in findings if finding is not None]


def _id(column: Profile) -> Finding:
    again = column.present - column.distinct
    faults = [
        f"{counted(again, 'row')} {either(again, 'repeats', 'repeat')} one" if again else "",
        f"{column.missing} {either(column.missing, 'is', 'are')} missing" * bool(column.missing),
    ]
    told = f"; but {' and '.join(filter(None, faults))}" if any(faults) else ""
    kind = "id" if told else "role"
    return Finding(kind, f"{column.name} names the rows, and is no feature{told}", (column.name,), "names the row")


def _id_like(column: Profile) -> Finding | None:
    if column.present < FEWEST_IDS or column.distinct < column.present or column.type == DATE:
        return None
    if column.type == CATEGORY:
        why = "is different in every row"
    elif column.is_whole and (np.diff(column.numbers[~np.isnan(column.numbers)]) > 0).all():
        why = "counts the rows: a whole number that grows with every row"
    elif column.is_whole and (ID_NAME.search(column.name) or CAMEL_ID.search(column.name)):
        why = "is a different whole number in every row, and is called like an id"
    else:
        return None
    text = (
        f"{column.name} {why}, so it is no feature; if it names the rows, say ID={column.name} (or id: in params.yaml)"
    )
    return Finding("id", text, (column.name,), f"like an id: {why.partition(':')[0]}")


def time_findings(columns: Sequence[Profile], *, time: str | None) -> list[Finding]:
    """What is wrong with the column that orders the rows, or which one could."""
    chosen = [column for column in columns if column.name == time]
    return _time(chosen[0]) if chosen else _other_clocks(columns)


def _time(column: Profile) -> list[Finding]:
    known = column.numbers[~np.isnan(column.numbers)]
    backwards = int((np.diff(known) < 0).sum())
    shared = len(known) - len(np.unique(known))
    told = (
        (
            "time",
            backwards,
            f"the rows are not in the order of {column.name}: {counted(backwards, 'row')} "
            f"{either(backwards, 'goes', 'go')} back in time",
        ),
        (
            "time",
            column.missing,
            f"{column.name} is missing in {counted(column.missing, 'row')}, whose place in time is unknown",
        ),
        (
            "hint",
            shared,
            f"{counted(shared, 'row')} {either(shared, 'has', 'have')} the {column.name} of an earlier row; such rows "
            "keep the file's order",
        ),
    )
    findings = [Finding(kind, text) for kind, count, text in told if count]
    if column.type == NUMBER:
        text = f"{column.name} orders the rows; as a number that only grows it is no feature"
        findings.append(Finding("role", text, (column.name,), "the time: only grows"))
    return findings


def _other_clocks(columns: Sequence[Profile]) -> list[Finding]:
    clocks = [column.name for column in columns if column.type == DATE] + [
        each.name for each in columns if _grows(each)
    ]
    if not clocks:
        return [
            Finding("time", "no column is a time: the rows count as ordered as they stand in the file, oldest first")
        ]
    text = f"{listed(clocks)} could be the time; say TIME={clocks[0]} to have rows ordered by it, and not as they stand"
    return [Finding("time", text), *clock_findings(columns)]


def _grows(column: Profile) -> bool:
    if column.type != NUMBER or column.present < FEWEST_IDS or column.distinct <= max(2, CLOCK_VALUES * column.present):
        return False
    known = column.numbers[~np.isnan(column.numbers)]
    return bool(np.corrcoef(_ranks(known), np.arange(len(known)))[0, 1] >= CLOCK)


def clock_findings(columns: Sequence[Profile]) -> list[Finding]:
    """Features that only grow: tomorrow's values were never seen, and drift is found for ever."""
    names = [column.name for column in columns if _grows(column)]
    if not names:
        return []
    text = f"{listed(names)} grow{'s' * (len(names) == 1)} with the rows like a clock: a model cannot know tomorrow's"
    return [
        Finding(
            "time", f"{text} values, and drift will be found in every window; unless it helps, put 'feature: false'"
        )
    ]


def repetition_findings(columns: Sequence[Profile]) -> list[Finding]:
    """Rows that are there twice, ids and row counts aside."""
    import pandas as pd

    table = pd.DataFrame({number: column.codes for number, column in enumerate(columns)})
    again = int(table.duplicated().sum()) if len(columns) else 0
    if not again:
        return []
    text = (
        f"{counted(again, 'row')} of {len(table):,} {either(again, 'repeats', 'repeat')} an earlier row in every column"
        ": where a row is learned from and its like is in the holdout, the score flatters the model. To have files "
        "refused for rows that are alike, ids too, put 'batch: {on_duplicate_rows: refuse, max_duplicate_rows: 0}'"
    )
    return [Finding("duplicates", text)]


def mirror_findings(columns: Sequence[Profile]) -> list[Finding]:
    """Pairs of columns that say the same: equal order among numbers, one name for the other among categories."""
    ordered = [column for column in columns if column.is_ordered and column.distinct > 1][:MOST_COMPARED]
    named = [column for column in columns if not column.is_ordered and column.distinct > 1][:MOST_COMPARED]
    pairs = [*_same_order(ordered), *_same_names(named)]
    return [Finding("mirror", f"{one} and {other} say the same; one of them is enough") for one, other in pairs]


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
    verb = (
        "holds few whole numbers, and stays a number" if len(names) == 1 else "hold few whole numbers, and stay numbers"
    )
    text = f"{listed(names)} {verb}; where they are names without an order"
    return [Finding("hint", f"{text}, write {{type: category}}")]


def size_findings(rows: int, *, min_rows: int, holdout_share: float) -> list[Finding]:
    """Whether there are rows enough for the gate."""
    needed = int(np.ceil(min_rows / holdout_share))
    if rows >= needed:
        return []
    text = (
        f"{counted(rows, 'row')}: the gate promotes nothing below {min_rows} rows of holdout, which takes {needed} rows"
    )
    return [Finding("size", f"{text}; put more files into the incoming folder before the first retraining")]
