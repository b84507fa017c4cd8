"""What the page shows and refuses, in process: a real registry, real models, no index."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, current_thread
from typing import Any

import pytest
import yaml

from releve.adapters.models.model_store import ModelStore
from releve.domain.approval.people import TOKEN_BYTES, token_hash, token_of
from releve.domain.registry.events import ModelReleased
from releve.domain.schema.schema import Schema
from releve.domain.schema.validation import check_frame
from releve.serving import application
from releve.serving.page import routes as page
from releve.serving.page.forms import fields_of, grid_of, row_of
from releve.serving.page.routes import prefers_html
from releve.serving.pools import CallPool, make_pools
from releve.serving.routes import Role, Runs
from releve.serving.scenarios import scenario
from releve.serving.scenarios.scenarios import Scenarios
from tests.factories import SCENARIO, TABLE, make_release, make_row, make_schema, make_stored_model
from tests.serving.conftest import registry_of, release_first
from tests.serving.page.conftest import OPERATE, READ, Ask, location
from tests.serving.tables import packed
from tests.tables import RENTALS, RENTALS_TABLE, rentals_row, rentals_rows

TOKENS = {Role.READ: READ, Role.OPERATE: OPERATE}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PATH = f"/scenarios/{SCENARIO}"
TINY: dict[str, Any] = {"threads": 1, "waiting": 1, "seconds": 0.1}


@pytest.fixture
def ask(serve: Callable[..., Ask], tmp_path: Path) -> Ask:
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    return serve()


@pytest.fixture
def hung() -> Iterator[Event]:
    """What hangs waits for it; it goes on after the test."""
    event = Event()
    yield event
    event.set()


def serves(home: Path) -> str:
    with closing(registry_of(home)) as registry:
        current = registry.current(SCENARIO)
    assert current is not None
    return current.release.model


def filled(row: dict) -> dict[str, str]:
    return {f"feature.{name}": "" if value is None else str(value) for name, value in row.items()}


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("TEXT/HTML", True),
        ("text/html;q=0.9;x=2, application/json;q=.5", True),
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/html", False),
        ("text/html;q=0.5, application/json;q=0.9", False),
        ("text/html;q=what", False),
    ],
)
def test_a_browser_gets_html_and_everybody_else_json(accept: str, html: bool):
    assert prefers_html(accept) is html


def test_the_root_lists_what_is_served_in_both_forms(ask: Ask):
    assert b'"model_version":"flowers:one"' in ask("/").body
    shown = ask("/", accept=BROWSER)
    assert shown.media_type.startswith(b"text/html")
    assert b'<a href="/scenarios/flowers">flowers</a>' in shown.body


def test_a_form_has_an_input_for_every_feature_with_what_it_may_hold(ask: Ask):
    shown = ask(PATH).body.decode()

    assert 'name="feature.length" type="number" step="any" value="0" min="0" max="10" required' in shown
    assert 'name="feature.weight" type="number" step="any" value="0">' in shown
    assert re.findall(r"<option(?: selected)?>(\w+)", shown) == ["blue", "red", "white"]


def test_a_row_is_answered_and_shown_again(ask: Ask):
    shown = ask(PATH, filled(make_row(length=9.5, weight=None)))

    text = shown.body.decode()
    assert shown.status == 200
    assert "kind: <output>2</output>" in text
    assert text.count("<rect width=") == 3
    assert 'name="feature.length" type="number" step="any" value="9.5"' in text
    assert "served without an index" in text


def test_beside_an_answer_stands_what_moved_it_and_what_would_change_it(ask: Ask):
    text = ask(PATH, filled(make_row(length=3.0))).body.decode()

    assert "What moved the answer" in text and "The probability of <b>0</b> is <b>0.6" in text
    moved = re.findall(r'<th scope="row">(\w+)</th><td>(.*?)</td><td class="figure">([-+][0-9.e-]+)</td>', text)
    assert {feature: cell for feature, cell, _ in moved} == {
        "length": "3",
        "width": "2.5",
        "weight": "1",
        "colour": "red",
    }
    assert moved[0][0] == "length" and 'class="down"' in text
    assert re.search(r"<li><b>length</b> as <b>3.461</b>: then 1 \(51%\)</li>", text)


@pytest.mark.parametrize(("role", "is_shown"), [(Role.READ, False), (Role.EXPLAIN, True), (Role.OPERATE, True)])
def test_an_explanation_is_shown_to_who_may_ask_for_one(
    serve: Callable[..., Ask], tmp_path: Path, role: Role, is_shown: bool
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    tokens = {**TOKENS, Role.EXPLAIN: "a-token-to-explain-with"}
    ask = serve(tokens)

    shown = ask(PATH, filled(make_row()), cookie=f"releve_token={tokens[role]}")

    assert shown.status == 200 and (b"What moved the answer" in shown.body) == is_shown


def test_an_answer_is_shown_though_no_explanation_comes(
    serve: Callable[..., Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hung: Event
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    monkeypatch.setattr(page, "EXPLAIN_SECONDS", 0.1)
    monkeypatch.setattr(page, "explain_row", lambda *asked, **how: hung.wait())

    text = serve()(PATH, filled(make_row(length=9.5))).body.decode()

    assert "kind: <output>2</output>" in text
    assert "There is none now: the explanation gave no answer within 0.1 seconds" in text


def test_a_pasted_row_is_answered_like_a_filled_form(ask: Ask):
    shown = ask(PATH, {"row": '{"rows": [{"length": 9.5, "width": 1, "weight": null, "colour": "red"}]}'})

    assert b"kind: <output>2</output>" in shown.body


@pytest.mark.parametrize(
    ("form", "says"),
    [
        (filled(make_row(length=11)), "length is 11, expected at most 10"),
        (filled(make_row(length="long")), "expected a number"),
        (filled(make_row(length=None)), "length is empty, expected a value"),
        (filled(make_row(colour="<script>")), "&lt;script&gt;"),
        (filled(make_row(**{"<i>": "1"})), "&lt;i&gt;"),
        ({}, "length"),
        ({"row": "[1, 2"}, "the row is not JSON"),
        ({"row": "7"}, "expected an object of feature names"),
        ({"row": '{"rows": [{}, {}]}'}, "2 rows were pasted"),
    ],
)
def test_a_wrong_row_is_refused_by_column_and_nothing_of_it_becomes_markup(ask: Ask, form: dict[str, str], says: str):
    shown = ask(PATH, form)

    text = shown.body.decode()
    assert shown.status in (400, 413)
    assert says in text
    assert "<script>" not in text and "<i>" not in text


def test_a_number_is_answered_with_its_interval(serve: Callable[..., Ask], tmp_path: Path):
    frame = check_frame(Schema.from_dict(RENTALS_TABLE), rentals_rows(200)).accepted
    folder = packed(tmp_path / "made" / RENTALS, RENTALS_TABLE, frame)
    stored = ModelStore(tmp_path).save(folder, scenario=RENTALS, version="one", labels={})
    described = tmp_path / "project" / "scenarios" / RENTALS
    described.mkdir()
    (described / "params.yaml").write_text(yaml.safe_dump(RENTALS_TABLE))
    registry = registry_of(tmp_path)
    registry.move(RENTALS, ModelReleased(release=make_release(stored)), expected=None, reason="", actor="tests")
    registry.close()
    ask = serve()
    shown = ask(f"/scenarios/{RENTALS}", filled(rentals_row(temperature=30.0))).body.decode()

    assert re.search(r"<output>[0-9.]+</output>", shown), shown
    assert re.search(r"between <b>[0-9.]+</b> and <b>[0-9.]+</b>", shown)
    assert 'type="datetime-local"' in shown
    assert "<textarea" in shown


def test_a_date_is_filled_in_as_a_browser_takes_it_whatever_its_zone():
    schema = Schema.from_dict(RENTALS_TABLE)

    def filled_in(day: str) -> str:
        return next(each.value for each in fields_of(schema, rentals_row(day=day)) if each.kind == "date")

    assert filled_in("2024-07-06T10:30:00.5+02:00") == "2024-07-06T08:30:00"
    assert filled_in("yesterday") == ""


@pytest.mark.parametrize("weight", [str(2**64), "9" * 200, "1e400"])
def test_a_number_beyond_whole_ones_is_answered_or_refused(ask: Ask, weight: str):
    filled = {f"feature.{name}": str(value) for name, value in make_row(weight=weight).items()}

    assert ask(PATH, filled).status in (200, 400)


def test_a_pasted_row_that_is_nested_deeply_is_refused(ask: Ask):
    assert ask(PATH, {"row": '{"length": ' + "[" * 1000 + "]" * 1000 + "}"}).status == 400


def test_a_pasted_row_that_is_refused_stays_as_it_was(ask: Ask):
    shown = ask(PATH, {"row": '{"length": "</textarea>"'}).body.decode()

    assert "{&#34;length&#34;: &#34;&lt;/textarea&gt;&#34;</textarea>" in shown


def test_while_the_registry_is_away_rows_are_answered_without_a_history(ask: Ask, tmp_path: Path):
    assert ask(PATH).status == 200
    for each in tmp_path.glob("registry.db*"):
        each.unlink()
    (tmp_path / "registry.db").mkdir()

    shown = ask(PATH, filled(make_row()))

    assert shown.status == 200
    assert b"<output>" in shown.body and shown.body.count(b"The registry cannot be reached now.") == 3


def test_a_registry_that_hangs_takes_neither_the_page_nor_readiness_with_it(
    serve: Callable[..., Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hung: Event
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    monkeypatch.setattr(Scenarios, "newest_events", lambda *_, **__: hung.wait(30) and [])
    monkeypatch.setattr(application, "make_pools", lambda: {**make_pools(), Runs.REGISTRY: CallPool("it", **TINY)})
    ask = serve()
    assert ask(PATH).status == 200

    shown = ask(PATH, filled(make_row()))

    assert shown.status == 200 and b"<output>" in shown.body
    assert shown.body.count(b"The registry cannot be reached now.") == 3
    assert ask("/readyz").status == 200


def test_a_page_says_where_its_style_and_script_come_from_and_both_are_there(ask: Ask):
    shown = ask(PATH)

    policy = dict(shown.headers)[b"content-security-policy"].decode()
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy and "unsafe" not in policy
    assert not re.search(rb"(?:src|href)=\"(?:https?:)?//", shown.body)
    assert b" style=" not in shown.body and b" onclick=" not in shown.body
    for name, media in (("page.css", b"text/css"), ("page.js", b"text/javascript")):
        assert re.search(rf'"/{name}\?[0-9a-f]{{12}}"', shown.body.decode())
        assert ask(f"/{name}").media_type.startswith(media)


def test_a_scenario_that_is_not_served_has_a_page_that_says_so(ask: Ask):
    shown = ask("/scenarios/%3Cb%3E")

    assert (shown.status, shown.media_type[:9]) == (404, b"text/html")
    assert b"no scenario of that name" in shown.body


@pytest.mark.parametrize(
    "headers",
    [{"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"origin": "http://evil.example", "host": "a"}],
)
def test_a_form_of_another_site_is_refused(ask: Ask, headers: dict[str, str]):
    assert ask(PATH, filled(make_row()), **headers).status == 403


def test_with_tokens_the_page_asks_for_one_and_keeps_it_for_its_own_paths(serve: Callable[..., Ask], tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    ask = serve(TOKENS)

    assert ask("/").status == ask("/", accept=BROWSER).status == ask(PATH).status == 401
    assert ask("/sign-in", {"token": "a guess", "to": PATH}).status == 401
    signed = ask("/sign-in", {"token": READ, "to": PATH})
    cookie = dict(signed.headers)[b"set-cookie"].decode()
    assert (signed.status, location(signed)) == (303, PATH)
    assert "HttpOnly; SameSite=Strict" in cookie
    sent = cookie.partition(";")[0]
    assert ask(PATH, cookie=sent).status == 200
    assert ask(f"{PATH}/status", cookie=sent).status == 401
    assert location(ask("/sign-in", {"token": READ, "to": "//evil.example/scenarios/a"})) == "/scenarios/a"
    assert location(ask("/sign-in", {"token": READ, "to": "https://evil.example"})) == "/"
    assert b"Max-Age=0" in dict(ask("/sign-in", {}).headers)[b"set-cookie"]


@pytest.mark.parametrize("typed", [READ, f" {READ} ", f"Bearer {READ}", f"bearer  {READ}"])
def test_what_was_typed_in_is_kept_whatever_other_cookies_there_are(
    serve: Callable[..., Ask], tmp_path: Path, typed: str
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    ask = serve(TOKENS)

    cookie = dict(ask("/sign-in", {"token": typed}).headers)[b"set-cookie"].decode().partition(";")[0]

    assert cookie == f"releve_token={READ}"
    assert ask(PATH, cookie=f'_x={{"a":"b, c"}}; [other=1; {cookie}').status == 200


def test_a_cookie_of_before_hinders_neither_a_new_one_nor_a_header(serve: Callable[..., Ask], tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    ask, stale = serve(TOKENS), "releve_token=a-token-of-yesterday"

    assert ask(PATH, cookie=stale).status == 401
    assert ask(PATH, cookie=stale, authorization=f"Bearer {READ}").status == 200
    assert ask(PATH, cookie=f"releve_token={READ}", authorization="Basic of-a-proxy").status == 200


@pytest.mark.parametrize("token", ["\u20ac", "\u00e9" * 20, "x\r\nset-cookie: a=b"])
def test_a_token_of_any_letters_opens_nothing_and_fails_nowhere(serve: Callable[..., Ask], tmp_path: Path, token: str):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))

    assert serve(TOKENS)("/sign-in", {"token": token}).status == 401
    signed = serve()("/sign-in", {"token": token})
    assert (signed.status, [name for name, _ in signed.headers]) == (303, [b"location"])


def test_a_stranger_is_asked_to_sign_in_before_a_form_is_read(serve: Callable[..., Ask], tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    too_large = {"row": "x" * application.MAX_BODY_BYTES}
    ask = serve(TOKENS)

    assert ask(PATH, too_large).status == 401
    assert ask(PATH, too_large, cookie=f"releve_token={READ}").status == 413


def test_nobody_sends_a_large_form_where_a_short_one_is_expected(serve: Callable[..., Ask], tmp_path: Path):
    ask = serve(TOKENS)

    assert ask("/sign-in", {"token": "x" * 4_000}).status == 401
    assert ask("/sign-in", {"token": "x" * 5_000}).status == 413
    for path in (f"{PATH}/rollback", f"{PATH}/start"):
        assert ask(path, {"reason": "x" * 5_000}).status == 401
        assert ask(path, {"reason": "x" * 5_000}, cookie=f"releve_token={OPERATE}").status == 413


def test_a_row_is_read_and_its_page_written_outside_of_the_event_loop(ask: Ask, monkeypatch: pytest.MonkeyPatch):
    threads: dict[str, str] = {}

    def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*arguments: Any, **named: Any) -> Any:
            threads[name] = current_thread().name
            return function(*arguments, **named)

        return noted

    for place, name in ((page, "values_of"), (page, "row_of"), (scenario, "check_rows"), (page.views, "page")):
        monkeypatch.setattr(place, name, noting(name, getattr(place, name)))

    assert ask(PATH, filled(make_row())).status == 200
    assert len(threads) == 4 and all(each.startswith("releve the model") for each in threads.values()), threads


def test_each_request_of_the_page_costs_one_of_its_tokens_rate(serve: Callable[..., Ask], tmp_path: Path):
    for version, seed in (("one", 7), ("two", 8)):
        release_first(tmp_path, make_stored_model(tmp_path, version, seed=seed))
    now = [0.0]
    ask, operator = serve(TOKENS, rate=1, clock=lambda: now[0]), {"cookie": f"releve_token={OPERATE}"}
    wanted = {"model": "flowers:two", "reason": "it errs"}

    shown = ask(PATH, **operator)
    at_once = ask(f"{PATH}/rollback", wanted, **operator)
    now[0] = 1.0
    moved = ask(f"{PATH}/rollback", wanted, **operator)

    assert shown.status == 200 and b"Roll back to flowers:one" in shown.body
    assert (at_once.status, moved.status) == (429, 303)


def test_only_the_operator_rolls_back_and_only_what_was_looked_at(serve: Callable[..., Ask], tmp_path: Path):
    for version, seed in (("one", 7), ("two", 8)):
        release_first(tmp_path, make_stored_model(tmp_path, version, seed=seed))
    ask, back = serve(TOKENS), f"{PATH}/rollback"
    operator = {"cookie": f"releve_token={OPERATE}"}
    wanted = {"model": "flowers:two", "reason": "it errs"}

    assert ask(back, wanted).status == 401
    assert ask(back, wanted, cookie=f"releve_token={READ}").status == 403
    assert ask(back, wanted, **operator, sec_fetch_site="cross-site").status == 403
    assert ask(back, {**wanted, "reason": " "}, **operator).status == 400
    assert ask(back, {**wanted, "model": "flowers:one"}, **operator).status == 409
    assert b"Roll back to flowers:one" in ask(PATH, **operator).body
    assert b"Roll back to" not in ask(PATH, cookie=f"releve_token={READ}").body
    moved = ask(back, wanted, **operator)
    assert (moved.status, location(moved)) == (303, PATH)
    assert b"flowers:one predicts" in ask(PATH, **operator).body


def test_a_rollback_is_told_once_it_is_in_the_registry_however_long_its_model_takes_to_serve(
    serve: Callable[..., Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hung: Event
):
    for version, seed in (("one", 7), ("two", 8)):
        release_first(tmp_path, make_stored_model(tmp_path, version, seed=seed))
    ask = serve(TOKENS)
    monkeypatch.setattr(Scenarios, "poll", lambda _: hung.wait(30) and [])
    monkeypatch.setattr(page, "FOLLOW_SECONDS", 0.1)

    moved = ask(f"{PATH}/rollback", {"model": "flowers:two", "reason": "it errs"}, cookie=f"releve_token={OPERATE}")

    assert moved.status == 303
    assert serves(tmp_path) == "flowers:one"


def test_a_rollback_that_is_answered_as_too_slow_has_moved_nothing(
    serve: Callable[..., Ask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for version, seed in (("one", 7), ("two", 8)):
        release_first(tmp_path, make_stored_model(tmp_path, version, seed=seed))
    monkeypatch.setattr(page, "PROOF_SECONDS", -1.0)
    back = f"{PATH}/rollback"

    refused = serve(TOKENS)(back, {"model": "flowers:two", "reason": "x"}, cookie=f"releve_token={OPERATE}")

    assert refused.status == 503 and b"nothing was moved" in refused.body
    assert serves(tmp_path) == "flowers:two"


def test_where_no_token_is_set_nobody_rolls_back_by_the_page(serve: Callable[..., Ask], tmp_path: Path):
    for version, seed in (("one", 7), ("two", 8)):
        release_first(tmp_path, make_stored_model(tmp_path, version, seed=seed))
    ask = serve()

    assert ask(f"{PATH}/rollback", {"model": "flowers:two", "reason": "it errs"}).status == 404
    assert b"make rollback SCENARIO=flowers" in ask(PATH).body


def pixels(*names: str, **limits: float) -> Schema:
    spec = {"type": "number", "min": 0, "max": 16, **limits}
    return Schema.from_dict({**TABLE, "columns": dict.fromkeys(names, spec)})


def test_a_square_of_pixels_can_be_drawn_on_whatever_its_origin_and_order():
    names = [f"pixel_{row}_{column}" for row in range(1, 5) for column in range(1, 5)]

    grid = grid_of(pixels(*reversed(names), "other"))

    assert grid is not None
    assert (list(grid.names), grid.side, grid.low, grid.high) == (names, 4, 0, 16)
    assert grid.inks([0.0, 8.0, 16.0, 99.0] * 4) == ((0.0, 0.5, 1.0, 1.0),) * 4


@pytest.mark.parametrize(
    "schema",
    [
        make_schema(),
        pixels(*[f"p_{row}_{column}" for row in range(4) for column in range(5)]),
        pixels(*[f"p_{row}_{column}" for row in range(4) for column in range(4)][:-1], "p_9_9"),
        pixels(*[f"p_{row}_{column}" for row in range(4) for column in range(4)], max=0),
    ],
)
def test_what_is_no_square_of_equal_cells_is_a_form_like_any_other(schema: Schema):
    assert grid_of(schema) is None


def test_a_column_may_be_called_like_a_field_of_the_page():
    schema = Schema.from_dict({**TABLE, "columns": {"row": {"type": "number"}, "token": {"type": "text"}}})

    assert row_of({"feature.row": "1.5", "feature.token": " x"}, schema) == {"row": 1.5, "token": " x"}


def test_an_operator_keeps_a_note_in_the_history_and_nothing_moves(serve: Callable[..., Ask], tmp_path: Path):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    ask, signed_in = serve(TOKENS), {"cookie": f"releve_token={OPERATE}"}

    kept = ask(f"{PATH}/note", {"text": "why <b>so</b> late?", "model": ""}, **signed_in)

    shown = ask(PATH, **signed_in).body.decode()
    assert (kept.status, location(kept)) == (303, f"{PATH}#history")
    assert "note of an operator on flowers" in shown and "why &lt;b&gt;so&lt;/b&gt; late?" in shown
    assert serves(tmp_path) == "flowers:one"


@pytest.mark.parametrize(("hashes", "by"), [("its own", "anna"), ("another's", "an operator")])
def test_a_note_is_by_the_person_whose_token_the_page_was_opened_with(
    serve: Callable[..., Ask], tmp_path: Path, hashes: str, by: str
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))
    token = token_of(b"\x01" * TOKEN_BYTES)
    known = token_hash(token if hashes == "its own" else token_of(b"\x02" * TOKEN_BYTES))
    ask, signed_in = serve({**TOKENS, Role.OPERATE: token}), {"cookie": f"releve_token={token}"}
    params = tmp_path / "project" / "params.yaml"
    values = yaml.safe_load(params.read_text())
    values["release"]["approvers"] = {"anna": known}
    params.write_text(yaml.safe_dump(values))

    ask(f"{PATH}/note", {"text": "prices were changed", "model": ""}, **signed_in)

    assert f"note of {by} on flowers" in ask(PATH, **signed_in).body.decode()


@pytest.mark.parametrize(
    ("form", "token", "status"),
    [
        ({"text": "x"}, READ, 403),
        ({"text": "x"}, "", 401),
        ({"text": ""}, OPERATE, 400),
        ({"text": "😀" * 1_000}, OPERATE, 303),
        ({"text": "x" * 1_001}, OPERATE, 400),
        ({"text": "x", "model": "flowers:none"}, OPERATE, 404),
        ({"text": "x", "model": "others:one"}, OPERATE, 400),
        ({"text": "x" * 20_000}, OPERATE, 413),
    ],
)
def test_a_note_is_kept_for_an_operator_alone_and_within_its_length(
    serve: Callable[..., Ask], tmp_path: Path, form: dict[str, str], token: str, status: int
):
    release_first(tmp_path, make_stored_model(tmp_path, "one"))

    assert serve(TOKENS)(f"{PATH}/note", form, cookie=f"releve_token={token}").status == status


def test_where_no_operator_is_known_nobody_writes_notes(ask: Ask):
    assert ask(f"{PATH}/note", {"text": "x"}).status == 404
    assert b"Write a note" not in ask(PATH).body
