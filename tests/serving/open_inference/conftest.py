"""One service for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.serving.open_inference.served import Service, served


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with served(tmp_path_factory.mktemp("open_inference")) as running:
        yield running
