"""Notes of the team: by name, beside the decisions, and without a say in any."""

from contextlib import closing
from datetime import UTC, datetime

import pytest
import yaml

from releve.adapters.registry.registry import Registry
from releve.cli.app import main
from releve.core.errors import BadInput, NotFound
from releve.core.settings import Settings
from releve.domain.approval.people import NotAnApprover, token_hash, token_of
from releve.domain.registry.chain import NOTED
from releve.domain.registry.events import LONGEST_NOTE, ModelReleased
from releve.domain.registry.lifecycle import model_version_statuses
from releve.reporting.html import render_html
from releve.reporting.markdown import render_markdown
from releve.reporting.page.page import build
from tasks.notes import notes_on, take_note
from tasks.reporting.fleet_page import write_fleet_page
from tasks.reporting.model_card import card_of
from tasks.reporting.page import gather
from tests.events import make_any_release, make_challenger
from tests.factories import SCENARIO, make_project
from tests.repositories import commit

ANNA, NOBODY = token_of(bytes(range(32))), token_of(bytes(range(32, 64)))
MODEL = f"{SCENARIO}:v1"
ODD = "why <script>alert(1)</script> | **so** late?"


@pytest.fixture
def settings(tmp_path, monkeypatch):
    """A project whose one approver is anna, with a released model; commands find it, and her token."""
    project = make_project(tmp_path)
    path = project / "scenarios" / SCENARIO / "params.yaml"
    described = yaml.safe_load(path.read_text()) | {"release": {"approvers": {"anna": token_hash(ANNA)}}}
    path.write_text(yaml.safe_dump(described))
    commit(project, "who may approve")
    environ = {"RELEVE_PROJECT": str(project), "RELEVE_HOME": str(tmp_path / "home"), "RELEVE_APPROVER_TOKEN": ANNA}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    settings = Settings.from_environ(environ, cwd=project)
    settings.home.mkdir()
    with closing(Registry(settings.registry_url)) as registry:
        registry.append(SCENARIO, make_challenger(MODEL), reason="", actor="tests")
        released = ModelReleased(release=make_any_release(MODEL))
        registry.move(SCENARIO, released, expected=None, reason="", actor="tests")
    return settings


def events_of(settings, **asked):
    with closing(Registry(settings.registry_url)) as registry:
        return registry.events(SCENARIO, **asked)


def with_token(settings, token):
    return Settings.from_environ(
        {"RELEVE_HOME": str(settings.home), "RELEVE_APPROVER_TOKEN": token}, cwd=settings.project
    )


def test_a_note_is_by_the_holder_of_the_token_and_moves_nothing(settings):
    with closing(Registry(settings.registry_url)) as registry:
        before = registry.current(SCENARIO), model_version_statuses(registry.events(SCENARIO))

        note = take_note(settings, MODEL, "  who\nasked for it? ")

        assert (note.kind, note.actor, note.reason, note.payload["model"]) == (
            NOTED,
            "anna",
            "who asked for it?",
            MODEL,
        )
        assert (registry.current(SCENARIO), model_version_statuses(registry.events(SCENARIO))) == before
        assert registry.verify(SCENARIO) == 3


@pytest.mark.parametrize(
    ("token", "error"), [("", (BadInput, "RELEVE_APPROVER_TOKEN is not set")), (NOBODY, (NotAnApprover, "of nobody"))]
)
def test_who_is_not_known_writes_none(settings, token, error):
    kind, says = error

    with pytest.raises(kind, match=says):
        take_note(with_token(settings, token), SCENARIO, "hello")

    assert not events_of(settings, kinds=(NOTED,))


@pytest.mark.parametrize(
    ("about", "text", "kind", "says"),
    [
        (SCENARIO, " \n ", BadInput, "the note is empty"),
        (SCENARIO, "x" * (LONGEST_NOTE + 1), BadInput, "has 1,001 characters, and may have 1,000"),
        (f"{SCENARIO}:v2", "x", NotFound, f"no model {SCENARIO}:v2; `releve models {SCENARIO}` lists"),
        (f"{SCENARIO}:", "x", NotFound, f"no model {SCENARIO}:;"),
        ("nobody", "x", NotFound, "nobody"),
        ("../x", "x", BadInput, "is not allowed"),
    ],
)
def test_a_note_that_says_nothing_too_much_or_is_on_nothing_is_refused(settings, about, text, kind, says):
    with pytest.raises(kind, match=says):
        take_note(settings, about, text)


def test_a_note_of_the_longest_length_is_kept_and_the_same_again_is_one(settings):
    text = "x" * LONGEST_NOTE

    numbers = [take_note(settings, about, text).number for about in (SCENARIO, SCENARIO, MODEL, SCENARIO)]

    assert numbers == [3, 3, 4, 5]
    assert [each.number for each in notes_on(settings, MODEL)] == [4]


def test_notes_stand_on_page_card_and_start_page_and_bring_no_markup(settings):
    take_note(settings, MODEL, ODD)
    page = build(gather(settings, SCENARIO, now=datetime.now(UTC)))

    for shown in (page, card_of(settings, MODEL), write_fleet_page(settings).page):
        written, html = render_markdown(shown), render_html(shown)

        assert f"note of anna on {MODEL}" in written and f"note of anna on {MODEL}" in html
        assert r"why &lt;script>alert(1)&lt;/script> \| \*\*so\*\* late?" in written
        assert "why &lt;script&gt;alert(1)&lt;/script&gt; | **so** late?" in html


def test_a_card_has_the_notes_on_its_own_model_alone(settings):
    before = render_markdown(card_of(settings, MODEL))
    take_note(settings, SCENARIO, "on the scenario")

    assert render_markdown(card_of(settings, MODEL)) == before


def test_the_command_writes_and_lists_notes(settings, capsys):
    assert main(["note", SCENARIO]) == 0
    assert f"nobody has written a note on {SCENARIO}" in capsys.readouterr().out

    assert main(["note", MODEL, "watch the new region"]) == 0
    assert f"note of anna on {MODEL}, in event 3 of {SCENARIO}: watch the new region" in capsys.readouterr().out

    assert main(["note", SCENARIO]) == 0
    assert "watch the new region" in capsys.readouterr().out
    assert main(["history", SCENARIO, "--kind", "noted"]) == 0
    assert "anna" in capsys.readouterr().out
