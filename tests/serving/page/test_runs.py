"""Runs that operators start by the page, and applications by JSON: with a real Prefect, or with none that answers."""

import re
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import orjson
import pytest

from releve.adapters.prefect.api import PrefectRuns
from releve.core.settings import LOOPBACK
from releve.serving import application
from releve.serving.pools import CallPool, make_pools
from releve.serving.routes import Reply, Role, Runs
from tests.factories import SCENARIO, make_row, make_stored_model
from tests.prefect_server import PASSWORD, PrefectServer
from tests.serving.conftest import release_first
from tests.serving.page.conftest import OPERATE, READ, Ask, location
from tests.serving.process import free_port

TOKENS = {Role.READ: READ, Role.OPERATE: OPERATE}
PATH = f"/scenarios/{SCENARIO}"
READER, OPERATOR = ({"cookie": f"releve_token={token}"} for token in (READ, OPERATE))
PROGRAM = {"authorization": f"Bearer {OPERATE}"}
KEY = "0123456789abcdef"
RETRAIN = {"flow": "retrain", "key": KEY}
Serve = Callable[..., Ask]


@pytest.fixture
def serve(serve: Serve, tmp_path: Path) -> Serve:
    """Serves a release of the flowers."""
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    return serve


@pytest.fixture
def away() -> dict[str, str]:
    """The environment of a service whose Prefect does not run."""
    return {"PREFECT_API_URL": f"http://{LOOPBACK}:{free_port()}/api", "PREFECT_API_AUTH_STRING": PASSWORD}


def key_in(shown: Reply) -> set[str]:
    return set(re.findall(r'name="key" value="([^"]*)"', shown.body.decode()))


def read(answer: Reply) -> Any:
    return orjson.loads(answer.body)


def test_an_operator_has_a_button_for_each_flow_and_a_reader_has_none(serve: Serve, away: dict[str, str]):
    ask = serve(TOKENS, prefect=away)

    shown, to_reader = ask(PATH, **OPERATOR), ask(PATH, **READER)

    assert re.findall(r"<button[^>]*>(Retrain|Monitor)</button>", shown.body.decode()) == ["Retrain", "Monitor"]
    assert b"/start" not in to_reader.body and b"signs in here to retrain" in to_reader.body


def test_every_page_has_a_key_of_its_own(serve: Serve, away: dict[str, str]):
    ask = serve(TOKENS, prefect=away)

    keys = [key_in(ask(PATH, **OPERATOR)) for _ in range(2)]

    assert [len(each) for each in keys] == [1, 1] and keys[0] != keys[1]


def test_where_no_prefect_is_named_the_operator_is_told_and_nothing_is_started(serve: Serve):
    ask = serve(TOKENS)

    shown = ask(PATH, **OPERATOR)
    by_form, by_json = (
        ask(f"{PATH}/start", RETRAIN, **OPERATOR),
        ask(f"{PATH}/runs", json={"flow": "retrain"}, **PROGRAM),
    )

    assert b"PREFECT_API_URL is not set where the service runs" in shown.body and b"/start" not in shown.body
    assert (by_form.status, by_json.status) == (404, 404)
    assert "make retrain SCENARIO=flowers" in read(by_json)["error"]["message"]


def test_where_no_token_is_set_nobody_starts_anything_and_the_page_has_the_commands(serve: Serve, away: dict[str, str]):
    ask = serve(prefect=away)

    shown = ask(PATH)

    assert b"make retrain SCENARIO=flowers\nmake monitor SCENARIO=flowers" in shown.body
    assert ask(f"{PATH}/start", RETRAIN).status == 404
    assert ask(f"{PATH}/runs", json={"flow": "retrain"}).status == ask(f"{PATH}/runs").status == 404


