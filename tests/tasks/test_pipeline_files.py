"""A stage whose `deps` lack a file that it imports would not run again when that file changes."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.tables import ROOT

OURS = ("releve", "tasks")
PIPELINES = ["dvc.yaml", "scenarios/digits/dvc.yaml"]  # the project's own: a person's scenarios are theirs
# A docstring each, and the version: a change to these changes no artifact.
NO_CONTENT = {"releve/__init__.py", "releve/adapters/__init__.py", "releve/rules/__init__.py", "tasks/__init__.py"}


def stages(pipeline):
    return yaml.safe_load((ROOT / pipeline).read_text())["stages"]


ALL_STAGES = [(pipeline, name) for pipeline in PIPELINES for name in stages(pipeline)]


def module_of(stage):
    return re.match(r"python -m (tasks\.\w+)", stage["cmd"]).group(1)


def path_of(module, root=ROOT):
    """The file of a module or package of this project, or None."""
    base = Path(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if (root / path).is_file()), None)


@cache
def imported(path, root=ROOT):
    """Modules of this project that a file imports, inside its functions too; not those for type checkers alone."""
    tree = ast.parse((root / path).read_text())
    found = set()
    for node in ast.walk(WithoutTypeChecking().visit(tree)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in OURS and path_of(name, root)}


class WithoutTypeChecking(ast.NodeTransformer):
    def visit_If(self, node):
        return None if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" else self.generic_visit(node)


def needed_files(module, root=ROOT):
    """Files that running a step imports, however far away."""
    seen, waiting = set(), [module]
    while waiting:
        path = path_of(waiting.pop(), root)
        if path.as_posix() not in seen:
            seen.add(path.as_posix())
            waiting += imported(path, root)
    return seen - NO_CONTENT


def named_files(stage):
    return {dependency for dependency in stage["deps"] if dependency.endswith(".py")}


def missing_files(stage, root=ROOT):
    return sorted(needed_files(module_of(stage), root) - named_files(stage))


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_a_stage_depends_on_every_file_that_its_step_imports(pipeline, name):
    assert missing_files(stages(pipeline)[name]) == []


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_a_stage_depends_on_no_file_that_its_step_does_not_import(pipeline, name):
    stage = stages(pipeline)[name]

    assert sorted(named_files(stage) - needed_files(module_of(stage))) == []


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_a_missing_file_would_be_noticed(pipeline, name):
    stage = stages(pipeline)[name]

    for left_out in named_files(stage):
        mutated = {**stage, "deps": [dependency for dependency in stage["deps"] if dependency != left_out]}

        assert missing_files(mutated) == [left_out]


def test_an_import_inside_a_function_counts_and_one_for_type_checkers_does_not(tmp_path):
    (tmp_path / "tasks").mkdir()
    for name, text in {
        "step": "def step():\n    from tasks.far import x\n",
        "far": "import typing\nif TYPE_CHECKING:\n    from tasks.types import T\nimport tasks.near\n",
        "near": "import json\n",
        "types": "",
    }.items():
        (tmp_path / "tasks" / f"{name}.py").write_text(text)

    assert needed_files("tasks.step", tmp_path) == {"tasks/step.py", "tasks/far.py", "tasks/near.py"}


NO_ARTIFACT = {"compute"}  # where a search runs changes nothing that it finds


def keys_read(module):
    """What the files of a step read from its stage, `stage.params.<section>.<key>`: keys by section."""
    text = "\n".join((ROOT / path).read_text() for path in needed_files(module) if path.startswith("tasks/"))
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
def test_a_stage_of_a_scenario_depends_on_the_scenarios_description(pipeline, name):
    stage = stages(pipeline)[name]

    if pipeline != "dvc.yaml":
        assert "scenarios/${scenario}/params.yaml" in stage["deps"]


@pytest.mark.parametrize(("pipeline", "name"), ALL_STAGES)
def test_a_stage_that_reads_the_inputs_depends_on_them(pipeline, name):
    stage = stages(pipeline)[name]
    path = path_of(module_of(stage))

    if "files.inputs" in (ROOT / path).read_text():
        assert "scenarios/${scenario}/inputs.yaml" in stage["deps"]


def test_every_scenario_says_its_own_name():
    for pipeline in PIPELINES:
        values = yaml.safe_load((ROOT / pipeline).read_text())
        if "vars" in values:
            assert {"scenario": Path(pipeline).parent.name} in values["vars"]
