"""The service's own way to an answer, without HTTP."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

from releve.adapters.models.model_store import ModelStore
from releve.adapters.prediction_ledger.writer import LedgerWriter
from releve.adapters.vectors.vector_index import VectorIndex
from releve.domain.registry.chain import RELEASED
from releve.domain.registry.events import ModelReleased
from releve.serving.edge.metrics import Metrics
from releve.serving.pools import CallPool
from releve.serving.routes import Runs
from releve.serving.scenarios.scenario import Scenario
from releve.serving.search_questions import SearchQuestion
from releve.serving.served import Served
from tests.tables import SHOP, make_params
from tests.tasks.shop import Shop

NOW = "2024-03-11T12:00:00+00:00"


@contextmanager
def serving(shop: Shop, *, at: datetime | None = None) -> Iterator[Scenario]:
    """A scenario that answers, with a ledger and an index."""
    index = VectorIndex(shop.settings.milvus_uri)
    ledger = LedgerWriter(shop.state.ledger, SHOP, clock=lambda: at or datetime.now(UTC))
    with closing(index), closing(ledger):
        yield Scenario(
            SHOP,
            load=lambda _: Future(),
            ledger=ledger,
            index=index,
            metrics=Metrics(),
            ingested=shop.state.history / "known.json",
        )


def served_by(shop: Shop) -> list[Served]:
    """All releases, the oldest first."""
    store, limits = ModelStore(shop.settings.home), make_params().service
    released = [event.read(ModelReleased).release for event in shop.registry.events(SHOP, kinds=[RELEASED])]
    return [Served(store.load(each.model), limits, NOW, each) for each in released]


def search(scenario: Scenario, served: Served, row: dict[str, Any], *, label: str | None) -> str:
    pools = {runs: CallPool(str(runs), threads=1, waiting=1, seconds=10) for runs in (Runs.COMPUTE, Runs.INDEX)}
    return asyncio.run(scenario.search(served, SearchQuestion(row, None, 10, label), pools)).id
