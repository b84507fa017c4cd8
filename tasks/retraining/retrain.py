"""Make a challenger with `dvc repro` in a throw-away worktree, and let the gate judge it."""

from collections.abc import Callable
from dataclasses import replace

from releve.adapters import telemetry
from releve.adapters.brought.folder import TriedFile
from releve.adapters.files import PipelineInputs, write_inputs
from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.lineage import LineageDataset, RunLineage, tells_lineage
from releve.adapters.models.description import read_description
from releve.adapters.models.model_runtime import schema_of
from releve.adapters.models.model_store import ModelStore
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import BadInput
from releve.core.settings import Settings
from releve.domain.evaluation.holdout_evaluation import check_comparable
from releve.domain.registry.events import Challenger
from releve.domain.registry.release import Release
from tasks.places import ScenarioFiles, ScenarioState
from tasks.retraining.gate import Built, answers_alike, cpu_seconds, decides_otherwise, send_to_gate, version_of
from tasks.retraining.inputs import Asked, bring, inputs_for, newest_members, newest_rollback, nothing_to_judge_on

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
    registry, store = Registry(settings.registry_url), ModelStore(settings.home)
    lock = scenario_lock(
        settings.home, scenario, holder="retrain", wait_seconds=settings.wait_seconds, on_wait=progress
    )
    with lock as held:
        current = registry.current(scenario)
        champion = current.release if current else None
        if champion:  # the pipeline would find out as well, once it has searched and trained
            model = store.get(champion.model)
            check_comparable(schema_of(model.path, tag=model.tag), truth.schema, champion=model.tag)
        branch = ScenarioBranch(settings.project, scenario, revision=truth.revision)
        if edited := branch.uncommitted():
            progress(f"not committed, and so no part of this run: {', '.join(edited[:NAMED_FILES])}")
        with branch.worktree(ScenarioState(settings.home, scenario).worktrees) as tree:
            cpu, files = cpu_seconds(), ScenarioFiles(tree.path, scenario)
            data = DataVersions(
                tree.path, project=settings.project, home=settings.home, lock_fd=held.fd, remote=truth.params.data
            )
            reweighs = newest_members(registry, store, scenario, champion) if reweigh else ""
            asked = Asked(search, without, reweighs, bring(files, data, brought) if brought else "")
            inputs = inputs_for(files, champion, asked, rollback=newest_rollback(registry, scenario))
            write_inputs(files.inputs, inputs)
            data.checkout(*files.versioned)
            data.repro(f"scenarios/{scenario}/dvc.yaml:package", progress=progress)
            if champion:
                inputs = _opposed(inputs, files, champion, store)
            built = Built(branch, tree, data, inputs, seconds_before=cpu)
            challenger = send_to_gate(settings, built, truth, reason=reason, actor=actor, progress=progress)
    telemetry.annotate(
        model=challenger.model, data_version=challenger.data_version, rows=challenger.rows, promote=challenger.promote
    )
    return challenger


def _opposed(inputs: PipelineInputs, files: ScenarioFiles, champion: Release, store: ModelStore) -> PipelineInputs:
    """Have a model that only decides otherwise judged against what serves.

    Raise BadInput where neither that nor what was made is new: no row is left to judge it on.
    """
    tag = f"{files.scenario}:{version_of(files)}"
    serving, made = store.describe(champion.model), read_description(files.model, tag=tag)
    if answers_alike(serving, made) and decides_otherwise(serving, made):
        return replace(inputs, champion=champion.model)
    if not inputs.alone and champion.model not in (inputs.champion, tag):
        raise nothing_to_judge_on(champion)
    return inputs
