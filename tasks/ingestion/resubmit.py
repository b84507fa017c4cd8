"""Rejected rows of a batch as a file to fix and send again: `releve resubmit SCENARIO BATCH`.

The file holds the rejected rows alone, so that sending it brings no accepted row twice: CSV with the columns as they
came, written as the file that they came in and `ingest` in params.yaml say, or JSON Lines where the cells came with
types, as from Parquet or Excel: CSV has text alone, and 10115, true and a date would not come back as what they were.
Before its cells each row has the line that it came from, and the columns, values and reasons for which it was rejected.
Once fixed, it is moved into the incoming folder like any file; these columns may stay, and while they do the rows are
not compared with whole batches (see `tasks.ingestion.intake.for_resubmitted`).
"""

import csv
import io
import json
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.tables.csv_file import open_csv
from releve.adapters.tables.excel import open_excel
from releve.adapters.tables.file_types import FILE_TYPES
from releve.core.errors import BadInput, NotFound
from releve.core.params import Ingest
from releve.core.settings import Settings
from releve.domain.schema.cells import names_of
from tasks.ingestion.batches import read_batches
from tasks.ingestion.quarantine import REJECTION_COLUMNS, RejectedCell
from tasks.places import ScenarioState

AND = " | "  # between the problems of one row
CSV_ENDINGS, SHEET_ENDINGS = (
    tuple(ending for ending, opener in FILE_TYPES.items() if opener is wanted) for wanted in (open_csv, open_excel)
)  # CSV comes back as CSV; the cells of all other types have types


@dataclass(frozen=True)
class RejectedRow:
    """A row that did not fit: its cells by column, or those or the text of a line that was no row, and why."""

    cells: Any
    why: dict[str, str | int]  # by REJECTION_COLUMNS


def resubmit(settings: Settings, scenario: str, batch: str) -> Path:
    """Write the rejected rows of a batch to a file below <home>/resubmit; returns its path.

    Raise NotFound when the batch has none, BadInput when the file is there already: somebody may be at work on it.
    """
    params = read_committed(settings, scenario).params.ingest
    state = ScenarioState(settings.home, scenario)
    known = {each.batch: each for each in read_batches(ScenarioBranch(settings.project, scenario))}
    quarantined = state.quarantine / f"{batch}.parquet"
    if batch not in known or not quarantined.is_file():  # a file that a killed run left belongs to no batch
        others = sorted(each.stem for each in state.quarantine.glob("*.parquet") if each.stem in known)
        known_ones = f"there are some of: {', '.join(others)}" if others else "no batch has any"
        raise NotFound(f"batch '{batch}' has no rejected rows; {known_ones}")
    ending, content = as_file(quarantined, source=known[batch].source, params=params, delimiter=known[batch].delimiter)
    path = state.resubmit / f"{batch}-to-fix{ending}"
    if path.exists():
        raise BadInput(f"{path} is there already; send or remove it first")
    write_bytes(path, content)
    return path


def as_file(quarantined: Path, *, source: str, params: Ingest, delimiter: str = "") -> tuple[str, bytes]:
    """Write the rejected rows of the file called `source`, once each and in its order: a name's ending, and bytes."""
    import pyarrow.parquet

    lines = [RejectedCell(**line) for line in pyarrow.parquet.read_table(quarantined).to_pylist()]
    rows = []
    for number, problems in groupby(lines, lambda line: line.row):
        same = list(problems)
        whys = zip(*((each.column, each.value, each.reason) for each in same), strict=True)
        cells = json.loads(same[0].cells)
        if source.lower().endswith(SHEET_ENDINGS) and isinstance(cells, dict):
            # A sheet holds 10115 as 10115.0 and shows it as 10115; the schema reads both as one.
            whole = {name for name, cell in cells.items() if isinstance(cell, float) and names_of(cell)}
            cells = {name: int(cell) if name in whole else cell for name, cell in cells.items()}
        rows.append(RejectedRow(cells, dict(zip(REJECTION_COLUMNS, (number, *map(AND.join, whys)), strict=True))))
    if source.lower().endswith(CSV_ENDINGS):
        content = as_csv(rows, params, delimiter=delimiter)
        if content is not None:
            return ".csv", content
    _, _, value, _ = REJECTION_COLUMNS
    objects = [row.why | (row.cells if isinstance(row.cells, dict) else {value: row.cells}) for row in rows]
    return ".jsonl", "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in objects).encode()


def as_csv(rows: list[RejectedRow], params: Ingest, *, delimiter: str = "") -> bytes | None:
    """Write a header and the cells; None where no row has named cells. A line that could not be split is a value.

    What params say of all CSV files holds for this one too; what they leave open is as in the batch's file. Raise
    BadInput where they name an encoding that does not have all of the characters.
    """
    whole = [row.cells for row in rows if isinstance(row.cells, dict)]
    if not whole:
        return None
    names = list(dict.fromkeys(name for cells in whole for name in cells))
    text = io.StringIO()
    text.write("\n" * (params.header_line - 1))
    writer: Any = csv.writer(text, delimiter=params.csv_delimiter or delimiter or ",", lineterminator="\n")
    writer.writerow([*REJECTION_COLUMNS, *names])
    for row in rows:
        line, columns, value, reasons = row.why.values()
        cells: list[Any] = [None] * len(names)
        if isinstance(row.cells, dict):
            cells = [row.cells.get(name) for name in names]
        elif isinstance(row.cells, list):
            cells = row.cells
        else:
            value = row.cells
        writer.writerow([line, columns, value, reasons, *cells])
    try:
        return text.getvalue().encode(params.csv_encoding or "utf-8")
    except (LookupError, UnicodeEncodeError) as error:
        raise BadInput(
            f"the rejected rows cannot be written as ingest.csv_encoding says: {error}; empty that key, so that "
            "encodings are detected"
        ) from None
