"""Runs in a real Prefect server, and what is said where there is none, or another program."""

import socket
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from releve.adapters.prefect import api as prefect_api
from releve.adapters.prefect.api import NoDeployment, PrefectApi, PrefectRuns, PrefectUnavailable, authorization_of
from releve.core.errors import BadInput
from releve.core.settings import LOOPBACK, Settings
from tests.prefect_server import PrefectServer
from tests.receivers import Receiver, receiving
from tests.serving.process import free_port

RETRAIN = {"search": True, "reason": "a test"}


def settings_of(**environ: str) -> Settings:
    return Settings.from_environ(environ, cwd=Path("/somewhere"))


def runs_of(**environ: str) -> PrefectRuns:
    runs = PrefectRuns.of(settings_of(**environ))
    assert runs is not None
    return runs


def soon() -> float:
    return time.monotonic() + 5


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["digits", "flowers"])
def test_a_run_is_started_with_its_parameters_and_listed(prefect: PrefectServer, scenario: str):
    runs = runs_of(**prefect.environ)

    run, new = runs.start(scenario, "retrain", RETRAIN, key="listed")

    assert new
    assert (run.name, run.state) == (f"retrain {scenario}", "Scheduled")
    assert run.url == f"{prefect.api_url.removesuffix('/api')}/runs/flow-run/{run.id}"
    (made,) = [each for each in prefect.runs(scenario) if each["id"] == run.id]
    assert made["parameters"] == {"scenario": scenario, **RETRAIN}
    assert {*made["tags"]} >= {"started-by-service", f"scenario:{scenario}", "reason:by-hand"}
    assert run.id in [each.id for each in runs.newest(scenario, most=5)]


@pytest.mark.slow
def test_a_key_starts_one_run_of_each_scenario_and_flow(prefect: PrefectServer):
    runs = runs_of(**prefect.environ)

    first, new = runs.start("digits", "retrain", RETRAIN, key="once")
    again, new_again = runs.start("digits", "retrain", RETRAIN, key="once")
    others = [runs.start(*other, key="once") for other in (("digits", "monitor", {}), ("flowers", "retrain", RETRAIN))]

    assert (new, new_again, first.id) == (True, False, again.id)
    assert all(new for _, new in others)
    assert len({first.id, *(run.id for run, _ in others)}) == 3


@pytest.mark.slow
def test_runs_are_listed_by_scenario_the_newest_first(prefect: PrefectServer):
    runs = runs_of(**prefect.environ)
    ids = [runs.start("flowers", "monitor", {}, key=key)[0].id for key in ("a", "b", "c")]

    assert [each.id for each in runs.newest("flowers", most=2)] == [ids[2], ids[1]]
    assert runs.newest("tulips", most=2) == []


@pytest.mark.slow
def test_a_flow_that_is_not_deployed_is_a_matter_of_make_up(prefect: PrefectServer):
    with pytest.raises(NoDeployment, match="no deployment of rollback: run `make up`"):
        runs_of(**prefect.environ).start("digits", "rollback", {}, key="a")


@pytest.mark.slow
def test_a_scenario_that_is_not_offered_yet_is_a_matter_of_the_fleet(prefect: PrefectServer):
    with pytest.raises(NoDeployment, match="does not offer retrain for tulips yet: the flow fleet"):
        runs_of(**prefect.environ).start("tulips", "retrain", RETRAIN, key="a")


@pytest.mark.slow
def test_a_run_that_is_not_a_persons_has_its_own_tags(prefect: PrefectServer):
    run, _ = runs_of(**prefect.environ).start("digits", "monitor", {}, key="fleet", tags=("fleet",), reason="files")

    [made] = [each for each in prefect.runs("digits") if each["id"] == run.id]
    assert {*made["tags"]} >= {"scenario:digits", "reason:files", "fleet"}
    assert "started-by-service" not in made["tags"]


@pytest.mark.slow
def test_what_prefect_says_of_a_refused_run_is_passed_on(prefect: PrefectServer):
    with pytest.raises(PrefectUnavailable, match=r"create_flow_run with 409: .*'perhaps' is not of type"):
        runs_of(**prefect.environ).start("digits", "retrain", {"search": "perhaps"}, key="a")


@pytest.mark.slow
@pytest.mark.parametrize("environ", [{}, {"PREFECT_API_AUTH_STRING": "a:guess"}, {"PREFECT_API_KEY": "a-guess"}])
def test_a_wrong_password_is_named_by_its_variable_and_not_repeated(prefect: PrefectServer, environ: dict[str, str]):
    runs = runs_of(PREFECT_API_URL=prefect.api_url, **environ)

    with pytest.raises(PrefectUnavailable, match="does not know who asks: set PREFECT_API_AUTH_STRING") as caught:
        runs.newest("digits", most=1)

    assert "guess" not in str(caught.value)


