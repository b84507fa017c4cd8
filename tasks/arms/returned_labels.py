"""A label queue that comes back filled in."""

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.tables.chunks import Chunk
from releve.adapters.tables.file_types import open_table
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.arms.label_queue import ReturnedLabels, Selection
from releve.domain.ingestion.row_versions import ANSWER_ID
from releve.domain.prediction_log.records import ROW_ID, Scalar
from releve.domain.schema.cells import format_value, is_missing, trimmed
from releve.domain.schema.target import Target
from releve.domain.schema.validation import Problem
from tasks.arms.label_queue import SELECTION
from tasks.places import ScenarioState


def read_labels(
    settings: Settings, scenario: str, path: Path, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> ReturnedLabels:
    """Write the labels of a filled queue into the ledger; reading the same file again changes nothing.

    Those of rows that were chosen by disagreement are marked as queued. A label that came by itself stays as it is.
    Raises BadInput for a file that is no label queue of the scenario.
    """
    target = read_committed(settings, scenario).schema.target
    folder, columns = ScenarioState(settings.home, scenario).ledger, (ANSWER_ID, SELECTION, target.name)
    reader = LedgerReader(folder)
    judge = _Judge(target, came=reader.labels(), known=reader.labels(with_queued=True))
    returned = ReturnedLabels()
    with closing(LedgerWriter(folder, scenario, clock=clock)) as writer:
        for chunk in open_table(path, names=columns).chunks:
            if missing := [name for name in columns if name not in chunk.frame]:
                raise BadInput(
                    f"{path.name} has no column {', '.join(missing)}; expected a file of `releve label-queue "
                    f"{scenario}` with all of its columns"
                )
            returned.rejected += [Problem(line.row, None, line.reason) for line in chunk.lines]
            _take(_rows(chunk, columns), judge, writer, returned)
    returned.rejected.sort(key=lambda problem: problem.row or 0)
    return returned


class _Row(NamedTuple):
    line: int  # of the file
    id: Any
    selection: Any
    label: Any


def _rows(chunk: Chunk, columns: tuple[str, ...]) -> list[_Row]:
    cells = (chunk.frame[name].tolist() for name in columns)
    return [_Row(*row) for row in zip(chunk.rows.tolist(), *cells, strict=True)]


def _take(rows: list[_Row], judge: "_Judge", writer: LedgerWriter, returned: ReturnedLabels) -> None:
    """Write what of a chunk is right, and count all of it."""
    answered = writer.find_many(row.id for row in rows)
    new: dict[Selection, list[tuple[str, Scalar]]] = {selection: [] for selection in Selection}
    for row in rows:
        if is_missing(row.label) or (isinstance(row.label, str) and not trimmed(row.label)):
            returned.unfilled += 1
        elif problem := judge.problem(row, is_answered=row.id in answered):
            returned.rejected.append(problem)
        else:
            returned.accepted += 1
            if (label := judge.accept(row)) is not None:
                new[Selection(row.selection)].append((row.id, label))
    for selection, pairs in new.items():
        writer.label(pairs, queued=selection is Selection.DISAGREEMENT)


class _Judge:
    """Which labels of a file may be written, after those that the ledger has and those further up in the file."""

    def __init__(
        self, target: Target, *, came: Mapping[str, tuple[Scalar, str]], known: Mapping[str, tuple[Scalar, str]]
    ) -> None:
        """`came`: labels that came by themselves; `known`: all, by row id."""
        self._target, self._came = target, came
        self._known = {row_id: label for row_id, (label, _) in known.items()}
        self._in_file: dict[str, Scalar] = {}

    def problem(self, row: _Row, *, is_answered: bool) -> Problem | None:
        """Return why a row cannot be taken, None where it can."""
        if not isinstance(row.id, str) or not ROW_ID.fullmatch(row.id) or not is_answered:
            return Problem(row.line, ANSWER_ID, f"is {format_value(row.id)}, which names no answer of this scenario")
        if row.selection not in list(Selection):
            return Problem(row.line, SELECTION, f"is {format_value(row.selection)}; leave it as it was written")
        if reason := self._target.problem(row.label):
            return Problem(row.line, self._target.name, reason)
        label = self._target.parse(row.label)
        if self._in_file.get(row.id, label) != label:
            return Problem(row.line, self._target.name, f"is {label!r}, and {self._in_file[row.id]!r} further up")
        if row.id in self._came and (came := self._target.parse(self._came[row.id][0])) != label:
            reason = f"is {label!r}, and {came!r} came by itself meanwhile; correct that one by /feedback"
            return Problem(row.line, self._target.name, reason)
        return None

    def accept(self, row: _Row) -> Scalar | None:
        """Remember a row that has no problem; return its label, None where the ledger holds this very label."""
        label = self._target.parse(row.label)
        assert label is not None, "it has no problem"
        known = self._known.get(row.id)
        self._in_file[row.id] = self._known[row.id] = label
        return None if known is not None and self._target.parse(known) == label else label