def test_only_the_operator_starts_a_run_and_only_from_here(serve: Serve, away: dict[str, str]):
    ask, wanted = serve(TOKENS, prefect=away), {"flow": "monitor"}

    for path, sent in ((f"{PATH}/start", {"form": RETRAIN}), (f"{PATH}/runs", {"json": wanted})):
        assert ask(path, **sent).status == 401
        assert ask(path, **sent, authorization=f"Bearer {READ}").status == 403
        assert ask(path, **sent, **PROGRAM, sec_fetch_site="cross-site").status == 403
    assert ask(f"{PATH}/start", RETRAIN, **READER).status == 403
    assert ask(f"{PATH}/start", RETRAIN, **OPERATOR, origin="http://evil.example", host="a").status == 403
    assert ask(f"{PATH}/runs", json=wanted, **OPERATOR).status == 401  # the cookie is the page's
    assert ask(f"{PATH}/runs", authorization=f"Bearer {READ}").status == 403
    assert ask("/scenarios/tulips/start", RETRAIN, **OPERATOR).status == 404
    assert ask("/scenarios/tulips/runs", json=wanted, **PROGRAM).status == 404


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"flow": "retrain"},
        {"flow": "rollback", "key": KEY},
        {**RETRAIN, "key": "a b"},
        {**RETRAIN, "key": "x" * 129},
    ],
)
def test_a_form_that_this_page_did_not_make_is_refused(serve: Serve, away: dict[str, str], form: dict[str, str]):
    assert serve(TOKENS, prefect=away)(f"{PATH}/start", form, **OPERATOR).status == 400


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({}, "'flow' is missing, expected retrain or monitor"),
        ({"flow": ["retrain"]}, "expected retrain or monitor"),
        ({"flow": "rollback"}, "'flow' is 'rollback', expected retrain or monitor"),
        ({"flow": "retrain", "search": "yes"}, "'search' is 'yes', expected true or false"),
        ({"flow": "monitor", "search": False}, "'search' is for retrain alone"),
        ({"flow": "retrain", "reason": ""}, "unknown field 'reason'"),
        ([], "expected an object"),
    ],
)
def test_a_wrong_question_is_refused_by_what_is_wrong_with_it(
    serve: Serve, away: dict[str, str], wanted: Any, says: str
):
    refused = serve(TOKENS, prefect=away)(f"{PATH}/runs", json=wanted, **PROGRAM)

    assert refused.status == 400
    assert says in read(refused)["error"]["message"]


def test_a_key_that_is_none_is_refused(serve: Serve, away: dict[str, str]):
    ask = serve(TOKENS, prefect=away)

    assert ask(f"{PATH}/runs", json={"flow": "monitor"}, **PROGRAM, idempotency_key="a b").status == 400


def test_while_prefect_is_away_the_page_says_so_and_keeps_its_key(serve: Serve, away: dict[str, str]):
    ask = serve(TOKENS, prefect=away)

    shown, answered = (
        ask(PATH, **OPERATOR),
        ask(PATH, {f"feature.{k}": str(v) for k, v in make_row().items()}, **OPERATOR),
    )
    started = ask(f"{PATH}/start", RETRAIN, **OPERATOR)
    by_json = ask(f"{PATH}/runs", json={"flow": "retrain"}, **PROGRAM)

    assert shown.status == 200 and b"What was started here is not known now: Prefect does not answer at" in shown.body
    assert b"<output>" in answered.body
    assert started.status == 503 and b'role="alert"' in started.body and b"Prefect does not answer" in started.body
    assert key_in(started) == {KEY}
    assert (by_json.status, read(by_json)["error"]["code"]) == (503, "prefect_unavailable")
    for each in (shown, started, by_json):
        assert PASSWORD.encode() not in each.body and OPERATE.encode() not in each.body


@pytest.fixture
def hung() -> Any:
    event = Event()
    yield event
    event.set()


def test_a_prefect_that_hangs_takes_nothing_else_with_it(
    serve: Serve, away: dict[str, str], monkeypatch: pytest.MonkeyPatch, hung: Event
):
    tiny = CallPool("Prefect", threads=1, waiting=0, seconds=0.1)
    for name in ("newest", "start"):
        monkeypatch.setattr(PrefectRuns, name, lambda *_, **__: hung.wait(30) and [])
    monkeypatch.setattr(application, "make_pools", lambda: {**make_pools(), Runs.PREFECT: tiny})
    ask = serve(TOKENS, prefect=away)

    late, refused = (ask(f"{PATH}/runs", json={"flow": "monitor"}, **PROGRAM) for _ in range(2))
    by_form, shown = ask(f"{PATH}/start", RETRAIN, **OPERATOR), ask(PATH, **OPERATOR)

    assert [late.status, refused.status, by_form.status, shown.status] == [504, 503, 503, 200]
    assert b"too many requests at once wait for Prefect" in shown.body
    assert ask("/readyz").status == 200


