"""`dvc repro` in a fresh copy, as the README begins: no server, no remote, no registry."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from releve.adapters.git_dvc.scenario_branch import git
from tests.projects import SCENARIO, Project, challenged_project, fresh_project

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def built(work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy in which `dvc repro` has run once."""
    project = fresh_project(work_dir).copy(tmp_path_factory.mktemp("repro"))
    dvc(project, "repro")
    return project


def dvc(project: Project, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], cwd=project.root, env=project.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(project: Project) -> dict[str, int]:
    """When each artifact was last written."""
    made = [*project.files.results.rglob("*"), *project.files.build.glob("*"), *project.files.model.rglob("*")]
    return {str(path.relative_to(project.root)): path.stat().st_mtime_ns for path in made if path.is_file()}


def test_repro_makes_the_metrics(built: Project) -> None:
    metrics = json.loads(built.files.metrics.read_text())

    assert metrics["rows"] == 269
    assert metrics["log_loss"] < metrics["majority_label"]
    assert metrics["log_loss"] < metrics["previous_label"]


def test_repro_needs_no_state_and_makes_none(built: Project) -> None:
    assert not built.settings.home.exists()
    assert built.branch.tip() is None


def test_repro_changes_no_file_that_git_keeps(built: Project) -> None:
    changed = git(built.root, "status", "--porcelain", "--untracked-files=no")

    assert changed == ""


def stages_run(told: str) -> set[str]:
    """The stages that DVC says it ran, beside those that look at the code."""
    named = re.findall(r"Running stage '(?:scenarios/(.*?)/dvc.yaml:)?(\w+)'", told)
    return {stage for _, stage in named} - {"code"}


def test_repro_again_looks_at_the_code_and_does_nothing(built: Project) -> None:
    lock = built.files.folder / "dvc.lock"
    before, recorded = written(built), lock.read_text()

    told = dvc(built, "repro")

    assert stages_run(told) == set()
    assert written(built) == before
    assert lock.read_text() == recorded


def test_a_file_that_changed_runs_the_steps_that_import_it_and_no_other(built: Project) -> None:
    for changed in ("tasks/retraining/latency.py", "tasks/pipeline/package.py"):  # no step imports the first
        path = built.root / changed
        path.write_text(path.read_text() + "\n# changed\n")

    assert stages_run(dvc(built, "repro")) == {"package"}


def test_the_metrics_are_shown_by_name(built: Project) -> None:
    accuracy = json.loads(built.files.metrics.read_text())["accuracy"]

    shown = json.loads(dvc(built, "metrics", "show", "--json"))

    found = {name: entry["data"] for name, entry in shown[""]["data"].items()}
    assert found[f"results/{SCENARIO}/metrics.json"]["accuracy"] == accuracy
    assert "leaderboard/metrics.json" in found


def test_a_laptop_and_the_retrain_flow_make_the_same_model(built: Project, work_dir: Path) -> None:
    flown = challenged_project(work_dir)

    by_flow = json.loads(git(flown.root, "show", f"{flown.branch.name}:results/{SCENARIO}/metrics.json"))

    by_hand = json.loads(built.files.metrics.read_text())
    assert by_flow == by_hand
    assert {"accuracy", "log_loss"} <= by_hand.keys()
