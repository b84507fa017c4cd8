"""The start page over many scenarios, from a real registry and real folders."""

import shutil
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from releve.adapters.registry.registry import RegistryUnavailable
from releve.domain.attention.needs import NeedKind
from tasks.fleet import look_at_all
from tasks.monitoring.needs import needs_of
from tasks.places import ScenarioState
from tasks.reporting.fleet_page import write_fleet_page
from tests.fleets import make_fleet
from tests.repositories import commit

NOW = datetime(2026, 5, 31, 12, tzinfo=UTC)
KINDS = {
    NeedKind.NOTHING_SERVES: 2,  # withdrawn, and nothing ever came
    NeedKind.TAKEN_BACK: 1,
    NeedKind.UNRELEASED: 1,
    NeedKind.SILENT: 1,
    NeedKind.REFUSED_FILES: 1,
    NeedKind.INDEX_BEHIND: 1,
    NeedKind.DEGRADED: 1,
    NeedKind.HARMFUL: 1,
    NeedKind.BROKEN_DATA: 1,
    NeedKind.LABELS_OVERDUE: 1,
}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Twelve scenarios that go by themselves, and one of each kind that does not; nobody changes it."""
    return make_fleet(tmp_path_factory.mktemp("fleet"), scenarios=26, events=60, now=NOW, troubled=2)


@pytest.fixture
def small(tmp_path):
    """Three scenarios: the champion of the first was withdrawn."""
    return make_fleet(tmp_path, scenarios=3, events=10, now=NOW, troubled=3)


def needing(done):
    return {one.scenario: [need.kind for need in one.needs] for one in done.standings if one.needs}


def test_every_scenario_has_its_line_and_each_need_is_found(fleet):
    done = write_fleet_page(fleet, now=NOW)

    assert len(done.standings) == 26
    assert Counter(kind for kinds in needing(done).values() for kind in kinds) == KINDS
    assert done.path == fleet.home / "pages" / "index.html"
    html = done.path.read_text()
    assert all(f'href="{one.scenario}.html"' in html for one in done.standings)


def test_the_page_says_of_a_scenario_what_is_said_of_it_alone(fleet):
    for one in write_fleet_page(fleet, now=NOW).standings:
        assert needs_of(fleet, one.scenario, now=NOW) == one.needs


def test_costs_and_speed_are_of_thirty_days(fleet):
    standings = {one.scenario: one for one in write_fleet_page(fleet, now=NOW).standings}
    later = {one.scenario: one for one in write_fleet_page(fleet, now=NOW + timedelta(days=60)).standings}

    assert 12 * 20 <= standings["demand_001"].cpu_seconds <= 12 * 400
    assert 0 < standings["demand_001"].hours_to_release < 25.2
    assert (later["demand_001"].cpu_seconds, later["demand_001"].hours_to_release) == (0, None)


@pytest.mark.parametrize("which", ["number = 1", "number > 1"])
def test_a_scenario_that_cannot_be_read_is_a_need_and_stops_no_other(small, which):
    engine = sa.create_engine(small.registry_url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE events SET payload = '[' WHERE scenario = 'demand_001' AND {which}"))
    engine.dispose()
    params = small.project / "scenarios" / "fraud_002" / "params.yaml"
    params.write_text(f"{params.read_text()}\nalerts: {{silence_hours: never}}\n")
    commit(small.project, "a mistake")

    done = write_fleet_page(small, now=NOW)

    assert needing(done) == {
        "churn_000": [NeedKind.NOTHING_SERVES],
        "demand_001": [NeedKind.UNREADABLE],
        "fraud_002": [NeedKind.UNREADABLE],
    }
    assert "silence_hours" in done.path.read_text()


def test_params_that_the_fleet_found_wrong_are_a_need_until_they_are_corrected(small):
    params = small.project / "scenarios" / "fraud_002" / "params.yaml"
    text = params.read_text()
    params.write_text(f"{text}\nschedule: {{cron: often}}\n")
    commit(small.project, "a mistake")
    look_at_all(small, now=NOW)
    assert needing(write_fleet_page(small, now=NOW))["fraud_002"] == [NeedKind.UNREADABLE]

    params.write_text(text)
    commit(small.project, "corrected")

    assert "fraud_002" not in needing(write_fleet_page(small, now=NOW))


def test_a_scenarios_own_settings_count(small):
    assert needing(write_fleet_page(small, now=NOW + timedelta(days=3)))["fraud_002"] == [NeedKind.SILENT]

    params = small.project / "scenarios" / "fraud_002" / "params.yaml"
    params.write_text(f"{params.read_text()}\nalerts: {{silence_hours: 100}}\n")
    commit(small.project, "patience")

    assert "fraud_002" not in needing(write_fleet_page(small, now=NOW + timedelta(days=3)))


def test_a_scenario_that_is_not_committed_yet_is_named(small):
    shutil.copytree(small.project / "scenarios" / "fraud_002", small.project / "scenarios" / "new")

    (need,) = next(one for one in write_fleet_page(small, now=NOW).standings if one.scenario == "new").needs

    assert need.kind == NeedKind.UNREADABLE
    assert "is not committed" in need.about


def test_pages_that_are_not_there_are_no_links_and_links_lead_there_from_any_file(small, tmp_path):
    (small.home / "pages" / "fraud_002.html").unlink()

    html = write_fleet_page(small, path=tmp_path / "elsewhere" / "start.html", now=NOW).path.read_text()

    assert 'href="../project/var/pages/churn_000.html"' in html
    assert "fraud_002.html" not in html


def test_a_scenario_called_index_has_a_page_of_its_own(small):
    assert ScenarioState(small.home, "index").page.name == "index.scenario.html"


def test_a_registry_that_is_away_is_an_error_and_no_page_full_of_needs(small):
    away = replace(small, registry_url="postgresql+psycopg://ana@127.0.0.1:1/releve")

    with pytest.raises(RegistryUnavailable):
        write_fleet_page(away, now=NOW)
    assert not (small.home / "pages" / "index.html").exists()
