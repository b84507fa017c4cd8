"""Try the pipeline with other settings, in a throw-away clone, and keep what came of it as a DVC experiment."""

import getpass
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from releve.adapters.compute import open_workers
from releve.adapters.files import parse_scenario, read_document, write_document, write_inputs
from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.experiments import (
    RECORD,
    Experiment,
    find_experiments,
    forget_experiments,
    take_over,
)
from releve.adapters.git_dvc.remakable import drop_made
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, Worktree, git, git_texts
from releve.adapters.models.model_runtime import folder_digest
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import ScenarioBusy, ScenarioLock, scenario_lock
from releve.adapters.yaml_files import with_settings
from releve.core.errors import Conflict, ReleveError, explained_storage
from releve.core.names import SCENARIO_NAME
from releve.core.settings import Settings
from releve.domain.erasure.erasure import RowsErased
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.experiment.experiment import ExperimentRecord, check_settings, describe_changes, name_experiment
from releve.domain.ingestion.row_versions import positions_in
from releve.domain.registry.chain import ERASED
from tasks.history import events_of
from tasks.places import ScenarioFiles, ScenarioState
from tasks.retraining.gate import cpu_seconds
from tasks.retraining.inputs import data_version_of, inputs_on_top, newest_rollback
from tasks.retraining.retrain import NAMED_FILES

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ExperimentPlan:
    """What an experiment departs from: a commit, the scenario's branch, what serves. It is known by its name."""

    scenario: str
    revision: str
    settings: Mapping[str, Any]
    search: bool
    champion: str
    tip: str

    @property
    def name(self) -> str:
        made_from = (self.revision, sorted(self.settings.items()), self.search, self.champion, self.tip)
        return name_experiment(self.scenario, *made_from)

    @property
    def message(self) -> str:
        """The subject of its commit."""
        return f"{self.scenario}: {describe_changes(self.settings)}"


class RowsErasedMeanwhile(Conflict):
    """Rows that an experiment learned were erased while it ran."""

    code = "rows_erased"


class ExperimentEnded(ReleveError):
    """The worker that made an experiment died."""

    code = "experiment_ended"


def experiment(
    settings: Settings,
    scenario: str,
    *,
    changes: Mapping[str, Any],
    search: bool = False,
    by: str = "",
    dask: bool = False,
    progress: Progress = lambda line: None,
) -> Experiment:
    """Run the scenario's pipeline with `changes` ("section.key" -> value) to what is committed, beside what serves.

    Neither the user's tree nor the scenario's branch nor the registry changes. The same experiment on the same rows is
    made once. `search`: try other recipes, too; `dask`: on a worker of compute.address, which has to see project and
    home. Raises BadInput for a setting that is unknown, wrong, or read by no stage, PipelineFailed, Unavailable,
    RowsErasedMeanwhile.
    """
    truth = read_committed(settings, scenario)
    check_settings(changes)
    changed_text(settings, truth, scenario, changes)  # what is wrong is said before anything is made
    current = Registry(settings.registry_url).current(scenario)
    champion, tip = current.release.model if current else "", ScenarioBranch(settings.project, scenario).tip() or ""
    plan = ExperimentPlan(scenario, truth.revision, dict(changes), search, champion, tip)
    by = by or git(settings.project, "config", "user.name", check=False) or _login()
    if not dask:
        return make(settings, plan, by=by, progress=progress)
    compute = truth.params.compute
    folders = [settings.project, settings.home]
    shared = settings.without_secrets()
    with open_workers(_make, shared, address=compute.address, workers=compute.workers, sees=folders) as workers:
        outcome = workers.call((plan, by))
    if outcome.problem:
        raise ExperimentEnded(f"{outcome.problem}; nothing is left of it: run the same again")
    made: Experiment = outcome.value
    return made


def _make(settings: Settings, item: tuple[ExperimentPlan, str]) -> Experiment:
    with explained_storage():
        return make(settings, item[0], by=item[1])


def make(settings: Settings, plan: ExperimentPlan, *, by: str, progress: Progress = lambda line: None) -> Experiment:
    """Make the experiment, or find the one that is there."""
    place, scenario = ScenarioState(settings.home, plan.scenario).experiments, plan.scenario
    settings = replace(settings, revision=plan.revision)  # whatever is committed meanwhile
    with scenario_lock(place, plan.name, holder="experiment", wait_seconds=settings.wait_seconds) as lock:
        found = find_experiments(settings.project, scenario, name=plan.name)
        if found and found[0].is_own:
            progress(f"{plan.name} was made at {found[0].record.at}, from the same")
            return found[0]
        if found:
            progress(f"{plan.name} came from elsewhere: it is made anew, and takes its place")
        branch = ScenarioBranch(settings.project, scenario, revision=plan.revision)
        if edited := branch.uncommitted():
            progress(f"not committed, and so no part of this run: {', '.join(edited[:NAMED_FILES])}")
        with throwaway(place, plan.name) as folder:
            tree = branch.clone(folder)
            run_pipeline(settings, plan, tree, lock, by=by, anew=bool(found), progress=progress)
            take_over(settings.project, folder, plan.name)
            # An erasure tells the registry first, and forgets experiments later: it is seen here, or finds this one.
            try:
                check_not_erased(settings, tree)
            except RowsErasedMeanwhile:
                forget_experiments(settings.project, scenario, name=plan.name)
                raise
    return find_experiments(settings.project, scenario, name=plan.name)[0]


