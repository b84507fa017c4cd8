import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from releve.adapters.registry.registry import Registry
from releve.cli.app import main
from releve.cli.output import WIDTH_WITHOUT_TERMINAL
from releve.cli.show import serving_model
from releve.core.settings import Settings
from releve.domain.neighbours.index_versions import IndexVersion
from releve.domain.registry.events import ModelReleased
from releve.domain.registry.release import IndexUpdate
from tests.evaluations import make_evaluation
from tests.events import make_challenger, make_ingested
from tests.page_histories import RELEASE

pytestmark = pytest.mark.usefixtures("project")

NOON = datetime(2026, 5, 31, 12, tzinfo=UTC)
LONG = (
    "accuracy 0.951 [0.930, 0.967] beats the champion's " + "0.912 and every naive baseline, " * 8 + "so it takes over"
)


def release_v1(registry):
    release = RELEASE.model_copy(update={"scenario": "digits", "model": "digits:v1", "model_digest": "ab" * 32})
    registry.move("digits", ModelReleased(release=release), expected=None, reason=LONG, actor="ana")


@pytest.fixture
def history(project):
    """digits: 1 ingested at noon, 2 released at one."""
    times = iter([NOON, NOON + timedelta(hours=1)])
    registry = Registry(f"sqlite:///{project}/var/registry.db", clock=lambda: next(times))
    registry.append("digits", make_ingested(), reason="batch 1", actor="flow")
    release_v1(registry)
    registry.close()


def printed_json(capsys):
    return json.loads(capsys.readouterr().out)


def as_words(text):
    """What a table says, without its lines and line breaks."""
    return " ".join(text.replace("│", " ").replace("┃", " ").split())


def test_current_tells_what_serves(history, capsys):
    assert main(["current", "digits"]) == 0

    printed = capsys.readouterr().out
    said = as_words(printed)
    assert f"model digits:v1 model files sha256 {'ab' * 32} expected of it accuracy 0." in said
    assert "FLAT by L2" in said and "recall was not measured" in said
    assert "since 2026-05-31T13:00:00Z, event 2" in said
    assert not [each for each in ("None", "{", "'") if each in printed]


def test_current_as_json_is_the_release_and_its_event(history, capsys):
    assert main(["current", "digits", "--json"]) == 0

    printed = printed_json(capsys)
    assert printed["release"]["model"] == "digits:v1"
    assert (printed["number"], printed["since"]) == (2, "2026-05-31T13:00:00.000000+00:00")


def test_rows_of_the_index_that_ended_are_counted_in_the_table_and_named_in_json(project, capsys):
    update = IndexUpdate(version=IndexVersion(1, ended=(701, 702)), revision="r" * 40, data_version="d" * 32)
    registry = Registry(f"sqlite:///{project}/var/registry.db")
    event = ModelReleased(release=RELEASE.model_copy(update={"scenario": "digits", "index_update": update}))
    registry.move("digits", event, expected=None, reason="better", actor="ana")
    registry.close()

    main(["current", "digits"])
    table = as_words(capsys.readouterr().out)
    main(["current", "digits", "--json"])

    assert f"up to data version {'d' * 32}" in table and "2 rows of before have ended" in table
    assert printed_json(capsys)["release"]["index_update"]["version"]["ended"] == [701, 702]


def test_a_scenario_without_a_release_is_no_error(capsys):
    assert main(["current", "moons"]) == 0
    assert capsys.readouterr().out == "no release of 'moons' serves now\n"

    assert main(["current", "moons", "--json"]) == 0
    assert printed_json(capsys) is None


@pytest.mark.parametrize("command", [["current"], ["history"], ["models"], ["verify"], ["at"]])
def test_an_unknown_scenario_is_answered_with_those_that_exist(history, capsys, command):
    time = ["2026-05-31"] if command == ["at"] else []

    assert main([*command, "digit", *time]) == 1

    printed = capsys.readouterr()
    assert printed.err == "error: there is no scenario 'digit'; there are digits, moons\n"
    assert printed.out == ""


def test_a_folder_that_is_no_scenario_is_not_offered(project, capsys):
    (project / "scenarios" / "__pycache__").mkdir()
    (project / "scenarios" / "notes.md").touch()

    main(["current", "digits"])

    assert capsys.readouterr().err.endswith("there are moons\n")


