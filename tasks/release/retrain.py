"""Make a challenger with `dvc repro` in a throw-away worktree, and let the gate judge it."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.adapters import telemetry
from releve.adapters.brought.folder import ENDINGS, TriedFile, read_brought
from releve.adapters.files import (
    MEMORY,
    NO_MEMORY,
    PipelineInputs,
    read_document,
    read_inputs,
    write_bytes,
    write_inputs,
)
from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.git_dvc.data_versions import DataVersions, data_version, stage_record
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, Worktree
from releve.adapters.lineage import LineageDataset, RunLineage, tells_lineage
from releve.adapters.models.description import ModelDescription, ModelSummary, read_description
from releve.adapters.models.model_runtime import folder_digest, schema_of
from releve.adapters.models.model_store import ModelStore, StoredModel
from releve.adapters.registry.registry import Current, Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import BadInput, NotFound
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.brought.description import MOST_BROUGHT
from releve.domain.evaluation.evaluation import DecisionChange, Evaluation
from releve.domain.evaluation.holdout_evaluation import check_comparable
from releve.domain.gate.gate import OF_DECISIONS, Check, GateInputs, as_judged, decide
from releve.domain.registry.chain import CHALLENGED, MONITORED, MOVES
from releve.domain.registry.events import Challenger, ModelRolledBack
from releve.domain.registry.lifecycle import taken_back
from releve.domain.registry.release import SEED_VERSION, Release
from releve.reporting.messages.brought import describe_brought
from releve.reporting.messages.gate import explain
from releve.reporting.model_card.ensemble import describe_outcome
from tasks.history import events_of, newest_of
from tasks.pipeline.decisions import decision_change
from tasks.pipeline.stage import Stage
from tasks.places import ScenarioFiles, ScenarioState
from tasks.release.latency import answer_milliseconds

STAGES = ("train", "package")  # whose artifacts the remote keeps; the seed makes itself
NAMED_FILES = 5  # of the uncommitted ones


def _lineage(_: Settings, scenario: str, challenger: Challenger) -> RunLineage:
    """Say which rows the model was made of."""
    rows = LineageDataset(f"{scenario}.rows", version=challenger.data_version)
    return RunLineage([rows], [LineageDataset(f"{scenario}.model", version=challenger.model)])


@tells_lineage("retrain", _lineage)
def retrain(
    settings: Settings,
    scenario: str,
    *,
    reason: str,
    search: str = "",
    without: tuple[str, ...] = (),
    reweigh: bool = False,
    brought: TriedFile | None = None,
    actor: str = "retrain",
    progress: Callable[[str], None] = lambda line: None,
) -> Challenger:
    """Build, store and judge a challenger. Running it again on the same rows, params and code changes nothing.

    `search`: what opened a search for new members, "" for none; `without`: columns whose newest cells are broken. Where
    neither is given, rows that were judged already are judged as they were. `reweigh`: the members of the refresh
    before stay as they are, and are weighed anew by the rows that came since. `brought`: a model that somebody else
    fitted is judged in the place of a refresh, and is a member of the next ones.

    Raises BadInput, ScenarioBusy, PipelineFailed, BranchMoved.
    """
    if search and reweigh:
        raise BadInput("a search fits members, and a re-weighting fits none; ask for one of them")
    if brought and (search or reweigh or without):
        raise BadInput("a brought model is judged by itself: no search, and no re-weighting goes with it")
    truth = read_committed(settings, scenario)
    params = truth.params
    lock = scenario_lock(
        settings.home, scenario, holder="retrain", wait_seconds=settings.wait_seconds, on_wait=progress
    )
    with lock as held:
        registry, store = Registry(settings.registry_url), ModelStore(settings.home)
        champion = registry.current(scenario)
        if champion:  # the pipeline would find out as well, once it has searched and trained
            model = store.get(champion.release.model)
            check_comparable(schema_of(model.path, tag=model.tag), truth.schema, champion=model.tag)
        branch = ScenarioBranch(settings.project, scenario, revision=truth.revision)
        if edited := branch.uncommitted():
            progress(f"not committed, and so no part of this run: {', '.join(edited[:NAMED_FILES])}")
        with branch.worktree(ScenarioState(settings.home, scenario).worktrees) as tree:
            cpu = cpu_seconds()
            data = DataVersions(
                tree.path, project=settings.project, home=settings.home, lock_fd=held.fd, remote=params.data
            )
            files = ScenarioFiles(tree.path, scenario)
            judged = [event.read(Challenger) for event in events_of(registry, scenario, CHALLENGED)]
            newest = _newest_members(scenario, judged, store, champion) if reweigh else ""
            rollback = newest_rollback(registry, scenario)
            asked = _Asked(search, without, newest, _bring(files, data, brought) if brought else "")
            inputs = _inputs(files, champion, asked, rollback=rollback)
            write_inputs(files.inputs, inputs)
            data.checkout(*files.versioned)
            data.repro(f"scenarios/{scenario}/dvc.yaml:package", progress=progress)
            serving = store.describe(champion.release.model) if champion else None
            made = read_description(files.model, tag=f"{scenario}:{version_of(files)}")
            if champion and _answer_alike(serving, made) and _decide_otherwise(serving, made):
                inputs = replace(inputs, champion=champion.release.model)
            opponents = (inputs.champion, f"{scenario}:{version_of(files)}")
            if champion and not brought and champion.release.model not in opponents:
                raise _nothing_to_judge_on(champion.release)
            built = Built(branch, tree, data, inputs, seconds_before=cpu)
            challenger = send_to_gate(settings, built, truth, reason=reason, actor=actor, progress=progress)
    telemetry.annotate(
        model=challenger.model, data_version=challenger.data_version, rows=challenger.rows, promote=challenger.promote
    )
    return challenger


@dataclass(frozen=True)
class Built:
    """What the pipeline made in a worktree, and what it started from; the gate has not seen it."""

    branch: ScenarioBranch
    tree: Worktree
    data: DataVersions
    inputs: PipelineInputs
    seconds_before: float  # of CPU, of this process: see `cpu_seconds`
    is_experiment: bool = False  # that was made beside the refreshes: where it is refused, the branch stays theirs


def version_of(files: ScenarioFiles) -> str:
    """Name a model by its files: the same rows, answers, params and code make the same files."""
    return folder_digest(files.model)[:12]


def send_to_gate(
    settings: Settings,
    built: Built,
    truth: Committed,
    *,
    reason: str,
    actor: str,
    progress: Callable[[str], None],
) -> Challenger:
    """Store what was built, let the gate judge it, and record that. Raises BranchMoved, RemoteUnavailable."""
    registry, store, tree = Registry(settings.registry_url), ModelStore(settings.home), built.tree
    scenario, started_at, files = tree.scenario, tree.tip, ScenarioFiles(tree.path, tree.scenario)
    judged = [event.read(Challenger) for event in events_of(registry, scenario, CHALLENGED)]
    progress("storing the model, and timing its answers")
    stored = store.save(files.model, scenario=scenario, version=version_of(files), labels={"project": "releve"})
    # Measured once per model, so that judging it again gives the same.
    latencies = [one.latency_ms for one in reversed(judged) if one.model_digest == stored.digest]
    latency = latencies[0] if latencies else answer_milliseconds(store.load(stored.tag, digest=stored.digest))
    change, moved = None, _moved(store, stored.tag, built.inputs.champion) if built.inputs.reweighs else None
    current = registry.current(scenario)
    serving = store.describe(current.release.model) if current else None
    made = read_description(files.model, tag=stored.tag)
    if _decide_otherwise(serving, made):
        stage, moved = Stage(settings, truth.params, truth.schema, files), None
        served = serving.decision.table if serving and serving.decision else None
        change = decision_change(stage, served, alone=_answer_alike(serving, made))
    challenger = _decide(tree, stored, built.inputs, truth.params, latency, moved=moved, change=change)
    seconds = cpu_seconds() - built.seconds_before + built.data.cpu_seconds
    challenger = challenger.model_copy(update={"cpu_seconds": round(seconds, 2)})
    if built.inputs.alone:
        built.data.push(f"scenarios/{scenario}/brought.dvc")
    built.data.push(*(f"scenarios/{scenario}/dvc.yaml:{stage}" for stage in STAGES))
    if built.is_experiment and not challenger.promote:
        built.branch.keep_refused(challenger.revision, version=version_of(files))
    else:
        built.branch.move(challenger.revision, expected=started_at)
    if not judged or not challenger.same_judgement(judged[-1]):  # another gate judges the same challenger anew
        registry.append(scenario, challenger, reason=reason, actor=actor)
    return challenger


def last_challenger(registry: Registry, scenario: str, *, model: str | None = None) -> Challenger:
    """The challenger judged last, or the one named. Raises NotFound."""
    for event in newest_of(registry, scenario, CHALLENGED):
        challenger = event.read(Challenger)
        if model in (None, challenger.model):
            return challenger
    which = f"challenger {model}" if model else "challenger"
    raise NotFound(f"{scenario} has no {which}; run make retrain SCENARIO={scenario} first")


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


def _newest_members(scenario: str, judged: Sequence[Challenger], store: ModelStore, champion: Current | None) -> str:
    """Name the model whose members can be weighed anew. Raises BadInput where there is none, or they do not serve."""
    refreshes = [each for each in judged if each.brought is None]
    if not refreshes:
        raise BadInput(f"{scenario} has no members that could be weighed anew yet; retrain without --reweigh")
    newest = refreshes[-1]
    described = store.describe(champion.release.model) if champion else None
    serving = described.ensemble if described else None
    if described and (described.brought or (serving and serving.learned != newest.learned)):
        raise BadInput(
            f"the newest members, of {newest.model}, do not serve {scenario}: they were refused or rolled back, or "
            "wait for make release; retrain without --reweigh"
        )
    return newest.model


@dataclass(frozen=True)
class _Asked:
    """What is asked of the pipeline beyond a refresh."""

    search: str
    without: tuple[str, ...]
    reweighs: str
    brought: str


def _bring(files: ScenarioFiles, data: DataVersions, brought: TriedFile) -> str:
    """Version a tried file on the branch, where the newest of them stay; return its name."""
    known, place = read_inputs(files.inputs).brought, f"scenarios/{files.scenario}/brought"
    if brought.name in known:  # the first time counts: rows that came since are new to it
        return brought.name
    kept = [*known, brought.name][-MOST_BROUGHT:]
    gone = [f"{name}{ending}" for name in known if name not in kept for ending in ENDINGS]
    data.revise(place, added={path.name: path for path in brought.files}, removed=gone)
    write_inputs(files.inputs, replace(read_inputs(files.inputs), brought=tuple(kept)))
    return brought.name


def _inputs(
    files: ScenarioFiles, champion: Current | None, asked: _Asked, *, rollback: NewestRollback
) -> PipelineInputs:
    """Write down what the pipeline starts from, and make the newest refresh its memory where there are newer rows.

    The champion is the opponent unless it has learned every row already: rows that a refresh has judged are judged
    against whom they were. Rows that a re-weighting has judged may be learned. Raises BadInput for a search that
    nothing could judge.
    """
    before, current = read_inputs(files.inputs), champion.release if champion else None
    version = data_version_of(files)
    search, without, reweighs = asked.search, asked.without, asked.reweighs
    made = _train_record(files)
    learned = {Path(each["path"]).name: each["md5"] for each in made["deps"]} if made else {}
    tag = current.model if current else ""
    is_known = made is not None and version in (learned.get(before.rows), SEED_VERSION)
    if not is_known or before.alone or asked.brought or (before.reweighs and not reweighs):
        if asked.brought:
            if is_known and before.alone == asked.brought and current and current.rows >= _judged_rows(files):
                return before  # it serves already, and was judged on these rows
            return replace(inputs_on_top(files, champion=tag, rollback=rollback), alone=asked.brought)
        if reweighs:  # what the fits did without is a part of them
            same = replace(before, search_cause="", alone="", **vars(rollback))
            return replace(same, champion=tag, memory=_newest_memory(files), reweighs=reweighs)
        return inputs_on_top(files, champion=tag, search=search, without=without, rollback=rollback)
    if current and current.rows >= _judged_rows(files):
        if search:
            raise _nothing_to_judge_on(current)
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


def _nothing_to_judge_on(champion: Release) -> BadInput:
    return BadInput(
        f"the champion learned from all {champion.rows} labelled rows, so that none is left to judge another model on; "
        "ingest newer labelled rows first"
    )


def data_version_of(files: ScenarioFiles) -> str:
    batches = files.folder / "batches.dvc"
    return data_version(batches.read_text()) if batches.is_file() else SEED_VERSION


def cpu_seconds() -> float:
    """CPU time of this process so far, and of the children that ended; `DataVersions` counts DVC and its stages."""
    return sum(os.times()[:4])


def _answer_alike(serving: ModelDescription | None, made: ModelDescription) -> bool:
    """Whether two models have the same members with the same weights."""
    theirs, ours = serving.ensemble if serving else None, made.ensemble
    return theirs is not None and ours is not None and theirs.identity == ours.identity


def _decide_otherwise(serving: ModelDescription | None, made: ModelDescription) -> bool:
    """Whether a model decides by other costs or rules than the one that serves."""
    if serving is None:
        return False
    theirs, ours = (each.decision.table if each.decision else None for each in (serving, made))
    return theirs != ours


def _moved(store: ModelStore, model: str, champion: str) -> float | None:
    """Compute the total variation between the weights of two models; None where their members are other fits."""
    ours, theirs = (store.describe(tag).ensemble if tag else None for tag in (model, champion))
    if ours is None or theirs is None or ours.learned != theirs.learned:
        return None
    weights, others = ({each.name: each.weight for each in one.members} for one in (ours, theirs))
    return sum(abs(weights.get(name, 0.0) - others.get(name, 0.0)) for name in weights.keys() | others.keys()) / 2


def _decide(
    tree: Worktree,
    stored: StoredModel,
    started: PipelineInputs,
    params: Params,
    latency_ms: float,
    *,
    moved: float | None,
    change: DecisionChange | None,
) -> Challenger:
    files = ScenarioFiles(tree.path, tree.scenario)
    evaluation = read_document(files.evaluation, Evaluation)
    summary = read_document(files.model_summary, ModelSummary)
    brought = read_brought(files.brought, started.alone).description if started.alone else None
    decides_alone = change is not None and change.alone  # how it answers was judged, and serves
    inputs = GateInputs(
        as_judged(evaluation, params),
        bool(started.champion) and not decides_alone,
        latency_ms,
        summary.sanity,
        summary.parity or "",
        frozenset(Check) - OF_DECISIONS if decides_alone else frozenset(),
        must_gain=bool(started.alone),
        decision=change,
        moved=moved,
    )
    decision = decide(inputs, params, today=datetime.now(UTC).date())
    reasons, notes = explain(decision, inputs, params)
    version = data_version_of(files)
    more = list(describe_brought(brought)) if brought else []
    more += [f"search: {describe_outcome(summary.search)}"] if summary.search else []
    challenger = Challenger(
        model=stored.tag,
        model_digest=stored.digest,
        revision="",
        data_version=version,
        rows=evaluation.rows,
        learned=summary.learned,
        champion=started.champion,
        search=started.search_cause,
        search_outcome=summary.search,
        evaluation=evaluation,
        promote=decision.promote,
        inconclusive=decision.is_inconclusive,
        reasons=reasons,
        notes=(*notes, *more),
        overrides=decision.overrides,
        latency_ms=latency_ms,
        sanity=summary.sanity,
        decision=change,
        cpu_seconds=0.0,  # known once all is done
        brought=brought,
    )
    verdict = "promote" if decision.promote else "keep the champion"
    message = f"{tree.scenario}: challenger {stored.tag}, {verdict}\n\ndata version {version}\n"
    return challenger.model_copy(update={"revision": tree.commit(message + "\n".join(challenger.sentences))})
