"""Send an experiment to the gate: what it made becomes the challenger, and nothing is trained again."""

from collections.abc import Callable

from releve.adapters.files import parse_scenario, read_inputs
from releve.adapters.git_dvc.committed import Committed, read_committed
from releve.adapters.git_dvc.data_cache import LIST
from releve.adapters.git_dvc.data_versions import DataVersions, PipelineFailed, data_version
from releve.adapters.git_dvc.experiments import RECORD, Experiment, find_experiments, owner_of
from releve.adapters.git_dvc.remakable import BUILD, outputs
from releve.adapters.git_dvc.scenario_branch import ScenarioBranch, git, git_texts
from releve.adapters.models.model_runtime import folder_digest
from releve.adapters.registry.registry import Registry
from releve.adapters.scenario_lock import scenario_lock
from releve.core.errors import Conflict, NotFound
from releve.core.formatting import printable, shortened
from releve.core.names import SCENARIO_NAME
from releve.core.params import Params
from releve.core.settings import Settings
from releve.core.yaml_text import load_mapping
from releve.domain.experiment.experiment import GateToday, why_outdated
from releve.domain.registry.events import Challenger
from releve.domain.registry.release import SEED_VERSION
from releve.domain.schema.schema import Schema
from tasks.places import ScenarioFiles, ScenarioState
from tasks.retraining.gate import Built, cpu_seconds, send_to_gate


class ExperimentNotOwn(Conflict):
    """The experiment was made elsewhere: its figures, model and files are what somebody says they are."""

    code = "experiment_not_own"


class ExperimentOutdated(Conflict):
    """Rows, champion or rules are others than when the experiment was judged."""

    code = "experiment_outdated"


def challenge(
    settings: Settings,
    name: str,
    *,
    reason: str = "",
    actor: str = "challenge",
    progress: Callable[[str], None] = lambda line: None,
) -> Challenger:
    """Let the gate judge the experiment, by the rules that are committed. Accepted, it waits for its release.

    Raises NotFound where there is none of this name, ExperimentNotOwn where it came from elsewhere (nothing of it is
    looked into, as only a training could show that its figures are true), ExperimentOutdated where it was compared with
    another champion, on other rows or by other rules, PipelineFailed where its files are gone, ScenarioBusy,
    BranchMoved.
    """
    scenario = find_experiment(settings, name).record.scenario
    truth, state = read_committed(settings, scenario), ScenarioState(settings.home, scenario)
    with scenario_lock(
        settings.home, scenario, holder="challenge", wait_seconds=settings.wait_seconds, on_wait=progress
    ) as held:
        found = find_experiment(settings, name)
        if not found.is_own:
            raise ExperimentNotOwn(f"{name} cannot go to the gate: {describe_not_own(found)}")
        branch = ScenarioBranch(settings.project, scenario, revision=found.record.head)
        today = gate_today(settings, scenario, truth)
        if why := why_outdated(found.record, *described_at(settings, scenario, found.revision), today):
            raise ExperimentOutdated(f"{name} cannot go to the gate: {why}; run the experiment again")
        with branch.worktree(state.worktrees) as tree:
            began, files = cpu_seconds(), ScenarioFiles(tree.path, scenario)
            git(tree.path, "checkout", found.revision, "--", f"scenarios/{scenario}", f"results/{scenario}")
            (files.results / RECORD).unlink()  # of the experiment alone
            data = DataVersions(
                tree.path, project=settings.project, home=settings.home, lock_fd=held.fd, remote=truth.params.data
            )
            progress(f"bringing the files of {name} back; nothing is trained")
            restore(data, files, found)
            built = Built(branch, tree, data, read_inputs(files.inputs), seconds_before=began, is_experiment=True)
            because = reason or f"the experiment {name}, made by {found.record.by}"
            return send_to_gate(settings, built, truth, reason=because, actor=actor, progress=progress)


def find_experiment(settings: Settings, name: str) -> Experiment:
    """Find an experiment of any scenario. Raises NotFound."""
    scenario = owner_of(settings.project, name) if SCENARIO_NAME.fullmatch(name) else ""
    if not scenario:
        raise NotFound(
            f"there is no experiment {shortened(repr(name))}; `releve experiments SCENARIO` lists those of a scenario"
        )
    return find_experiments(settings.project, scenario, name=name)[0]


def describe_not_own(found: Experiment) -> str:
    """Say why an experiment of elsewhere is not taken, and what makes it here."""
    return printable(
        "it was not made in this clone, or was changed since, so that nobody here knows whether its figures are true; "
        f"make it here: {found.record.command}"
    )


def gate_today(settings: Settings, scenario: str, truth: Committed) -> GateToday:
    """Read what serves, which rows there are, and what is committed."""
    current = Registry(settings.registry_url).current(scenario)
    branch = ScenarioBranch(settings.project, scenario)
    batches, inputs = branch.read("batches.dvc"), branch.read("inputs.yaml")
    version = data_version(batches) if batches else SEED_VERSION
    brought = load_mapping(inputs, source="inputs.yaml").get("brought", ()) if inputs else ()
    return GateToday(current.release.model if current else "", version, truth.params, truth.schema, tuple(brought))


def described_at(settings: Settings, scenario: str, revision: str) -> tuple[Params, Schema]:
    """Read a scenario's params and table as any commit has them. Raises BadInput where they are not today's."""
    own = f"scenarios/{scenario}/params.yaml"
    base, text = git_texts(settings.project, [f"{revision}:./params.yaml", f"{revision}:./{own}"])
    return parse_scenario(scenario, base=base or "", own=text or "")


def restore(data: DataVersions, files: ScenarioFiles, found: Experiment) -> None:
    """Bring model and memory back as they were made. Raises PipelineFailed."""
    made = outputs((files.folder / "dvc.lock").read_text())
    folders = {path: digest for path, digest in made.items() if BUILD in path and digest.endswith(LIST)}
    again = f"run the experiment again (`dvc exp remove {found.name}` first)"
    try:
        data.restore(folders)
    except PipelineFailed as error:
        raise PipelineFailed(f"{error}; {again}") from None
    if folder_digest(files.model) != found.record.model_digest:
        raise PipelineFailed(f"the model of {found.name} is not the one that was judged; {again}")
