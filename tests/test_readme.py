"""What the README and the pages of docs/ say is so."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from releve.adapters.files import read_schema
from releve.adapters.git_dvc.scenario_branch import git
from releve.cli.app import COMMANDS
from releve.core.params import Params, known_keys, merge, parse
from releve.core.settings import Settings
from releve.domain.alerting.signals import ARCHIVED, LEVELS, SUBJECTS
from releve.domain.onboarding.table import Roles
from releve.domain.schema.schema import TABLE_KEYS, Schema
from releve.domain.schema.validation import row_problems
from tasks.onboarding import Scaffolded, report, scaffold
from tests.projects import Project, fresh_project
from tests.repositories import commit

ROOT = Path(__file__).parents[1]
FIRST_PARTY = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]["isort"]["known-first-party"]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()
BRING_A_TABLE = (ROOT / "docs/bring_a_table.md").read_text()
STORY = BRING_A_TABLE.split("## From a file to an answer")[1].split("\n## ")[0]
TREE = README.split("## What lies where")[1].split("```")[1]
PAGES = ["README.md", "CONTRIBUTING.md", "GLOSSARY.md", *sorted(f"docs/{page.name}" for page in ROOT.glob("docs/*.md"))]
TEXTS = {page: (ROOT / page).read_text() for page in PAGES}
MOST_WORDS, WIDTH = 900, 120


def named(pattern: str) -> list[tuple[str, str]]:
    """What the pages name, each with its page."""
    return sorted({(page, found) for page, text in TEXTS.items() for found in re.findall(pattern, text, re.MULTILINE)})


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= MOST_WORDS


@pytest.mark.parametrize("page", PAGES)
def test_lines_wrap_where_lines_can_be_wrapped(page: str) -> None:
    prose = re.sub(r"^ *```.*?^ *```", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL)

    assert [line for line in prose.splitlines() if len(line) > WIDTH and not line.startswith("|")] == []


@pytest.mark.parametrize(("page", "target"), named(r"(?:`|\$ |^ *)make ([a-z-]+)"))
def test_every_make_target_that_a_page_names_exists(page: str, target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)


@pytest.mark.parametrize(("page", "command"), named(r"(?:`|\$ |/bin/)releve ([a-z][a-z-]*)"))
def test_every_command_that_a_page_names_exists(page: str, command: str) -> None:
    assert command in {each.__name__.replace("_", "-") for commands in COMMANDS.values() for each in commands}


@pytest.mark.parametrize(("page", "link"), named(r"\]\((?!http)([^)\s]+)\)"))
def test_every_link_leads_somewhere(page: str, link: str) -> None:
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent / path if path else ROOT / page

    assert target.exists()
    if anchor:
        heads = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(("page", "path"), named(r"`((?:flows|tasks|releve|scenarios|examples|docs|tests)/[\w./-]*)`"))
def test_every_file_that_a_page_names_exists(page: str, path: str) -> None:
    made_by_the_reader = path.startswith(("scenarios/churn", "scenarios/rides"))
    a_branch = path in ("releve/digits", "releve/churn")

    assert (ROOT / path).exists() or made_by_the_reader or a_branch


def test_every_page_that_code_names_exists() -> None:
    sources = [*(path for layer in FIRST_PARTY if (ROOT / layer).is_dir() for path in (ROOT / layer).rglob("*.py"))]
    paths = {path for source in sources for path in re.findall(r"\bdocs/[\w/-]+\.\w+", source.read_text())}

    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


@pytest.mark.parametrize(
    ("page", "key"), named(rf"`((?:{'|'.join(Params.model_fields)})\.(?!json|yml)[a-z_]+)\b[^`/(]*`")
)
def test_every_setting_that_a_page_names_exists(page: str, key: str) -> None:
    assert key in known_keys()


@pytest.mark.parametrize("name", re.findall(r"(?:^| {2,})([\w./]+/|[\w.]+\.\w+|Makefile)(?: {2,})", TREE, re.MULTILINE))
def test_every_entry_of_the_tree_exists(name: str) -> None:
    assert (ROOT / name).exists() or name == "var/"


def test_the_tree_leaves_no_folder_out() -> None:
    ours = {*FIRST_PARTY, "docs", "scenarios"}  # a person may add folders of their own

    assert {name for name in ours if (ROOT / name).is_dir() and f"{name}/" not in TREE} == set()


@pytest.mark.parametrize(("page", "variable"), named(r"`((?:RELEVE|MILVUS)_[A-Z_]+)[`=]"))
def test_every_variable_that_a_page_names_is_read(page: str, variable: str) -> None:
    sources = [*ROOT.glob("releve/**/*.py"), ROOT / "service.py", *ROOT.glob("flows/*.py")]

    assert any(f'"{variable}"' in source.read_text() for source in sources)


def test_the_default_ports_are_the_ones_named() -> None:
    settings = Settings.from_environ({}, cwd=ROOT)

    ports = f"{settings.prefect_port}, {settings.service_port}, {settings.milvus_port}"
    assert ports in TEXTS["docs/operate.md"]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_states_of_every_subject_of_alerts_are_listed(subject: str) -> None:
    row = re.search(rf"^\| `{subject}` \|.*$", TEXTS["docs/operate.md"], re.MULTILINE).group(0)

    assert {state for about, state in LEVELS if about == subject} - {ARCHIVED} == {*re.findall(r"`(\w+)`", row)[1:]}


def test_the_table_it_describes_is_a_valid_scenario() -> None:
    schema = Schema.from_dict(described())
    overrides = {key: value for key, value in described().items() if key not in TABLE_KEYS}
    params = parse(merge(yaml.safe_load((ROOT / "params.yaml").read_text()), overrides), source="README")

    assert schema.names == ["tenure_months", "last_login_days", "signed_up", "plan", "comment"]
    assert (schema.time, schema.id) == ("signed_up", "customer")
    assert schema.target.positive == "yes"
    assert params.train.named is None


@pytest.mark.parametrize("text", [README, STORY], ids=["README", "story"])
def test_the_row_it_asks_about_fits_the_table_it_describes(text: str) -> None:
    question = json.loads(re.search(r"-d '(\{\"rows\": \[\s.*?\})'", text, re.DOTALL).group(1))

    assert row_problems(Schema.from_dict(described()), question["rows"]) == []


def test_a_number_to_predict_is_described_as_it_says() -> None:
    target = yaml.safe_load(re.search(r"a number to predict: (\{.*\})", STORY).group(1))

    assert Schema.from_dict({**described(), "target": target}).target.task == "regression"


def test_it_shows_what_make_scenario_prints(tmp_path: Path) -> None:
    settings = a_checkout(tmp_path / "project")

    made = bring(settings, churn(tmp_path / "churn.csv", rows=120))

    printed = report(made, project=settings.project)
    assert "customer names the rows, and is no feature" in printed
    assert yaml.safe_load((made.folder / "params.yaml").read_text())["columns"] == described()["columns"]
    for line in printed.split("Next:\n")[1].splitlines():
        assert line in STORY
        assert line.strip() in README


@pytest.mark.slow
def test_your_own_table_is_left_out_on_main(work_dir: Path, tmp_path: Path) -> None:
    """That it is trained and built again, `tests/documents` tries."""
    project = fresh_project(work_dir).copy(tmp_path)
    bring(project.settings, churn(tmp_path / "churn.csv", rows=240))
    somebody = {f"GIT_{who}_{what}": "somebody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    subprocess.run(git_line(), shell=True, cwd=project.root, env=project.environ | somebody, check=True)

    assert "churn" not in run(project, "dvc", "stage", "list", "--all", "--name-only")


def yaml_block() -> str:
    return textwrap.dedent(re.search(r"```yaml\n(.*?)```", STORY, re.DOTALL).group(1))


def described() -> dict[str, Any]:
    return yaml.safe_load(yaml_block())


def git_line() -> str:
    """The first of the two commands that the story shows."""
    return re.search(r"^  (git add .*)$", STORY, re.MULTILINE).group(1)


def churn(path: Path, *, rows: int) -> Path:
    """A table as the story has it; the comments give away what `churned` is in most rows."""
    random = np.random.default_rng(7)
    words = ["slow", "great", "billing", "crash", "help", "invoice", "love", "again", "support", "price", "thanks"]
    answers = np.where(random.random(rows) < 0.5, "yes", "no")
    comments = [
        " ".join(random.choice(words, 5)) + (" cancel" if each == "yes" and random.random() < 0.7 else "")
        for each in answers
    ]
    login = np.arange(rows) % 60.0
    login[5 :: rows // 10] = np.nan
    columns = {
        "customer": [f"c{number:05d}" for number in range(rows)],
        "signed_up": pd.date_range("2024-01-01", periods=rows, freq="D").strftime("%Y-%m-%d"),
        "tenure_months": random.permutation(np.arange(rows) % 72),
        "plan": random.choice(["basic", "plus", "pro"], rows),
        "last_login_days": random.permutation(login),
        "comment": comments,
        "churned": answers,
    }
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def bring(settings: Settings, data: Path) -> Scaffolded:
    return scaffold(settings, "churn", data=data, roles=Roles("churned", "signed_up", "customer"))


def a_checkout(project: Path) -> Settings:
    """What the scaffolder looks at, in git."""
    for name in ("params.yaml", "scenarios/digits/dvc.yaml", "scenarios/digits/params.yaml"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, project / name)
    git(project, "init", "--quiet", "--initial-branch=main")
    commit(project)
    return Settings.from_environ({}, cwd=project)


def run(project: Project, program: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "dvc"] if program == "dvc" else [program]
    done = subprocess.run(
        [*command, *arguments], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_digit_it_asks_about_fits_the_schema() -> None:
    question = json.loads((ROOT / "examples" / "one_digit.json").read_text())

    assert row_problems(read_schema(ROOT, "digits"), question["rows"]) == []
