"""Incoming files become versioned batches; rows that do not fit go to quarantine, each with its reason.

Rows in = rows accepted + rows rejected, for every file. A file that cannot be used as a whole is set aside
beside its reason; the others are ingested all the same.
"""

import json
import os
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from releve.adapters.data_versions import DataVersions
from releve.adapters.files import file_digest, read_params, read_schema, read_table, write_bytes, write_parquet
from releve.adapters.registry import Registry
from releve.adapters.scenario_branch import ScenarioBranch
from releve.adapters.scenario_lock import scenario_lock
from releve.errors import BadInput
from releve.rules.params import Params
from releve.rules.release import SEED_VERSION
from releve.rules.schema import Checked, Schema
from releve.settings import Settings
from tasks.batches import Batch, OpenBatches, as_text, read_batches
from tasks.history import INGESTED, events_of
from tasks.places import ScenarioState

if TYPE_CHECKING:
    import pandas as pd

RESERVED = "_answer_id"  # names the answer that a harvested row was; no feature
NOTE = ".reason.txt"  # ends the name of the note beside a refused file
LONGEST_NAME = 180  # bytes of a name that is kept whole; file systems end at 255, and a note's name is longer


@dataclass(frozen=True)
class Refusal:
    """A file that was not ingested, and what to do."""

    source: str  # the file's name, as it can be shown
    reason: str
    path: Path  # where it waited


@dataclass(frozen=True)
class Ingestion:
    """What one run did with the incoming folder."""

    batches: tuple[Batch, ...]
    duplicates: tuple[Refusal, ...]
    refusals: tuple[Refusal, ...]


def ingest(settings: Settings, scenario: str, *, actor: str = "ingest") -> Ingestion:
    """Ingest every file of the scenario's incoming folder, in the order of their names.

    "Newest" means ingested last from then on: no step looks for a time in the rows.

    Raises NotFound for an unknown scenario, BadInput, ScenarioBusy, PipelineFailed when the remote is away (nothing has
    moved then: the same command resumes).
    """
    params, schema = read_params(settings.project, scenario), read_schema(settings.project, scenario)
    state = ScenarioState(settings.home, scenario)
    state.incoming.mkdir(parents=True, exist_ok=True)
    with scenario_lock(settings.home, scenario, holder="ingest", wait_seconds=params.runs.wait_seconds) as lock:
        waiting = sorted(path for path in state.incoming.iterdir() if path.is_file() and not path.name.startswith("."))
        branch = ScenarioBranch(settings.project, scenario)
        known = read_batches(branch)
        if any(not _is_known(path, known) for path in waiting):
            found = _version(settings, branch, waiting, schema, params, lock.fd)
        else:
            found = Ingestion((), tuple(_duplicate(path, known) for path in waiting), ())
        _record(settings, scenario, branch, actor)
        _clear(state, waiting, found)
    return found


def _version(
    settings: Settings, branch: ScenarioBranch, waiting: list[Path], schema: Schema, params: Params, lock_fd: int
) -> Ingestion:
    """A batch for each file that can be used; all of them appear on the branch together, or none does."""
    state = ScenarioState(settings.home, branch.scenario)
    batches: list[Batch] = []
    duplicates: list[Refusal] = []
    refusals: list[Refusal] = []
    with branch.worktree(state.worktrees) as tree:
        data = DataVersions(
            tree.path, project=settings.project, home=settings.home, lock_fd=lock_fd, remote=params.data
        )
        there = OpenBatches(tree, data)
        seed = there.seed() if not there.known and _learned_from_seed(settings, branch.scenario) else []
        for path in [*seed, *waiting]:
            if _is_known(path, there.known):
                duplicates.append(_duplicate(path, there.known))
                continue
            try:
                table = read_checked(path, schema, max_rejected=params.ingest.max_rejected_share)
            except BadInput as error:
                refusals.append(Refusal(as_text(path.name), as_text(str(error)), path))
                continue
            batches.append(there.add(path, table.checked.accepted, rejected=len(table.checked.rejected_rows)))
            _quarantine(state, batches[-1], table)
        there.publish(branch)
    return Ingestion(tuple(batches), tuple(duplicates), tuple(refusals))


def _learned_from_seed(settings: Settings, scenario: str) -> bool:
    """Whether the champion's rows came out of the pipeline itself; then they are the first batches."""
    current = Registry(settings.registry_url).current(scenario)
    return current is not None and current.release.data_version == SEED_VERSION


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
    reasons = {refusal.path: refusal.reason for refusal in found.refusals}
    for path in waiting:
        folder = state.refused if path in reasons else state.ingested
        folder.mkdir(parents=True, exist_ok=True)
        kept = _free_place(folder, path)
        if path in reasons:
            write_bytes(_note_of(kept), _note(reasons[path], path, kept).encode())
        path.replace(kept)


def _free_place(folder: Path, path: Path) -> Path:
    """Where a file is kept under its name, or, when another one or its note is there already, under a longer one."""
    name = path.name if len(os.fsencode(path.name)) <= LONGEST_NAME else path.name[-LONGEST_NAME // 4 :]
    kept = folder / name
    taken = kept.exists() or _note_of(kept).exists()
    return kept.with_name(f"{file_digest(path)[:8]}-{name}") if taken else kept


def _note_of(kept: Path) -> Path:
    return kept.with_name(f"{kept.name}{NOTE}")


def _note(reason: str, path: Path, kept: Path) -> str:
    return (
        f"{reason}\n\nTo send the file again, mended or reconsidered, move {as_text(kept.name)} from here to "
        f"{path.parent}, and leave this note: labelled answers that were refused are not sent again by themselves "
        f"while it is here.\nsha256 {file_digest(path)}\n"
    )


def refused_digests(state: ScenarioState) -> set[str]:
    """sha256 of every file that was refused, those included that a person has moved away from their notes since."""
    notes = (path.read_text(errors="replace") for path in state.refused.glob(f"*{NOTE}"))
    return {digest for note in notes for digest in re.findall(r"^sha256 ([0-9a-f]{64})$", note, re.MULTILINE)}


def check_refusals(found: Ingestion) -> None:
    """Raises BadInput naming every file that was refused, after the others were ingested."""
    if found.refusals:
        told = "\n".join(f"- {refusal.reason}" for refusal in found.refusals)
        raise BadInput(f"{len(found.refusals)} of the incoming files were refused and set aside:\n{told}")


def _is_known(path: Path, batches: list[Batch]) -> bool:
    return file_digest(path) in {batch.sha256 for batch in batches}


def _duplicate(path: Path, known: list[Batch]) -> Refusal:
    digest = file_digest(path)
    same = next(batch for batch in known if batch.sha256 == digest)
    name = as_text(path.name)
    reason = f"{name} holds exactly what batch {same.batch} ({same.source}) brought already; nothing to do"
    return Refusal(name, reason, path)
