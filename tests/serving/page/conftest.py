"""Handwritten digits, served to people who hold a token, with a release to go back to."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pandas as pd
import pytest
import yaml

from releve.adapters.models.model_store import ModelStore
from releve.adapters.prefect.api import PrefectRuns
from releve.adapters.registry.registry import Registry
from releve.core.settings import Settings
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from releve.serving import native
from releve.serving.application import Application
from releve.serving.edge.access import Access
from releve.serving.flow_runs import FlowRuns
from releve.serving.page import routes as page
from releve.serving.routes import Reply, Request, Role
from releve.serving.scenarios.scenarios import Scenarios
from tests.events import make_challenger
from tests.factories import PROJECT, make_project, make_release
from tests.prefect_server import PrefectServer
from tests.serving.conftest import registry_of
from tests.serving.process import free_port, milvus_serving, wait_until
from tests.serving.tables import packed, table_served

DIGITS = "digits"
READ, OPERATE = "a-token-to-read-with", "a-token-to-operate-with"
TOKENS = {"RELEVE_TOKEN_READ": READ, "RELEVE_TOKEN_OPERATE": OPERATE}
ROWS = 500
Ask = Callable[..., Reply]


@dataclass(frozen=True)
class Site:
    """A service that people look at."""

    address: str
    registry: Registry
    prefect: PrefectServer


def digits_table() -> tuple[dict, pd.DataFrame]:
    """The bundled scenario's columns and target, and its first rows."""
    from sklearn.datasets import load_digits

    described = yaml.safe_load((PROJECT / "scenarios" / DIGITS / "params.yaml").read_text())
    table = {key: described[key] for key in ("target", "columns")}
    data = load_digits()
    return table, pd.DataFrame(data.data[:ROWS], columns=list(table["columns"])).assign(digit=data.target[:ROWS])


@pytest.fixture(scope="session")
def site(prefect: PrefectServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home, port = tmp_path_factory.mktemp("page"), free_port()
    table, rows = digits_table()
    with (
        milvus_serving(home / "milvus", port),
        table_served(home, DIGITS, table, rows, milvus=port, **TOKENS, **prefect.environ) as running,
    ):
        question, sent = {"row": rows.drop(columns="digit").iloc[0].to_dict()}, {"authorization": f"Bearer {READ}"}
        # the first search loads pymilvus, for which a page does not wait
        wait_until(lambda: running.client.post("/search", json=question, headers=sent).is_success)
        registry = registry_of(home)
        frame = check_frame(Schema.from_dict(table), rows[:300]).accepted
        folder = packed(home / "made" / "two" / DIGITS, table, frame)
        stored = ModelStore(home).save(folder, scenario=DIGITS, version="two", labels={})
        reasons = ("better than the champion: <b>gain</b> +0.020 [+0.004, +0.036]",)
        challenger = make_challenger(model=stored.tag, reasons=reasons)
        registry.append(DIGITS, challenger, reason="a test", actor="tests")
        first = registry.current(DIGITS)
        assert first is not None
        second = make_release(stored, index=first.release.index)
        registry.move(DIGITS, ModelReleased(release=second), expected=first.number, reason="", actor="tests")
        yield Site(str(running.client.base_url).rstrip("/"), registry, prefect)
        registry.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Ask]]:
    """Serves what the registry of `tmp_path` says, with tokens or without; returns what asks it, by form or JSON."""
    project, opened = make_project(tmp_path), []

    def started(tokens: dict[Role, str] | None = None, *, prefect: dict[str, str] | None = None, **limits: Any) -> Ask:
        access = Access(tokens or {}, **limits)
        settings = Settings.from_environ({"RELEVE_HOME": str(tmp_path), **(prefect or {})}, cwd=project)
        scenarios = Scenarios(settings, registry=registry_of(tmp_path), index=None, poll_seconds=1)
        around = Application(access)
        opened.extend([scenarios, around])
        wait(scenarios.poll(), timeout=30)
        pools, flow_runs = around.pools, FlowRuns(PrefectRuns.of(settings), access)
        own = native.routes(scenarios, pools, flow_runs)
        around.offer([*own, *page.routes(scenarios, pools, access, flow_runs)])

        def ask(path: str, form: dict[str, str] | None = None, *, json: Any = None, **headers: str) -> Reply:
            sent = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
            body = urlencode(form or {}).encode() if json is None else orjson.dumps(json)
            path, _, query = path.partition("?")

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": body}

            method = "GET" if form is None and json is None else "POST"
            reply = asyncio.run(around.reply(Request(method, path, {}, query.encode(), sent, b"", ""), receive))
            assert reply is not None
            return reply

        return ask

    yield started
    for each in opened:
        each.close()


def location(reply: Reply) -> str:
    return dict(reply.headers).get(b"location", b"").decode()
