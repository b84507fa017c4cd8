"""What makes the project installable and runnable on somebody else's machine."""

import ast
import os
import re
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest
import yaml

from tests.postgresql import NoPostgresql, binaries

ROOT = Path(__file__).parents[1]
SERVICE_LOCKS = ("requirements-service.lock", "requirements-service-native.lock")
LOCKS = ("requirements.lock", "requirements-worker.lock", *SERVICE_LOCKS)
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
NOT_IN_THE_SERVICE = {"tasks", "flows", "evidently", "prefect", "dvc"}
PREFECT_YAML = yaml.safe_load((ROOT / "prefect.yaml").read_text())


def pins(lock: str) -> dict[str, set[str]]:
    """Versions by package; a universal lock may hold two of one package, for different Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9][a-z0-9.-]*)==([^ ;\\]+)", (ROOT / lock).read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def declared(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=!;~ ]", each, maxsplit=1)[0].lower() for each in requirements}


def make(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = ["make", "--no-print-directory", *arguments, *(f"{name}={value}" for name, value in variables.items())]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_no_address_and_no_path(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "://" not in text
    assert not re.search(r"(^|[\s=@])(/|\./|\.\./|file:)", text, re.MULTILINE)
    assert "--index-url" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text())

    without = [entry.splitlines()[0] for entry in entries if "==" in entry and "--hash=sha256:" not in entry]

    assert without == []


def test_everything_that_is_declared_is_locked() -> None:
    extras = [each for extra in PYPROJECT["project"]["optional-dependencies"].values() for each in extra]

    missing = declared(PYPROJECT["project"]["dependencies"] + extras) - set(pins("requirements.lock"))

    assert missing == set()


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_the_locks_hold_the_same_versions(lock: str) -> None:
    everything = pins("requirements.lock")

    for name, versions in pins(lock).items():
        assert versions == everything[name], name


@pytest.mark.parametrize("name", ["prefect", "evidently", "dvc", "scikit-learn", "milvus-lite"])
def test_the_services_image_carries_no_training_code(name: str) -> None:
    assert name not in pins("requirements-service.lock")


@pytest.mark.parametrize("name", ["scikit-learn", "skops", "pandas", "tokenizers", "psycopg", "psycopg-binary"])
def test_the_image_of_a_native_model_carries_what_answers_and_no_more(name: str) -> None:
    native = pins("requirements-service-native.lock")

    assert name in native
    assert native.keys().isdisjoint({"prefect", "evidently", "dvc", "optuna", "milvus-lite"})


def test_the_workers_image_carries_what_flows_need_and_nothing_of_the_tests() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    needed = [each for name, extra in extras.items() if name not in ("dev", "local") for each in extra]

    worker = pins("requirements-worker.lock")

    assert declared(PYPROJECT["project"]["dependencies"] + needed) - set(worker) == set()
    assert worker.keys().isdisjoint({"pytest", "ruff", "mypy", "moto", "playwright", "milvus-lite"})


def test_service_imports_no_training_code_itself() -> None:
    assert imports(ROOT / "service.py").isdisjoint(NOT_IN_THE_SERVICE | {"sklearn", "pandas"})


def test_nothing_the_service_imports_leads_to_training_code() -> None:
    graph = grimp.build_graph("releve", include_external_packages=True, cache_dir=None)

    ours = [name for name in imports(ROOT / "service.py", full=True) if name in graph.modules]
    reached = {name.split(".")[0] for module in ours for name in graph.find_upstream_modules(module)}

    assert ours
    assert reached.isdisjoint(NOT_IN_THE_SERVICE)


def imports(path: Path, *, full: bool = False) -> set[str]:
    """Names that a file imports, on its top level or inside a function; the first part of each unless `full`."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names if full else {name.split(".")[0] for name in names}


def test_help_names_every_target_below_its_group() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)

    shown = make("help").stdout
    listed = re.findall(r"^  make (\S+)", shown, re.MULTILINE)

    assert re.findall(r"^(\w.*)$", shown, re.MULTILINE) == [
        "Start",
        "Your table",
        "Run",
        "Experiment",
        "Inspect",
        "Operate",
        "Develop",
    ]
    assert targets
    assert sorted(listed) == sorted(targets[1].split())


