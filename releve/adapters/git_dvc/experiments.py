"""DVC's experiments of this clone: commits below refs/exps/<baseline>/<name>, as `dvc exp save` makes them."""

from dataclasses import dataclass
from pathlib import Path

from releve.adapters.git_dvc.scenario_branch import GitFailed, git, git_texts
from releve.core.documents import parse_document
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.experiment.experiment import ExperimentRecord

REFS = "refs/exps"
RECORD = "experiment.json"  # of results/<scenario>: what makes an experiment of DVC's one of ours
REMEDY = "`dvc exp remove` removes the experiment"


@dataclass(frozen=True)
class Experiment:
    """An experiment that was made, and how it was judged."""

    name: str
    revision: str
    record: ExperimentRecord
    evaluation: Evaluation


def find_experiments(project: Path, scenario: str, *, name: str = "*") -> list[Experiment]:
    """List the experiments of a scenario, the oldest first, or the one of this name.

    What `dvc exp run` made by itself has no record of who and why, and is left out.
    """
    refs = git(project, "for-each-ref", "--format=%(objectname) %(refname)", f"{REFS}/*/*/{name}").splitlines()
    revisions = {revision: ref.rpartition("/")[2] for revision, ref in (line.split(" ") for line in refs)}
    paths = (f"results/{scenario}/{RECORD}", f"results/{scenario}/evaluation.json")
    texts = iter(git_texts(project, [f"{revision}:{path}" for revision in revisions for path in paths]))
    found = []
    for revision, called in revisions.items():
        record, evaluation = next(texts), next(texts)
        if record is not None and evaluation is not None:
            source = f"the experiment {called}"
            found.append(
                Experiment(
                    called,
                    revision,
                    parse_document(record, ExperimentRecord, source=source, remedy=REMEDY),
                    parse_document(evaluation, Evaluation, source=source, remedy=REMEDY),
                )
            )
    return sorted(found, key=lambda each: each.record.at)


def owner_of(project: Path, name: str) -> str:
    """Return the scenario of an experiment; "" where there is none of this name."""
    revisions = git(project, "for-each-ref", "--format=%(objectname)", f"{REFS}/*/*/{name}").splitlines()
    for revision in revisions:
        paths = git(project, "ls-tree", "-r", "--name-only", revision, "--", "results").splitlines()
        for path in paths:
            if path.endswith(f"/{RECORD}") and find_experiments(project, scenario := path.split("/")[1], name=name):
                return scenario
    return ""


def take_over(project: Path, clone: Path, name: str) -> None:
    """Bring the experiment that was saved in `clone` into the project, whole or not at all.

    Nothing happens where another process has saved one of the same name just now.
    """
    ref = git(clone, "for-each-ref", "--format=%(refname)", f"{REFS}/*/*/{name}")
    try:
        git(project, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(clone), f"{ref}:{ref}")
    except GitFailed:
        if not git(project, "rev-parse", "--verify", "--quiet", ref, check=False):
            raise


def forget_experiments(project: Path, scenario: str, *, name: str = "*") -> list[Experiment]:
    """Delete the refs of all experiments of a scenario, or of the one of this name; returns what they were."""
    found = find_experiments(project, scenario, name=name)
    for each in found:
        for ref in git(project, "for-each-ref", "--format=%(refname)", f"{REFS}/*/*/{each.name}").splitlines():
            git(project, "update-ref", "-d", ref)
    return found
