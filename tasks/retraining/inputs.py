"""What a retraining starts from: inputs.yaml on the scenario's branch, and the memory beside it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from releve.adapters.brought.folder import ENDINGS, TriedFile
from releve.adapters.files import (
    MEMORY,
    NO_MEMORY,
    PipelineInputs,
    read_document,
    read_inputs,
    write_bytes,
    write_inputs,
)
from releve.adapters.git_dvc.data_versions import DataVersions, data_version, stage_record
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.core.errors import BadInput
from releve.domain.brought.description import MOST_BROUGHT
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.registry.chain import CHALLENGED, MONITORED, MOVES
from releve.domain.registry.events import Challenger, ModelRolledBack
from releve.domain.registry.lifecycle import taken_back
from releve.domain.registry.release import SEED_VERSION, Release
from tasks.history import events_of, newest_of
from tasks.places import ScenarioFiles


@dataclass(frozen=True)
class NewestRollback:
    """The rollback that brought what serves now, as inputs.yaml names it; empty where none did."""

    rejected: str = ""
    taken_back: str = ""
    taken_back_at: int = 0


def newest_rollback(registry: Registry, scenario: str) -> NewestRollback:
    """Read what the newest move took back, by hand or by labels; these were known to the monitoring run before it."""
    moves = events_of(registry, scenario, *MOVES)
    for model, event in taken_back(moves).items():
        if event != moves[-1]:
            continue
        if not event.read(ModelRolledBack).harm:
            return NewestRollback(rejected=model)
        from releve.domain.trigger.monitoring_run import MonitoringRun

        runs = (run for run in newest_of(registry, scenario, MONITORED) if run.number < event.number)
        rows = next((run.read(MonitoringRun).rows for run in runs), 0)
        return NewestRollback(taken_back=model, taken_back_at=rows)
    return NewestRollback()


def newest_members(registry: Registry, store: ModelStore, scenario: str, champion: Release | None) -> str:
    """Name the model whose members can be weighed anew. Raises BadInput where there is none, or they do not serve."""
    judged = (event.read(Challenger) for event in newest_of(registry, scenario, CHALLENGED))
    newest = next((each for each in judged if each.brought is None), None)
    if newest is None:
        raise BadInput(f"{scenario} has no members that could be weighed anew yet; retrain without --reweigh")
    described = store.describe(champion.model) if champion else None
    serving = described.ensemble if described else None
    if described and (described.brought or (serving and serving.learned != newest.learned)):
        raise BadInput(
            f"the newest members, of {newest.model}, do not serve {scenario}: they were refused or rolled back, or "
            "wait for make release; retrain without --reweigh"
        )
    return newest.model


@dataclass(frozen=True)
class Asked:
    """What is asked of the pipeline beyond a refresh."""

    search: str
    without: tuple[str, ...]
    reweighs: str
    brought: str


def bring(files: ScenarioFiles, data: DataVersions, brought: TriedFile) -> str:
    """Version a tried file on the branch, where the newest of them stay; return its name."""
    known, place = read_inputs(files.inputs).brought, f"scenarios/{files.scenario}/brought"
    if brought.name in known:  # the first time counts: rows that came since are new to it
        return brought.name
    kept = [*known, brought.name][-MOST_BROUGHT:]
    gone = [f"{name}{ending}" for name in known if name not in kept for ending in ENDINGS]
    data.revise(place, added={path.name: path for path in brought.files}, removed=gone)
    write_inputs(files.inputs, replace(read_inputs(files.inputs), brought=tuple(kept)))
    return brought.name


def inputs_for(
    files: ScenarioFiles, champion: Release | None, asked: Asked, *, rollback: NewestRollback
) -> PipelineInputs:
    """Write down what the pipeline starts from, and make the newest refresh its memory where there are newer rows.

    The champion is the opponent unless it has learned every row already: rows that a refresh has judged are judged
    against whom they were. Rows that a re-weighting has judged may be learned. Raises BadInput for a search that
    nothing could judge.
    """
    before, version = read_inputs(files.inputs), data_version_of(files)
    search, without, reweighs = asked.search, asked.without, asked.reweighs
    made = _train_record(files)
    learned = {Path(each["path"]).name: each["md5"] for each in made["deps"]} if made else {}
    tag = champion.model if champion else ""
    is_known = made is not None and version in (learned.get(before.rows), SEED_VERSION)
    if not is_known or before.alone or asked.brought or (before.reweighs and not reweighs):
        if asked.brought:
            if is_known and before.alone == asked.brought and champion and champion.rows >= _judged_rows(files):
                return before  # it serves already, and was judged on these rows
            return replace(inputs_on_top(files, champion=tag, rollback=rollback), alone=asked.brought)
        if reweighs:  # what the fits did without is a part of them
            same = replace(before, search_cause="", alone="", **vars(rollback))
            return replace(same, champion=tag, memory=_newest_memory(files), reweighs=reweighs)
        return inputs_on_top(files, champion=tag, search=search, without=without, rollback=rollback)
    if champion and champion.rows >= _judged_rows(files):
        if search:
            raise nothing_to_judge_on(champion)
        tag = before.champion
    return replace(
        before,
        champion=tag,
        search_cause=f"{search} on {version}" if search else before.search_cause,
        without=without or before.without,
    )


def inputs_on_top(
    files: ScenarioFiles, *, champion: str, search: str = "", without: tuple[str, ...] = (), rollback: NewestRollback
) -> PipelineInputs:
    """Return what a refresh starts from whose memory is the newest refresh before it."""
    before, cause = read_inputs(files.inputs), f"{search} on {data_version_of(files)}" if search else ""
    memory = _newest_memory(files)
    return PipelineInputs(before.rows, champion, memory, cause, without, brought=before.brought, **vars(rollback))


def _newest_memory(files: ScenarioFiles) -> str:
    """Make the refresh on record the memory. None goes on from a brought model, but from the newest one before it."""
    before, made = read_inputs(files.inputs), _train_record(files)
    return _remember(files, made) if made and not before.alone else before.memory


def _train_record(files: ScenarioFiles) -> dict[str, Any] | None:
    lock = files.folder / "dvc.lock"
    return stage_record(lock.read_text(), "train") if lock.is_file() else None


def _judged_rows(files: ScenarioFiles) -> int:
    return read_document(files.evaluation, Evaluation).rows


def _remember(files: ScenarioFiles, made: dict[str, Any]) -> str:
    """Make the refresh on record the memory of the next one; its files are in DVC's cache, or at the remote."""
    place = files.memory.relative_to(files.project).as_posix()
    refresh = next((each for each in made["outs"] if each["path"] == place), None)
    if refresh is None:
        return NO_MEMORY
    write_bytes(files.folder / f"{MEMORY}.dvc", json.dumps({"outs": [{**refresh, "path": MEMORY}]}).encode())
    return MEMORY


def nothing_to_judge_on(champion: Release) -> BadInput:
    return BadInput(
        f"the champion learned from all {champion.rows} labelled rows, so that none is left to judge another model on; "
        "ingest newer labelled rows first"
    )


def data_version_of(files: ScenarioFiles) -> str:
    batches = files.folder / "batches.dvc"
    return data_version(batches.read_text()) if batches.is_file() else SEED_VERSION