@pytest.mark.slow
def test_a_form_starts_one_run_however_often_it_is_sent(serve: Serve, prefect: PrefectServer):
    ask = serve(TOKENS, prefect=prefect.environ)
    (key,) = key_in(ask(PATH, **OPERATOR))
    before = len(prefect.runs(SCENARIO))

    first, second = (ask(f"{PATH}/start", {"flow": "retrain", "key": key}, **OPERATOR) for _ in range(2))
    shown = ask(location(first).partition("#")[0], **OPERATOR).body.decode()

    assert (first.status, location(first)) == (303, location(second))
    assert len(prefect.runs(SCENARIO)) == before + 1
    run_id = re.search(r"run=([0-9a-f-]+)#started", location(first))
    assert run_id
    link = f'<a href="{prefect.api_url.removesuffix("/api")}/runs/flow-run/{run_id[1]}">retrain flowers</a>'
    assert f"Started: {link}." in shown and f"{link}: <b>Scheduled</b>" in shown
    assert "Started: " not in ask(f"{PATH}?run=%3Cb%3E", **OPERATOR).body.decode()


@pytest.mark.slow
@pytest.mark.parametrize("search", [True, False])
def test_a_retraining_searches_other_recipes_where_that_is_ticked(serve: Serve, prefect: PrefectServer, search: bool):
    ask = serve(TOKENS, prefect=prefect.environ)
    (key,) = key_in(ask(PATH, **OPERATOR))

    started = ask(f"{PATH}/start", {**RETRAIN, "key": key, **({"search": "yes"} if search else {})}, **OPERATOR)

    (made,) = [each for each in prefect.runs(SCENARIO) if each["id"] in location(started)]
    reason = "started by hand, on the page of the service"
    assert made["parameters"] == {"scenario": SCENARIO, "search": search, "reason": reason}


@pytest.mark.slow
def test_an_application_starts_a_run_once_for_each_of_its_keys_and_sees_how_it_stands(
    serve: Serve, prefect: PrefectServer
):
    ask = serve(TOKENS, prefect=prefect.environ)
    wanted: dict[str, Any] = {"json": {"flow": "retrain", "search": True}, **PROGRAM}

    first, again = (read(ask(f"{PATH}/runs", **wanted, idempotency_key="label-backfill")) for _ in range(2))
    without = [read(ask(f"{PATH}/runs", **wanted)) for _ in range(2)]
    listed = read(ask(f"{PATH}/runs", **PROGRAM))

    assert (first["new"], again["new"], first["run"]["id"]) == (True, False, again["run"]["id"])
    assert (first["scenario"], first["run"]["name"], first["run"]["state"]) == (
        SCENARIO,
        "retrain flowers",
        "Scheduled",
    )
    assert len({first["run"]["id"], *(each["run"]["id"] for each in without)}) == 3
    assert [each["id"] for each in listed["runs"][:3]] == [each["run"]["id"] for each in (*without[::-1], first)]


@pytest.mark.slow
def test_the_one_scenario_of_a_service_is_asked_by_the_short_path(serve: Serve, prefect: PrefectServer):
    started = serve(TOKENS, prefect=prefect.environ)("/runs", json={"flow": "monitor"}, **PROGRAM)

    assert read(started)["run"]["name"] == "monitor flowers"


@pytest.mark.slow
def test_what_a_run_came_to_is_shown_as_text(serve: Serve, prefect: PrefectServer):
    ask = serve(TOKENS, prefect=prefect.environ)
    run = read(ask(f"{PATH}/runs", json={"flow": "monitor"}, **PROGRAM))["run"]
    state = {"type": "COMPLETED", "name": "<i>Refused</i>", "message": "<script>no better</script>"}
    prefect.post(f"/flow_runs/{run['id']}/set_state", {"state": state, "force": True})

    shown = ask(PATH, **OPERATOR).body

    assert b"<b>&lt;i&gt;Refused&lt;/i&gt;</b>" in shown
    assert b"&lt;script&gt;no better&lt;/script&gt;" in shown


@pytest.mark.slow
def test_a_scenario_that_is_not_offered_yet_is_a_matter_of_the_fleet(
    serve: Serve, prefect: PrefectServer, tmp_path: Path
):
    described = tmp_path / "project" / "scenarios"
    (described / "tulips").mkdir()
    (described / "tulips" / "params.yaml").write_bytes((described / SCENARIO / "params.yaml").read_bytes())

    refused = serve(TOKENS, prefect=prefect.environ)("/scenarios/tulips/runs", json={"flow": "retrain"}, **PROGRAM)

    assert (refused.status, read(refused)["error"]["code"]) == (503, "no_deployment")
    assert "does not offer retrain for tulips yet" in read(refused)["error"]["message"]
