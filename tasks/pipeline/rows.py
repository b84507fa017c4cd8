"""All labelled rows in time order, each once.

Time order is batch after batch, as they were ingested, and within a batch by the schema's `time` column, or as the rows
came where there is none. A late file is not sorted in among earlier ones: what the champion learned from would no
longer come first. A row that was sent again, corrected, stays where it was (see `row_versions`). Batches are read as
params.yaml describes the table today (see `as_described`).
"""

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.files import read_inputs
from releve.adapters.git_dvc.data_history import DataHistory, DataVersion
from releve.core.errors import BadInput
from releve.domain.features.completion import complete_frame
from releve.domain.ingestion.row_versions import ANSWER_ID, NewestRows, positions_in
from releve.domain.schema.schema import BATCH, ROW, Schema
from releve.domain.schema.validation import check_frame, with_columns
from tasks.pipeline.stage import Stage

if TYPE_CHECKING:
    import pandas as pd


def stage_rows(stage: Stage) -> NewestRows:
    """Read the rows that the pipeline starts from."""
    folder = stage.files.folder / read_inputs(stage.files.inputs).rows
    return read_rows(folder, stage.schema, listed=listed_batches(stage.files.batch_list))


def read_rows(folder: Path, schema: Schema, *, listed: Iterable[str] = ()) -> NewestRows:
    """The rows of `folder` in the order of its batches, typed: features, those that nobody sends among them, target,
    `_batch`, `_row`.

    `listed`: names of batches, oldest first (see `in_order`). Raises BadInput for a bad row.
    """
    import pandas as pd

    names = in_order((path.stem for path in folder.glob("*.parquet")), listed)
    if not names:
        raise BadInput(
            f"there are no rows in {folder.name}/; put files into the incoming folder and run the ingest flow"
        )
    batches = (as_described(pd.read_parquet(folder / f"{name}.parquet"), schema, batch=name) for name in names)
    return _newest(pd.concat(batches, ignore_index=True), schema)


def rows_at(history: DataHistory, version: DataVersion, schema: Schema) -> NewestRows:
    """The rows of a data version, as `read_rows` gives them, without a checkout.

    Raises BadInput for a bad row, PipelineFailed, RemoteUnavailable.
    """
    import pandas as pd

    batches = history.read(version).groupby(BATCH, sort=False)
    versions = [as_described(part, schema, batch=str(name)) for name, part in batches]
    if not versions:
        raise BadInput(f"all rows of data version {version.data_version[:12]} were erased; ingest newer ones")
    return _newest(pd.concat(versions, ignore_index=True), schema)


def _newest(versions: "pd.DataFrame", schema: Schema) -> NewestRows:
    newest = NewestRows.of(versions, schema)
    return replace(newest, rows=complete_frame(schema, newest.rows))


def in_order(names: Iterable[str], listed: Iterable[str] = ()) -> list[str]:
    """Batches, oldest first: as `listed`, then the others by the number that their names begin with, then by name."""
    place = {name: number for number, name in enumerate(listed)}

    def key(name: str) -> tuple[int, int, str]:
        digits = name.partition("-")[0]
        return place.get(name, len(place)), int(digits) if digits.isdecimal() else 0, name

    return sorted(names, key=key)


def listed_batches(batch_list: Path) -> list[str]:
    """The names in batches.csv, oldest first; none where flows have not written it."""
    if not batch_list.is_file():
        return []
    with batch_list.open(encoding="utf-8", newline="") as file:
        return [line["batch"] for line in csv.DictReader(file)]


def as_described(frame: "pd.DataFrame", schema: Schema, *, batch: str) -> "pd.DataFrame":
    """The rows of ONE batch, as ingested, typed and in time order: features, target, `_answer_id`, `_batch`, `_row`.

    `batch`: its name. Columns that params.yaml no longer describes are left out, new ones are missing. Raises BadInput
    where a new one may not be missing, or the rows do not fit what params.yaml describes today.
    """
    schema = schema.sent
    described = [column.name for column in schema.columns] + [schema.target.name]
    new = [name for name in described if name not in frame]
    may_miss = {column.name for column in schema.columns if column.nullable or not column.feature}
    if needed := [repr(name) for name in new if name not in may_miss]:
        raise BadInput(
            f"batch {batch} has no {', '.join(needed)}, which scenarios/<name>/params.yaml describes today; add "
            "`nullable: true` there, so that rows of older batches count as missing it, or take the column out again"
        )
    checked = check_frame(schema, with_columns(frame, dict.fromkeys(new)).loc[:, described])
    if checked.problems:
        raise BadInput(
            f"batch {batch} no longer fits scenarios/<name>/params.yaml: {checked.problems[0]} "
            f"({len(checked.rejected_rows)} rows in all); change 'columns' back, or widen it to what the data hold"
        )
    rows = checked.accepted
    rows[ANSWER_ID] = frame[ANSWER_ID].to_numpy() if ANSWER_ID in frame else ""
    rows[BATCH], rows[ROW] = batch, positions_in(frame)
    return rows.sort_values(schema.time, kind="stable", ignore_index=True) if schema.time else rows
