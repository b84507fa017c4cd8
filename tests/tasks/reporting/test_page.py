"""The page of a scenario, from a real registry."""

from contextlib import closing

import pytest

from releve.adapters.files import write_json
from releve.adapters.registry.registry import Registry
from releve.cli.app import main
from releve.core.errors import BadInput, NotFound
from releve.core.settings import Settings
from releve.domain.registry.events import ModelReleased, ScenarioArchived
from releve.domain.trigger.monitoring_run import MonitoringRun
from tasks.reporting.page import write_page
from tests.factories import SCENARIO, make_project
from tests.page_histories import RELEASE, make_backtest, monitored_event


@pytest.fixture
def settings(tmp_path):
    return Settings.from_environ({}, cwd=make_project(tmp_path))


def tell(settings, *, runs):
    """A release, and so many monitoring runs."""
    with closing(Registry(settings.registry_url)) as registry:
        release = RELEASE.model_copy(update={"scenario": SCENARIO, "model": f"{SCENARIO}:abc"})
        registry.move(SCENARIO, ModelReleased(release=release), expected=None, reason="the first", actor="a test")
        for day in range(runs):
            registry.append(SCENARIO, monitored_event(day=day).read(MonitoringRun), reason="", actor="a test")


def test_the_page_lies_below_the_home_and_tells_what_the_registry_knows(settings):
    tell(settings, runs=2)

    path = write_page(settings, SCENARIO)

    assert path == settings.home / "pages" / f"{SCENARIO}.html"
    assert f"{SCENARIO}:abc" in path.read_text()
    assert "2 monitoring runs: 2 no drift." in path.read_text()


def test_a_scenario_of_which_nothing_is_known_has_a_page(settings):
    assert "Nothing serves." in write_page(settings, SCENARIO).read_text()


def test_files_that_wait_to_be_ingested_are_counted_on_the_page(settings):
    incoming = settings.home / "incoming" / SCENARIO
    place = f"{incoming.relative_to(settings.project)}/"
    assert f"put a file into {place}" in write_page(settings, SCENARIO).read_text()

    incoming.mkdir(parents=True, exist_ok=True)
    for name in ("one.csv", ".hidden"):
        (incoming / name).write_text("a,b\n")

    assert f"1 file waits in {place} already" in write_page(settings, SCENARIO).read_text()


def test_a_page_begins_where_the_scenario_was_started_over(settings):
    tell(settings, runs=2)
    with closing(Registry(settings.registry_url)) as registry:
        registry.append(SCENARIO, ScenarioArchived(archive="shop-1"), reason="", actor="a test")

    assert "no monitoring run was made" in write_page(settings, SCENARIO).read_text()


def test_a_backtest_is_shown_where_there_is_one(settings):
    write_json(settings.home / "backtest" / SCENARIO / "backtest.json", make_backtest().model_dump(mode="json"))

    assert "Recommended: every window" in write_page(settings, SCENARIO).read_text()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[1", "is damaged: it is not whole, or no JSON"),
        ("[1]", "it is no object"),
        ('{"format": 2}', "its 'format' is wrong"),
    ],
)
def test_a_backtest_that_cannot_be_read_is_reported_with_its_file_and_what_to_do(settings, text, problem):
    path = settings.home / "backtest" / SCENARIO / "backtest.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)

    with pytest.raises(BadInput, match=problem) as refused:
        write_page(settings, SCENARIO)
    assert str(path) in str(refused.value)
    assert f"make backtest SCENARIO={SCENARIO}" in str(refused.value)


def test_a_scenario_without_a_folder_has_no_page(settings):
    with pytest.raises(NotFound, match="there is no scenario 'other'"):
        write_page(settings, "other")


def test_the_command_prints_where_the_page_lies(settings, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(settings.project)

    codes = [
        main(["page", SCENARIO]),
        main(["page", SCENARIO, f"--html={tmp_path}/mine.html"]),
        main(["page", "other"]),
    ]

    said = capsys.readouterr()
    assert codes == [0, 0, NotFound.exit_code]
    assert said.out.splitlines() == [str(settings.home / "pages" / f"{SCENARIO}.html"), str(tmp_path / "mine.html")]
    assert said.err.count("error: ") == 1
