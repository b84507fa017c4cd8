"""One running service and one Milvus for the tests that only ask questions."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from releve.adapters.models import model_runtime
from releve.adapters.models.model_store import StoredModel
from releve.adapters.registry.registry import Registry
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import LOOPBACK
from releve.domain.registry.events import ModelReleased
from tests.factories import SCENARIO, make_entries, make_project, make_release, make_stored_model
from tests.serving.process import free_port, milvus_serving, serving, wait_until
from tests.tables import MESSAGES, MESSAGES_TABLE, RENTALS, RENTALS_TABLE, messages_rows, rentals_rows

if TYPE_CHECKING:
    from tests.serving.arms.worker import Worker

COLLECTION = "releve_flowers_one"


@dataclass(frozen=True)
class Running:
    """A service with one release, and where its state lies."""

    client: httpx.Client
    home: Path

    def post(self, path: str, **values: Any) -> httpx.Response:
        return self.client.post(path, json=values)

    def send(self, path: str, body: bytes) -> httpx.Response:
        return self.client.post(path, content=body, headers={"content-type": "application/json"})


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("serving")
    project = make_project(home, max_rows=5)
    stored = make_stored_model(home, "one")
    port = free_port()
    with milvus_serving(home / "milvus", port):
        model = model_runtime.load(stored.path, tag=stored.tag)
        index = VectorIndex(f"http://{LOOPBACK}:{port}")
        index.build(COLLECTION, make_entries(model.embedder), scenario=SCENARIO)
        index.close()
        release_first(home, stored)
        with serving(home, project, milvus=port) as address, httpx.Client(base_url=address, timeout=30) as client:
            wait_until(lambda: client.get("/readyz").status_code == 200)
            yield Running(client, home)


@pytest.fixture(scope="session")
def milvus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a Milvus for other tables than the flowers."""
    port = free_port()
    with milvus_serving(tmp_path_factory.mktemp("tables") / "milvus", port):
        yield port


@pytest.fixture(scope="session")
def rentals(milvus: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of a regression over every type of column."""
    from tests.serving.tables import table_served

    home = tmp_path_factory.mktemp(RENTALS)
    with table_served(home, RENTALS, RENTALS_TABLE, rentals_rows(), milvus=milvus) as running:
        yield running


@pytest.fixture(scope="session")
def messages(milvus: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A service of two classes of texts, with dates."""
    from tests.serving.tables import table_served

    home = tmp_path_factory.mktemp(MESSAGES)
    with table_served(home, MESSAGES, MESSAGES_TABLE, messages_rows(), milvus=milvus) as running:
        yield running


def registry_of(home: Path) -> Registry:
    return Registry(f"sqlite:///{home / 'registry.db'}")


def release_first(home: Path, stored: StoredModel, /, **changes: Any) -> None:
    """Put a model into service, whatever serves now."""
    registry = registry_of(home)
    current = registry.current(SCENARIO)
    registry.move(
        SCENARIO,
        ModelReleased(release=make_release(stored, **changes)),
        expected=current.number if current else None,
        reason="a test",
        actor="tests",
    )
    registry.close()


@pytest.fixture
def worker(tmp_path: Path) -> Iterator["Worker"]:
    """A worker's application over a champion and a challenger of the flowers."""
    from tests.serving.arms.worker import Worker

    made = Worker(tmp_path)
    yield made
    made.close()
