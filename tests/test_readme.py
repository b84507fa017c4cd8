"""What the README says is so."""

import json
import re
from pathlib import Path

import pytest
import yaml

from releve.adapters.files import read_schema
from releve.rules.params import merge, parse
from releve.rules.schema import Schema
from releve.settings import Settings

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
    made_by_the_reader, a_branch = path.startswith("scenarios/churn"), path == "releve/digits"

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


def test_the_digit_it_asks_about_fits_the_schema() -> None:
    question = json.loads((ROOT / "examples" / "one_digit.json").read_text())

    assert read_schema(ROOT, "digits").row_problems(question["rows"]) == []
