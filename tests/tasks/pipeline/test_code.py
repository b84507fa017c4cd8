import json
import re

import pytest
import yaml

from releve.core.errors import BadInput
from tasks.pipeline.code import imported_files, main, write_manifests
from tests.repositories import write
from tests.tables import ROOT

FILES = {
    "tasks/__init__.py": "",
    "tasks/pipeline/__init__.py": "",
    "tasks/pipeline/step.py": "def step():\n    from tasks.far import x\n",
    "tasks/far.py": "import typing\nif TYPE_CHECKING:\n    from tasks.types import T\nimport tasks.near\n",
    "tasks/near.py": "import json\nfrom releve import deep\n",
    "tasks/types.py": "",
    "tasks/pipeline/other.py": "",
    "releve/deep/__init__.py": "",
}


def a_project(root, **changed):
    """FILES below `root`; `changed` are other texts of modules of `tasks`."""
    for path, text in (FILES | {f"tasks/{name}.py": text for name, text in changed.items()}).items():
        write(root / path, text)
    return root


def manifest(project, step):
    write_manifests(project, project / "out", [step])
    return json.loads((project / f"out/{step}.json").read_text())


def test_an_import_inside_a_function_counts_and_one_for_type_checkers_does_not(tmp_path):
    found = imported_files(a_project(tmp_path), "tasks.pipeline.step")

    assert found == {*FILES} - {"tasks/types.py", "tasks/pipeline/other.py"}


@pytest.mark.parametrize(
    "statement",
    [
        "try:\n    {0}\nexcept E:\n    pass\n",
        "try:\n    pass\nexcept E:\n    {0}\n",
        "try:\n    pass\nfinally:\n    {0}\n",
        "for x in y:\n    pass\nelse:\n    {0}\n",
        "if x:\n    pass\nelif y:\n    {0}\n",
        "if TYPE_CHECKING:\n    pass\nelse:\n    {0}\n",
        "match x:\n    case 1:\n        {0}\n",
        "class A:\n    async def f(self):\n        async with x:\n            {0}\n",
    ],
)
def test_an_import_counts_wherever_a_statement_may_stand(statement, tmp_path):
    project = a_project(tmp_path, near=statement.format("import tasks.types"))

    assert "tasks/types.py" in imported_files(project, "tasks.pipeline.step")


def test_a_manifest_changes_with_a_file_that_its_step_imports_and_with_no_other(tmp_path):
    before, after = a_project(tmp_path / "before"), a_project(tmp_path / "after", near=FILES["tasks/near.py"] + "X = 1")

    assert manifest(before, "step") != manifest(after, "step")
    assert manifest(before, "other") == manifest(after, "other")


def test_a_new_import_adds_its_file_to_the_manifest(tmp_path):
    project = a_project(tmp_path, near="import tasks.types\n")

    assert "tasks/types.py" in manifest(project, "step")


def test_the_templates_beside_an_imported_file_are_code_too(tmp_path):
    project = a_project(tmp_path)
    for folder in ("releve/deep", "releve/elsewhere"):
        write(project / folder / "templates/page.html.jinja", "")

    assert imported_files(project, "tasks.pipeline.step") - {*FILES} == {"releve/deep/templates/page.html.jinja"}


def test_a_step_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"tasks\.nothing is no module"):
        imported_files(a_project(tmp_path), "tasks.nothing")


PIPELINE = {"stages": {"step": {"params": ["train", "gate.metric"]}}}
TABLE = {"target": {"name": "y"}, "gate": {"metric": "auc", "margin": 0.1}, "train": {"recipe": "svm"}}


@pytest.mark.parametrize(
    ("change", "rerun"),
    [
        ({"gate": {"metric": "auc", "margin": 0.2}}, []),
        ({"gate": {"metric": "f1", "margin": 0.1}}, ["step"]),
        ({"train": {"recipe": "svm", "last_batches": 2}}, ["step"]),
        ({"target": {"name": "z"}}, ["step", "other"]),
        ({"alerts": {"muted": ["drift"]}}, []),
    ],
)
def test_a_step_runs_again_for_the_table_and_for_settings_that_its_stage_names(change, rerun, tmp_path):
    project, folder = a_project(tmp_path), tmp_path / "scenarios" / "shop" / "build" / "code"
    write(project / "scenarios/shop/dvc.yaml", yaml.safe_dump(PIPELINE))
    found = []
    for values in (TABLE, TABLE | change):
        write(project / "scenarios/shop/params.yaml", yaml.safe_dump(values))
        write_manifests(project, folder, ["step", "other"])
        found.append({step: (folder / f"{step}.json").read_text() for step in ("step", "other")})

    assert [step for step in found[0] if found[0][step] != found[1][step]] == rerun


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "scenarios/shop/params.yaml holds nothing; expected keys and values"),
        (b"- a\n", "scenarios/shop/params.yaml holds a list; expected keys and values"),
        (b"\xff\xfe", "scenarios/shop/params.yaml is not UTF-8 text"),
        (b"gate: [1]\n", "'gate' is [1], but it should be"),
        (b"gate: {3: 4, margin: 0.1}\n", "'gate.3' is not a known key"),
    ],
)
def test_a_wrong_params_yaml_is_one_sentence_here_already(content, problem, tmp_path):
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    folder = tmp_path / "scenarios" / "shop"
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_bytes(content)

    with pytest.raises(BadInput, match=re.escape(problem)):
        main(tmp_path, folder / "build" / "code", ["train"])
