"""The pipeline that Kubeflow gets, and its steps, run as pods run them: in clones that share the data remote alone."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from releve.adapters.git_dvc.data_versions import DataVersions
from releve.adapters.git_dvc.remakable import outputs
from releve.core.errors import BadInput
from tasks.delivery.kubeflow import export_pipeline, run_stage
from tests.projects import Project, fresh_project
from tests.tables import SHOP
from tests.tasks.shop import Shop

MODEL = f"scenarios/{SHOP}/build/model"


def exported(project: Shop | Project, scenario: str = SHOP) -> dict[str, Any]:
    return next(yaml.safe_load_all(export_pipeline(project.settings, scenario, image="worker:1")))


def tasks_of(pipeline: dict[str, Any]) -> dict[str, list[str]]:
    return {name: task.get("dependentTasks", []) for name, task in pipeline["root"]["dag"]["tasks"].items()}


def run_pod(pipeline: dict[str, Any], step: str, repository: Path, folder: Path) -> str:
    """Run a step's container as Kubeflow would start it, in a folder of its own; what it printed."""
    container = pipeline["deploymentSpec"]["executors"][f"exec-{step}"]["container"]
    given = {"{{$.inputs.parameters['repository']}}": str(repository), "{{$.inputs.parameters['revision']}}": "main"}
    command = [*container["command"], *(given.get(each, each) for each in container["args"])]
    folder.mkdir()
    environ = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "TMPDIR": str(folder), "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_is_a_step_for_each_stage_that_the_model_needs(ingested: Shop, work_dir: Path, tmp_path: Path) -> None:
    digits = fresh_project(work_dir).copy(tmp_path / "digits")

    assert tasks_of(exported(digits, "digits")) == {"seed": [], "train": ["seed"], "package": ["seed", "train"]}
    assert tasks_of(exported(ingested)) == {"train": [], "package": ["train"]}


def test_a_stage_that_dvc_yaml_gets_is_a_step(ingested: Shop) -> None:
    path = ingested.files.folder / "dvc.yaml"
    values = yaml.safe_load(path.read_text())
    values["stages"]["clean"] = {"cmd": "true", "deps": ["batches"], "outs": ["clean"]}
    values["stages"]["unrelated"] = {"cmd": "true", "deps": ["batches"], "outs": ["unrelated"]}
    values["stages"]["train"]["deps"].append(f"scenarios/{SHOP}/clean")
    path.write_text(yaml.safe_dump(values))
    ingested.override()  # commits

    assert tasks_of(exported(ingested)) == {"clean": [], "train": ["clean"], "package": ["train"]}


def test_a_stage_that_dvc_yaml_does_not_have_is_named(ingested: Shop) -> None:
    with pytest.raises(BadInput, match="has no stage trian"):
        run_stage(ingested.settings, SHOP, "trian")


@pytest.mark.whole
def test_steps_in_pods_of_their_own_make_the_model_that_one_machine_makes(ingested: Shop, tmp_path: Path) -> None:
    ingested.override(data={"remote": str(ingested.settings.home / "dvc-remote")})
    pipeline = exported(ingested)

    trained = run_pod(pipeline, "train", ingested.root, tmp_path / "first")
    packaged = run_pod(pipeline, "package", ingested.root, tmp_path / "second")

    assert "Running stage" in trained
    assert f"'scenarios/{SHOP}/dvc.yaml:train' is cached - skipping run" in packaged
    made = dict(line.split("  ")[::-1] for line in packaged.splitlines() if line.endswith(f"  {MODEL}"))
    assert made == {MODEL: here(ingested)}


def here(shop: Shop) -> str:
    """The model's md5 as a machine makes it that has nothing from elsewhere."""
    apart = shop.copy(shop.root.parent / "apart")
    apart.override(data={"remote": str(shop.root.parent / "another-remote")})
    path = apart.state.worktrees
    with apart.branch.worktree(path) as tree:
        data = DataVersions(tree.path, project=apart.root, home=apart.settings.home)
        data.checkout(f"scenarios/{SHOP}/batches.dvc")
        data.repro(f"scenarios/{SHOP}/dvc.yaml:package", anew=True)
        return outputs((tree.folder / "dvc.lock").read_text())[MODEL]
