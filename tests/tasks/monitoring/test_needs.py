"""What needs a person, from a real registry and real folders."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from releve.adapters.registry.registry import Registry
from releve.core.errors import NotFound
from releve.core.settings import Settings
from releve.domain.attention.needs import NeedKind
from releve.domain.quality.realised import QualityState
from releve.domain.registry.events import ModelReleased, ScenarioArchived
from releve.domain.trigger.monitoring_run import MonitoringRun
from tasks.monitoring.needs import needs_of
from tests.events import make_ingested
from tests.factories import SCENARIO, make_project
from tests.page_histories import RELEASE, make_quality, monitored_event


@pytest.fixture
def settings(tmp_path):
    return Settings.from_environ({}, cwd=make_project(tmp_path))


@pytest.fixture
def registry(settings):
    with closing(Registry(settings.registry_url)) as registry:
        yield registry


def release(registry):
    serving = RELEASE.model_copy(update={"scenario": SCENARIO, "model": f"{SCENARIO}:abc"})
    registry.move(SCENARIO, ModelReleased(release=serving), expected=None, reason="the first", actor="a test")


def monitor(registry, **changes):
    run = monitored_event(model=f"{SCENARIO}:abc", **changes).read(MonitoringRun)
    return registry.append(SCENARIO, run, reason="", actor="a test").at


def kinds(settings, **changes):
    return [need.kind for need in needs_of(settings, SCENARIO, **changes)]


def later(**span):
    return datetime.now(UTC) + timedelta(**span)


def test_a_scenario_of_which_nothing_is_known_needs_rows(settings):
    assert kinds(settings) == [NeedKind.NOTHING_SERVES]


def test_a_degraded_model_needs_a_person_since_the_first_run_that_shows_it(settings, registry):
    release(registry)
    assert kinds(settings) == []

    monitor(registry)
    first = monitor(registry, quality=make_quality(QualityState.DEGRADED))
    for _ in range(20):  # more than one page of events
        monitor(registry, quality=make_quality(QualityState.UNKNOWN))

    assert [(need.kind, need.since) for need in needs_of(settings, SCENARIO)] == [(NeedKind.DEGRADED, first)]


def test_what_was_before_the_scenario_was_started_over_needs_nobody(settings, registry):
    registry.append(SCENARIO, make_ingested(), reason="", actor="a test")
    registry.append(SCENARIO, ScenarioArchived(archive="shop-1"), reason="", actor="a test")

    (need,) = needs_of(settings, SCENARIO)

    assert need.since == ""


def test_a_scenario_is_silent_as_its_settings_say(settings, registry):
    release(registry)
    monitor(registry)

    assert kinds(settings, now=later(hours=24)) == []
    assert kinds(settings, now=later(hours=26)) == [NeedKind.SILENT]


def test_an_index_lacks_every_batch_since_the_release(settings, registry):
    release(registry)
    for number in range(3):
        registry.append(SCENARIO, make_ingested(batch=f"000{number}"), reason="", actor="a test")

    (need,) = needs_of(settings, SCENARIO, now=later(hours=7))

    assert (need.kind, need.count, need.about) == (NeedKind.INDEX_BEHIND, 3, "0002")


def test_refused_files_are_listed_without_their_notes(settings, registry):
    release(registry)
    refused = settings.home / "refused" / SCENARIO
    refused.mkdir(parents=True)
    (refused / "march.csv").write_text("a\n")
    (refused / "march.csv.reason.json").write_text(json.dumps({"reason": "it is empty"}))
    (refused / "moved.csv.reason.json").write_text("{}")

    (need,) = needs_of(settings, SCENARIO)

    assert (need.kind, need.about, need.count) == (NeedKind.REFUSED_FILES, "march.csv", 1)


def test_a_ledger_that_nobody_compacts_is_seen_by_its_names(settings, registry):
    release(registry)
    ledger = settings.home / "ledger" / SCENARIO
    ledger.mkdir(parents=True)
    for name in ("answers-20260105-0123abcd.jsonl", "answers-20260101.parquet", "other-20250101.jsonl"):
        (ledger / name).touch()

    (need,) = needs_of(settings, SCENARIO)

    assert (need.kind, need.about) == (NeedKind.LEDGER_BEHIND, "20260105")


def test_an_unknown_scenario_is_an_error(settings):
    with pytest.raises(NotFound, match="there is no scenario 'other'"):
        needs_of(settings, "other")
