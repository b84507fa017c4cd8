"""Commands whose Prefect server, a real one, goes away while they wait for it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from releve.domain.approval.people import token_hash, token_of
from releve.domain.registry.chain import APPROVAL_REQUESTED
from tests import projects
from tests.prefect_server import PrefectServer, prefect_serving
from tests.projects import SCENARIO, Project
from tests.serving.process import wait_until

pytestmark = pytest.mark.whole

RELEASE = """
import sys
from releve.cli import patience
from releve.cli.app import main
patience.AWAY_SECONDS, patience.LOOK_SECONDS = float(sys.argv[1]), 0.5
sys.exit(main(["release", sys.argv[2]]))
"""


@pytest.fixture
def project(work_dir: Path, tmp_path: Path) -> Project:
    """A challenger that the gate accepted, and that a person has to approve."""
    project = projects.challenged_project(work_dir).copy(tmp_path)
    project.edit(project.root / "params.yaml", "approval: none ", "approval: required ")
    project.edit(
        project.root / "params.yaml",
        "approvers: {} ",
        f'approvers: {{anna: "{token_hash(token_of(bytes(range(32))))}"}} ',
    )
    return project


@contextmanager
def releasing(project: Project, server: PrefectServer, *, patience: float) -> Iterator["subprocess.Popen[str]"]:
    """`releve release`, from the moment on at which people are asked."""
    asked = len(requests(project))
    with subprocess.Popen(
        [sys.executable, "-c", RELEASE, str(patience), SCENARIO],
        cwd=project.root,
        env=project.environ | server.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until(lambda: len(requests(project)) > asked or process.poll() is not None, seconds=120)
            yield process
        finally:
            process.kill()


def requests(project: Project) -> list[object]:
    return list(project.registry.events(SCENARIO, kinds=[APPROVAL_REQUESTED]))


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_release_whose_server_stays_away_ends_with_a_sentence_and_keeps_what_people_were_asked(
    project: Project, tmp_path: Path, how: signal.Signals
) -> None:
    with prefect_serving(tmp_path / "prefect") as server, releasing(project, server, patience=6) as process:
        os.killpg(server.pid, how)
        began = time.monotonic()

        printed, told = process.communicate(timeout=60)

        if how is signal.SIGSTOP:
            os.killpg(server.pid, signal.SIGCONT)
    assert process.returncode == 2, printed + told
    assert time.monotonic() - began < 30
    assert "error: the Prefect server at 127.0.0.1:" in told
    assert "has not answered for 6 s, and this run waits for it. What its steps finished is kept" in told
    assert "waits for 1 person to approve it until" in told
    assert f"`releve approve {SCENARIO}` needs no Prefect" in told
    assert told.rstrip().endswith("and run the same again")
    assert len(requests(project)) == 1

    with prefect_serving(tmp_path / "again") as server:
        done = subprocess.run(
            [sys.executable, "-m", "releve", "release", SCENARIO],
            cwd=project.root,
            env=project.environ | server.environ,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 3, done.stderr
    assert len(requests(project)) == 1


def test_a_release_whose_server_comes_back_in_time_goes_on(project: Project, tmp_path: Path) -> None:
    with prefect_serving(tmp_path / "prefect") as server, releasing(project, server, patience=30) as process:
        os.killpg(server.pid, signal.SIGSTOP)
        time.sleep(4)
        os.killpg(server.pid, signal.SIGCONT)

        printed, told = process.communicate(timeout=120)

    assert process.returncode == 3, printed + told
    assert "needs attention: " in told
