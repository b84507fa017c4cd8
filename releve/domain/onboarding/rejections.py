"""What ingestion will reject of a new table, by the schema that is about to be written."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import counted, listed, plural
from releve.domain.onboarding.issues import Issue
from releve.domain.schema.cells import EDGES, trimmed

if TYPE_CHECKING:
    import pandas as pd

    from releve.domain.schema.validation import Checked

SHOWN_LINES = 5
# What the last row of an export is called where it adds up the others.
TOTALS = {
    "total", "totals", "grand total", "subtotal", "sum", "sums", "gesamt", "summe", "gesamtsumme", "somme",
    "total général", "totale", "suma", "total general", "totaal",
}  # fmt: skip
LAST_ROWS = 5  # of a file, among which a row of totals is searched
SPECIAL = {
    "header": ("repeats the header", "repeat the header"),
    "totals": ("looks like a row of totals", "look like rows of totals"),
}  # rows that are none, by kind: of one, and of several


@dataclass(frozen=True)
class Rejections:
    """Rows of a sample that a schema rejects, by position, and why; and lines that are no rows at all."""

    checked: int  # rows and lines
    is_whole: bool = True  # whether the file holds no more than these
    rows: frozenset[int] = frozenset()
    unread: int = 0  # lines that are no rows
    reasons: Mapping[str, Counter[str]] = field(default_factory=dict)  # of each column, by cells
    by_column: Mapping[str, Sequence[int]] = field(default_factory=dict)  # the rows that each rejects, ascending

    @property
    def total(self) -> int:
        """Count the rows and lines that ingestion will not accept."""
        return len(self.rows) + self.unread


def no_rows(frame: "pd.DataFrame") -> dict[int, str]:
    """Find rows from which nothing is inferred, and what each is: the header again, or the totals."""
    names = [trimmed(str(name)) for name in frame.columns]
    first = frame.iloc[:, 0].astype(str).str.strip(EDGES).to_numpy()
    above = max(0, len(frame) - LAST_ROWS)

    def cells(place: int) -> list[str]:
        return [trimmed(str(cell)) for cell in frame.iloc[place].tolist()]

    def adds_up(place: int) -> bool:
        """Return whether a cell says so, and stands nowhere above: elsewhere it is a category like any other."""
        return any(
            cell.casefold().rstrip(":") in TOTALS
            and not (frame.iloc[:above, column].astype(str).str.strip(EDGES) == cell).any()
            for column, cell in enumerate(cells(place))
        )

    again = [place for place in np.flatnonzero(first == names[0]).tolist() if cells(place) == names]
    totals = [place for place in range(above, len(frame)) if adds_up(place)]
    return dict.fromkeys(again, "header") | dict.fromkeys(totals, "totals")


def rejection_issues(
    expected: Rejections, *, special: Mapping[int, str], lines: NDArray[np.int64], target: str, allowed: float
) -> Iterator[Issue]:
    """Say what will be rejected, the most rows first; `special` as `no_rows` says, `lines` are the rows' in the file.

    A column whose rows are rejected for others all the same is left out: a row without a label is often empty.
    """
    total = expected.total
    if total and (total > allowed * expected.checked or total == expected.checked):
        rows = f"{total:,} of {'' if expected.is_whole else 'the first '}{counted(expected.checked, 'row')}"
        when = "" if expected.is_whole else ", where the rest is like its beginning"
        yield Issue(
            "refused",
            f"the file as it is will be refused whole{when}: {rows} will be rejected, and a share of {allowed:g} may "
            "be (ingest.max_rejected_share). Correct the file, or what params.yaml says of the columns below, before "
            "you ingest it",
        )
    for kind, (one, several) in SPECIAL.items():
        if not (places := [place for place, each in special.items() if each == kind]):
            continue
        number, accepted = len(places), len([place for place in places if place not in expected.rows])
        then = (
            f"nothing was inferred from {plural(number, 'it', 'them')}, but {accepted} will be accepted as "
            f"{plural(accepted, 'a row', 'rows')}: delete {plural(accepted, 'it', 'them')} from the file"
            if accepted
            else f"{plural(number, 'it', 'they')} will be rejected, and nothing was inferred from "
            f"{plural(number, 'it', 'them')}"
        )
        where = _lines([int(lines[place]) for place in places])
        yield Issue("rejected", f"{where} {plural(number, one, several)}: {then}")
    explained: set[int] = set()
    for name in sorted(expected.by_column, key=lambda name: (-len(expected.by_column[name]), name != target)):
        reasons, rows_of_column = expected.reasons[name], expected.by_column[name]
        if not explained.issuperset(rows_of_column):
            numbers = [int(lines[row]) for row in rows_of_column[:SHOWN_LINES]]
            is_few = len(rows_of_column) <= SHOWN_LINES
            where = _lines(numbers) if is_few else f"the first in line {numbers[0]}"
            shown = "; ".join(f"{reason} ({counted(count, 'row')})" for reason, count in reasons.most_common(3))
            more = f"; and {len(reasons) - 3:,} other reasons" if len(reasons) > 3 else ""
            what = f"the target {name}" if name == target else f"column {name}"
            rows = counted(len(rows_of_column), "row")
            yield Issue("rejected", f"{rows} ({where}) will be rejected into quarantine: {what} {shown}{more}")
        explained.update(rows_of_column)


def _lines(numbers: Sequence[int]) -> str:
    return f"{plural(len(numbers), 'line', 'lines')} {listed(map(str, numbers), most=SHOWN_LINES)}"


def rejections_of(
    checked: "Checked", *, rows: int, is_whole: bool, unread: int, special: Mapping[int, str]
) -> Rejections:
    """Gather what `check_frame` says of `rows` rows and lines. Rows that are none have issues of their own."""
    reasons: dict[str, Counter[str]] = {}
    by_column: dict[str, list[int]] = {}
    for problem in checked.problems:
        row, column = problem.row, problem.column
        if row is not None and column is not None and row not in special:
            reasons.setdefault(column, Counter())[problem.reason] += 1
            by_column.setdefault(column, []).append(row)
    return Rejections(rows, is_whole, frozenset(checked.rejected_rows), unread, reasons, by_column)
