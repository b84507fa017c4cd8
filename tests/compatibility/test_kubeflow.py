"""Kubeflow's own library reads the pipelines that we write, and writes the same ones."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from releve.adapters.git_dvc.stages import PlannedStage
from releve.adapters.kubeflow import SECRET_KEYS, write_pipeline
from tests.compatibility.environments import environment

pytestmark = pytest.mark.compat

REQUIREMENTS = ("kfp==2.17.3", "kfp-kubernetes==2.17.3")
STAGES = {"seed": (), "train": ("seed",), "package": ("seed", "train")}


def test_kubeflows_compiler_reads_our_pipeline_and_writes_the_same_from_its_own_words(tmp_path: Path):
    python = environment("kubeflow", *REQUIREMENTS)
    ours = tmp_path / "ours.yaml"
    ours.write_text(
        write_pipeline("my_digits", [PlannedStage(*each) for each in STAGES.items()], image="releve-worker:1")
    )

    script = Path(__file__).with_name("compile_by_kubeflow.py")
    command = [python, script, ours, tmp_path, json.dumps([STAGES, SECRET_KEYS])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)

    assert done.returncode == 0, done.stderr[-3000:]
    assert documents(tmp_path / "again.yaml") == documents(ours)
    assert documents(tmp_path / "theirs.yaml") == documents(ours)


def documents(path: Path) -> list[Any]:
    return [*yaml.safe_load_all(path.read_text())]
