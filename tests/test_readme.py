"""What the README says is so."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

from releve.adapters.files import read_schema, write_bytes
from releve.adapters.scenario_branch import git
from releve.rules.params import merge, parse
from releve.rules.pipeline_file import pipeline_text
from releve.rules.schema import Schema
from releve.settings import Settings
from tasks.ingest import ingest
from tasks.rebuild import rebuild
from tasks.retrain import retrain
from tests.projects import Project, fresh_project

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
TREE = README.split("## What lies where")[1].split("```")[1]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"[`$] ?make ([a-z-]+)", README))))
def test_every_make_target_it_names_exists(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_every_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("path", re.findall(r"`((?:flows|tasks|releve|scenarios|examples|docs)/[\w./-]*)`", README))
def test_every_file_it_names_exists(path: str) -> None:
    made_by_the_reader, a_branch = path.startswith("scenarios/churn"), path in ("releve/digits", "releve/churn")

    assert (ROOT / path).exists() or made_by_the_reader or a_branch


@pytest.mark.parametrize("name", re.findall(r"^([\w./]+)(?: {2,})", TREE, re.MULTILINE))
def test_every_entry_of_the_tree_exists(name: str) -> None:
    assert (ROOT / name).exists() or name == "var/"


def test_the_tree_leaves_no_folder_out() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    made_when_needed = {"var", "results", "leaderboard", "releve.egg-info", "build", "dist"}

    assert {name for name in folders - made_when_needed if f"{name}/" not in TREE} == set()


@pytest.mark.parametrize("variable", re.findall(r"`((?:RELEVE|MILVUS)_[A-Z_]+)`", README))
def test_every_variable_it_names_is_read(variable: str) -> None:
    sources = [*ROOT.glob("releve/**/*.py"), ROOT / "service.py", *ROOT.glob("flows/*.py")]

    assert any(f'"{variable}"' in source.read_text() for source in sources)


def test_the_defaults_it_names_are_the_defaults() -> None:
    settings = Settings.from_environ({}, cwd=ROOT)

    ports = f"{settings.prefect_port}, {settings.service_port}, {settings.milvus_port}"
    assert ports in README


def test_the_table_it_describes_is_a_valid_scenario() -> None:
    described = yaml.safe_load(re.search(r"```yaml\n(.*?)```", README, re.DOTALL).group(1))

    schema = Schema.from_dict(described)
    overrides = {key: value for key, value in described.items() if key not in ("target", "columns")}
    params = parse(merge(yaml.safe_load((ROOT / "params.yaml").read_text()), overrides), source="README")

    assert schema.numbers == ["tenure_months", "last_login_days"]
    assert schema.categories == ["plan"]
    assert params.train.recipe == "hist_gradient_boosting"


CHURN_ROWS = "".join(f"{n},{('basic', 'plus', 'pro')[n % 3]},,{'yes' if n % 2 else 'no'}\n" for n in range(120))


@pytest.mark.slow
def test_your_own_table_is_left_out_on_main_and_can_be_built_again(tmp_path: Path) -> None:
    project = fresh_project(tmp_path)
    follow_the_recipe(project.root)

    assert "churn" not in run(project, "dvc", "stage", "list", "--all", "--name-only")

    write_bytes(project.settings.home / "incoming/churn/day.csv", f"{CHURN_HEAD}{CHURN_ROWS}".encode())
    ingest(project.settings, "churn")
    made = retrain(project.settings, "churn", reason="the first champion")
    again = rebuild(project.settings, "churn")

    assert json.loads(again.metrics)["rows"] == made.rows == 120
    assert (again.revision, again.changed) == (made.revision, ())


CHURN_HEAD = "tenure_months,plan,last_login_days,churned\n"


def follow_the_recipe(root: Path) -> None:
    """The files of "Your own table", committed."""
    digits, churn = root / "scenarios/digits", root / "scenarios/churn"
    churn.mkdir()
    shutil.copy(digits / ".gitignore", churn)
    pipeline = pipeline_text((digits / "dvc.yaml").read_text(), scenario="churn")
    for name, text in {
        "params.yaml": re.search(r"```yaml\n(.*?)```", README, re.DOTALL).group(1),
        "dvc.yaml": pipeline,
        "inputs.yaml": 'rows: "batches"\nchampion: ""\nseen_rows: 0\n',
        ".dvcignore": "dvc.yaml\n",
    }.items():
        (churn / name).write_text(textwrap.dedent(text))
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "-m", "churn")


def run(project: Project, program: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc"] if program == "dvc" else [program]
    done = subprocess.run(
        [*command, *arguments], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_digit_it_asks_about_fits_the_schema() -> None:
    question = json.loads((ROOT / "examples" / "one_digit.json").read_text())

    assert read_schema(ROOT, "digits").row_problems(question["rows"]) == []