def run_pipeline(
    settings: Settings,
    plan: ExperimentPlan,
    tree: Worktree,
    lock: ScenarioLock,
    *,
    by: str,
    anew: bool,
    progress: Progress,
) -> None:
    """Run the stages in the clone, and save what they made there. `anew`: also where DVC remembers a run of them."""
    truth = read_committed(settings, plan.scenario)
    files, began = ScenarioFiles(tree.path, plan.scenario), cpu_seconds()
    data = DataVersions(
        tree.path, project=settings.project, home=settings.home, lock_fd=lock.fd, remote=truth.params.data
    )
    (files.folder / "params.yaml").write_text(changed_text(settings, truth, plan.scenario, plan.settings))
    inputs = inputs_on_top(
        files,
        champion=plan.champion,
        search="experiment" if plan.search else "",
        rollback=newest_rollback(Registry(settings.registry_url), plan.scenario),
    )
    write_inputs(files.inputs, replace(inputs, tried=True))
    data.checkout(*files.versioned)
    data.repro(f"scenarios/{plan.scenario}/dvc.yaml:package", anew=anew, progress=progress)
    record = ExperimentRecord(
        scenario=plan.scenario,
        settings=dict(plan.settings),
        head=plan.revision,
        data_version=data_version_of(files),
        rows=read_document(files.evaluation, Evaluation).rows,
        champion=plan.champion,
        search=plan.search,
        brought=inputs.brought,
        model_digest=folder_digest(files.model),
        by=by,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        cpu_seconds=round(cpu_seconds() - began + data.cpu_seconds, 2),
    )
    write_document(files.results / RECORD, record)
    check_not_erased(settings, tree)
    git(tree.path, "add", "--all", "--", f"scenarios/{plan.scenario}", f"results/{plan.scenario}")
    data.save_experiment(plan.name, target=f"scenarios/{plan.scenario}/dvc.yaml:package", message=plan.message)


def check_not_erased(settings: Settings, tree: Worktree) -> None:
    """Raise RowsErasedMeanwhile where rows that the stages read are erased; what they made leaves the cache."""
    import pandas as pd

    files = ScenarioFiles(tree.path, tree.scenario)

    def holds(batch: str, places: tuple[int, ...]) -> bool:
        path = files.batches / f"{batch}.parquet"
        if not path.is_file():
            return path.is_symlink()  # into the cache, which it has left
        return not set(places).isdisjoint(positions_in(pd.read_parquet(path)).tolist())

    events = events_of(Registry(settings.registry_url), tree.scenario, ERASED)
    if not any(holds(*rows) for event in events for rows in event.read(RowsErased).rows.items()):
        return
    lock, remote = (files.folder / "dvc.lock").read_text(), read_committed(settings, tree.scenario).params.data
    drop_made(settings.project, tree.scenario, [lock], remote=remote)
    raise RowsErasedMeanwhile(
        f"rows of {tree.scenario} that it learned were erased while it ran, so that nothing of it is kept; once the "
        "erasure has ended, run the same again"
    )


def changed_text(settings: Settings, truth: Committed, scenario: str, changes: Mapping[str, Any]) -> str:
    """Return the scenario's params.yaml with `changes`. Raises BadInput naming the key that is wrong."""
    own = f"scenarios/{scenario}/params.yaml"
    base, text = git_texts(settings.project, [f"{truth.revision}:./params.yaml", f"{truth.revision}:./{own}"])
    changed = with_settings(text or "", changes, source=own) if changes else text or ""
    parse_scenario(scenario, base=base or "", own=changed)
    return changed


@contextmanager
def throwaway(place: Path, name: str) -> Iterator[Path]:
    """Make a folder for one run, gone afterwards; what killed runs left there, or anybody, goes first."""
    clones = place / "clones"
    for left in clones.iterdir() if clones.is_dir() else ():
        # Whoever made it holds the lock of its name as long as it works, and so does what it started. No run has a name
        # that a lock cannot have.
        is_of_a_run = left.name != name and SCENARIO_NAME.fullmatch(left.name)
        with (
            suppress(ScenarioBusy),
            scenario_lock(place, left.name, holder="tidying") if is_of_a_run else nullcontext(),
        ):
            discard_tree(left)
    folder = clones / name / secrets.token_hex(4)
    with explained_storage(folder):
        folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        discard_tree(folder.parent)


def discard_tree(path: Path) -> None:
    """Remove a folder or a file as far as that is allowed; a link goes, and not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink()


def _login() -> str:
    """Name who is logged in; "" in a container that has no such name."""
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return ""
