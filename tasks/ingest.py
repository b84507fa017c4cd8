"""Incoming files become versioned batches; rows that do not fit go to quarantine, each with its reason.

Rows in = rows accepted + rows rejected, for every file. A file that cannot be used as a whole is set aside
beside its reason; the others are ingested all the same.
"""

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from releve.adapters.data_versions import DataVersions, data_version
from releve.adapters.files import (
    Inputs,
    file_digest,
    read_inputs,
    read_params,
    read_schema,
    read_table,
    write_bytes,
    write_inputs,
    write_parquet,
)
from releve.adapters.registry import Registry
from releve.adapters.scenario_branch import ScenarioBranch, Worktree
from releve.adapters.scenario_lock import scenario_lock
from releve.errors import BadInput
from releve.rules.schema import Checked, Schema
from releve.settings import Settings
from tasks.history import INGESTED, events_of
from tasks.places import ScenarioFiles, ScenarioState

if TYPE_CHECKING:
    import pandas as pd

RESERVED = "_answer_id"  # names the answer that a harvested row was; no feature


@dataclass(frozen=True)
class Batch:
    """One ingested file, as batches.csv lists it: rows in the file = rows + rejected."""

    batch: str
    rows: int
    rejected: int
    source: str
    sha256: str


@dataclass(frozen=True)
class Refusal:
    """A file that was not ingested, and what to do."""

    source: str
    reason: str


@dataclass(frozen=True)
class Ingestion:
    """What one run did with the incoming folder."""

    batches: tuple[Batch, ...]
    duplicates: tuple[Refusal, ...]
    refusals: tuple[Refusal, ...]


def ingest(settings: Settings, scenario: str, *, actor: str = "ingest") -> Ingestion:
    """Ingest every file of the scenario's incoming folder, in the order of their names.

    Raises BadInput for an unknown scenario, ScenarioBusy, PipelineFailed when the remote is away (nothing has
    moved then: the same command resumes).
    """
    params, schema = read_params(settings.project, scenario), read_schema(settings.project, scenario)
    state = ScenarioState(settings.home, scenario)
    state.incoming.mkdir(parents=True, exist_ok=True)
    with scenario_lock(settings.home, scenario, holder="ingest", wait_seconds=params.runs.wait_seconds) as lock:
        waiting = sorted(path for path in state.incoming.iterdir() if path.is_file() and not path.name.startswith("."))
        branch = ScenarioBranch(settings.project, scenario)
        known = read_batches(branch)
        if waiting and any(file_digest(path) not in {batch.sha256 for batch in known} for path in waiting):
            found = _version(settings, branch, waiting, schema, params.ingest.max_rejected_share, lock.fd)
        else:
            found = Ingestion((), tuple(_duplicate(path, known) for path in waiting), ())
        _record(settings, scenario, branch, actor)
        _clear(state, waiting, found)
    return found


def read_batches(branch: ScenarioBranch) -> list[Batch]:
    """The batches on the scenario's branch, oldest first."""
    return _parse_batches(branch.read("batches.csv") or "")


def _version(
    settings: Settings, branch: ScenarioBranch, waiting: list[Path], schema: Schema, max_rejected: float, lock_fd: int
) -> Ingestion:
    """Commit a batch for each file, push the rows, then move the branch: what the branch names is always pushed."""
    state = ScenarioState(settings.home, branch.scenario)
    with branch.worktree(state.worktrees) as tree:
        started_at = tree.tip
        data = DataVersions(tree.path, project=settings.project, home=settings.home, lock_fd=lock_fd)
        files = ScenarioFiles(tree.path, branch.scenario)
        _open_batches(data, files)
        batches, duplicates, refusals = [], [], []
        for path in waiting:
            known = _parse_batches(files.batch_list.read_text() if files.batch_list.is_file() else "")
            if file_digest(path) in {batch.sha256 for batch in known}:
                duplicates.append(_duplicate(path, known))
                continue
            try:
                table = read_checked(path, schema, max_rejected=max_rejected)
            except BadInput as error:
                refusals.append(Refusal(path.name, str(error)))
                continue
            batches.append(_add_batch(tree, data, files, path, table, known))
            _quarantine(state, batches[-1], table)
        if batches:
            data.push(_batches_file(files))
            branch.move(tree.tip or "", expected=started_at)
    return Ingestion(tuple(batches), tuple(duplicates), tuple(refusals))


def _open_batches(data: DataVersions, files: ScenarioFiles) -> None:
    if (files.folder / "batches.dvc").is_file():
        data.checkout(_batches_file(files))
    files.batches.mkdir(exist_ok=True)
    inputs = read_inputs(files.inputs)
    write_inputs(files.inputs, Inputs("batches", inputs.champion, inputs.seen_rows))


@dataclass(frozen=True, eq=False)
class Table:
    """A file's rows as they came, and taken apart."""

    frame: "pd.DataFrame"
    checked: Checked


