"""Send what the pipeline made to the gate: it is stored, timed, judged, pushed and recorded."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from releve.adapters.brought.folder import read_brought
from releve.adapters.files import PipelineInputs, read_document
from releve.adapters.git_dvc.committed import Committed
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, Worktree
from releve.adapters.models.description import ModelDescription, ModelSummary, read_description
from releve.adapters.models.model_runtime import folder_digest
from releve.adapters.models.model_store import ModelStore, StoredModel
from releve.adapters.registry.registry import Registry
from releve.core.params import Params
from releve.core.settings import Settings
from releve.domain.evaluation.evaluation import DecisionChange, Evaluation
from releve.domain.gate.gate import OF_DECISIONS, GateCheck, GateInputs, as_judged, decide
from releve.domain.registry.chain import CHALLENGED
from releve.domain.registry.events import Challenger
from releve.reporting.messages.brought import describe_brought
from releve.reporting.messages.gate import explain
from releve.reporting.model_card.ensemble import describe_outcome
from tasks.history import events_of
from tasks.pipeline.decisions import decision_change
from tasks.pipeline.stage import Stage
from tasks.places import ScenarioFiles
from tasks.retraining.inputs import data_version_of
from tasks.retraining.latency import answer_milliseconds

STAGES = ("train", "package")  # whose artifacts the remote keeps; the seed makes itself


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


def cpu_seconds() -> float:
    """CPU time of this process so far, and of the children that ended; `DataVersions` counts DVC and its stages."""
    return sum(os.times()[:4])


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
    current, change, moved = registry.current(scenario), None, None
    serving = store.describe(current.release.model) if current else None
    made = read_description(files.model, tag=stored.tag)
    if decides_otherwise(serving, made):
        served = serving.decision.table if serving and serving.decision else None
        stage = Stage(settings, truth.params, truth.schema, files)
        change = decision_change(stage, served, alone=answers_alike(serving, made))
    elif built.inputs.reweighs:
        moved = _moved(store, stored.tag, built.inputs.champion)
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


def _moved(store: ModelStore, model: str, champion: str) -> float | None:
    """Compute the total variation between the weights of two models; None where their members are other fits."""
    ours, theirs = (store.describe(tag).ensemble if tag else None for tag in (model, champion))
    if ours is None or theirs is None or ours.learned != theirs.learned:
        return None
    weights, others = ({each.name: each.weight for each in one.members} for one in (ours, theirs))
    return sum(abs(weights.get(name, 0.0) - others.get(name, 0.0)) for name in weights.keys() | others.keys()) / 2


def answers_alike(serving: ModelDescription | None, made: ModelDescription) -> bool:
    """Whether two models have the same members with the same weights."""
    theirs, ours = serving.ensemble if serving else None, made.ensemble
    return theirs is not None and ours is not None and theirs.identity == ours.identity


def decides_otherwise(serving: ModelDescription | None, made: ModelDescription) -> bool:
    """Whether a model decides by other costs or rules than the one that serves."""
    if serving is None:
        return False
    theirs, ours = (each.decision.table if each.decision else None for each in (serving, made))
    return theirs != ours


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
    """Ask the gate, and commit what it says of the challenger."""
    files = ScenarioFiles(tree.path, tree.scenario)
    evaluation = read_document(files.evaluation, Evaluation)
    summary = read_document(files.model_summary, ModelSummary)
    decides_alone = change is not None and change.alone  # how it answers was judged, and serves
    inputs = GateInputs(
        as_judged(evaluation, params),
        bool(started.champion) and not decides_alone,
        latency_ms,
        summary.sanity,
        summary.parity or "",
        frozenset(GateCheck) - OF_DECISIONS if decides_alone else frozenset(),
        must_gain=bool(started.alone),
        decision=change,
        moved=moved,
    )
    decision = decide(inputs, params, today=datetime.now(UTC).date())
    reasons, notes = explain(decision, inputs, params)
    brought = read_brought(files.brought, started.alone).description if started.alone else None
    challenger = Challenger(
        model=stored.tag,
        model_digest=stored.digest,
        revision="",
        data_version=data_version_of(files),
        rows=evaluation.rows,
        learned=summary.learned,
        champion=started.champion,
        search=started.search_cause,
        search_outcome=summary.search,
        evaluation=evaluation,
        promote=decision.promote,
        inconclusive=decision.is_inconclusive,
        reasons=reasons,
        notes=(
            *notes,
            *(describe_brought(brought) if brought else ()),
            *([f"search: {describe_outcome(summary.search)}"] if summary.search else ()),
        ),
        overrides=decision.overrides,
        latency_ms=latency_ms,
        sanity=summary.sanity,
        decision=change,
        cpu_seconds=0.0,  # known once all is done
        brought=brought,
    )
    verdict = "promote" if decision.promote else "keep the champion"
    message = f"{tree.scenario}: challenger {stored.tag}, {verdict}\n\ndata version {challenger.data_version}\n"
    return challenger.model_copy(update={"revision": tree.commit(message + "\n".join(challenger.sentences))})