@pytest.mark.slow
def test_a_server_that_wants_csrf_tokens_gets_them(prefect: PrefectServer):
    authorization = authorization_of(settings_of(**prefect.environ))
    wanted = httpx.post(f"{prefect.api_url}/flows/", json={"name": "a"}, headers=authorization)
    assert wanted.status_code == 403, wanted.text

    stale = {"prefect-csrf-client": "somebody", "prefect-csrf-token": "of yesterday"}
    for headers in (authorization, authorization | stale):
        api = PrefectApi(prefect.api_url, headers=headers)
        made = [api.ask("POST", "/flows/", {"name": name}, until=time.monotonic() + 60) for name in ("a", "b")]
        assert [answer.json()["name"] for answer in made] == ["a", "b"]


def test_where_nobody_answers_the_address_is_named_without_its_password():
    port = free_port()
    runs = runs_of(PREFECT_API_URL=f"http://ana:sesame@{LOOPBACK}:{port}/api")

    with pytest.raises(PrefectUnavailable, match=f"does not answer at {LOOPBACK}:{port} .*`make up`") as caught:
        runs.newest("digits", most=1)

    assert "sesame" not in str(caught.value)


def test_a_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prefect_api, "ANSWER_SECONDS", 0.2)
    with socket.create_server((LOOPBACK, 0)) as silent:
        runs = runs_of(PREFECT_API_URL=f"http://{LOOPBACK}:{silent.getsockname()[1]}/api")

        with pytest.raises(PrefectUnavailable, match="does not answer"):
            runs.newest("digits", most=1)


def test_a_server_that_is_busy_is_asked_again_and_in_the_end_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prefect_api, "BUSY_SECONDS", 0.01)
    with receiving(Receiver(503, 503, 204)) as busy:
        assert PrefectApi(busy.url).ask("POST", "/a", {}, until=soon()).status_code == 204
        assert [path.rpartition("/")[2] for path, _ in busy.heard] == ["a", "a", "a"]
        busy.script = [503]
        with pytest.raises(PrefectUnavailable, match=r"answered POST .* with 503"):
            PrefectApi(busy.url).ask("POST", "/a", {}, until=time.monotonic() + 0.005)


@pytest.mark.parametrize(
    ("status", "says"), [(200, "is no Prefect server.*ends with /api"), (302, "with 302"), (404, "with 404")]
)
def test_another_program_than_prefect_is_told_from_it(status: int, says: str):
    with receiving(Receiver(status)) as other, pytest.raises(PrefectUnavailable, match=says):
        PrefectApi(other.url).ask("POST", "/deployments/filter", {}, until=soon())


@pytest.mark.parametrize(
    ("api", "ui"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200"),
        ("http://127.0.0.1:4200/api/", "http://127.0.0.1:4200"),
        ("https://ana:sesame@prefect.example/base/api", "https://prefect.example/base"),
        (
            "https://api.prefect.cloud/api/accounts/one/workspaces/two",
            "https://app.prefect.cloud/account/one/workspace/two",
        ),
    ],
)
def test_people_look_where_prefect_itself_would_send_them(api: str, ui: str):
    assert prefect_api.ui_of(settings_of(PREFECT_API_URL=api)) == ui
    named = settings_of(PREFECT_API_URL=api, PREFECT_UI_URL="https://runs.example/")
    assert prefect_api.ui_of(named) == "https://runs.example"


def test_without_an_address_nothing_is_started():
    assert PrefectRuns.of(settings_of(PREFECT_API_KEY="a-key")) is None


@pytest.mark.parametrize("name", ["prefect_api_url", "prefect_ui_url"])
@pytest.mark.parametrize("address", ["sesame:4200/api", "javascript:sesame", "http://[sesame", "http://se same/"])
def test_what_is_no_address_is_refused_by_its_variable(name: str, address: str):
    settings = replace(settings_of(PREFECT_API_URL="http://127.0.0.1:4200/api"), **{name: address})

    with pytest.raises(BadInput, match=f"^{name.upper()} is no address; expected one such as") as caught:
        PrefectRuns.of(settings)

    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        ({}, {}),
        ({"PREFECT_API_KEY": "pnu_1"}, {"authorization": "Bearer pnu_1"}),
        ({"PREFECT_API_AUTH_STRING": "a:b"}, {"authorization": "Basic YTpi"}),
        ({"PREFECT_API_AUTH_STRING": "a:b", "PREFECT_API_KEY": "pnu_1"}, {"authorization": "Basic YTpi"}),
    ],
)
def test_who_asks_is_said_as_prefects_own_client_says_it(environ: dict[str, str], sent: dict[str, str]):
    assert prefect_api.authorization_of(settings_of(**environ)) == sent
