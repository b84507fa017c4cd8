"""What a change does to the models: every scenario built at two commits, as a retraining would build it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from releve.adapters.files import read_document
from releve.adapters.git_dvc.data_versions import PipelineFailed
from releve.adapters.git_dvc.scenario_branch import git
from releve.adapters.models.memory_files import MemoryFolder
from releve.core.errors import BadInput
from releve.core.names import SCENARIO_NAME
from releve.core.settings import Settings
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.evaluation.revisions import JudgedRevision, RevisionChange, compare_revisions
from tasks.delivery.checkouts import checked_out
from tasks.pipeline.evaluate import gather
from tasks.pipeline.rows import stage_rows
from tasks.pipeline.stage import Stage


def compare_with(
    settings: Settings, base: str, *, progress: Callable[[str], None] = lambda line: None
) -> Iterator[RevisionChange]:
    """Compare what is committed with the commit `base`, one scenario after the other.

    Stages that are the same at both are run once: DVC's run cache has them. Raises BadInput for no commit.
    """
    revisions = [_commit(settings, each) for each in (base, settings.revision or "HEAD")]
    known = [_scenarios(settings, each) for each in revisions]
    for scenario in sorted({*known[0], *known[1]}):
        built, problems = dict[str, JudgedRevision](), dict[str, str]()
        for revision, names in zip(revisions, known, strict=True):
            if scenario in names:
                progress(f"{scenario} at {revision[:12]}")
                try:
                    built[revision] = _build(replace(settings, revision=revision), scenario, progress=progress)
                except (BadInput, PipelineFailed) as error:
                    problems[revision] = str(error)
        before, after = (built.get(each) for each in revisions)
        yield RevisionChange(
            scenario,
            before=before.evaluation if before else None,
            after=after.evaluation if after else None,
            comparison=compare_revisions(before, after) if before and after else None,
            problem=problems.get(revisions[1]) or problems.get(revisions[0]) or "",
            is_broken=revisions[1] in problems and revisions[0] not in problems,
        )


def _commit(settings: Settings, revision: str) -> str:
    found = git(settings.project, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", check=False)
    if not found or revision.startswith("-"):
        raise BadInput(f"{revision!r} is no commit of {settings.project}; expected one, such as origin/main or HEAD~1")
    return found


def _scenarios(settings: Settings, revision: str) -> list[str]:
    listed = git(settings.project, "ls-tree", "-r", "--name-only", revision, "--", "scenarios").splitlines()
    names = [path.split("/")[1] for path in listed if path.endswith("/params.yaml") and path.count("/") == 2]
    return [name for name in names if SCENARIO_NAME.fullmatch(name)]


def _build(settings: Settings, scenario: str, *, progress: Callable[[str], None]) -> JudgedRevision:
    """Raises BadInput, PipelineFailed, ScenarioBusy."""
    with checked_out(settings, scenario, holder="changes") as checkout:
        checkout.build(progress=progress)
        files, truth = checkout.files, checkout.truth
        stage, folder = Stage(settings, truth.params, truth.schema, files), MemoryFolder(files.memory)
        inputs = gather(stage, stage_rows(stage).rows, folder, folder.memory)
        evaluation = read_document(files.evaluation, Evaluation)
        return JudgedRevision(
            evaluation, inputs.challenger, inputs.holdout_start, truth.schema.target, inputs.bootstrap
        )
