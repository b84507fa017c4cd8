"""What turned out true: labels of answered rows, which are named by the prediction's id or by the table's own."""

from collections.abc import Iterable, Sequence
from typing import Any

from releve.adapters.prediction_ledger.cells import SEARCHED_BYTES
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.domain.prediction_log.records import ROW_ID, UnknownAnswer
from releve.domain.schema.cells import format_value
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label
from releve.domain.schema.validation import Problem
from releve.serving.faults import Refused
from releve.serving.requests import check_contradictions


class UnknownRows(UnknownAnswer):
    """Feedback for rows that were never answered: one problem per such row."""

    def __init__(self, ids: Iterable[str], problems: Sequence[Problem], *, of: int) -> None:
        others = f", nor do {len(problems) - 1} others of {of}" if problems[1:] else ""
        super().__init__(f"id {problems[0].reason}{others}; nothing was written", ids)
        self.problems = tuple(problems)


def write_labels(ledger: LedgerWriter, schema: Schema, pairs: Sequence[tuple[Any, Label]]) -> None:
    """Write the labels, all or none; on disk when it returns.

    A row's own id names its newest answer. Raises UnknownRows, Refused where one request carried it in several rows or
    one row gets two labels, ReleveError.
    """
    named = _by_own_ids(ledger, schema, pairs)
    try:
        ledger.label(named)
    except UnknownAnswer as error:
        problems = [
            Problem(at, "id", f"{format_value(row_id)} belongs to no answer of this service")
            for at, (row_id, _) in enumerate(named)
            if row_id in error.ids
        ]
        raise UnknownRows(error.ids, problems, of=len(named)) from None


def _by_own_ids(ledger: LedgerWriter, schema: Schema, pairs: Sequence[tuple[Any, Label]]) -> list[tuple[str, Label]]:
    """Put the id of the prediction in the place of each id of the table. Reads the ledger where there are some."""
    own = {} if schema.id is None else {at: given for at, (given, _) in enumerate(pairs) if not is_row_id(given)}
    if schema.id is None or not own:
        return list(pairs)
    if schema.id in ledger.hidden.dropped:
        problems = [
            Problem(at, "id", f"finds nothing, as '{schema.id}' is not kept (ledger.drop): send the prediction's")
            for at in own
        ]
        raise UnknownRows([str(given) for given in own.values()], problems, of=len(pairs))
    column = schema.column(schema.id)
    cells = {at: column.typed(given) for at, given in own.items()}
    found = ledger.find_by_cell(column, set(cells.values()))
    searched = "" if found.is_whole else f" in the newest {SEARCHED_BYTES >> 20} MiB; send the prediction's id"
    unknown = [
        Problem(at, "id", f"{column.shown(own[at])} is the '{schema.id}' of no answer{searched}")
        for at, cell in cells.items()
        if cell not in found.rows
    ]
    if unknown:
        raise UnknownRows([str(own[each.row or 0]) for each in unknown], unknown, of=len(pairs))
    counts = {at: len(found.rows[cell]) for at, cell in cells.items()}
    several = [
        Problem(at, "id", f"{column.shown(own[at])} stands in {count} rows of one request; send the prediction's id")
        for at, count in counts.items()
        if count > 1
    ]
    if several:
        raise Refused(f"{several[0]}; nothing was written", several)
    named = [(found.rows[cells[at]][0] if at in cells else given, label) for at, (given, label) in enumerate(pairs)]
    check_contradictions(named, schema)
    return named


def is_row_id(given: Any) -> bool:
    """Whether it is what this service calls a prediction."""
    return isinstance(given, str) and ROW_ID.fullmatch(given) is not None
