"""Build again what the scenario's branch holds, and say whether the same figures come out."""

from dataclasses import dataclass

from releve.adapters.git_dvc.committed import read_committed
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, git
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import NotFound
from releve.core.settings import Settings
from tasks.places import ScenarioFiles, ScenarioState


@dataclass(frozen=True)
class Rebuilt:
    """`changed` are the result files that came out differently, as git names them."""

    revision: str
    metrics: str  # metrics.json, as it came out
    changed: tuple[str, ...]


def rebuild(settings: Settings, scenario: str) -> Rebuilt:
    """Run every stage anew in a throw-away worktree of the branch; nothing is kept, nothing moves.

    Raises NotFound while the branch has no challenger, ScenarioBusy, PipelineFailed.
    """
    params = read_committed(settings, scenario).params
    with scenario_lock(settings.home, scenario, holder="rebuild", wait_seconds=settings.wait_seconds) as lock:
        branch = ScenarioBranch(settings.project, scenario)
        tip = branch.tip()
        if tip is None or branch.read("dvc.lock") is None:
            raise NotFound(f"nothing was built on {branch.name} yet; run make retrain SCENARIO={scenario} first")
        with branch.checkout(tip, ScenarioState(settings.home, scenario).worktrees) as path:
            data = DataVersions(path, project=settings.project, home=settings.home, lock_fd=lock.fd, remote=params.data)
            if (path / "scenarios" / scenario / "batches.dvc").is_file():
                data.checkout(f"scenarios/{scenario}/batches.dvc")
            data.repro(f"scenarios/{scenario}/dvc.yaml:package", anew=True, progress=print)
            changed = git(path, "diff", "--name-only", "--", "results").splitlines()
            return Rebuilt(tip, ScenarioFiles(path, scenario).metrics.read_text(), tuple(changed))
