"""A project small enough to read here, for the real stack."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from releve.adapters.http.clients import local_client
from releve.adapters.local_stack import process as stack_process
from releve.core.settings import Settings
from tests.serving.process import free_port

ROOT = Path(__file__).parents[3]
FLOWS = tuple(each["name"] for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"])
FLOW = """
import os
from pathlib import Path

from prefect import flow

from tasks.words import WORD


@flow
def {name}(scenario: str) -> None:
    Path("ran-{name}").write_text(f"{{WORD}} {{scenario}} {{os.getcwd()}} {{os.environ['RELEVE_HOME']}}")
"""
A_SERVICE = """
import os

import bentoml


@bentoml.service
class Releve:
    @bentoml.api
    def scenario(self) -> str:
        return os.environ["RELEVE_SCENARIO"]
"""


def write_project(project: Path) -> None:
    """A project with the real prefect.yaml and, for each deployment in it, a flow that writes one line."""
    for name in ("prefect.yaml", "params.yaml"):
        shutil.copy(ROOT / name, project)
    add_scenario(project, "digits")
    commit(project)
    for folder in ("flows", "tasks"):
        (project / folder).mkdir()
        (project / folder / "__init__.py").touch()
    for name in FLOWS:
        (project / "flows" / f"{name}.py").write_text(FLOW.format(name=name))
    (project / "tasks" / "words.py").write_text("WORD = 'imported'\n")
    (project / "service.py").write_text(A_SERVICE)


def add_scenario(project: Path, name: str) -> Path:
    """A folder that makes a scenario; what is in it matters to no part of the stack."""
    folder = project / "scenarios" / name
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "scenarios" / "digits" / "params.yaml", folder)
    return folder


def commit(project: Path) -> None:
    """Make what lies there what runs go by."""
    git = ["git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b"]
    if not (project / ".git").exists():
        subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "params.yaml", "scenarios"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "a test"], check=True)


def free_settings(project: Path) -> Settings:
    """Settings whose ports are free now."""
    names = ("RELEVE_PREFECT_PORT", "RELEVE_SERVICE_PORT", "RELEVE_MILVUS_PORT")
    return Settings.from_environ({name: str(free_port()) for name in names}, cwd=project)


def clean_environ() -> dict[str, str]:
    """This process's environment without what could point at somebody else's stack.

    PYTHONPATH as well: a folder of it that changes while the tests run outdates the fork server.
    """
    others = ("PREFECT_", "RELEVE_", "BENTOML_", "PYTHONPATH")
    return {key: value for key, value in os.environ.items() if not key.startswith(others)}


def wait_until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def pid_of(settings: Settings, name: str) -> int:
    found = stack_process.running(settings.home, name)
    assert found is not None
    return found.pid


def ask(port: int, method: str, path: str, body: object = None) -> object:
    """Ask again for as long as SQLite is locked below a server of Prefect, as its own client does."""
    deadline = time.monotonic() + 30
    with local_client(port, seconds=30) as client:
        while (found := client.request(method, path, json=body)).status_code == 503 and time.monotonic() < deadline:
            time.sleep(0.5)
    answer = found.text
    return json.loads(answer) if answer.startswith(("[", "{")) else answer
