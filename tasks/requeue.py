"""Rejected rows of a batch as a file to mend: `python -m tasks.requeue SCENARIO BATCH`.

The file holds the rejected rows alone, so that sending it brings no accepted row twice: CSV with the columns as they
came, written as `ingest` in params.yaml says that files are, or JSON Lines where the cells came with types. Before its
cells each row has the line that it came from, and the columns, values and reasons for which it was rejected. Mended, it
is moved into the incoming folder like any file; these columns may stay, and while they do the rows are not held against
whole batches (see `tasks.intake.for_mended`).
"""

import csv
import io
import json
import os
import sys
from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain, groupby, repeat
from pathlib import Path
from typing import Any

from releve.adapters.files import read_params, write_bytes
from releve.adapters.scenario_branch import ScenarioBranch
from releve.errors import BadInput, NotFound, ReleveError
from releve.rules.numerals import Numerals
from releve.rules.params import Ingest
from releve.rules.reading import Reading
from releve.settings import Settings
from tasks.batches import read_batches
from tasks.places import ScenarioState
from tasks.quarantine import MENDING

AND = " | "  # between the problems of one row
VALUE = MENDING[2]
AS_TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".xlsx")  # what comes back as CSV; the others' cells have types


@dataclass(frozen=True)
class Rejected:
    """A row that did not fit: its cells, or those or the text of a line that was no row, and `why`: see MENDING."""

    cells: Any
    why: dict[str, Any]


def requeue(settings: Settings, scenario: str, batch: str) -> Path:
    """Write the rejected rows of a batch to a file below <home>/mend; returns its path.

    Raises NotFound when the batch has none, BadInput when the file is there already: somebody may be at work on it.
    """
    params = read_params(settings.project, scenario).ingest
    state = ScenarioState(settings.home, scenario)
    known = {each.batch: each for each in read_batches(ScenarioBranch(settings.project, scenario))}
    rows = _rejected(state, batch, known)
    content = as_csv(rows, params) if known[batch].source.lower().endswith(AS_TEXT) else None
    path = state.mend / f"{batch}-mended.{'jsonl' if content is None else 'csv'}"
    if path.exists():
        raise BadInput(f"{path} is there already; send or remove it first")
    write_bytes(path, _as_json_lines(rows).encode() if content is None else content)
    return path


def _rejected(state: ScenarioState, batch: str, known: Collection[str]) -> list[Rejected]:
    """The rejected rows, once each, in the order of the file. A file that a killed run left is no batch's."""
    path = state.quarantine / f"{batch}.parquet"
    if batch not in known or not path.is_file():
        there = sorted(each.stem for each in state.quarantine.glob("*.parquet") if each.stem in known)
        raise NotFound(f"batch '{batch}' has no rejected rows; there are some of: {', '.join(there) or 'none'}")
    return [_with_reasons(row, list(problems)) for row, problems in groupby(_read(path), lambda each: int(each["row"]))]


def _read(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet

    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


def _with_reasons(row: int, problems: list[dict[str, Any]]) -> Rejected:
    said = [AND.join(problem[name] for problem in problems) for name in ("column", "value", "reason")]
    cells = json.loads(problems[0]["cells"])
    return Rejected(cells, dict(zip(MENDING, [row, *said], strict=True)))


def as_csv(rows: list[Rejected], params: Ingest) -> bytes | None:
    """A header and the cells; None where no row tells the columns. A line that could not be taken apart is a value.

    What params say of all CSV files holds for this one too. Raises BadInput where they name an encoding that has not
    all of the characters.
    """
    whole = [row.cells for row in rows if isinstance(row.cells, dict)]
    if not whole:
        return None
    names = list(dict.fromkeys(name for cells in whole for name in cells))
    reading = Reading.of(params)
    text = io.StringIO()
    text.write("\n" * (params.csv_header_line - 1))
    writer: Any = csv.writer(text, delimiter=params.csv_delimiter or ",", lineterminator="\n")
    writer.writerow([*MENDING, *names])
    for row in rows:
        why = row.why | {VALUE: row.cells} if isinstance(row.cells, str) else row.why
        cells = zip(_in_order(row.cells, names), chain(names, repeat("")), strict=False)
        writer.writerow([*why.values(), *(_written(cell, reading.numerals_of(name)) for cell, name in cells)])
    try:
        return text.getvalue().encode(params.csv_encoding or "utf-8")
    except (LookupError, UnicodeEncodeError) as error:
        raise BadInput(
            f"the rejected rows cannot be written as ingest.csv_encoding says: {error}; empty that key, so "
            "that encodings are found out"
        ) from None


def _written(cell: Any, numerals: Numerals) -> Any:
    """A number of a sheet with the decimal sign that is read again; what came as text is as it came."""
    return str(cell).replace(".", numerals.decimal) if isinstance(cell, float) else cell


def _in_order(cells: Any, names: list[str]) -> list[Any]:
    if isinstance(cells, dict):
        return [cells.get(name) for name in names]
    return cells if isinstance(cells, list) else [None] * len(names)


def _as_json_lines(rows: list[Rejected]) -> str:
    objects = [row.why | (row.cells if isinstance(row.cells, dict) else {VALUE: row.cells}) for row in rows]
    return "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in objects)


def main(arguments: list[str]) -> None:
    """The command. An error a person can fix ends it without a traceback."""
    try:
        if len(arguments) != 2:
            raise ReleveError("expected two arguments: the scenario's name and the batch's, as batches.csv lists it")
        settings = Settings.from_environ(os.environ, cwd=Path.cwd())
        path = requeue(settings, *arguments)
        print(f"mend {path}, then send it: mv {path} {ScenarioState(settings.home, arguments[0]).incoming}/")
    except ReleveError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(sys.argv[1:])
