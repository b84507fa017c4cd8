"""Every notebook runs from top to bottom in a fresh kernel, and git holds none of its outputs."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from releve.adapters.git_dvc.scenario_branch import git
from releve.domain.registry.chain import CHALLENGED
from tests.projects import SCENARIO, Project, fresh_project, released_project
from tests.tables import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_SECONDS = 900


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_git_holds_no_output_and_the_form_is_the_standards(path: Path) -> None:
    notebook = json.loads(path.read_text())

    nbformat.validate(notebook)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["outputs"] for cell in code] == [[]] * len(code)
    assert [cell["execution_count"] for cell in code] == [None] * len(code)
    assert notebook["metadata"].keys() == {"kernelspec", "language_info"}
    assert path.read_text().endswith("}\n")


def test_the_three_of_them_are_there() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["colab", "experiment", "explore"]


def run(name: str, folder: Path, environ: dict[str, str], **parameters: str) -> str:
    """Run a notebook in a kernel of its own, and return what it prints. Raises CellExecutionError."""
    from nbclient import NotebookClient

    notebook = nbformat.read(ROOT / f"notebooks/{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        for parameter, value in parameters.items():
            lines = cell.source.splitlines()
            cell.source = "\n".join(
                f"{parameter} = {value!r}" if line.startswith(f"{parameter} = ") else line for line in lines
            )
    folder.mkdir(exist_ok=True)
    client = NotebookClient(notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(folder)}})
    client.execute(env=environ)
    outputs: list[Any] = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


@pytest.mark.whole
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
class TestFromTopToBottom:
    def test_explore_reads_every_version_and_says_what_drifted(self, work_dir: Path, tmp_path: Path) -> None:
        project = fresh_project(work_dir).copy(tmp_path)

        told = run("explore", project.root / "notebooks", project.environ)

        assert [batch.rows for batch in project.batches] == [90] * 6
        assert "270 rows after" in told and "beside 270" in told
        assert "drift" in told

    def test_experiment_tries_recipes_and_sends_the_best_to_the_gate(self, work_dir: Path, tmp_path: Path) -> None:
        project = released_project(work_dir).copy(tmp_path)

        told = run("experiment", project.root / "notebooks", project.environ)

        events = project.registry.events(SCENARIO, kinds=[CHALLENGED])
        assert (len(events), events[-1].reason) == (2, "tried in a notebook")
        assert events[-1].payload["model"] in told
        assert len(git(project.root, "for-each-ref", "refs/exps").splitlines()) == 2

    def test_colab_clones_and_needs_nothing_but_that(self, work_dir: Path, tmp_path: Path) -> None:
        source, environ = fresh_project(work_dir), dict(fresh_project(work_dir).environ)
        for name in [name for name in environ if name.startswith(("RELEVE_", "PYTHONPATH"))]:
            del environ[name]

        told = run("colab", tmp_path / "content", environ, REPOSITORY=str(source.root), PYTHON=sys.executable)

        clone = Project(tmp_path / "content/releve")
        assert clone.registry.current(SCENARIO) is not None
        assert told.count("accepted") >= 1 and "right: 9" in told
        assert (clone.root / "var/near.png").stat().st_size > 3000
        assert git(source.root, "for-each-ref", "refs/heads/releve") == ""


@pytest.mark.compat
@pytest.mark.timeout(2 * CELL_SECONDS)  # it installs everything that Relève needs
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::RuntimeWarning")
def test_colab_makes_an_environment_of_its_own(work_dir: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(fresh_project(work_dir).root, source, symlinks=True)

    told = run("colab", tmp_path / "content", dict(fresh_project(work_dir).environ), REPOSITORY=str(source))

    assert "setup: done" in told and "right: 9" in told
