"""A scenario's pipeline in a throw-away checkout of a commit: people's files of the commit, rows of the branch."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, Worktree
from releve.adapters.scenario_lock import scenario_lock
from releve.core.settings import Settings
from tasks.places import ScenarioFiles, ScenarioState

LAST = "package"  # the stage that the others are there for


@dataclass(frozen=True)
class Checkout:
    """One scenario, checked out for one run."""

    tree: Worktree
    branch: ScenarioBranch
    truth: Committed
    data: DataVersions

    @property
    def files(self) -> ScenarioFiles:
        return ScenarioFiles(self.tree.path, self.tree.scenario)

    def stage(self, name: str) -> str:
        return f"scenarios/{self.tree.scenario}/dvc.yaml:{name}"

    def build(self, *, pull: bool = False, progress: Callable[[str], None] = lambda line: None) -> None:
        """Bring the model up to date. Raises BadInput, PipelineFailed, RemoteUnavailable."""
        self.data.checkout(*self.files.versioned)
        self.data.repro(self.stage(LAST), pull=pull, progress=progress)


@contextmanager
def checked_out(settings: Settings, scenario: str, *, holder: str) -> Iterator[Checkout]:
    """Check out the commit that `settings` name. Raises BadInput, ScenarioBusy; `holder`: as others are told of it."""
    truth = read_committed(settings, scenario)
    branch = ScenarioBranch(settings.project, scenario, revision=truth.revision)
    with (
        scenario_lock(settings.home, scenario, holder=holder, wait_seconds=settings.wait_seconds) as lock,
        branch.worktree(ScenarioState(settings.home, scenario).worktrees) as tree,
    ):
        remote, project = truth.params.data, settings.project
        data = DataVersions(tree.path, project=project, home=settings.home, lock_fd=lock.fd, remote=remote)
        yield Checkout(tree, branch, truth, data)