def read_checked(path: Path, schema: Schema, *, max_rejected: float) -> Table:
    """Read a file and judge its rows. Raises BadInput when it cannot be used as a whole."""
    frame = read_table(path, schema).drop(columns=RESERVED, errors="ignore")
    schema.check_columns(list(frame.columns), source=path.name)
    checked = schema.check_frame(frame)
    check_share(checked, rows=len(frame), allowed=max_rejected, source=path.name)
    return Table(frame, checked)


def _add_batch(
    tree: Worktree, data: DataVersions, files: ScenarioFiles, path: Path, table: Table, known: list[Batch]
) -> Batch:
    digest = file_digest(path)
    name = f"{len(known) + 1:04d}-{digest[:8]}"
    batch = Batch(name, len(table.checked.accepted), len(table.checked.rejected_rows), path.name, digest)
    write_parquet(files.batches / f"{name}.parquet", table.checked.accepted)
    write_bytes(files.batch_list, _format_batches([*known, batch]).encode())
    data.add(str(files.batches.relative_to(tree.path)))
    version = data_version((files.folder / "batches.dvc").read_text())
    tree.commit(f"{files.scenario}: batch {name}, {batch.rows} rows from {path.name}\n\ndata version {version}")
    return batch


def check_share(checked: Checked, *, rows: int, allowed: float, source: str) -> None:
    """Raises BadInput, with the commonest reasons, when too many rows of a file were rejected."""
    rejected = len(checked.rejected_rows)
    if rejected <= allowed * rows and rejected < rows:
        return
    common = Counter(f"{problem.column} {problem.reason}" for problem in checked.problems).most_common(3)
    raise BadInput(
        f"{source}: {rejected} of {rows} rows do not fit the schema, more than a share of {allowed:g} "
        f"(params.yaml: ingest.max_rejected_share), so the file is refused whole. Most frequent: "
        + "; ".join(f"{reason} ({count} x)" for reason, count in common)
    )


def _quarantine(state: ScenarioState, batch: Batch, table: Table) -> None:
    """One line per problem: where, what, why, and the whole row as JSON so that it can be mended and sent again."""
    import pandas as pd

    if not table.checked.problems:
        return
    cells = {row: json.dumps(table.frame.iloc[row].to_dict(), default=str) for row in table.checked.rejected_rows}
    lines = [
        {
            "row": problem.row,
            "column": problem.column,
            "value": str(problem.value),
            "reason": problem.reason,
            "cells": cells[problem.row],
        }
        for problem in table.checked.problems
    ]
    write_parquet(state.quarantine / f"{batch.batch}.parquet", pd.DataFrame(lines))


def _record(settings: Settings, scenario: str, branch: ScenarioBranch, actor: str) -> None:
    """One registry event per batch; a run that was killed before this is made up for by the next."""
    registry = Registry(settings.registry_url)
    told = {event.payload["sha256"] for event in events_of(registry, scenario, INGESTED)}
    for batch in read_batches(branch):
        if batch.sha256 not in told:
            reason = f"{batch.source}: {batch.rows} rows accepted, {batch.rejected} rejected"
            registry.append(scenario, INGESTED, reason=reason, actor=actor, payload=asdict(batch))


def _clear(state: ScenarioState, waiting: list[Path], found: Ingestion) -> None:
    reasons = {refusal.source: refusal.reason for refusal in found.refusals}
    for path in waiting:
        folder = state.refused if path.name in reasons else state.ingested
        if path.name in reasons:
            write_bytes(folder / f"{path.name}.reason.txt", (reasons[path.name] + "\n").encode())
        folder.mkdir(parents=True, exist_ok=True)
        path.replace(folder / path.name)


def check_refusals(found: Ingestion) -> None:
    """Raises BadInput naming every file that was refused, after the others were ingested."""
    if found.refusals:
        told = "\n".join(f"- {refusal.reason}" for refusal in found.refusals)
        raise BadInput(f"{len(found.refusals)} of the incoming files were refused and set aside:\n{told}")


def _duplicate(path: Path, known: list[Batch]) -> Refusal:
    digest = file_digest(path)
    same = next(batch for batch in known if batch.sha256 == digest)
    return Refusal(
        path.name, f"{path.name} holds exactly what batch {same.batch} ({same.source}) brought already; nothing to do"
    )


def _batches_file(files: ScenarioFiles) -> str:
    return f"scenarios/{files.scenario}/batches.dvc"


def _parse_batches(text: str) -> list[Batch]:
    return [
        Batch(line["batch"], int(line["rows"]), int(line["rejected"]), line["source"], line["sha256"])
        for line in csv.DictReader(io.StringIO(text))
    ]


def _format_batches(batches: list[Batch]) -> str:
    text = io.StringIO()
    writer: Any = csv.DictWriter(text, [field.name for field in fields(Batch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(batch) for batch in batches)
    return text.getvalue()
