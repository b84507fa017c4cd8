"""Prefect's server, killed while a release is put before people or waits for them: they answer as ever, and once."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.parts import FORKS, PREFECT, WORKER, prefect_api_url
from releve.adapters.prefect.api import PrefectApi
from releve.core.settings import Settings
from releve.domain.approval.people import token_hash, token_of
from releve.domain.registry.chain import APPROVALS, RELEASED
from tests import projects
from tests.drill.conftest import Struck, chance
from tests.drill.test_servers import LONGEST, strike
from tests.projects import SCENARIO, Project
from tests.serving.process import free_port, wait_until

ANNA = token_of(bytes(range(32)))
ASKING = 6.0  # seconds, within which the server is killed
PARTS = (PREFECT, FORKS, WORKER)


@dataclass(frozen=True)
class Desk:
    """A project in which people approve, with Prefect and a worker."""

    project: Project
    environ: dict[str, str]
    settings: Settings

    def releve(self, *arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "releve", *arguments]
        return subprocess.Popen(command, cwd=self.project.root, env=self.environ, text=True, stdout=subprocess.PIPE)

    def output(self, *arguments: str) -> str:
        return self.releve(*arguments).communicate(timeout=LONGEST)[0]

    def ask(self, method: str, path: str, body: object = None) -> Any:
        return PrefectApi(prefect_api_url(self.settings)).ask(method, path, body, until=time.monotonic() + 60).json()

    def forms(self) -> list[str]:
        """Ids of the runs that wait for people."""
        wanted = {"flows": {"name": {"any_": ["approval"]}}, "flow_runs": {"state": {"type": {"any_": ["PAUSED"]}}}}
        return [run["id"] for run in self.ask("POST", "/flow_runs/filter", wanted)]

    def told(self) -> list[str]:
        return [event.kind for event in self.project.registry.events(SCENARIO, kinds=[*APPROVALS, RELEASED])]


@pytest.fixture
def desk(work_dir: Path, tmp_path: Path) -> Iterator[Desk]:
    project = projects.challenged_project(work_dir).copy(tmp_path)
    project.edit(project.root / "params.yaml", "approvers: {} ", f'approvers: {{anna: "{token_hash(ANNA)}"}} ')
    own = {"RELEVE_APPROVAL": "required", "RELEVE_APPROVER_TOKEN": ANNA, "RELEVE_PREFECT_PORT": str(free_port())}
    environ = {name: value for name, value in project.environ.items() if not name.startswith("PREFECT_")} | own
    settings = Settings.from_environ(environ, cwd=project.root)
    local_stack.up(settings, only=PARTS, environ=environ)
    yield Desk(project, environ, settings)
    local_stack.down(settings)


@pytest.mark.parametrize("by", ["form", "command"])
@pytest.mark.parametrize("when", ["while it asks", "while it waits"])
def test_a_release_whose_prefect_was_killed_is_approved_once(when: str, by: str, desk: Desk, struck: Struck) -> None:
    asking = desk.releve("release", SCENARIO)
    if when == "while it waits":
        wait_until(lambda: len(desk.forms()) == 1, seconds=LONGEST)
    else:
        time.sleep(chance("approval", by).uniform(0, ASKING))
    strike(desk.settings, PREFECT, children_too=True)
    struck("a release that waits for people", f"its Prefect killed {when}, then approved by {by}", True)
    local_stack.up(desk.settings, only=PARTS, environ=desk.environ)
    asking.communicate(timeout=LONGEST)
    desk.output("release", SCENARIO)
    wait_until(lambda: len(desk.forms()) == 1, seconds=LONGEST)

    shown = desk.output("approve", SCENARIO)
    [model] = {*re.findall(rf"{SCENARIO}:[0-9a-f]{{12}}", shown)}
    if by == "form":
        code = desk.output("approve", SCENARIO, "--code").split()[0]
        said = {"run_input": {"decision": "approve", "code": code, "comment": ""}}
        assert desk.ask("POST", f"/flow_runs/{desk.forms()[0]}/resume", said)["status"] == "ACCEPT"
    else:
        desk.output("approve", SCENARIO, "--yes", "--model", model)

    wait_until(lambda: RELEASED in desk.told() and desk.forms() == [], seconds=LONGEST)
    told = ["approval_requested", *(["approval_code_issued"] if by == "form" else []), "approved", "released"]
    assert desk.told() == told
    desk.project.registry.verify(SCENARIO)
