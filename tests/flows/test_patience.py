"""Runs whose Prefect server, a real one, goes away."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from releve.domain.approval.people import token_hash, token_of
from releve.domain.registry.chain import APPROVAL_REQUESTED
from tests import projects
from tests.prefect_server import PrefectServer, prefect_serving
from tests.projects import SCENARIO, Project
from tests.serving.process import wait_until
from tests.tables import ROOT, SHOP
from tests.tasks.scoring.conftest import Scored, order_rows, scored  # noqa: F401 - a fixture

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


SCORE = """
import sys
import flows.score as flow
import releve.adapters.tables.chunks as chunks
import tasks.scoring.parts as parts
import tasks.scoring.score as scoring
chunks.MOST_ROWS_PER_CHUNK = parts.ROWS_PER_PART = scoring.ROWS_PER_PART = 100
flow.UPDATE_SECONDS = 0.0
flow.score("shop", source=sys.argv[1], output=sys.argv[2])
"""


def test_a_scoring_shows_how_far_it_is_and_goes_on_to_its_end_without_the_server(
    scored: Callable[..., Scored],  # noqa: F811
    tmp_path: Path,
) -> None:
    shop, manifest = scored(SHOP, tmp_path), tmp_path / "project" / "scored" / "_manifest.jsonl"
    path = shop.put("orders.csv", order_rows(20_000))
    places = {"RELEVE_PROJECT": shop.root, "RELEVE_HOME": shop.settings.home, "PREFECT_HOME": tmp_path / "client"}
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **{key: str(each) for key, each in places.items()}}

    def shown(server: PrefectServer) -> float:
        asked = {"artifacts": {"key": {"any_": ["score-shop-progress"]}}, "sort": "UPDATED_DESC"}
        return max([float(each["data"]) for each in server.post("/artifacts/filter", asked)], default=0.0)

    def is_ended() -> bool:
        return '"ended"' in manifest.read_text()

    with (
        prefect_serving(tmp_path / "prefect") as server,
        subprocess.Popen(
            [sys.executable, "-c", SCORE, str(path), str(shop.out)], cwd=ROOT, env=environ | server.environ
        ) as process,
    ):
        try:
            wait_until(lambda: shown(server) > 0 or process.poll() is not None, seconds=120)
            os.killpg(server.pid, signal.SIGSTOP)
            assert not is_ended()

            wait_until(is_ended, seconds=60)  # Prefect's client waits as long for one answer, and tries six times
        finally:
            process.kill()
            os.killpg(server.pid, signal.SIGCONT)
