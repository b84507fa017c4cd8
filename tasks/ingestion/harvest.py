"""The label loop: answers whose label came in become a batch like any other, and so do labels that were corrected.

Harvest files are kept, and they are the record of what was harvested: a run that was killed is made up for by
delivering again whatever is not ingested yet. One that ingestion refused is not sent again by itself: the note beside
it in the refused folder says what a person can do.
"""

import io
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from releve.adapters.files import file_digest, write_bytes, write_parquet
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.prediction_ledger.reader import LedgerReader
from releve.adapters.scenario_lock import scenario_lock
from releve.core.settings import Settings
from releve.domain.erasure.erasure import ErasedIds
from releve.domain.ingestion.row_versions import ANSWER_ID
from releve.domain.prediction_log.records import LabelledRows, join_labels
from releve.domain.schema.cells import is_missing
from releve.domain.schema.columns import CATEGORY, DATE, NUMBER, SCALAR, Column
from releve.domain.schema.schema import Schema
from releve.domain.schema.target import Label, Target
from releve.domain.schema.validation import with_columns
from tasks.ingestion.batches import read_batches
from tasks.ingestion.ingest import refused_digests
from tasks.ingestion.intake import LABELLED_AT
from tasks.places import ScenarioState

if TYPE_CHECKING:
    import pandas as pd


DELIVERED = b"releve.delivered"  # metadata of a file that lost rows: the sha256 that it was ingested with


def harvest(settings: Settings, scenario: str) -> int:
    """Put newly labelled answers into the incoming folder as one file; returns how many rows are waiting there.

    Raise ScenarioBusy: two runs at once would harvest the same answers, or overwrite each other's file.
    """
    truth = read_committed(settings, scenario)
    state = ScenarioState(settings.home, scenario)
    with scenario_lock(settings.home, scenario, holder="harvest", wait_seconds=settings.wait_seconds):
        fresh = unharvested(settings, scenario)
        if len(fresh):
            number = len(_harvests(state)) + 1
            write_parquet(state.harvest / f"answers-{number:04d}.parquet", as_batch(fresh, truth.schema.sent))
        waiting = _undelivered(settings, state)
        for path in waiting:
            write_bytes(state.incoming / path.name, path.read_bytes())
        return _rows_in(waiting)


def waiting_rows(settings: Settings, scenario: str) -> int:
    """Count labelled answers that are no batch yet: not harvested, or harvested and neither ingested nor refused."""
    state = ScenarioState(settings.home, scenario)
    return len(unharvested(settings, scenario)) + _rows_in(_undelivered(settings, state))


def unharvested(settings: Settings, scenario: str) -> LabelledRows:
    """Read labelled answers that no harvest file holds yet with their newest label, oldest answer first."""
    target = read_committed(settings, scenario).schema.target
    state = ScenarioState(settings.home, scenario)
    ledger, known = LedgerReader(state.ledger), _harvested_labels(state, target)
    fresh = {name: label for name, label in ledger.labels().items() if (name, target.parse(label[0])) not in known}
    return join_labels(ledger.answers_to(fresh), fresh)


def _harvested_labels(state: ScenarioState, target: Target) -> Set[tuple[str, Label | None]]:
    """Read each harvested answer's id, with the label that it was harvested with last."""
    import pandas as pd

    known: dict[str, Label | None] = {}
    for path in _harvests(state):
        file = pd.read_parquet(path, columns=[ANSWER_ID, target.name])
        known |= zip(file[ANSWER_ID], map(target.parse, file[target.name].tolist()), strict=True)
    return known.items()


def _harvests(state: ScenarioState) -> list[Path]:
    """Return the harvest files, oldest first; the shorter name is the older one: the 10,000th has a digit more."""
    return sorted(state.harvest.glob("*.parquet"), key=lambda path: (len(path.name), path.name))


def as_batch(labelled: LabelledRows, schema: Schema) -> "pd.DataFrame":
    """Make rows as a file brings them: dates as the text that was sent, the time of the answer for a missing time."""

    def sent(column: Column, cell: Any) -> Any:
        """Give a cell the one form that its Parquet column has: JSON knows huge whole numbers, and 1 beside "1"."""
        if column.type == NUMBER and isinstance(cell, int) and not isinstance(cell, bool):
            return float(cell)
        if column.type == CATEGORY and isinstance(cell, SCALAR) and not is_missing(cell):
            return column.named_by(cell) or str(cell)
        return cell

    batch = labelled.answers.features.reindex(columns=list(schema.by_name))
    batch = with_columns(batch, {each.name: [sent(each, cell) for cell in batch[each.name]] for each in schema.columns})
    if schema.time is not None and schema.column(schema.time).type == DATE:
        times = batch[schema.time].astype(object)
        batch[schema.time] = times.where(times.notna(), np.array(labelled.answers.at, dtype=object))
    batch[schema.target.name] = [schema.target.parse(label) for label in labelled.labels]
    batch[ANSWER_ID], batch[LABELLED_AT] = list(labelled.answers.ids), list(labelled.labelled_at)
    return batch


def _undelivered(settings: Settings, state: ScenarioState) -> list[Path]:
    ingested = {batch.sha256 for batch in read_batches(ScenarioBranch(settings.project, state.scenario))}
    settled = ingested | refused_digests(state)
    return [path for path in _harvests(state) if _as_delivered(path) not in settled and _rows_in([path])]


def erase_harvested(
    settings: Settings,
    state: ScenarioState,
    wanted: ErasedIds,
    answers: Mapping[str, str],
    schema: Schema,
    *,
    apply: bool,
) -> list[str]:
    """Find the rows of harvest files that are to be erased, and take them out where `apply` says so.

    Returns the id of each, "" where it was the answer that names it.
    A file that is a batch already still says so afterwards: its rows are not delivered a second time.
    """
    import pyarrow
    import pyarrow.parquet

    waiting, found = _undelivered(settings, state), list[str]()
    for path in _harvests(state):
        table = pyarrow.parquet.read_table(path)
        own = table[schema.id].to_pylist() if schema.id in table.column_names else [None] * len(table)
        named = zip(own, table[ANSWER_ID].to_pylist(), strict=True)
        ids = [wanted.find(id_) or answers.get(answer) for id_, answer in named]
        erased = [id_ for id_ in ids if id_ is not None]
        found += erased
        if apply and erased:
            if path in waiting:  # it will be delivered as it is then
                (state.incoming / path.name).unlink(missing_ok=True)
            kept = table.filter(pyarrow.array([id_ is None for id_ in ids]))
            if path not in waiting:
                kept = kept.replace_schema_metadata({**(table.schema.metadata or {}), DELIVERED: _as_delivered(path)})
            content = io.BytesIO()
            pyarrow.parquet.write_table(kept, content)
            write_bytes(path, content.getvalue())
    return found


def _as_delivered(path: Path) -> str:
    """Return the sha256 that a harvest file was delivered with, or would be."""
    import pyarrow.parquet

    known = (pyarrow.parquet.read_schema(path).metadata or {}).get(DELIVERED)
    return known.decode() if known else file_digest(path)


def _rows_in(files: list[Path]) -> int:
    import pyarrow.parquet

    return sum(int(pyarrow.parquet.read_metadata(path).num_rows) for path in files)
