"""Copies of prepared projects; see `tests.projects`."""

from pathlib import Path

import pytest

from tests import projects
from tests.projects import Project


@pytest.fixture
def shared(room: Path) -> Project:
    """No state yet, for tests that change nothing."""
    return projects.fresh_project(room)


@pytest.fixture
def fresh(room: Path, tmp_path: Path) -> Project:
    """No state yet."""
    return projects.fresh_project(room).copy(tmp_path)


@pytest.fixture
def ingested(room: Path, tmp_path: Path) -> Project:
    """Three windows are batches."""
    return projects.ingested_project(room).copy(tmp_path)


@pytest.fixture
def challenged(room: Path, tmp_path: Path) -> Project:
    """A first challenger was accepted, and waits to be released."""
    return projects.challenged_project(room).copy(tmp_path)


@pytest.fixture
def released(room: Path, tmp_path: Path) -> Project:
    """The first champion serves."""
    return projects.released_project(room).copy(tmp_path)