@pytest.mark.parametrize(
    ("version", "accepted"), [("3, 10", False), ("3, 11", True), ("3, 13", True), ("3, 14", False)]
)
def test_setup_refuses_a_python_that_is_too_old_or_too_new_in_one_line(
    tmp_path: Path, version: str, accepted: bool
) -> None:
    python = pretended_python(tmp_path, version)

    answer = setup_in(tmp_path, python=str(python))

    assert answer.returncode != 0  # there is nothing to install here
    assert ("Relève needs Python 3.11, 3.12 or 3.13" not in answer.stderr) is accepted
    assert not (tmp_path / ".venv" / ".releve-setup").exists()


def pretended_python(folder: Path, version: str) -> Path:
    """This Python, saying that it is another version, and making no virtual environment."""
    python = folder / "python"
    change = f"import sys; sys.version_info = ({version}, 0)"
    answers = f'[ "$1" = -m ] && exit 9\n[ "$1" = -c ] && exec {sys.executable} -c "{change}\n$2"\n'
    python.write_text(f'#!/bin/sh\n{answers}exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def test_setup_says_in_one_line_that_there_is_no_such_python(tmp_path: Path) -> None:
    answer = setup_in(tmp_path, python="no-such-python")

    assert "Name another: make setup PYTHON=python3.11" in answer.stderr


def test_setup_is_done_as_long_as_its_stamp_is_newer_than_its_sources(tmp_path: Path) -> None:
    stamp = tmp_path / ".venv" / ".releve-setup"
    stamp.parent.mkdir()
    stamp.touch()
    made = stamp.stat().st_mtime

    before = setup_in(tmp_path, python="no-such-python", touched=made - 60)
    after = setup_in(tmp_path, python="no-such-python", touched=made + 60)

    assert before.returncode == 0
    assert after.returncode != 0


def setup_in(folder: Path, *, python: str, touched: float | None = None) -> subprocess.CompletedProcess[str]:
    """`make setup` in a folder with nothing to install; its two sources last changed at `touched`."""
    for name in ("requirements.lock", "pyproject.toml"):
        (folder / name).touch()
        if touched is not None:
            os.utime(folder / name, (touched, touched))
    command = ["make", "-f", str(ROOT / "Makefile"), "setup", f"PYTHON={python}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_continuous_integration_runs_all_tests() -> None:
    script = ROOT / ".ci" / "run"

    assert script.stat().st_mode & stat.S_IXUSR
    assert script.read_text().endswith("exec make test PYTEST_ARGS=\"-m 'not compat and not drill and not milvus'\"\n")


def test_without_postgresql_its_tests_say_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(NoPostgresql, match="apt-get install postgresql"):
        binaries((f"{tmp_path}/*/bin",))


def test_dvc_tells_nobody_and_keeps_its_remote_in_the_ignored_folder() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "dvc", "config", "--list", "--project"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "core.analytics=false" in shown
    assert "core.autostage=false" in shown
    assert "core.remote=local" in shown
    assert "remote.local.verify=true" in shown
    assert ignored("var/dvc-remote/files")


@pytest.mark.parametrize(
    "path", ["var/registry.db", ".venv/bin/python", ".dvc/tmp/x", ".dvc/cache/x", ".dvc/config.local"]
)
def test_state_and_caches_stay_out_of_git(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize("path", [".dvc/config", ".dvcignore", "scenarios/digits/dvc.lock", "requirements.lock"])
def test_what_a_clone_needs_is_kept_in_git(path: str) -> None:
    assert not ignored(path)


def ignored(path: str) -> bool:
    return subprocess.run(["git", "check-ignore", "-q", "--no-index", path], cwd=ROOT).returncode == 0


LIMITS: dict[str, dict[str, object]] = {
    "fleet": {"limit": 1, "collision_strategy": "CANCEL_NEW"},
    "approval": {},  # a run that waits for people must keep no other one waiting
}


def test_every_deployment_names_its_flow_and_how_many_run_at_once() -> None:
    for deployment in PREFECT_YAML["deployments"]:
        name = deployment["name"]
        assert deployment["entrypoint"] == f"flows/{name}.py:{name}"
        assert deployment.get("concurrency_limit", {}).items() >= LIMITS.get(name, {"limit": 4}).items()
        assert deployment["enforce_parameter_schema"] is True
        assert deployment["work_pool"]["name"] == "local"
        assert deployment["description"].endswith(".")
        assert deployment["tags"]


def test_every_flow_that_is_deployed_exists() -> None:
    missing = [each["entrypoint"] for each in PREFECT_YAML["deployments"] if not flow_file(each["entrypoint"]).exists()]

    assert missing == []


def flow_file(entrypoint: str) -> Path:
    return ROOT / entrypoint.partition(":")[0]


def test_every_schedule_has_a_time_zone_and_a_name() -> None:
    schedules = [each for deployment in PREFECT_YAML["deployments"] for each in deployment.get("schedules", [])]

    assert schedules
    assert all({"timezone", "slug"} <= set(each) for each in schedules)


def test_the_licence_is_the_one_that_is_declared() -> None:
    text = (ROOT / "LICENSE").read_text()

    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_command_finds_what_it_calls_from_any_folder() -> None:
    assert PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"] == ["releve*", "tasks*", "flows*"]
    assert PYPROJECT["project"]["scripts"] == {"releve": "releve.cli.app:main"}


def recipe_environment(**given: str) -> list[str]:
    """Return the variables that a recipe of the Makefile has, as `env` shows them."""
    return subprocess.run(
        ["make", "-f", "-", "show"],
        input="include Makefile\nshow:\n\t@env\n",
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **given},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


def test_recipes_find_this_projects_programs_first_and_tell_nobody() -> None:
    shown = recipe_environment()

    assert next(line for line in shown if line.startswith("PATH=")).startswith(f"PATH={ROOT}/.venv/bin:")
    assert {"DO_NOT_TRACK=1", "BENTOML_DO_NOT_TRACK=True", "PREFECT_SERVER_ANALYTICS_ENABLED=false"} <= set(shown)


def test_threads_of_recipes_sleep_while_they_wait_unless_somebody_wants_otherwise() -> None:
    assert {"OMP_NUM_THREADS=2", "OMP_WAIT_POLICY=PASSIVE"} <= set(recipe_environment())

    given = {"OMP_NUM_THREADS": "8", "OMP_WAIT_POLICY": "ACTIVE"}
    assert {"OMP_NUM_THREADS=8", "OMP_WAIT_POLICY=ACTIVE"} <= set(recipe_environment(**given))


def test_recipes_take_no_modules_from_elsewhere_and_keep_what_python_compiled() -> None:
    given = {"PYTHONPATH": "/elsewhere", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}

    assert [line for line in recipe_environment(**given) if line.startswith("PYTHON")] == ["PYTHONUNBUFFERED=1"]


@pytest.mark.parametrize("name", ["a:b", "a$b"])
def test_a_path_that_cannot_be_used_is_refused_at_once(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "Makefile").write_text((ROOT / "Makefile").read_text())

    done = subprocess.run(["make", "setup"], cwd=tmp_path / name, capture_output=True, text=True)

    assert done.returncode != 0
    assert f"{tmp_path / name}, holds a ':' or a '$'" in done.stderr


def test_recipes_run_in_a_folder_of_any_other_name(tmp_path: Path) -> None:
    folder = tmp_path / "a 'b' \"c\" #d [e] %41 ü"
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / "Makefile").write_text((ROOT / "Makefile").read_text())
    for name in ("requirements.lock", "pyproject.toml", ".venv/.releve-setup"):
        (folder / name).touch()
    (folder / ".venv/bin/python").symlink_to(sys.executable)
    (folder / "releve.py").write_text("import shutil, sys\nprint(sys.argv[1:], shutil.which('python'))\n")

    done = subprocess.run(["make", "--no-print-directory", "status"], cwd=folder, capture_output=True, text=True)

    assert done.stdout.strip() == f"['status'] {folder}/.venv/bin/python"
