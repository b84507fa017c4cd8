"""The guide's pages, asked as a browser asks; the run behind them is a Prefect of the test's own."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from releve.adapters.prefect.api import PrefectApi, PrefectRuns
from releve.core.settings import Settings
from releve.guide.app import COOKIE, Guide
from tests.events import make_challenger
from tests.factories import SCENARIO, make_project, make_stored_model
from tests.projects import Project, fresh_project
from tests.serving.conftest import registry_of, release_first
from tests.tasks.test_guided import TABLE

KEY = "the-key-of-this-test"


@pytest.fixture(scope="module")
def project(work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    fresh = fresh_project(work_dir)
    return fresh.copy(tmp_path_factory.mktemp("guide"))


@pytest.fixture
def guide(project: Project) -> Guide:
    nobody = PrefectRuns(PrefectApi("http://127.0.0.1:9/api"), ui="", seconds=0.1)
    return Guide(project.settings, KEY, nobody, lambda: None)


@pytest.fixture
def stranger(guide: Guide) -> Iterator[TestClient]:
    with TestClient(guide.app(), base_url="http://127.0.0.1:3001", follow_redirects=False) as client:
        yield client


@pytest.fixture
def person(stranger: TestClient) -> TestClient:
    stranger.cookies.set(COOKIE, KEY)
    return stranger


def upload(person: TestClient, table: bytes = TABLE, name: str = "left.csv") -> str:
    answer = person.post("/tables", files={"file": (name, table)})
    assert answer.status_code == 303
    return answer.headers["location"]


def choose(person: TestClient, place: str, **changes: str) -> None:
    form = {"scenario": "left", "target": "left", "time": "day", "id": ""} | changes
    assert person.post(place, data=form).headers["location"] == f"{place}/questions"


@pytest.mark.parametrize("path", ["/", "/tables/0123456789abcdef", "/scenarios/digits", "/scenarios/digits/card"])
def test_who_holds_no_key_sees_nothing(stranger, path):
    assert stranger.get(path).headers["location"] == "/sign-in"
    assert stranger.post("/tables", files={"file": ("a.csv", TABLE)}).headers["location"] == "/sign-in"


def test_the_address_that_was_printed_opens_the_pages(stranger):
    answer = stranger.get(f"/sign-in?key={KEY}")

    assert answer.headers["location"] == "/"
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=strict" in answer.headers["set-cookie"]
    assert "Which table do you have?" in stranger.get("/").text


def test_another_key_opens_nothing(stranger):
    answer = stranger.post("/sign-in", data={"key": "guess"})

    assert answer.status_code == 403
    assert "That is not the key" in answer.text
    assert "set-cookie" not in answer.headers


def test_a_name_that_is_not_this_machines_own_is_refused(person):
    assert person.get("/", headers={"host": "evil.example:3001"}).status_code == 400


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-site"}, {"origin": "http://127.0.0.1:8000"}])
def test_a_page_of_another_port_of_this_machine_sends_nothing(person, headers):
    answer = person.post("/tables", files={"file": ("a.csv", TABLE)}, headers=headers)

    assert answer.status_code == 403


def test_a_page_runs_no_script_and_lets_nobody_frame_it(person):
    policy = person.get("/").headers["content-security-policy"]

    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self'" in policy
    assert "<script" not in person.get("/").text


def test_what_a_table_holds_is_shown_as_text(person):
    table = b"<script>alert(1)</script>,left\n" + b"<img src=x>,yes\nb,no\n" * 20
    shown = person.get(upload(person, table)).text

    assert "<script>" not in shown
    assert "<img" not in shown
    assert "&lt;img src=x&gt;" in shown


def test_what_was_understood_and_what_is_doubted_stands_on_a_page(person):
    place = upload(person)
    choose(person, place)
    shown = person.get(f"{place}/questions").text

    assert "You want to know left in advance: one of no, yes." in shown
    assert "When you want to know left, do you know refund already?" in shown
    assert re.search(r'value="leave" checked', shown)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"target": ""}, "no column was chosen"),
        ({"scenario": "../left"}, "the scenario name"),
        ({"scenario": "digits"}, "scenarios/digits exists already; choose another name"),
    ],
)
def test_a_choice_that_is_none_is_refused_in_words_before_any_question(person, changes, says):
    place = upload(person)
    form = {"scenario": "left", "target": "left", "time": "day", "id": ""} | changes
    answer = person.post(place, data=form)

    assert answer.status_code in (400, 409)
    assert says in answer.text


def test_a_column_that_is_not_there_is_refused_in_words(person):
    place = upload(person)
    choose(person, place, target="right")
    answer = person.get(f"{place}/questions")

    assert answer.status_code == 400
    assert f'<a href="{place}">Back</a>' in answer.text
    assert "the target &#39;right&#39; is no column of the file" in answer.text


def test_no_file_and_a_file_that_is_no_table_are_refused_in_words(person):
    nothing = person.post("/tables", files={"file": ("", b"")})
    pickle = person.post("/tables", files={"file": ("model.pkl", b"x")})
    empty = [person.post("/tables", files={"file": ("empty.csv", each)}) for each in (b"", b"day,left\n")]

    assert {each.status_code for each in (nothing, pickle, *empty)} == {400}
    assert "no file was chosen" in nothing.text
    assert all("empty.csv" in each.text for each in empty)
    assert "empty.csv" not in person.get("/").text
    assert "is no table by its name" in pickle.text


def test_a_scenario_that_nobody_began_has_no_pages(person):
    watched, card = person.get("/scenarios/nobodys"), person.get("/scenarios/nobodys/card")

    assert (watched.status_code, card.status_code) == (404, 404)
    assert all("there is no scenario nobodys; there are: digits" in each.text for each in (watched, card))
    assert '<a href="/">Back</a>' in watched.text


def test_a_card_may_be_styled_by_itself_and_do_nothing_else(tmp_path):
    settings = Settings.from_environ({"RELEVE_HOME": str(tmp_path)}, cwd=make_project(tmp_path))
    stored = make_stored_model(tmp_path, "one")
    with closing(registry_of(tmp_path)) as registry:
        registry.append(SCENARIO, make_challenger(model=stored.tag), reason="a test", actor="tests")
    release_first(tmp_path, stored)
    nobody = PrefectRuns(PrefectApi("http://127.0.0.1:9/api"), ui="", seconds=0.1)
    app = Guide(settings, KEY, nobody, lambda: None).app()

    with TestClient(app, base_url="http://127.0.0.1:3001", cookies={COOKIE: KEY}) as person:
        card = person.get(f"/scenarios/{SCENARIO}/card")

    policy = card.headers["content-security-policy"]
    assert (card.status_code, "flowers:one" in card.text) == (200, True)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'") and "frame-ancestors 'none'" in policy
    assert "script" not in policy


def test_what_was_begun_is_offered_again(person):
    place = upload(person, name="later.csv")

    assert f'<a href="{place}">later.csv</a>' in person.get("/").text


def test_prefect_that_is_away_is_said_and_the_scenario_is_not_lost(person):
    place = upload(person, name="away.csv")
    choose(person, place, scenario="away")
    questions = person.get(f"{place}/questions").text
    said = dict(re.findall(r'name="(\w{12})" value="([\w-]+)" checked', questions))
    with ThreadPoolExecutor(2) as twice:  # as by two clicks
        answer, other = twice.map(lambda _: person.post(f"{place}/questions", data=said), range(2))

    assert (answer.status_code, other.status_code) == (503, 503)
    assert "Prefect does not answer" in answer.text
    assert f"{place}/questions" in person.get("/").text
