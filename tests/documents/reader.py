"""Somebody who has a clone with a table of customers, and types what the pages show."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from releve.adapters.forks.client import ForkServer
from releve.adapters.forks.command import Command
from releve.adapters.forks.libraries import STAGES
from releve.core.settings import Settings
from tests.adapters.local_stack.small import clean_environ
from tests.projects import Project

SECONDS = 400.0
LIBRARIES = (*STAGES, "pymilvus", "sqlalchemy.dialects.sqlite", "typer")  # which most commands import, before Prefect
_fork_server = ForkServer()
SOMEBODY = {f"GIT_{who}_{what}": "somebody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@dataclass
class Reader:
    """A shell in the folder of a project. `names`: what a page has a reader put their own in for, and theirs."""

    project: Project  # of the scenario churn
    ports: Settings
    names: dict[str, str] = field(default_factory=dict)
    exported: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _link_programs(self.root / ".venv")
        (self.root / ".git/info/exclude").write_text("/.venv\n/*.csv\n")
        self.names["127.0.0.1:3000"] = f"127.0.0.1:{self.ports.service_port}"
        self.names["127.0.0.1:4200"] = f"127.0.0.1:{self.ports.prefect_port}"

    @property
    def root(self) -> Path:
        return self.project.root

    def type(self, command: str) -> str:
        """Run one command; what it printed. Raises AssertionError where it fails."""
        for said, meant in self.names.items():
            command = command.replace(said, meant)
        command = command.replace("curl -s ", "curl -s --fail-with-body ")
        if command.startswith("export "):
            name, _, value = shlex.split(command, comments=True)[1].partition("=")
            self.exported[name] = value
            return ""
        if command.startswith((".venv/bin/releve ", "releve ")):
            return self._fork(shlex.split(command, comments=True)[1:])
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.root,
            env={**self.environ, **self.exported},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def _fork(self, arguments: list[str]) -> str:
        """Run `releve` in a process of its own that has the libraries loaded; most of a command is to load them."""
        command = Command("releve", arguments, str(self.root), {**self.environ, **self.exported}, LIBRARIES)
        with _fork_server.start(command) as process:
            assert process.stdout is not None
            told = process.stdout.read()
        assert process.returncode == 0, f"releve {shlex.join(arguments)}\n{told[-6000:]}"
        return told

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            **clean_environ(),
            **SOMEBODY,
            "PATH": f"{self.root / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(self.root),
            "RELEVE_PREFECT_PORT": str(self.ports.prefect_port),
            "RELEVE_SERVICE_PORT": str(self.ports.service_port),
            "RELEVE_MILVUS_PORT": str(self.ports.milvus_port),
        }


def _link_programs(folder: Path) -> None:
    """Make an environment that make takes for set up, of links to the one that runs the tests: make would clear a link
    to the whole of it."""
    ours = Path(sys.executable).parent
    (folder / "bin").mkdir(parents=True)
    for program in ours.iterdir():
        (folder / "bin" / program.name).symlink_to(program)
    (folder / "lib").symlink_to(ours.parent / "lib")
    shutil.copy(ours.parent / "pyvenv.cfg", folder)
    (folder / ".releve-setup").touch()