def test_what_serves_or_why_nothing_does_is_printed_where_the_service_starts(history):
    settings = Settings.from_environ(os.environ, cwd=Path.cwd())

    assert serving_model("digits", settings) == "digits:v1 serves digits"
    assert serving_model("moons", settings) == (
        "no release of moons is served yet: train and release one (make retrain SCENARIO=moons)"
    )


def test_a_project_without_scenarios_says_how_to_begin(project, capsys):
    (project / "scenarios" / "moons").rmdir()

    assert main(["current", "digits"]) == 1

    assert "there are none yet: `make scenario` adds one" in capsys.readouterr().err


def test_history_gives_every_reason_in_full(history, capsys):
    assert main(["history"]) == 0

    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= WIDTH_WITHOUT_TERMINAL
    assert "…" not in printed
    assert all(word in printed for word in LONG.split())
    assert "2026-05-31T12:00:00Z ingested flow batch 1" in as_words(printed).replace(" | ", " ")


def test_history_says_what_became_of_a_challenge_and_why(project, capsys):
    registry = Registry(f"sqlite:///{project}/var/registry.db")
    payload = make_challenger("moons:v1", promote=False, reasons=("too slow",), notes=("served natively",))
    registry.append("moons", payload, reason="started by hand", actor="retrain")
    registry.close()

    assert main(["history", "moons"]) == 0

    printed = as_words(capsys.readouterr().out)
    assert "moons:v1 refused, so nothing serves yet (accuracy 0.951); why it was made: started by hand" in printed
    assert printed.index("- too slow") < printed.index("- note: served natively")


def test_history_can_be_narrowed(history, capsys):
    assert main(["history", "digits", "--kind", "ingested", "--json"]) == 0
    assert [event["reason"] for event in printed_json(capsys)] == ["batch 1"]

    assert main(["history", "--kind", "ingested", "--kind", "released", "--json"]) == 0
    assert [event["number"] for event in printed_json(capsys)] == [1, 2]


def test_history_as_json_is_the_events(history, capsys):
    main(["history", "--json"])

    printed = printed_json(capsys)
    assert printed[0]["payload"]["rows"] == 100
    assert printed[1]["reason"] == LONG
    assert printed[1]["previous_hash"] == printed[0]["hash"]


def test_a_history_without_events_says_so(capsys):
    assert main(["history", "moons"]) == 0
    assert capsys.readouterr().out == "no such events\n"


def test_a_reason_is_neither_markup_nor_an_order_to_the_terminal(project, capsys):
    registry = Registry(f"sqlite:///{project}/var/registry.db")
    registry.append("digits", make_ingested(), reason="[bold]loud[/bold] :smile: \x1b[2Jgone", actor="flow")

    main(["history"])

    printed = capsys.readouterr().out
    assert "[bold]loud[/bold] :smile:" in as_words(printed)
    assert "\x1b" not in printed


@pytest.mark.parametrize(
    ("time", "model"),
    [
        ("2026-05-31T12:59:59.999999", None),
        ("2026-05-31T13:00:00", "digits:v1"),  # UTC when no zone is given
        ("2026-05-31T14:59:59+02:00", None),
        ("2026-05-31T15:00:00+02:00", "digits:v1"),
        ("2026-05-31", None),
        ("2026-06-01T00:00:00Z", "digits:v1"),
    ],
)
def test_at_tells_what_served_then(history, capsys, time, model):
    assert main(["at", "digits", time, "--json"]) == 0

    printed = printed_json(capsys)
    assert (printed and printed["release"]["model"]) == model


def test_at_names_the_time_when_nothing_served(history, capsys):
    main(["at", "digits", "2026-05-31"])

    assert capsys.readouterr().out == "no release of 'digits' serves at 2026-05-31T00:00:00+00:00\n"


def test_a_time_that_is_none_is_answered_with_an_example(history, capsys):
    assert main(["at", "digits", "yesterday"]) == 1

    assert capsys.readouterr().err.startswith("error: 'yesterday' is not a time; expected ISO 8601, for example 2026-")


@pytest.fixture
def judged(project):
    """digits: v1 was accepted and released, v2 refused."""
    times = iter([NOON, NOON + timedelta(hours=1), NOON + timedelta(hours=2)])
    registry = Registry(f"sqlite:///{project}/var/registry.db", clock=lambda: next(times))
    registry.append("digits", a_challenger("v1", 0.951, True), reason="by hand", actor="flow")
    release_v1(registry)
    registry.append("digits", a_challenger("v2", 0.9, False), reason="drift", actor="flow")
    registry.close()


