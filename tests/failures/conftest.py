"""Copies of prepared projects; see `tests.projects`."""

from pathlib import Path

import pytest

from tests import projects
from tests.projects import Project


@pytest.fixture
def shared(work_dir: Path) -> Project:
    """No state yet, for tests that change nothing."""
    return projects.fresh_project(work_dir)


@pytest.fixture
def fresh(work_dir: Path, tmp_path: Path) -> Project:
    """No state yet."""
    return projects.fresh_project(work_dir).copy(tmp_path)


@pytest.fixture
def ingested(work_dir: Path, tmp_path: Path) -> Project:
    """Three windows are batches."""
    return projects.ingested_project(work_dir).copy(tmp_path)


@pytest.fixture
def challenged(work_dir: Path, tmp_path: Path) -> Project:
    """A first challenger was accepted, and waits to be released."""
    return projects.challenged_project(work_dir).copy(tmp_path)


@pytest.fixture
def released(work_dir: Path, tmp_path: Path) -> Project:
    """The first champion serves."""
    return projects.released_project(work_dir).copy(tmp_path)
