"""What /v2 says before a release, before a model is in memory, after another release, and of a pinned model."""

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import Any

import pytest

from releve.adapters.models.model_runtime import load
from releve.core.params import ServiceLimits
from releve.core.settings import Settings
from releve.serving.application import Application
from releve.serving.edge.access import Access
from releve.serving.open_inference.routes import routes
from releve.serving.routes import Request, Role
from releve.serving.scenarios.scenarios import Scenarios
from releve.serving.served import Served
from tests.factories import SCENARIO, make_model_folder, make_project, make_stored_model
from tests.serving.conftest import registry_of, release_first

MODEL = f"/v2/models/{SCENARIO}"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def scenarios(tmp_path: Path) -> Iterator[Scenarios]:
    """What follows a registry without a release."""
    settings = Settings.from_environ({"RELEVE_HOME": str(tmp_path)}, cwd=make_project(tmp_path))
    made = Scenarios(settings, registry=registry_of(tmp_path), index=None, poll_seconds=0.01)
    yield made
    made.close()


@pytest.fixture
def ask(scenarios: Scenarios) -> Iterator[Ask]:
    """Poll the registry, then ask; the status and the JSON of the answer."""
    application = Application()
    application.offer(routes(scenarios))

    def of(path: str, method: str = "GET", values: object = None) -> tuple[int, Any]:
        wait(scenarios.poll(), timeout=30)
        body = b"" if values is None else json.dumps(values).encode()
        reply = asyncio.run(application.reply(Request(method, path, {}, b"", (), body, "")))
        assert reply is not None
        return reply.status, json.loads(reply.body)

    yield of
    application.close()


def index(ask: Ask) -> list[dict[str, str]]:
    status, found = ask("/v2/repository/index", "POST")
    assert status == 200
    return found


def test_before_a_release_the_server_lives_and_is_not_ready(ask: Ask):
    assert ask("/v2/health/live") == (200, {"live": True})
    assert ask("/v2/health/ready") == (503, {"error": "no release is served yet"})
    assert index(ask) == []
    for path in (MODEL, f"{MODEL}/ready"):
        status, found = ask(path)
        assert status == 503 and "no release of flowers is served yet" in found["error"]


def test_a_released_model_is_listed_before_it_is_in_memory_and_ready_once_it_is(ask: Ask, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    listed = {"name": SCENARIO, "version": "one", "state": "READY"}

    assert index(ask) == [listed | {"reason": "it is loaded when it is asked"}]
    assert ask(f"{MODEL}/ready") == (200, {"name": SCENARIO, "ready": True})
    assert index(ask) == [listed | {"reason": ""}]


def test_after_another_release_the_version_before_is_not_answered_under_its_name(ask: Ask, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    assert ask(f"{MODEL}/versions/one")[0] == 200

    release_first(tmp_path, make_stored_model(tmp_path, "two"))

    assert ask(MODEL)[1]["versions"] == ["two"]
    status, found = ask(f"{MODEL}/versions/one")
    assert (status, found["error"]) == (404, "flowers has no version 'one' to ask; two is the one that serves")


def test_a_release_that_cannot_be_loaded_is_not_called_ready(ask: Ask, tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"), model_digest="0" * 64)

    status, found = ask(f"{MODEL}/ready")

    assert status == 503 and "cannot be loaded" in found["error"]


def test_a_pinned_model_is_served_under_its_version(ask: Ask, scenarios: Scenarios, tmp_path: Path):
    model = load(make_model_folder(tmp_path), tag=f"{SCENARIO}:packed")
    scenarios.pin(SCENARIO, Served(model, ServiceLimits(max_rows=5), since="2026-11-29T00:00:00+00:00"))

    assert ask(f"{MODEL}/versions/packed")[1]["versions"] == ["packed"]
    assert [each["version"] for each in index(ask)] == ["packed"]


@pytest.mark.parametrize(
    ("path", "method", "token", "status"),
    [
        ("/v2/health/live", "GET", None, 200),
        ("/v2/health/ready", "GET", None, 503),  # there is no release
        ("/v2", "GET", None, 401),
        ("/v2", "GET", "wrong", 401),
        ("/v2", "GET", "read", 200),
        (f"{MODEL}/infer", "POST", None, 401),
        (f"/v2/repository/models/{SCENARIO}/load", "POST", "read", 403),
        (f"/v2/repository/models/{SCENARIO}/load", "POST", "operate", 400),
    ],
)
def test_tokens_open_what_their_role_may(scenarios: Scenarios, path: str, method: str, token: str | None, status: int):
    tokens = {role: f"the token of {role}".replace(" ", "-") + "-0123456789" for role in (Role.READ, Role.OPERATE)}
    sent = tokens.get(Role(token), "") if token in tuple(Role) else "nobodys-token-at-all"
    headers = () if token is None else ((b"authorization", f"Bearer {sent}".encode()),)
    application = Application(Access(tokens))
    application.offer(routes(scenarios))

    reply = asyncio.run(application.reply(Request(method, path, {}, b"", headers, b"", "")))

    application.close()
    assert reply is not None and reply.status == status
    assert status == 200 or set(json.loads(reply.body)) == {"error"}
