"""One whole stack for the tests that only use it."""

from collections.abc import Iterator

import pytest

from releve.adapters.local_stack import stack as local_stack
from releve.adapters.local_stack.parts import NAMES
from releve.core.settings import Settings
from tests.adapters.local_stack.small import clean_environ, free_settings, write_project


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    project = tmp_path_factory.mktemp("project")
    write_project(project)
    found = free_settings(project)
    assert local_stack.up(found, environ=clean_environ()) == NAMES
    yield found
    local_stack.down(found)


@pytest.fixture
def stack(started: Settings) -> Settings:
    """All parts, up: those that another test has stopped are started again."""
    local_stack.up(started, environ=clean_environ())
    return started
