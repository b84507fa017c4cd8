"""A real Prefect server for these tests, and projects for flows to work in."""

import gc
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import projects
from tests.projects import Project

SERVER_SECONDS = 240  # 15 are usual


@pytest.fixture(scope="package")
def prefect_server() -> Iterator[None]:
    """These tests' flows are recorded by a server of their own, with a database that goes with it."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=SERVER_SECONDS):
        yield
    collect_sockets()


@pytest.fixture(scope="module", autouse=True)
def sockets_collected_after_each_file() -> Iterator[None]:
    yield
    collect_sockets()


def collect_sockets() -> None:
    """Let go of what Prefect's clients leave open, before other tests can stumble on it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def fresh(work_dir: Path, tmp_path: Path) -> Project:
    """A project without any state."""
    return projects.fresh_project(work_dir).copy(tmp_path)


@pytest.fixture
def ingested(work_dir: Path, tmp_path: Path) -> Project:
    """Three windows are batches."""
    return projects.ingested_project(work_dir).copy(tmp_path)


@pytest.fixture
def work_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Project], None]:
    """Flows that run from now on read their settings from this project's environment."""

    def enter(project: Project) -> None:
        for name, value in project.environ.items():
            monkeypatch.setenv(name, value)

    return enter
