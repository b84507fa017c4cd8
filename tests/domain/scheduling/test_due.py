"""Which run a scenario needs, on both sides of every boundary."""

from datetime import UTC, datetime, timedelta

import pytest

from releve.domain.scheduling.due import (
    DueFacts,
    DueReason,
    DueRun,
    ScenarioEvents,
    ScenarioPlan,
    due_run,
    silence_is_news,
    silent_hours,
)
from tests.tables import make_params

NOW = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
CRON = {"cron": "30 2 * * *"}
SOURCE = {"query": "select 1"}


def ago(hours):
    return NOW - timedelta(hours=hours)


def due(*, waiting="", serves=100.0, monitored=1.0, params=None, **events):
    """What is due; by default a champion was monitored an hour ago. `serves`, `monitored`: hours ago."""
    known = {
        "serves_since": None if serves is None else ago(serves),
        "monitored_at": None if monitored is None else ago(monitored),
        "monitored": 0 if monitored is None else 10,
    }
    facts = DueFacts(
        ScenarioPlan.of(make_params(**(params or {}))),
        ScenarioEvents(**{**known, **events}),
        waiting=waiting,
    )
    return due_run(facts, NOW)


def shown(run):
    return (run.flow, run.reason) if run else None


def test_a_scenario_where_nothing_happened_needs_nothing():
    assert due() is None


def test_waiting_files_are_ingested_whether_a_model_serves_or_not():
    assert due(waiting="f1") == DueRun("ingest", DueReason.FILES, "files/f1/2026-01-05T09")
    assert due(waiting="f1", serves=None, monitored=None) == due(waiting="f1")


def test_a_query_is_asked_once_an_hour():
    assert due(params={"source": SOURCE}) == DueRun("ingest", DueReason.SOURCE, "source/2026-01-05T09")
    assert shown(due(params={"source": SOURCE}, waiting="f1")) == ("ingest", "files")  # which asks it, too


@pytest.mark.parametrize(
    ("hours", "expected"), [(21.9, None), (22, "monitoring"), (25, "monitoring"), (25.1, "silence")]
)
def test_what_serves_is_monitored_once_a_day(hours, expected):
    run = due(monitored=hours)

    assert shown(run) == (expected and ("lifecycle", expected))


@pytest.mark.parametrize(("hours", "is_due"), [(1, False), (21.9, False), (22, True), (9000, True)])
def test_a_run_that_a_wrong_clock_dated_later_puts_off_no_other_one_for_long(hours, is_due):
    assert (due(monitored=-hours) is not None) == is_due
    rows, params = {"newest_batch": 11, "new_rows": 90, "new_batches": 1}, {"trigger": {"cooldown_hours": 22.0}}
    assert (due(**rows, params=params, challenged_at=ago(-hours)) is not None) == is_due


def test_the_same_run_is_not_started_twice_a_day():
    run = due(monitored=22)

    assert run.key == f"monitoring/{ago(22).isoformat()}/2026-01-05"


def test_what_nobody_monitored_yet_is_monitored_a_day_after_its_release():
    assert due(serves=21.9, monitored=None) is None
    assert shown(due(serves=22, monitored=None)) == ("lifecycle", "monitoring")


@pytest.mark.parametrize("new", [{"waiting": "f1"}, {"newest_batch": 11}, {"params": {"source": SOURCE}}])
def test_the_daily_run_ingests_what_waits_too(new):
    assert shown(due(monitored=22, **new)) == ("lifecycle", "monitoring")


def test_a_smaller_limit_of_silence_brings_runs_in_time_for_it():
    params = {"alerts": {"silence_hours": 10.0}}

    assert due(monitored=8.9, params=params) is None
    assert shown(due(monitored=9, params=params)) == ("lifecycle", "monitoring")
    assert shown(due(monitored=10.1, params=params)) == ("lifecycle", "silence")


def test_where_any_silence_is_allowed_runs_come_once_a_day_and_never_for_silence():
    params = {"alerts": {"silence_hours": 0.0}}

    assert due(monitored=21.9, params=params) is None
    assert shown(due(monitored=999, params=params)) == ("lifecycle", "monitoring")


def test_a_scenario_with_a_schedule_of_its_own_runs_by_that_one_unless_it_is_silent():
    params = {"schedule": CRON}

    assert due(monitored=24, params=params, newest_batch=11, new_rows=999) is None
    assert shown(due(monitored=26, params=params)) == ("monitor", "silence")
    assert shown(due(params=params, waiting="f1")) == ("ingest", "files")


def test_nothing_is_monitored_or_refreshed_where_nothing_serves():
    assert due(serves=None, monitored=99, newest_batch=11, new_rows=999) is None


@pytest.mark.parametrize(("rows", "expected"), [(89, None), (90, ("lifecycle", "refresh"))])
def test_a_refresh_is_looked_at_as_soon_as_its_rows_are_there(rows, expected):
    assert shown(due(newest_batch=11, new_rows=rows, new_batches=1)) == expected


def test_a_refresh_that_a_run_decided_against_waits_for_the_next_batch():
    assert due(newest_batch=9, new_rows=900, new_batches=3) is None
    assert due(newest_batch=11, new_rows=900, new_batches=3).key == "refresh/11/2026-01-05"


@pytest.mark.parametrize(("batches", "expected"), [(3, None), (4, ("lifecycle", "refresh"))])
def test_a_policy_that_counts_batches_does_not_count_rows(batches, expected):
    params = {"trigger": {"policy": "schedule", "every_batches": 4}}

    assert shown(due(params=params, newest_batch=11, new_rows=999, new_batches=batches)) == expected


def test_a_model_that_stays_as_it_is_is_not_refreshed():
    assert due(params={"trigger": {"policy": "static"}}, newest_batch=11, new_rows=999, new_batches=9) is None


@pytest.mark.parametrize(("hours", "expected"), [(5.9, None), (6, ("lifecycle", "refresh"))])
def test_a_refresh_waits_for_its_cooldown(hours, expected):
    params = {"trigger": {"cooldown_hours": 6.0}}

    assert shown(due(params=params, newest_batch=11, new_rows=90, challenged_at=ago(hours))) == expected


def test_silence_is_counted_from_the_last_run_or_the_release():
    plan = ScenarioPlan.of(make_params())

    assert silent_hours(plan, ScenarioEvents(serves_since=ago(25)), NOW) == 0
    assert silent_hours(plan, ScenarioEvents(serves_since=ago(26)), NOW) == 26
    assert silent_hours(plan, ScenarioEvents(serves_since=ago(90), monitored_at=ago(30)), NOW) == 30
    assert silent_hours(plan, ScenarioEvents(monitored_at=ago(30)), NOW) == 0


@pytest.mark.parametrize(("told", "is_news"), [(None, True), (22.9, False), (23, True)])
def test_a_silence_is_told_once_a_day(told, is_news):
    assert silence_is_news(ScenarioEvents(silent_at=told and ago(told)), NOW) is is_news


@pytest.mark.parametrize(("hours", "is_due"), [(-0.01, False), (0, True), (0.01, True)])
def test_a_request_for_approval_is_seen_to_at_its_time_and_before_files(hours, is_due):
    found = due(waiting="f1", approval=7, approval_due=ago(hours))

    assert shown(found) == (("approval", "approval") if is_due else ("ingest", "files"))
    assert not is_due or found.key == "approval/7/2026-01-05T09"


def test_a_request_without_an_end_is_never_due():
    assert due(approval=7) is None
