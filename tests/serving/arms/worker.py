"""A champion and a challenger of the flowers in a worker's application, and what asks it as a client does."""

import asyncio
import json
from concurrent.futures import wait
from pathlib import Path
from typing import Any

from releve.adapters.models.model_store import StoredModel
from releve.adapters.vectors.vector_index import VectorIndex
from releve.core.settings import LOOPBACK, Settings
from releve.domain.arms.arms import ArmMode, ArmsStarted
from releve.serving import native
from releve.serving.application import Application
from releve.serving.edge.access import Access
from releve.serving.explain import routes as explain
from releve.serving.flow_runs import FlowRuns
from releve.serving.mlflow_scoring import routes as mlflow_scoring
from releve.serving.open_inference import routes as open_inference
from releve.serving.page import routes as page
from releve.serving.routes import Reply, Request
from releve.serving.scenarios.scenarios import Scenarios
from tests.factories import SCENARIO, make_project, make_release, make_stored_model
from tests.serving.conftest import registry_of, release_first

CHAMPION, CHALLENGER = f"{SCENARIO}:one", f"{SCENARIO}:two"


class Worker:
    """What one process of the service answers."""

    def __init__(self, home: Path, *, milvus: int | None = None) -> None:
        self.home = home
        self.registry = registry_of(home)
        self.challenger: StoredModel = make_stored_model(home, "two", seed=8)
        release_first(home, make_stored_model(home, "one"))
        settings = Settings.from_environ({"RELEVE_HOME": str(home)}, cwd=make_project(home))
        index = VectorIndex(f"http://{LOOPBACK}:{milvus}") if milvus else None
        self.scenarios = Scenarios(settings, registry=registry_of(home), index=index, only=[SCENARIO], poll_seconds=60)
        self.application = Application()
        pools, access = self.application.pools, Access({})
        flow_runs = FlowRuns(None, access)
        others = (open_inference, mlflow_scoring)
        self.application.offer(
            [
                *native.routes(self.scenarios, pools, flow_runs),
                *page.routes(self.scenarios, pools, access, flow_runs),
                *explain.routes(self.scenarios, pools),
                *(route for each in others for route in each.routes(self.scenarios)),
            ]
        )
        self.poll()

    def start_arms(self, mode: ArmMode, share: float = 0.0, **changes: Any) -> int:
        """Have the challenger take part, and the worker know of it; returns the event's number."""
        release = make_release(self.challenger, **{"index": "releve_flowers_two", **changes})
        started = ArmsStarted(mode=mode, challenger=release, champion=CHAMPION, share=share)
        running = self.registry.arms(SCENARIO)
        expected = running.number if running else None
        event = self.registry.start_arms(SCENARIO, started, expected=expected, reason="a test", actor="tests")
        self.poll()
        return event.number

    def poll(self) -> None:
        """Follow the registry, and wait for what is loaded."""
        wait(self.scenarios.poll(), timeout=30)

    def ask(self, path: str, values: Any, *, key: str = "", media_type: str = "application/json") -> Reply:
        """POST, as JSON unless `values` are bytes."""
        body = values if isinstance(values, bytes) else json.dumps(values).encode()
        headers = [(b"content-type", media_type.encode()), *([(b"x-releve-key", key.encode())] if key else [])]
        reply = asyncio.run(self.application.reply(Request("POST", path, {}, b"", headers, body, "")))
        assert reply is not None
        return reply

    def close(self) -> None:
        self.application.close()
        self.scenarios.close()
        self.registry.close()


def headers_of(reply: Reply) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in reply.headers}
