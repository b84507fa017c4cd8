"""What ingestion will reject of the sample, foretold by the schema that is about to be written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from releve.core.formatting import counted, listed, plural
from releve.domain.onboarding.findings import Finding
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
LAST_ROWS = 5  # of a file, among which a row of totals is looked for


@dataclass(frozen=True)
class Rejections:
    """Rows of a sample that a schema rejects, by position, and why; and lines that are no rows at all."""

    looked_at: int  # rows and lines
    is_whole: bool = True  # whether the file holds no more than these
    rows: frozenset[int] = frozenset()
    unread: int = 0  # lines that are no rows
    reasons: Mapping[str, Counter[str]] = field(default_factory=dict)  # of each column, by cells
    by_column: Mapping[str, Sequence[int]] = field(default_factory=dict)  # the rows that each rejects, ascending

    @property
    def total(self) -> int:
        """Rows and lines that ingestion will not accept."""
        return len(self.rows) + self.unread


def no_rows(frame: "pd.DataFrame") -> dict[int, str]:
    """Rows from which nothing is inferred, by position, and what each is: the header again, or the totals."""
    names = [trimmed(str(name)) for name in frame.columns]
    first = frame.iloc[:, 0].astype(str).str.strip(EDGES).to_numpy()
    again = [int(place) for place in np.flatnonzero(first == names[0]) if _cells(frame, int(place)) == names]
    above = max(0, len(frame) - LAST_ROWS)
    totals = [place for place in range(above, len(frame)) if _adds_up(frame, place, above)]
    return {place: "header" for place in again} | dict.fromkeys(totals, "totals")


def _cells(frame: "pd.DataFrame", place: int) -> list[str]:
    return [trimmed(str(cell)) for cell in frame.iloc[place].tolist()]


def _adds_up(frame: "pd.DataFrame", place: int, above: int) -> bool:
    """Whether a cell says so, and stands nowhere above: elsewhere it is a category like any other."""
    return any(
        cell.casefold().rstrip(":") in TOTALS
        and not (frame.iloc[:above, column].astype(str).str.strip(EDGES) == cell).any()
        for column, cell in enumerate(_cells(frame, place))
    )


def rejection_findings(
    found: Rejections, *, special: Mapping[int, str], lines: NDArray[np.int64], target: str, allowed: float
) -> list[Finding]:
    """What will be rejected, the most rows first; `special` as `no_rows` says, `lines` is each row's in the file.

    A column whose rows are rejected for others all the same is not told: a row without a label is often empty.
    """
    if not found.total:
        return _specials(found, special, lines)
    refused = found.total > allowed * found.looked_at or found.total == found.looked_at
    ranked = sorted(found.by_column, key=lambda name: (-len(found.by_column[name]), name != target))
    told: set[int] = set()
    columns = []
    for name in ranked:
        if not told.issuperset(found.by_column[name]):
            columns.append(_column(name, found, lines, target))
        told.update(found.by_column[name])
    return [*([_refused(found, allowed)] if refused else []), *_specials(found, special, lines), *columns]


def _refused(found: Rejections, allowed: float) -> Finding:
    rows = f"{found.total:,} of {'' if found.is_whole else 'the first '}{counted(found.looked_at, 'row')}"
    when = "" if found.is_whole else ", where the rest is like its beginning"
    return Finding(
        "refused",
        f"the file as it is will be refused whole{when}: {rows} will be rejected, and a share of {allowed:g} may be "
        "(ingest.max_rejected_share). Correct the file, or what params.yaml says of the columns below, before you "
        "ingest it",
    )


def _specials(found: Rejections, special: Mapping[int, str], lines: NDArray[np.int64]) -> list[Finding]:
    texts = {
        "header": ("repeats the header", "repeat the header"),
        "totals": ("looks like a row of totals", "look like rows of totals"),
    }
    findings = []
    for kind, (one, several) in texts.items():
        places = [place for place, each in special.items() if each == kind]
        if places:
            accepted = len([place for place in places if place not in found.rows])
            then = (
                f"nothing was inferred from {plural(len(places), 'it', 'them')}, but {accepted} will be accepted as "
                f"{plural(accepted, 'a row', 'rows')}: delete {plural(accepted, 'it', 'them')} from the file"
                if accepted
                else f"{plural(len(places), 'it', 'they')} will be rejected, and nothing was inferred from "
                f"{plural(len(places), 'it', 'them')}"
            )
            text = f"{_lines([int(lines[place]) for place in places])} {plural(len(places), one, several)}: {then}"
            findings.append(Finding("rejected", text))
    return findings


def _lines(numbers: Sequence[int]) -> str:
    shown = listed(map(str, numbers), most=SHOWN_LINES)
    return f"{plural(len(numbers), 'line', 'lines')} {shown}"


def _column(name: str, found: Rejections, lines: NDArray[np.int64], target: str) -> Finding:
    reasons, rows = found.reasons[name], found.by_column[name]
    numbers = [int(lines[row]) for row in rows[:SHOWN_LINES]]
    where = _lines(numbers) if len(rows) <= SHOWN_LINES else f"the first in line {numbers[0]}"
    shown = "; ".join(f"{reason} ({count:,} x)" for reason, count in reasons.most_common(3))
    more = f"; and {len(reasons) - 3:,} other reasons" if len(reasons) > 3 else ""
    what = f"the target {name}" if name == target else name
    return Finding(
        "rejected",
        f"{counted(len(rows), 'row')} ({where}) will be rejected into quarantine for {what}, which {shown}{more}",
    )


def rejections_of(
    checked: "Checked", *, looked_at: int, is_whole: bool, unread: int, special: Mapping[int, str]
) -> Rejections:
    """From what `check_frame` says of the sample. Rows that are none are told by themselves."""
    reasons: dict[str, Counter[str]] = {}
    by_column: dict[str, list[int]] = {}
    for problem in checked.problems:
        if problem.row not in special:
            reasons.setdefault(problem.column, Counter())[problem.reason] += 1
            by_column.setdefault(problem.column, []).append(problem.row)
    return Rejections(looked_at, is_whole, frozenset(checked.rejected_rows), unread, reasons, by_column)


def rest(rows: int, without: frozenset[int]) -> NDArray[np.int64]:
    """Positions of the rows that remain."""
    remain = np.ones(rows, dtype=bool)
    remain[list(without)] = False
    return np.flatnonzero(remain)
