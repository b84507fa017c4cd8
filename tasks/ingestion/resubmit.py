"""Rejected rows of a batch as a file to fix: `releve resubmit SCENARIO BATCH`.

The file holds the rejected rows alone, so that sending it brings no accepted row twice: CSV with the columns as they
came, written as `ingest` in params.yaml says that files are, or JSON Lines where the cells came with types, as from
Parquet or Excel: CSV has text alone, and 10115, true and a date would not come back as what they were. Before its
cells each row has the line that it came from, and the columns, values and reasons for which it was rejected. Mended, it
is moved into the incoming folder like any file; these columns may stay, and while they do the rows are not held against
whole batches (see `tasks.ingestion.intake.for_resubmitted`).
"""

import csv
import io
import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.core.errors import BadInput, NotFound
from releve.core.params import Ingest
from releve.core.settings import Settings
from releve.domain.schema.cells import names_of
from tasks.ingestion.batches import read_batches
from tasks.ingestion.quarantine import REJECTION_COLUMNS
from tasks.places import ScenarioState

AND = " | "  # between the problems of one row
VALUE = REJECTION_COLUMNS[2]
AS_TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz")  # what comes back as CSV; the others' cells have types

SHEETS = (".xlsx", ".xlsm")


@dataclass(frozen=True)
class Rejected:
    """A row that did not fit: its cells, or those or the text of a line that was no row, and why."""

    cells: Any
    why: dict[str, Any]  # by REJECTION_COLUMNS


def resubmit(settings: Settings, scenario: str, batch: str) -> Path:
    """Write the rejected rows of a batch to a file below <home>/resubmit; returns its path.

    Raises NotFound when the batch has none, BadInput when the file is there already: somebody may be at work on it.
    """
    params = read_committed(settings, scenario).params.ingest
    state = ScenarioState(settings.home, scenario)
    known = {each.batch: each for each in read_batches(ScenarioBranch(settings.project, scenario))}
    ending, content = as_file(_quarantined(state, batch, known), source=known[batch].source, params=params)
    path = state.resubmit / f"{batch}-fixed{ending}"
    if path.exists():
        raise BadInput(f"{path} is there already; send or remove it first")
    write_bytes(path, content)
    return path


def as_file(quarantined: Path, *, source: str, params: Ingest) -> tuple[str, bytes]:
    """The rejected rows of the file called `source`, once each and in its order: the ending and the bytes of a file."""
    problems = groupby(_read(quarantined), lambda each: int(each["row"]))
    rows = [_with_reasons(row, list(found)) for row, found in problems]
    if source.lower().endswith(SHEETS):
        rows = [replace(row, cells=_as_shown(row.cells)) for row in rows]
    content = as_csv(rows, params) if source.lower().endswith(AS_TEXT) else None
    return (".jsonl", _as_json_lines(rows).encode()) if content is None else (".csv", content)


def _as_shown(cells: Any) -> Any:
    """The cells of a sheet, which holds 10115 as 10115.0 and shows it as 10115; the schema reads both as one."""
    if not isinstance(cells, dict):
        return cells
    return {name: int(cell) if isinstance(cell, float) and names_of(cell) else cell for name, cell in cells.items()}


def _quarantined(state: ScenarioState, batch: str, known: Collection[str]) -> Path:
    """The file of the batch's rejected rows. One that a killed run left is no batch's."""
    path = state.quarantine / f"{batch}.parquet"
    if batch not in known or not path.is_file():
        there = sorted(each.stem for each in state.quarantine.glob("*.parquet") if each.stem in known)
        raise NotFound(f"batch '{batch}' has no rejected rows; there are some of: {', '.join(there) or 'none'}")
    return path


def _read(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet

    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


def _with_reasons(row: int, problems: list[dict[str, Any]]) -> Rejected:
    said = [AND.join(problem[name] for problem in problems) for name in ("column", "value", "reason")]
    cells = json.loads(problems[0]["cells"])
    return Rejected(cells, dict(zip(REJECTION_COLUMNS, [row, *said], strict=True)))


def as_csv(rows: list[Rejected], params: Ingest) -> bytes | None:
    """A header and the cells; None where no row tells the columns. A line that could not be taken apart is a value.

    What params say of all CSV files holds for this one too. Raises BadInput where they name an encoding that has not
    all of the characters.
    """
    whole = [row.cells for row in rows if isinstance(row.cells, dict)]
    if not whole:
        return None
    names = list(dict.fromkeys(name for cells in whole for name in cells))
    text = io.StringIO()
    text.write("\n" * (params.header_line - 1))
    writer: Any = csv.writer(text, delimiter=params.csv_delimiter or ",", lineterminator="\n")
    writer.writerow([*REJECTION_COLUMNS, *names])
    for row in rows:
        why = row.why | {VALUE: row.cells} if isinstance(row.cells, str) else row.why
        writer.writerow([*why.values(), *_in_order(row.cells, names)])
    try:
        return text.getvalue().encode(params.csv_encoding or "utf-8")
    except (LookupError, UnicodeEncodeError) as error:
        raise BadInput(
            f"the rejected rows cannot be written as ingest.csv_encoding says: {error}; empty that key, so "
            "that encodings are found out"
        ) from None


def _in_order(cells: Any, names: list[str]) -> list[Any]:
    if isinstance(cells, dict):
        return [cells.get(name) for name in names]
    return cells if isinstance(cells, list) else [None] * len(names)


def _as_json_lines(rows: list[Rejected]) -> str:
    objects = [row.why | (row.cells if isinstance(row.cells, dict) else {VALUE: row.cells}) for row in rows]
    return "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in objects)
