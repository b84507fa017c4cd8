"""Rejected rows of a batch as a file to mend: `python -m tasks.requeue SCENARIO BATCH`.

The file holds the rejected rows alone, so that sending it brings no accepted row twice: CSV with the columns as they
came, or JSON Lines where the cells came with types. Mended, it is moved into the incoming folder like any file.
"""

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.files import read_scenario, write_bytes
from releve.adapters.scenario_branch import ScenarioBranch
from releve.errors import BadInput, NotFound, ReleveError
from releve.settings import Settings
from tasks.batches import read_batches
from tasks.places import ScenarioState

if TYPE_CHECKING:
    import pandas as pd

AS_TEXT = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".xlsx")  # what comes back as CSV; the others' cells have types


def requeue(settings: Settings, scenario: str, batch: str) -> Path:
    """Write the rejected rows of a batch to a file below <home>/mend; returns its path.

    Raises NotFound when the batch has none, BadInput when the file is there already: somebody may be at work on it.
    """
    read_scenario(settings.project, scenario)
    state = ScenarioState(settings.home, scenario)
    lines = _rejected(state, batch)
    name, content = f"{batch}-mended.csv", _as_csv(lines) if _came_as_text(settings, scenario, batch) else None
    if content is None:
        name, content = f"{batch}-mended.jsonl", "\n".join(_as_json(cells) for cells in lines) + "\n"
    path = state.mend / name
    if path.exists():
        raise BadInput(f"{path} is there already; send or remove it first")
    write_bytes(path, content.encode())
    return path


def _rejected(state: ScenarioState, batch: str) -> list[Any]:
    """The cells of each rejected row, once, in the order of the file."""
    path = state.quarantine / f"{batch}.parquet"
    if not path.resolve().is_relative_to(state.quarantine.resolve()) or not path.is_file():
        known = sorted(each.stem for each in state.quarantine.glob("*.parquet"))
        raise NotFound(f"batch '{batch}' has no rejected rows; there are some of: {', '.join(known) or 'none'}")
    rows: pd.DataFrame = _read(path).drop_duplicates("row")
    return [json.loads(cells) for cells in rows["cells"]]


def _came_as_text(settings: Settings, scenario: str, batch: str) -> bool:
    sources = {each.batch: each.source for each in read_batches(ScenarioBranch(settings.project, scenario))}
    return sources.get(batch, "").lower().endswith(AS_TEXT)


def _read(path: Path) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(path, columns=["row", "cells"])


def _as_csv(lines: list[Any]) -> str | None:
    """A header and the cells; None where no row tells the columns."""
    whole = [cells for cells in lines if isinstance(cells, dict)]
    if not whole:
        return None
    names = list(dict.fromkeys(name for cells in whole for name in cells))
    text = io.StringIO()
    writer: Any = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    for cells in lines:
        if isinstance(cells, str):  # a line that could not be taken apart goes as it was
            text.write(f"{cells}\n")
        else:
            writer.writerow([cells.get(name) for name in names] if isinstance(cells, dict) else cells)
    return text.getvalue()


def _as_json(cells: Any) -> str:
    return cells if isinstance(cells, str) else json.dumps(cells, ensure_ascii=False)


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