METRICS = {"v1": "accuracy", "v2": "auc"}


def a_challenger(version, accuracy, promote):
    evaluation = make_evaluation(accuracy, metric=METRICS[version])
    return make_challenger(
        f"digits:{version}", evaluation=evaluation, promote=promote, reasons=("a tie", "keeps the champion")
    )


def test_models_tells_the_state_of_every_version_since_when_and_why(judged, capsys):
    assert main(["models", "digits"]) == 0

    lines = capsys.readouterr().out
    assert "digits:v1 champion accuracy 0.951 900 2026-05-31T13:00:00Z" in as_words(lines)
    assert "digits:v2 refused auc 0.900 900 2026-05-31T14:00:00Z" in as_words(lines)
    assert "│ digits:v2 │ a tie; keeps the champion" in lines  # in one line
    assert max(map(len, lines.splitlines())) <= WIDTH_WITHOUT_TERMINAL


def test_models_as_json_keeps_every_figure(judged, capsys):
    assert main(["models", "digits", "--json"]) == 0

    first, second = printed_json(capsys)
    assert (first["state"], first["reason"], first["gate"]) == ("champion", LONG, "a tie; keeps the champion")
    assert second == {
        "model": "digits:v2",
        "state": "refused",
        "metric": "auc",
        "score": 0.9,
        "own_metric": "",
        "own_score": None,
        "naive": False,
        "rows": 900,
        "since": "2026-05-31T14:00:00.000000+00:00",
        "reason": "a tie; keeps the champion",
        "gate": "a tie; keeps the champion",
    }


def test_models_of_a_scenario_that_never_ran_says_so(capsys):
    assert main(["models", "moons"]) == 0
    assert capsys.readouterr().out == "no model of 'moons' was judged yet\n"

    assert main(["models", "moons", "--json"]) == 0
    assert printed_json(capsys) == []


def test_models_names_the_event_that_no_life_can_contain(history, capsys):
    assert main(["models", "digits"]) == 1

    assert "event 2 of 'digits' (released) moves digits:v1: 'unevaluated' cannot become" in capsys.readouterr().err


def test_verify_counts_what_it_checked(history, capsys):
    assert main(["verify"]) == 0
    assert capsys.readouterr().out.startswith("2 events checked")

    assert main(["verify", "digits", "--json"]) == 0
    assert printed_json(capsys) == {"events": 2}


def test_verify_fails_for_a_history_that_was_edited(history, tmp_path, capsys):
    import sqlite3

    with sqlite3.connect(tmp_path / "var" / "registry.db") as connection:
        connection.execute("UPDATE events SET reason = 'other' WHERE number = 1")

    assert main(["verify"]) == 1
    assert capsys.readouterr().err.startswith("error: event 1 of 'digits' was changed")


def test_an_unavailable_registry_has_an_exit_code_of_its_own(monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_REGISTRY_URL", "unheardof://ana:sesame@127.0.0.1/releve")

    assert main(["verify"]) == 2

    printed = capsys.readouterr().err
    assert printed.startswith("error: the registry at unheardof://ana:***@127.0.0.1/releve cannot be used")


def test_a_bad_setting_is_a_message_too(monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_PREFECT_PORT", "many")

    assert main(["verify"]) == 1

    assert "RELEVE_PREFECT_PORT is 'many'" in capsys.readouterr().err


def test_a_kind_of_event_that_does_not_exist_is_refused_with_the_nearest_one(capsys):
    assert main(["history", "--kind", "relesed"]) != 0

    assert "there is no kind of event 'relesed'; did you mean 'released'?" in capsys.readouterr().err


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00"])
def test_a_time_that_utc_does_not_have_is_refused(time, capsys):
    assert main(["at", "digits", time]) == 1
    assert "lies outside the years 1 to 9999 in UTC" in capsys.readouterr().err


def test_nothing_of_a_password_is_printed_that_was_not_quoted_in_the_registry_s_url(monkeypatch, capsys):
    monkeypatch.setenv("RELEVE_REGISTRY_URL", "postgresql+psycopg://ana:ses/a@me@127.0.0.1:1/releve")

    assert main(["verify"]) == 1

    printed = capsys.readouterr().err
    assert "write %40" in printed
    assert "ses/a" not in printed
    assert "me@" not in printed
