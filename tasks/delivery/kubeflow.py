"""The pipeline of a scenario for Kubeflow, and one stage of it in a pod that has nothing but git and the data remote.

Both read dvc.yaml: there is no second list of stages.
"""

from collections.abc import Callable

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.remakable import outputs
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch
from releve.adapters.git_dvc.stages import stages_up_to
from releve.adapters.kubeflow import write_pipeline
from releve.adapters.scenario_lock import scenario_lock
from releve.core.settings import Settings
from tasks.places import ScenarioState

LAST = "package"  # the stage that the others are there for


def export_pipeline(settings: Settings, scenario: str, *, image: str) -> str:
    """Write the pipeline of a scenario as Kubeflow reads it; `image`: of the worker."""
    branch = ScenarioBranch(settings.project, scenario)
    with (
        scenario_lock(settings.home, scenario, holder="export-kubeflow", wait_seconds=settings.wait_seconds),
        branch.worktree(ScenarioState(settings.home, scenario).worktrees) as tree,
    ):
        stages = stages_up_to(tree.path, scenario, LAST)
        return write_pipeline(scenario, stages, image=image)


def run_stage(
    settings: Settings, scenario: str, stage: str, *, progress: Callable[[str], None] = lambda line: None
) -> dict[str, str]:
    """Run a stage of the commit that is checked out, and push what it made; its outputs' md5, by path.

    What the stages before it made comes from the data remote, or is made again. Raises BadInput for a stage that
    dvc.yaml does not have, ScenarioBusy, PipelineFailed, RemoteUnavailable.
    """
    truth = read_committed(settings, scenario)
    branch = ScenarioBranch(settings.project, scenario, revision=truth.revision)
    with (
        scenario_lock(settings.home, scenario, holder="run-stage", wait_seconds=settings.wait_seconds) as lock,
        branch.worktree(ScenarioState(settings.home, scenario).worktrees) as tree,
    ):
        stages_up_to(tree.path, scenario, stage)
        remote = truth.params.data
        data = DataVersions(tree.path, project=settings.project, home=settings.home, lock_fd=lock.fd, remote=remote)
        target = f"scenarios/{scenario}/dvc.yaml:{stage}"
        data.repro(target, pull=True, progress=progress)
        data.push(target, runs=True)
        return outputs((tree.folder / "dvc.lock").read_text())
