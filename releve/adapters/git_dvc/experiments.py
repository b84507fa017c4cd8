"""DVC's experiments of this clone: commits below refs/exps/<baseline>/<name>, as `dvc exp save` makes them."""

from dataclasses import dataclass
from pathlib import Path

from releve.adapters.files import write_bytes
from releve.adapters.git_dvc.scenario_branch import git, git_texts
from releve.core.documents import parse_document
from releve.domain.evaluation.evaluation import Evaluation
from releve.domain.experiment.experiment import ExperimentRecord

REFS = "refs/exps"
RECORD = "experiment.json"  # of results/<scenario>: what makes an experiment of DVC's one of ours
REMEDY = "`dvc exp remove` removes the experiment"
MADE_HERE = "releve/experiments"  # below git's own folder, which nothing fetches into: <name>, with its commit


@dataclass(frozen=True)
class Experiment:
    """An experiment that was made, and how it was judged."""

    name: str
    revision: str
    record: ExperimentRecord
    evaluation: Evaluation
    is_own: bool  # it was made in this clone, and is as it was made; what came by git is what somebody says it is


def find_experiments(project: Path, scenario: str, *, name: str = "*") -> list[Experiment]:
    """List the experiments of a scenario, the oldest first, or the one of this name; one of this clone before others.

    What `dvc exp run` made by itself has no record of who and why, and is left out; so is what names another scenario.
    """
    refs = git(project, "for-each-ref", "--format=%(objectname) %(refname)", f"{REFS}/*/*/{name}").splitlines()
    revisions = {revision: ref.rpartition("/")[2] for revision, ref in (line.split(" ") for line in refs)}
    paths = (f"results/{scenario}/{RECORD}", f"results/{scenario}/evaluation.json")
    texts = iter(git_texts(project, [f"{revision}:{path}" for revision in revisions for path in paths]))
    found, ours = [], _made_here(project)
    for revision, called in revisions.items():
        record, evaluation = next(texts), next(texts)
        if record is not None and evaluation is not None:
            source = f"the experiment {called}"
            read = parse_document(record, ExperimentRecord, source=source, remedy=REMEDY)
            judged = parse_document(evaluation, Evaluation, source=source, remedy=REMEDY)
            if read.scenario == scenario:
                found.append(Experiment(called, revision, read, judged, is_own=_is_own(ours / called, revision)))
    return sorted(found, key=lambda each: (name != "*" and not each.is_own, each.record.at))


def _made_here(project: Path) -> Path:
    return Path(git(project, "rev-parse", "--path-format=absolute", "--git-common-dir")) / MADE_HERE


def _is_own(note: Path, revision: str) -> bool:
    return note.is_file() and note.read_text(encoding="utf-8") == revision


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

    It takes the place of one that came from elsewhere.
    """
    revision, ref = git(clone, "for-each-ref", "--format=%(objectname) %(refname)", f"{REFS}/*/*/{name}").split(" ")
    git(project, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(clone), f"+{ref}:{ref}")
    write_bytes(_made_here(project) / name, revision.encode())


def forget_experiments(project: Path, scenario: str, *, name: str = "*") -> list[Experiment]:
    """Delete the refs of all experiments of a scenario, or of the one of this name; returns what they were."""
    found = find_experiments(project, scenario, name=name)
    for each in found:
        (_made_here(project) / each.name).unlink(missing_ok=True)
        for ref in git(project, "for-each-ref", "--format=%(refname)", f"{REFS}/*/*/{each.name}").splitlines():
            git(project, "update-ref", "-d", ref)
    return found
