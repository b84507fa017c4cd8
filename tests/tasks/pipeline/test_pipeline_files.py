"""Every pipeline names what its steps read: their own code, the params and the inputs."""

import re
from pathlib import Path

import pytest
import yaml

from tasks.pipeline.code import imported_files
from tests.tables import ROOT

PIPELINES = ["dvc.yaml", "scenarios/digits/dvc.yaml"]  # the project's own: a person's scenarios are theirs
CODE = "code"


def stages(pipeline):
    return yaml.safe_load((ROOT / pipeline).read_text())["stages"]


ALL_STAGES = [(pipeline, name) for pipeline in PIPELINES for name in stages(pipeline) if name != CODE]


def step_of(stage):
    return re.match(r"python -m tasks\.pipeline\.(\w+)", stage["cmd"]).group(1)


def module_of(stage):
    return f"tasks.pipeline.{step_of(stage)}"


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_a_stage_depends_on_the_manifest_of_its_own_code(pipeline, name):
    step = step_of(stages(pipeline)[name])

    manifests = [path for path in stages(pipeline)[name]["deps"] if "/code/" in path]
    assert [Path(path).name for path in manifests] == [f"{step}.json"]
    assert manifests[0] in [path for out in stages(pipeline)[CODE]["outs"] for path in out]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_the_code_is_read_whenever_the_pipeline_runs(pipeline):
    code = stages(pipeline)[CODE]
    _, folder, *steps = code["cmd"].removeprefix("python -m ").split()

    assert code["always_changed"]
    assert [*code["outs"]] == [{f"{folder}/{step}.json": {"cache": False}} for step in steps]


NO_ARTIFACT = {"compute"}  # where a search runs changes nothing that it finds


def keys_read(module):
    """What the files of a step read from its stage, `stage.params.<section>.<key>`: keys by section."""
    text = "\n".join((ROOT / path).read_text() for path in imported_files(ROOT, module) if path.startswith("tasks/"))
    found = {}
    for section, key in re.findall(r"stage\.params\.(\w+)(?:\.(\w+))?", text):
        found.setdefault(section, set()).add(key)
    return {section: keys for section, keys in found.items() if section not in NO_ARTIFACT}


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_a_stage_names_exactly_the_sections_of_params_that_its_step_reads(pipeline, name):
    stage = stages(pipeline)[name]

    assert {named.partition(".")[0] for named in stage.get("params", [])} == set(keys_read(module_of(stage)))


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_a_stage_that_names_single_keys_of_a_section_reads_no_other_key(pipeline, name):
    stage = stages(pipeline)[name]
    named = [param.partition(".") for param in stage.get("params", [])]
    single = {section: {key for other, _, key in named if other == section} for section, _, key in named if key}

    for section, keys in single.items():
        assert keys_read(module_of(stage))[section] == keys


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_no_stage_runs_again_for_a_setting_of_another_one(pipeline, name):
    assert "scenarios/${scenario}/params.yaml" not in stages(pipeline)[name]["deps"]  # its manifest has what it reads


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_a_stage_that_reads_the_inputs_depends_on_them(pipeline, name):
    stage = stages(pipeline)[name]

    if "files.inputs" in (ROOT / f"tasks/pipeline/{step_of(stage)}.py").read_text():
        assert "scenarios/${scenario}/inputs.yaml" in stage["deps"]


def test_every_scenario_says_its_own_name():
    for pipeline in PIPELINES:
        values = yaml.safe_load((ROOT / pipeline).read_text())
        if "vars" in values:
            assert {"scenario": Path(pipeline).parent.name} in values["vars"]
